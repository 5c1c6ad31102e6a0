from __future__ import annotations

import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

from recurro.cells import GRU
from recurro.data import Sequences, run_program
from recurro.data.programs import ALPHABET
from recurro.data.split import hash_digit
from recurro.errors import ConfigError, DataError, RunError
from recurro.tasks import ProgramExecutor
from recurro.tasks.program_network import WRITTEN, answer_figures
from recurro.tasks.programs import _Nothing
from tests.data.test_programs import LECTURE

SMALL = {
    "length": 2,
    "hidden_size": 12,
    "embedding_size": 8,
    "epochs": 2,
    "programs": 100,
    "chosen_on": 20,
    "tested_on": 20,
    "batch_size": 25,
}


@pytest.fixture(scope="module")
def model() -> ProgramExecutor:
    return ProgramExecutor(**SMALL).fit()


def told_by_hand(model: ProgramExecutor, text: str, answer: str) -> tuple[str, float]:
    """The likeliest symbol at each place given the right ones before, and the loss."""
    network = model.network_.eval()
    encoder, decoder = network.encoder, network.head
    shown = text[::-1] if model.reverse else text
    shown = shown * 2 if model.double else shown
    ids = torch.tensor([ALPHABET.index(symbol) for symbol in shown])
    right = [WRITTEN.index(symbol) for symbol in answer + "."]
    with torch.no_grad():
        seen, state = encoder.recurrents[0](encoder.inputs(ids)[:, None])
        x = decoder.embedding(torch.tensor([0, *right[:-1]]))
        if model.each_step:
            x = torch.cat([x, seen[-1].expand(len(x), -1)], 1)
        y, _ = decoder.recurrent(x[:, None], state)
        z = decoder.softmax(y[:, 0])
    loss = functional.cross_entropy(z, torch.tensor(right), reduction="sum")
    return "".join(WRITTEN[number] for number in z.argmax(-1)), float(loss)


def written_by_hand(model: ProgramExecutor, text: str, most: int) -> str:
    """The likeliest symbol after those that were written, one after the other."""
    answer = ""
    while len(answer) < most:
        symbol = told_by_hand(model, text, answer)[0][-1]
        if symbol == ".":
            break
        answer += symbol
    return answer


@pytest.mark.filterwarnings("ignore:ProgramExecutor")
@pytest.mark.parametrize(
    "shown", [{}, {"reverse": False, "double": True, "each_step": False}]
)
def test_figures_and_answers_are_those_of_the_network_by_hand(shown) -> None:
    model = ProgramExecutor(**{**SMALL, "epochs": 1, **shown}).fit()
    texts = ["print(7)", LECTURE[0][0], "a=5\nprint((a-93))", "print(12+9)"]
    answers = [str(run_program(text)) for text in texts]
    told = [told_by_hand(model, *pair)[0] for pair in zip(texts, answers, strict=True)]
    right = sum(
        one == two
        for said, answer in zip(told, answers, strict=True)
        for one, two in zip(said, answer + ".", strict=True)
    )
    figures = model.evaluate(texts)
    assert figures["char_accuracy"] == pytest.approx(right / (2 + 6 + 4 + 3))
    limit = 2 * int(model.network_.head.longest)
    assert model.predict(texts) == [written_by_hand(model, t, limit) for t in texts]


@pytest.mark.filterwarnings("ignore:ProgramExecutor")
def test_a_beam_finds_answers_that_are_at_least_as_likely(model) -> None:
    texts = [one.text for one in model._exercises(12, "test")]
    answers = model.predict(texts)
    wide = clone(model).set_params(beam_size=20)
    wide.network_, wide.reader_ = model.network_, model.reader_
    for text, one, two in zip(texts, answers, wide.predict(texts), strict=True):
        if len(one) < 2 * int(model.network_.head.longest):
            losses = [told_by_hand(model, text, answer)[1] for answer in (one, two)]
            assert losses[1] <= losses[0] + 1e-4


def test_figures_counted_by_hand() -> None:
    figures = answer_figures(["12.", "1-..", "7.", "9"], ["12", "100", "8", "9"])
    assert figures == {"char_accuracy": 7 / 11, "exact_match": 1 / 4}


def test_addition_is_learnt_from_a_few_thousand_sums() -> None:
    model = ProgramExecutor(
        problem="addition",
        length=2,
        curriculum="none",
        cell=GRU(),
        hidden_size=48,
        learning_rate=0.01,
        batch_size=20,
        epochs=3,
        programs=2500,
        chosen_on=50,
        tested_on=200,
    ).fit()
    *others, ours = model.test_
    assert [row["name"] for row in others] == [
        "most frequent answer",
        "likeliest symbols",
        "last number",
    ]
    best = max(row["char_accuracy"] for row in others)
    assert ours["char_accuracy"] > best + 0.1
    again = model.evaluate()  # greedy answers are right where each symbol is
    assert again["exact_match"] == ours["exact_match"] == model.score()
    assert again["char_accuracy"] == pytest.approx(ours["char_accuracy"])


def texts_of(model: ProgramExecutor, sequences: Sequences) -> list[str]:
    shown = ["".join(ALPHABET[number] for number in row) for row in sequences]
    return [text[::-1] for text in shown]


def test_passes_are_of_new_programs_and_nothing_leaks(model) -> None:
    task = model._task(model.network_, model.reader_, model.settings, _Nothing())
    passes = [texts_of(model, task.train(epoch).sequences) for epoch in (0, 1, 0)]
    assert passes[0] == passes[2]
    assert len(set(passes[0]) & set(passes[1])) < 50  # some are very short
    chosen = texts_of(model, task.valid.sequences)
    tested = [one.text for one in model._exercises(50, "test")]
    assert {hash_digit(text) for text in passes[0] + passes[1]} == set(range(2, 10))
    assert {hash_digit(text) for text in chosen} == {1}
    assert {hash_digit(text) for text in tested} == {0}


def test_a_naive_curriculum_goes_on_where_learning_makes_no_progress(model) -> None:
    network = model._network(model.settings, model.reader_)
    stages = []
    for accuracy in (0.5, 0.6, 0.602, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3):
        network.note(accuracy, 4)
        stages.append(int(network.stage))
    assert stages == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("curriculum", ["none", "naive"])
def test_a_stopped_run_ends_as_if_it_had_not_been(curriculum, tmp_path) -> None:
    settings = {**SMALL, "curriculum": curriculum, "epochs": 3, "programs": 75}
    settings["checkpoint_steps"] = 2
    whole = ProgramExecutor(**settings, out=tmp_path / "whole").fit()
    stopped = ProgramExecutor(**settings, out=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(progress=_StopAt(7))
    model = ProgramExecutor.resume(tmp_path / "run")
    assert model.baselines_ == whole.baselines_
    assert model.test_ == whole.test_
    for name, weight in whole.network_.state_dict().items():
        assert torch.equal(weight, model.network_.state_dict()[name]), name
    again = ProgramExecutor.load(tmp_path / "run")
    assert again.evaluate_each(10) == model.evaluate_each(10)
    assert [(row["length"], row["nesting"]) for row in again.evaluate_each(5)] == [
        *((1, 1), (2, 1), (1, 2), (2, 2))
    ]


class _StopAt:
    def __init__(self, step: int) -> None:
        self.step = step

    def update(self, step: int, total: int, fields: object) -> None:
        if step >= self.step:
            raise KeyboardInterrupt


def test_answers_that_do_not_end_are_cut_and_said() -> None:
    model = ProgramExecutor(**{**SMALL, "epochs": 1}).fit()
    limit = 2 * int(model.network_.head.longest)
    with torch.no_grad():
        model.network_.head.softmax.bias[0] = -1e9
    with pytest.warns(UserWarning, match=f"2 of 2 answers .* after {limit} symbols"):
        found = model.predict(["print(1)", "print(2)"])
    assert [len(text) for text in found] == [limit, limit]


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        (["print(1)", "print(1/2)"], "program 1, line 1, column 8: .*a division"),
        (["a=1\nprint(b)"], "program 0, line 2, column 7: must be assigned"),
        (["print(1)", 7], "program 1 must be a text, got 7"),
        ([], r"must be given a list of programs, got \[\]"),
        ("print(1)", "must be given a list of programs, got 'print"),
    ],
)
def test_what_is_no_program_is_refused(model, programs, message) -> None:
    for verb in (model.predict, model.evaluate, model.score):
        with pytest.raises(DataError, match=message):
            verb(programs)


def test_wrong_arguments_are_refused(model, tmp_path) -> None:
    with pytest.raises(DataError, match="must not be given"):
        ProgramExecutor().fit(["print(1)"])  # pyright: ignore
    with pytest.raises(DataError, match="program 1: prints 5, got '6' as its answer"):
        model.evaluate(["print(1)", "print(2+3)"], ["1", "6"])
    with pytest.raises(ConfigError, match="'nesting' must be left out for addition"):
        ProgramExecutor(problem="addition", nesting=2).fit()
    with pytest.raises(ConfigError, match="'validate_every' must be left out for curr"):
        ProgramExecutor(validate_every=5).fit()
    assert clone(model).get_params()["programs"] == 100


def test_a_run_with_other_symbols_is_refused(tmp_path) -> None:
    ProgramExecutor(**{**SMALL, "epochs": 1}, out=tmp_path / "run").fit()
    path = tmp_path / "run" / "symbols.json"
    path.write_text(path.read_text().replace("abc", "acb"))
    with pytest.raises(RunError):
        ProgramExecutor.load(tmp_path / "run")
