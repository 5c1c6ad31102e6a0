from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate

from recurro import SequenceTagger
from recurro.data import read_tagged, score_spans, token_accuracy
from recurro.errors import ConfigError, DataError
from recurro.tasks.tagger import tag_figures
from tests.datasets import dataset

SMALL = {
    "hidden_size": 16,
    "embedding_size": 16,
    "letter_embedding_size": 8,
    "letter_hidden_size": 8,
    "learning_rate": 0.02,
    "batch_size": 8,
    "dropout": 0.1,
    "backend": "vendor",
}

Sentences = list[list[str]]


def people(count: int = 60, seed: int = 0) -> tuple[Sentences, Sentences]:
    """Names are told by their letters, where they end by what follows."""
    draw = np.random.default_rng(seed)
    words: Sentences = []
    tags: Sentences = []
    for _ in range(count):
        name = ["".join(draw.choice([*"abcde"], 4)).title() for _ in range(2)]
        if draw.random() < 0.5:
            words.append(["so", *name, "came"])
            tags.append(["O", "B-person", "I-person", "O"])
        else:
            words.append([name[0], "saw", "it", "then"])
            tags.append(["B-person", "O", "O", "O"])
    return words, tags


@pytest.fixture(scope="module")
def trained() -> SequenceTagger:
    return SequenceTagger(**SMALL, head="crf", epochs=4).fit(*people())


def test_words_never_seen_are_tagged_by_their_letters(trained) -> None:
    words, tags = people(seed=1)
    assert trained.evaluate(words, tags)["span_f1"] > 0.95
    best = min(trained.history_.validations, key=lambda row: row["error"])
    assert best["error"] == 1 - trained.baselines_[-1]["span_f1"]
    frequent, hidden, network = trained.baselines_
    assert (frequent["name"], hidden["name"]) == ("most frequent tag", "hidden Markov")
    assert {*frequent} == {*hidden}
    assert {*network} == {*frequent, "log_loss"}


def test_letters_tell_what_no_word_does() -> None:
    draw = np.random.default_rng(0)
    names = ["".join(draw.choice([*"abcd"], 5)) for _ in range(160)]
    words, tags = [[name] for name in names], [[int(name[-1] > "b")] for name in names]
    scores = []
    for size in (0, 8):
        model = SequenceTagger(**{**SMALL, "letter_hidden_size": size}, epochs=5)
        model.fit(words[:100], tags[:100])
        scores.append(model.score(words[100:], tags[100:]))
    assert scores[0] < 0.7
    assert scores[1] > 0.95


def test_figures_are_those_of_their_own_functions(trained) -> None:
    words, tags = people(30, seed=2)
    told, figures = trained.predict(words), trained.evaluate(words, tags)
    spans = score_spans(tags, told)
    assert figures["accuracy"] == token_accuracy(tags, told)
    assert figures["accuracy"] == trained.score(words, tags)
    assert (figures["span_precision"], figures["span_recall"], figures["span_f1"]) == (
        spans.precision,
        spans.recall,
        spans.f1,
    )
    chances = trained.predict_proba(words)
    right = [
        chance[trained.classes_.tolist().index(tag)]
        for rows, sentence in zip(chances, tags, strict=True)
        for chance, tag in zip(rows, sentence, strict=True)
    ]
    assert figures["log_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_tags_without_spans_are_scored_by_accuracy_alone() -> None:
    assert tag_figures([["A", "B"]], [["A", "A"]], spans=False) == {"accuracy": 0.5}
    words, _ = people(20)
    tags = [["N" if word[0].isupper() else "V" for word in row] for row in words]
    model = SequenceTagger(**SMALL, epochs=2).fit(words, tags)
    figures = model.evaluate(words, tags)
    assert {*figures} == {"log_loss", "accuracy"}
    told = model.history_.validations[-1]
    assert told["error"] == 1 - told["accuracy"]


def test_only_what_the_scheme_allows_is_told() -> None:
    torch.manual_seed(0)
    wild = SequenceTagger(**SMALL, head="crf", epochs=1).fit(*people(20))
    torch.nn.init.normal_(wild.network_.head.linear.weight, std=9.0)
    told = wild.predict(people(40, seed=3)[0])
    assert {tag for row in told for tag in row} == {"O", "B-person", "I-person"}
    for row in told:
        for before, now in zip(["O", *row], row, strict=False):
            assert now != "I-person" or before != "O"


def test_what_the_data_do_against_the_scheme_is_learnt() -> None:
    words, tags = people(20)
    odd = [["O", "I-person", "O"], ["B-person", "I-person", "I-person"]]
    model = SequenceTagger(**SMALL, head="crf", epochs=1, held_out=0.0)
    model.fit([*words, *[["so", "Abcd", "came"]] * 2], [*tags, *odd])
    assert np.isfinite(model.evaluate(words, tags)["log_loss"])
    again = model.evaluate([["Abcd", "saw"]], [["I-person", "O"]])  # never seen
    assert np.isfinite(again["log_loss"])


def test_words_and_letters_come_from_the_training_part_alone() -> None:
    words, tags = people(20)
    model = SequenceTagger(**SMALL, epochs=1)
    model.fit(words, tags, valid=([["Zyx"]], [["O"]]))
    plain = SequenceTagger(**SMALL, epochs=1, held_out=0.0).fit(words, tags)
    assert model.reader_ == plain.reader_
    assert "zyx" not in model.reader_.words
    assert "Z" not in model.reader_.letters


def test_scikit_learn_takes_sentences() -> None:
    data = people(24)
    model = SequenceTagger(**SMALL, epochs=1)
    assert np.isfinite(cross_validate(model, *data, cv=2)["test_score"]).all()
    search = GridSearchCV(model, {"head": ["softmax", "crf"]}, cv=2).fit(*data)
    assert search.best_params_["head"] in ("softmax", "crf")
    assert clone(model).get_params() == model.get_params()


def test_defaults_are_those_of_the_settings() -> None:
    settings = SequenceTagger().settings
    assert settings == type(settings)(task="tag")
    names = inspect.signature(SequenceTagger).parameters
    record = {"column", "encoding", "valid", "test"}
    assert {*settings.arguments()} - record == {*names} - {"out", "overwrite"}


def test_a_run_is_read_back_and_resumed_bit_for_bit(tmp_path, monkeypatch) -> None:
    words, tags = people(24)
    settings = {**SMALL, "head": "crf", "epochs": 2, "dropout": 0.3}
    whole = SequenceTagger(**settings, out=tmp_path / "whole").fit(words, tags)
    again = SequenceTagger.load(tmp_path / "whole")
    assert again.settings == whole.settings
    assert again.predict(words) == whole.predict(words)
    for row, chance in zip(
        again.predict_proba(words), whole.predict_proba(words), strict=True
    ):
        np.testing.assert_array_equal(row, chance)

    judge, calls = SequenceTagger._judge, []

    def stopped(self, network, data) -> dict[str, float]:
        calls.append(0)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return judge(self, network, data)

    monkeypatch.setattr(SequenceTagger, "_judge", stopped)
    with pytest.raises(KeyboardInterrupt):
        SequenceTagger(**settings, out=tmp_path / "cut").fit(words, tags)
    monkeypatch.undo()
    resumed = SequenceTagger.resume(tmp_path / "cut")
    expected = whole.network_.state_dict()
    for name, weight in resumed.network_.state_dict().items():
        assert torch.equal(weight, expected[name]), name


def vectors(folder: Path) -> Path:
    path = folder / "vectors.txt"
    path.write_text("so 9 0 0\ncame 0 9 0\nnever 0 0 9\n")
    return path


def test_embeddings_begin_with_vectors(tmp_path) -> None:
    words, tags = people(20)
    given = {**SMALL, "embedding_size": 3, "learning_rate": 1e-9, "held_out": 0.0}
    path = vectors(tmp_path)
    model = SequenceTagger(**given, epochs=1, vectors=str(path), out=tmp_path / "run")
    model.fit(words, tags)
    place = 1 + model.reader_.words.index("so")
    found = model.network_.encoder.words.weight[place]
    torch.testing.assert_close(found, torch.tensor([9.0, 0, 0]))
    path.unlink()
    read = SequenceTagger.load(tmp_path / "run").network_.encoder.words.weight
    torch.testing.assert_close(read[place], found)
    vectors(tmp_path)
    with pytest.raises(ConfigError, match="embedding_size' must be 3, the length of"):
        SequenceTagger(**SMALL, vectors=str(path)).fit(words, tags)


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        ([["a"], []], [["X"], []], "item 1 must have a word"),
        (
            [["a", "b"], ["c"]],
            [["X"], ["Y"]],
            "item 0 must have a target for each of its 2 steps",
        ),
        ([["a", "b"]], [["X", "X"]], "at least two classes, got only .'X'"),
        ([["a", "b"]], [["X", None]], "the class of step 1 of item 0.*got None"),
        (["a b"], [["X", "Y"]], "item 0 must be a list of words, got 'a b'"),
    ],
)
def test_bad_sentences(words, tags, message) -> None:
    with pytest.raises(DataError, match=message):
        SequenceTagger(held_out=0.0).fit(words, tags)


def test_unseen_tags_are_named(trained) -> None:
    with pytest.raises(DataError, match=r"step 0 of item 0 .* got 'B-place'"):
        trained.evaluate([["Rome"]], [["B-place"]])


def test_a_small_cut_of_real_sentences() -> None:
    train = read_tagged(dataset("ud-english-ewt/train.tsv"), "2")
    dev = read_tagged(dataset("ud-english-ewt/dev.tsv"), "2")
    settings = {**SMALL, "hidden_size": 32, "embedding_size": 32}
    model = SequenceTagger(**settings, epochs=5)
    model.fit(
        train.words[:300], train.tags[:300], valid=(dev.words[:100], dev.tags[:100])
    )
    frequent, _, network = model.baselines_
    assert network["accuracy"] > frequent["accuracy"] + 0.03
