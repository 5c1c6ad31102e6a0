"""Translation: what is learnt, kept, sought and refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recurro.data import read_pairs
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.nn import Decoder
from recurro.tasks import Translator
from tests.datasets import dataset

pytestmark = pytest.mark.filterwarnings("ignore:Translator. .* had no end")

WORDS = ["zero", "one", "two", "three", "four", "five"]
SMALL: dict[str, Any] = {
    "tokens": "word",
    "min_count": 1,
    "joint": False,
    "hidden_size": 32,
    "embedding_size": 16,
    "dropout": 0.0,
    "smoothing": 0.0,
    "learning_rate": 0.02,
    "batch_size": 16,
    "epochs": 8,
    "beam_size": 3,
    "held_out": 0.1,
}


def numbers(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Digits, and their names."""
    draw = np.random.default_rng(seed)
    rows = [draw.integers(0, 6, draw.integers(2, 5)) for _ in range(count)]
    return (
        [" ".join(str(digit) for digit in row) for row in rows],
        [" ".join(WORDS[digit] for digit in row) for row in rows],
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Translator:
    run = tmp_path_factory.mktemp("runs") / "numbers"
    return Translator(**SMALL, out=run).fit(*numbers(240))


def test_digits_are_named(trained) -> None:
    sources, targets = numbers(60, seed=1)
    found = trained.predict(sources)
    right = sum(a == b for a, b in zip(found, targets, strict=True))
    assert right >= 40
    table = {row["name"]: row for row in trained.baselines_}
    assert table["network"]["bleu"] > table["nearest text"]["bleu"] + 20
    assert table["network"]["bleu"] > table["source as it is"]["bleu"]


def test_figures_are_those_of_sacrebleu(trained) -> None:
    sources, targets = numbers(20, seed=2)
    figures, found = trained.evaluate(sources, targets), trained.predict(sources)
    bleu = sacrebleu.corpus_bleu(found, [targets]).score
    chrf = sacrebleu.corpus_chrf(found, [targets]).score
    assert (figures["bleu"], figures["chrf"]) == pytest.approx((bleu, chrf))
    assert trained.score(sources, targets) == pytest.approx(bleu / 100)


def test_perplexity_is_that_of_the_steps(trained) -> None:
    sources, targets = numbers(5, seed=3)
    network, tokenizer = trained.network_, trained.tokenizer_
    total = count = 0
    for source, target in zip(sources, targets, strict=True):
        ids = tokenizer.encode(target + "\n").tolist()
        read = trained.reader_([source])
        memory = network.encoder(read.batch(np.arange(1), np.zeros(1)))
        stepper = network.head.stepper(memory)
        state, last = stepper.init(1), tokenizer.eos_id
        for token in ids:
            state, log_probs = stepper.step(state, torch.tensor([last]))
            total -= float(log_probs[0, token])
            count, last = count + 1, token
    found = trained.evaluate(sources, targets)["perplexity"]
    assert found == pytest.approx(np.exp(total / count), rel=1e-4)


def test_a_run_says_the_same_when_it_is_read_back(trained) -> None:
    again = Translator.load(trained.run_.path)
    sources, targets = numbers(12, seed=4)
    assert again.predict(sources) == trained.predict(sources)
    assert again.evaluate(sources, targets) == trained.evaluate(sources, targets)
    assert again.baselines_ == trained.baselines_


def test_each_text_is_translated_for_itself(trained) -> None:
    sources, _ = numbers(9, seed=5)
    assert trained.predict(sources) == [trained.predict([s])[0] for s in sources]


def test_candidates_are_sorted_and_true(trained) -> None:
    (found,) = trained.candidates(["3 1"])
    assert found[0].text == trained.predict(["3 1"])[0]
    scores = [candidate.score for candidate in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) == 3
    with pytest.raises(ArgumentError, match="beam_size=3, got 4"):
        trained.candidates(["3 1"], 4)


def test_attention_looks_at_what_is_named(trained) -> None:
    ((source, written, weights),) = trained.attention_of(["3 1 5"])
    assert source == ["3", "1", "5", ""]
    assert weights.shape == (len(written), 4)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch) -> None:
    settings, data = {**SMALL, "epochs": 2, "dropout": 0.2}, numbers(60)
    settings |= {"scheduled_sampling": 0.3, "checkpoint_steps": 1}
    whole = Translator(**settings, out=tmp_path / "whole").fit(*data)
    steps, loss = 0, Decoder.loss

    def stopping(*args: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt
        return loss(*args)

    monkeypatch.setattr(Decoder, "loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        Translator(**settings, out=tmp_path / "part").fit(*data)
    monkeypatch.undo()
    resumed = Translator.resume(tmp_path / "part")
    for name, tensor in whole.network_.state_dict().items():
        assert torch.equal(tensor, resumed.network_.state_dict()[name]), name
    assert resumed.baselines_ == whole.baselines_


@pytest.mark.parametrize("tokens", ["word", "char", "bpe:300"])
@pytest.mark.parametrize("joint", [True, False])
def test_vocabularies_are_of_the_training_part_alone(tokens: str, joint: bool) -> None:
    settings = {**SMALL, "tokens": tokens, "joint": joint, "epochs": 1}
    sources, targets = numbers(20)
    held = (["0 9zebra9 qqqq qqqq"] * 30, ["zzyzx one zzyzx one"] * 30)
    alone = Translator(**{**settings, "held_out": 0.0}).fit(sources, targets)
    with_more = Translator(**settings).fit(sources, targets, valid=held, test=held)
    assert with_more.tokenizer_ == alone.tokenizer_
    assert with_more.reader_.tokenizer == alone.reader_.tokenizer
    drawn = Translator(**{**settings, "held_out": 0.5, "max_steps": 1})
    drawn.fit([*sources, *held[0]], [*targets, *held[1]])
    assert drawn.tokenizer_.size > 2


def test_byte_pairs_are_joint_and_embeddings_shared() -> None:
    settings = {**SMALL, "tokens": "bpe:280", "joint": True, "epochs": 1}
    texts = [f"ab ab ab {n}" for n in range(20)]
    model = Translator(**settings).fit(texts, ["cd cd cd"] * 20)
    assert {"ab", "cd"} <= set(model.tokenizer_.symbols)
    network = model.network_
    assert network.encoder.inputs.weight is network.head.embedding.weight
    assert network.head.softmax.weight is network.head.embedding.weight


def test_sources_may_be_reversed_and_lowered() -> None:
    settings = {**SMALL, "reverse": True, "lower": True, "epochs": 1}
    texts = [f"A b {n}" for n in range(20)]
    model = Translator(**settings).fit(texts, ["C d"] * 20)
    assert model.reader_(["a B"]).values.tolist()[::-1] == [
        *model.reader_.tokenizer.encode("a b\n").tolist()
    ]
    assert {"c", "d"} <= set(model.tokenizer_.symbols)


def test_outputs_that_do_not_end_are_cut_and_said(trained) -> None:
    model = clone(trained).set_params(epochs=1, out=None, max_length=2)
    model.network_, model.reader_ = trained.network_, trained.reader_
    model.tokenizer_ = trained.tokenizer_
    with pytest.warns(UserWarning, match="1 of 1 texts had no end after 2 tokens"):
        (text,) = model.predict(["1 2 3 4"])
    assert len(text.split()) == 2


def test_unknown_words_are_read_but_never_written() -> None:
    sources, targets = ["a b", "a b", "c a"] * 8, ["d e", "d d e", "e"] * 8
    sources, targets = [*sources, "x a"], [*targets, "e y"]
    settings = {**SMALL, "min_count": 2, "held_out": 0, "epochs": 3}
    model = Translator(**settings).fit(sources, targets)  # x and y are unknown
    assert "<unk>" in model.tokenizer_.symbols
    with pytest.warns(UserWarning, match="taken as unknown: 'zebra'"):
        assert "<unk>" not in model.predict(["a zebra"])[0]


def test_the_verbs_of_scikit_learn() -> None:
    model = Translator(**SMALL)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(["1"])


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (["a", ""], ["b", "c"], "item 1 must hold some text, got none"),
        (["a", "b"], ["c", "  "], "y, item 1 must hold some text, got none"),
        (["a", "b"], ["c"], "one target per sequence, got 1 for 2"),
        ("a", ["c"], "must be a list of texts, got a single text"),
        (["a"], None, "y must give a text for each item, got None"),
        ([[1.0, 2.0]], ["c"], "must be given texts, got numbers"),
        ([], [], "must be at least one, got none"),
    ],
)
def test_bad_pairs_are_named(sources, targets, message) -> None:
    with pytest.raises(DataError, match=message):
        Translator(**SMALL).fit(sources, targets)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"first_state": "copy"}, "must be summary or zeros for an encoder"),
        ({"first_state": "zeros", "attention": "none"}, "nothing of what is read"),
        ({"tokens": "syllable"}, "'tokens'"),
        ({"beam_size": 0}, "must be at least 1"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Translator(**{**SMALL, **wrong}).fit(*numbers(20))


def test_a_damaged_run_is_named(trained, tmp_path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(trained.run_.path, run)
    (run / "written.json").write_text("{}")
    with pytest.raises((RunError, DataError), match=r"written\.json"):
        Translator.load(run)


@pytest.mark.parametrize(
    "kind",
    [
        {"attention": "none"},
        {"attention": "none", "first_state": "copy", "bidirectional": False},
        {"attention": "none", "first_state": "zeros", "each_step": True},
        {"attention": "bahdanau"},
        {"attention": "dot", "num_layers": 3, "residual": True},
    ],
)
def test_every_form_can_be_trained(kind: dict[str, Any]) -> None:
    settings = {**SMALL, "epochs": 1, **kind}
    model = Translator(**settings).fit(*numbers(40))
    assert len(model.predict(["1 2"])) == 1


def _perplexity_of_counts(train: Sequence[str], test: Sequence[str]) -> float:
    """That of the words of some texts by how often they came in others."""
    words, told = (
        [w for text in part for w in [*text.split(), ""]] for part in (train, test)
    )
    counts = Counter(words)
    chances = [(counts[w] + 1) / (len(words) + len(counts) + 1) for w in told]
    return float(np.exp(-np.mean(np.log(chances))))


@pytest.mark.filterwarnings("ignore:.*symbols? w.* not seen")
@pytest.mark.filterwarnings("ignore:.*have a single line")
@pytest.mark.parametrize("data", ["multi30k-en-de", "dialog-english"])
def test_real_texts_are_learnt_far_better_than_counts(data: str) -> None:
    folder = dataset(data)
    files = [folder / f"train.{side}" for side in ("de", "en")]
    pairs = read_pairs(files if data.startswith("multi") else [folder])
    sides = [
        [t.lower() for t in side[:1500]] for side in (pairs.sources, pairs.targets)
    ]
    rows = np.random.default_rng(0).permutation(len(sides[0]))
    train, test = (
        [[side[i] for i in part] for side in sides] for part in (rows[100:], rows[:100])
    )
    model = Translator(
        tokens="word",
        min_count=2,
        hidden_size=48,
        embedding_size=32,
        epochs=3,
        batch_size=16,
        learning_rate=0.007,
        held_out=0,
        beam_size=1,
        max_length=40,
    )
    found = model.fit(*train).evaluate(*test)
    assert found["perplexity"] < 0.3 * _perplexity_of_counts(train[1], test[1])
