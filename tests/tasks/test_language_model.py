from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from recurro.cells import GRU, Cell
from recurro.data import hash_split
from recurro.errors import (
    ArgumentError,
    ConfigError,
    DataError,
    RunError,
    VocabularyError,
)
from recurro.tasks import LanguageModel
from recurro.train import RunFolder
from tests.datasets import dataset

SMALL = {"hidden_size": 16, "epochs": 2, "batch_size": 8, "bptt": 20}
NAMES = [f"{a}{b}{c}" for a in "abcdefgh" for b in "aeiou" for c in "lmnrs"]


def small(**settings) -> LanguageModel:
    return LanguageModel(**{**SMALL, **settings})


@pytest.fixture(scope="module")
def text() -> str:
    lines = [
        "the sun is up and the sea is blue",
        "a small boat goes out to the sea",
        "the wind is cold and the day is new",
        "we row and sing, just you and me",
    ]
    return "\n".join(lines * 45) + "\n"


@pytest.fixture(scope="module")
def fitted(text, tmp_path_factory) -> LanguageModel:
    run = tmp_path_factory.mktemp("runs") / "small"
    return small(learning_rate=0.01, epochs=4, out=run).fit(text)


@pytest.fixture(scope="module")
def names() -> LanguageModel:
    return small(lines=True, learning_rate=0.01, epochs=6).fit(NAMES)


def weights_of(model: LanguageModel) -> dict[str, torch.Tensor]:
    return model.network_.state_dict()


def same_weights(a: LanguageModel, b: LanguageModel) -> bool:
    pairs = zip(weights_of(a).items(), weights_of(b).items(), strict=True)
    return all(m == n and torch.equal(x, y) for (m, x), (n, y) in pairs)


# Learning.


def test_it_learns(fitted, text):
    rows = {row["name"]: row["nats_per_token"] for row in fitted.baselines_}
    assert list(rows) == [
        "uniform",
        "unigram",
        "6-gram, Kneser-Ney",
        "network + 6-gram",
        "network",
    ]
    assert rows["network"] < rows["unigram"] < rows["uniform"]
    assert rows["uniform"] == pytest.approx(math.log(fitted.tokenizer_.size))
    best = min(rows["network"], rows["6-gram, Kneser-Ney"])
    assert rows["network + 6-gram"] <= best + 1e-3
    assert fitted.history_.epochs == 4


def test_the_score_printed_is_that_of_the_held_out_part(fitted, text):
    found = fitted.evaluate(text[int(0.95 * len(text)) :])
    for key, value in found.items():
        assert fitted.baselines_[-1][key] == pytest.approx(value, rel=1e-5)
    assert fitted.score(text) == -fitted.evaluate(text)["nats_per_token"]
    assert fitted.history_.best == pytest.approx(found["nats_per_token"], rel=1e-5)


def test_the_same_seed_gives_the_same_weights(text):
    first, again = (small(epochs=1, seed=3).fit(text) for _ in range(2))
    other = small(epochs=1, seed=4).fit(text)
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_arguments_and_randomness_are_left_alone(text):
    model = small(epochs=1, cell=GRU())
    before, state = model.get_params(), torch.get_rng_state()
    model.fit(text)
    assert model.get_params() == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("tokens", ["byte", "word", "bpe:300"])
def test_other_symbols(tokens, text):
    model = small(tokens=tokens, epochs=1, bptt=5).fit(text)
    assert model.tokenizer_.kind == tokens.split(":")[0]
    assert model.evaluate("the sea is new\n")["bits_per_char"] > 0
    written = model.generate("the sun", 5, seed=1)
    assert written.startswith("the sun")
    assert "<unk>" not in written


def test_hello_the_lecture(recwarn):
    # Two lines say that nothing is held out, and that batch and chunk shrink.
    with pytest.warns(UserWarning) as said:
        model = small(epochs=60, learning_rate=0.02).fit("hello")
    assert [str(w.message)[:25] for w in said] == [
        "The text is too short to ",
        "The text has only 5 token",
    ]
    assert model.generate("h", 4, temperature=0) == "hello"


def test_a_validation_text_is_what_is_scored(text):
    model = small(epochs=1).fit(text, "we sing\n" * 9)
    assert model.baselines_[-1]["nats_per_token"] == pytest.approx(
        model.evaluate("we sing\n" * 9)["nats_per_token"], rel=1e-5
    )


# Scores.


def test_lines_of_running_text_add_up_to_the_text(fitted, text):
    part = text[: text.index("we row")] + "\n\nwe row"
    found = fitted.log_prob(part)
    assert found.shape == (4,)
    expected = -fitted.evaluate(part)["nats_per_token"] * (len(part) - 1)
    assert found.sum() == pytest.approx(expected, rel=1e-6)


def test_lines_stand_alone(names):
    found = names.log_prob(["bal", "zzz"[:0] + "dom", "bal"])
    assert found[0] == pytest.approx(found[2])
    expected = -names.evaluate(["bal", "dom", "bal"])["nats_per_token"] * 12
    assert found.sum() == pytest.approx(expected, rel=1e-6)
    likely, unlikely = names.log_prob(["hen", "nnn"])
    assert likely > unlikely


def test_probabilities_of_all_lines_sum_to_one(text):
    # A model of lines over two letters and the end: P(all words up to 3 letters) and
    # P(the rest) make 1, so the sum grows towards 1 from below.
    model = small(lines=True, epochs=3).fit(["ab", "ba", "a", "b"] * 9)
    words = ["a", "b", "aa", "ab", "ba", "bb"]
    total = np.exp(model.log_prob(words)).sum()
    longer = [w + c for w in words if len(w) == 2 for c in "ab"]
    assert 0 < total < total + np.exp(model.log_prob(longer)).sum() < 1


# Text.


def test_the_same_seed_gives_the_same_text(fitted):
    first = fitted.generate("the", 80, seed=1)
    assert first == fitted.generate("the", 80, seed=1)
    assert first != fitted.generate("the", 80, seed=2)
    assert len(first) == 83
    assert "".join(fitted.stream("the", 80, seed=1)) == first


def test_a_beam_finds_what_is_at_least_as_likely_as_greed(fitted):
    greedy = fitted.generate("the s", 20, temperature=0)
    beam = fitted.generate("the s", 20, beam_size=8)
    assert fitted.log_prob(beam).sum() >= fitted.log_prob(greedy).sum() - 1e-6


def test_items_end_where_lines_end(names):
    written = {names.generate(length=50, seed=seed) for seed in range(20)}
    assert all("\n" not in item and len(item) < 50 for item in written)
    assert len(written) > 5


def test_a_prompt_may_be_left_out(fitted):
    assert len(fitted.generate(length=10, seed=0)) == 10
    without_lines = small(epochs=1).fit("abcab" * 99)  # no end of line to begin from
    assert len(without_lines.generate(length=10, seed=0)) == 11


def test_a_strange_prompt_names_its_symbols(fitted):
    with pytest.raises(VocabularyError, match=r"prompt: .* got 'T', 'é'\. Leave them"):
        fitted.generate("Thé sea")
    with pytest.raises(ArgumentError, match="label is for a model by class"):
        fitted.generate("the", label="x")


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"length": 0}, "length"),
        ({"beam_size": 0}, "beam_size"),
        ({"beam_size": 2, "top_k": 3}, "a beam search draws nothing"),
    ],
)
def test_choices_out_of_range_are_refused(fitted, choice, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        fitted.generate("the", **choice)


# Run folders.


def test_a_run_is_all_that_is_needed(fitted, text):
    again = LanguageModel.load(fitted.run_.path)
    assert same_weights(fitted, again)
    assert again.evaluate(text) == fitted.evaluate(text)
    assert again.generate("we", 50, seed=1) == fitted.generate("we", 50, seed=1)
    assert again.baselines_ == fitted.baselines_
    assert again.settings.train == fitted.settings.train
    files = {path.name for path in fitted.run_.path.iterdir()}
    assert {
        "config.yaml",
        "model.safetensors",
        "vocabulary.json",
        "metrics.jsonl",
        "env.json",
        "baselines.json",
        "state",
    } <= files


def test_saving_needs_no_run(names, tmp_path):
    names.save(tmp_path / "saved")
    again = LanguageModel.load(tmp_path / "saved")
    assert np.allclose(again.log_prob(NAMES[:5]), names.log_prob(NAMES[:5]))
    with pytest.raises(RunError, match="got the folder of another run"):
        names.save(tmp_path / "saved")
    names.save(tmp_path / "saved", overwrite=True)


class Stop:
    """Presses Ctrl-C, so to say, after some updates."""

    def __init__(self, after: int) -> None:
        self.after = after

    def update(self, step, total, fields) -> None:
        if step >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("lines", [False, True])
def test_a_run_that_was_stopped_ends_as_if_it_had_not(lines, text, tmp_path):
    given = NAMES if lines else text
    settings = {"lines": lines, "dropout": 0.2, "checkpoint_steps": 3, "epochs": 3}
    whole = small(**settings).fit(given)
    stopped = small(**settings, out=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(given, progress=Stop(after=2))
    resumed = LanguageModel.resume(tmp_path / "run")
    assert same_weights(whole, resumed)
    assert whole.baselines_ == resumed.baselines_
    assert LanguageModel.resume(tmp_path / "run").history_.steps == whole.history_.steps


def test_a_run_folder_is_not_taken_from_another_run(text, tmp_path):
    first = small(epochs=1, out=tmp_path / "run").fit(text)
    with pytest.raises(RunError, match="got the folder of another run"):
        small(epochs=1, out=tmp_path / "run").fit(text)
    assert same_weights(LanguageModel.load(tmp_path / "run"), first)
    other = small(epochs=1, seed=9, out=tmp_path / "run", overwrite=True).fit(text)
    assert same_weights(LanguageModel.load(tmp_path / "run"), other)


@pytest.mark.parametrize("wrong", ["missing.txt", "empty.txt", "bytes.txt", "one.txt"])
def test_bad_data_leaves_the_old_run_alone(wrong, text, tmp_path):
    small(epochs=1, out=tmp_path / "run").fit(text)
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "bytes.txt").write_bytes(b"abc\xff")
    (tmp_path / "one.txt").write_bytes(b"aaaaaaaa")
    with pytest.raises(DataError):
        small(out=tmp_path / "run", overwrite=True).fit(tmp_path / wrong)
    for name in ("empty.txt", "bytes.txt", "one.txt"):
        (tmp_path / name).unlink()
    assert sorted(tmp_path.rglob("*")) == before
    assert LanguageModel.load(tmp_path / "run")


def test_files_are_on_record(text, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    seen = []
    model = small(epochs=1, out=tmp_path / "run").fit(
        tmp_path / "a.txt", reading=lambda done, total: seen.append((done, total))
    )
    assert model.run_.read_config()["data"]["files"] == [str(tmp_path / "a.txt")]
    assert seen[-1] == (len(text), len(text))
    assert same_weights(model, small(epochs=1).fit(text))


def test_the_run_of_another_task_is_refused(tmp_path):
    RunFolder.create(tmp_path / "run").write_config({"task": "classify"})
    with pytest.raises(RunError, match="got one of 'classify'"):
        LanguageModel.load(tmp_path / "run")


def test_weights_of_another_network_are_refused(fitted, names, tmp_path):
    fitted.save(tmp_path / "run")
    RunFolder.open(tmp_path / "run").write_weights(names.network_.state_dict())
    with pytest.raises(RunError, match="weights of another network"):
        LanguageModel.load(tmp_path / "run")


@dataclass(frozen=True)
class Own(Cell):
    state = ("h",)
    rate: float = 0.5

    def step(self, x, h):
        return self.rate * h + self.affine("h", x)


def test_a_cell_of_ones_own_is_passed_again(text, tmp_path):
    model = small(epochs=1, cell=Own(), out=tmp_path / "run").fit(text)
    with pytest.raises(ConfigError, match="Pass a cell of your own"):
        LanguageModel.load(tmp_path / "run")
    again = LanguageModel.load(tmp_path / "run", cell=Own())
    assert same_weights(model, again)
    assert LanguageModel.resume(tmp_path / "run", cell=Own()).history_.epochs == 1


# Settings.


def test_not_fitted():
    with pytest.raises(NotFittedError):
        LanguageModel().generate("a")
    with pytest.raises(NotFittedError):
        LanguageModel().evaluate("ab")


def test_it_is_an_estimator():
    model = small(lines=True, epochs=1, cell=GRU())
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert model.set_params(hidden_size=4).hidden_size == 4
    mixed = np.random.default_rng(0).permutation(NAMES).tolist()
    search = GridSearchCV(model, {"hidden_size": [2, 24]}, cv=2).fit(mixed)
    assert search.best_params_["hidden_size"] in (2, 24)
    assert search.best_score_ < 0


def test_vectors_are_where_the_embedding_starts(text, tmp_path):
    (tmp_path / "vectors.txt").write_text("2 3\nthe 1 2 3\nsea 4 5 6\n")
    settings = {"tokens": "word", "vectors": str(tmp_path / "vectors.txt")}
    with pytest.raises(ConfigError, match="Set embedding_size=3"):
        small(**settings).fit(text)
    kept = {"embedding_size": 3, "epochs": 1, "learning_rate": 1e-9, "out": None}
    model = small(**settings, **kept).fit(text)
    rows = model.network_.embedding.weight[
        [model.tokenizer_.ids["the"], model.tokenizer_.ids["sea"]]
    ]
    expected = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    assert torch.allclose(rows, expected, atol=1e-5)


def test_vectors_are_not_read_again(text, tmp_path):
    (tmp_path / "v.txt").write_text("the 1 2 3\n")
    model = small(
        tokens="word",
        vectors=str(tmp_path / "v.txt"),
        embedding_size=3,
        epochs=1,
        out=tmp_path / "run",
    ).fit(text)
    (tmp_path / "v.txt").unlink()
    assert same_weights(LanguageModel.load(tmp_path / "run"), model)


def test_an_adaptive_softmax_is_for_words(text):
    with pytest.raises(ConfigError, match="sorted by frequency"):
        small(adaptive_cutoffs=(5,)).fit(text)
    model = small(tokens="word", adaptive_cutoffs=(5, 9), epochs=1).fit(text)
    assert math.isfinite(model.evaluate("the sea\n")["perplexity"])


@pytest.mark.parametrize(
    "settings",
    [
        {"tied": True, "deep_output": 16, "num_layers": 2, "residual": True},
        {"zoneout": 0.1, "recurrent_dropout": 0.1, "dropout": 0.1},
        {"transition_depth": 2, "hidden_clip": 1.0, "cell": GRU()},
        {"spectral_bound": 0.9, "weight_drop": 0.2},
        {"optimizer": "asgd", "learning_rate": 1.0, "random_bptt": True},
        {"bptt": (10, 20), "accumulate": 2, "clip": "auto"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_reaches_the_run(settings, text, tmp_path):
    plain = small(epochs=1, max_steps=4).fit(text[:2000])
    run = tmp_path / "run"
    model = small(**{"epochs": 1, **settings}, max_steps=4, out=run).fit(text[:2000])
    assert not _equal_or_false(plain, model)
    assert same_weights(LanguageModel.load(run), model)


def _equal_or_false(a: LanguageModel, b: LanguageModel) -> bool:
    return weights_of(a).keys() == weights_of(b).keys() and same_weights(a, b)


@pytest.mark.slow
def test_tinyshakespeare():
    path = dataset("tinyshakespeare/input.txt")
    model = LanguageModel(
        hidden_size=128, num_layers=2, epochs=2, learning_rate=0.005, schedule="cosine"
    ).fit(path)
    assert model.baselines_[-1]["nats_per_token"] < 1.75


@pytest.mark.slow
def test_names():
    train, test = hash_split(dataset("names/names.txt").read_text().split())
    model = LanguageModel(
        lines=True,
        cell=GRU(),
        hidden_size=256,
        epochs=4,
        batch_size=64,
        dropout=0.1,
        learning_rate=0.003,
        schedule="cosine",
    ).fit(train)
    assert model.evaluate(test)["nats_per_token"] < 2.06


def test_reading_is_told(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    seen: list[int] = []
    small(epochs=1).fit(Path(tmp_path / "a.txt"), reading=lambda d, _: seen.append(d))
    assert seen


def test_a_run_stopped_before_its_first_step_begins_when_resumed(tmp_path, monkeypatch):
    settings = {"hidden_size": 8, "epochs": 2, "batch_size": 4, "bptt": 10}
    text = "to be or not to be, that is the question. " * 40
    whole = LanguageModel(out=tmp_path / "whole", **settings).fit(text)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("recurro.tasks.language_model.train", stop)
        with pytest.raises(KeyboardInterrupt):
            LanguageModel(out=tmp_path / "stopped", **settings).fit(text)
    resumed = LanguageModel.resume(tmp_path / "stopped")
    weights = resumed.network_.state_dict()
    for name, weight in whole.network_.state_dict().items():
        assert torch.equal(weights[name], weight)
