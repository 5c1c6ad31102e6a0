from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recurro import GRU, SequenceClassifier
from recurro.bench.tasks.case import measure
from recurro.bench.tasks.classify import CASES
from recurro.data import read_labelled, read_ts, starred_reviews, tell_stories
from recurro.data.word_features import word_features
from recurro.errors import ConfigError, DataError, RunError
from recurro.tasks.sequence_config import SequenceSettings
from tests.datasets import dataset

SMALL = {"hidden_size": 8, "learning_rate": 0.02, "batch_size": 8, "backend": "vendor"}


def waves(count: int = 60, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Two classes that differ only in whether two pulses come early or late."""
    draw = np.random.default_rng(seed)
    items, labels = [], []
    for i in range(count):
        n = int(draw.integers(6, 14))
        item = draw.normal(0, 0.1, (n, 2))
        first, second = (0, 1) if i % 2 else (1, 0)
        item[1, first] += 2
        item[-2, second] += 2
        items.append(item)
        labels.append("left" if i % 2 else "right")
    return items, np.array(labels)


WORDS = ["ab ba ab", "ba ab", "xy yx", "yx xy xy"] * 10
TEXTS = [f"{text} {'q' * n}" for n, text in enumerate(WORDS, 1)]  # no two are equal
NAMES = ["ab", "ab", "xy", "xy"] * 10


@pytest.fixture(scope="module")
def trained() -> SequenceClassifier:
    return SequenceClassifier(**SMALL, epochs=15).fit(*waves())


def test_order_is_learnt_where_statistics_say_nothing(trained) -> None:
    figures = trained.evaluate(*waves(seed=1))
    assert figures["accuracy"] > 0.95
    assert trained.score(*waves(seed=1)) == figures["accuracy"]
    largest, linear, network = trained.baselines_
    assert (largest["name"], network["name"]) == ("largest class", "network")
    assert network["log_loss"] < largest["log_loss"]
    assert linear.keys() == network.keys()


def test_probabilities(trained) -> None:
    items, _ = waves(seed=1)
    chances = trained.predict_proba(items)
    np.testing.assert_allclose(chances.sum(1), 1)
    named = trained.classes_[chances.argmax(1)]
    assert (trained.predict(items) == named).all()
    alone = np.concatenate([trained.predict_proba([item]) for item in items[:5]])
    np.testing.assert_allclose(alone, chances[:5], atol=1e-5)


def test_texts_of_words_and_characters() -> None:
    for tokens in ("word", "char", "byte"):
        model = SequenceClassifier(**SMALL, epochs=8, tokens=tokens)
        model.fit(TEXTS, NAMES)
        assert model.predict(["ab ab", "xy xy new"]).tolist() == ["ab", "xy"]


@pytest.mark.parametrize("data", [waves(24), (TEXTS, NAMES)], ids=["series", "texts"])
def test_scikit_learn_takes_lists_of_any_lengths(data) -> None:
    model = SequenceClassifier(**SMALL, epochs=2)
    found = cross_validate(model, *data, cv=2, scoring=["accuracy", "neg_log_loss"])
    assert np.isfinite(found["test_neg_log_loss"]).all()
    search = GridSearchCV(model, {"hidden_size": [2, 4]}, cv=2).fit(*data)
    assert search.best_params_["hidden_size"] in (2, 4)
    pipeline = make_pipeline(FunctionTransformer(list), clone(model))
    assert pipeline.fit(*data).predict(data[0][:3]).shape == (3,)


def test_the_constructor_only_stores_and_clone_copies() -> None:
    model = SequenceClassifier(cell=GRU(), pooling="last", hidden_size=-1)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(ConfigError, match="hidden_size"):
        model.fit(*waves(8))


def test_nothing_leaks_from_what_is_held_out() -> None:
    items, labels = waves(20)
    wild = [item * 1000 for item in items]
    model = SequenceClassifier(**SMALL, epochs=1)
    model.fit(items, labels, valid=(wild, labels))
    plain = SequenceClassifier(**SMALL, epochs=1, held_out=0.0).fit(items, labels)
    assert model.reader_ == plain.reader_
    words = SequenceClassifier(**SMALL, epochs=1)
    words.fit(TEXTS, NAMES, valid=(["zz zz"], ["ab"]))
    assert "zz" not in words.reader_.tokenizer.symbols
    tested = SequenceClassifier(**SMALL, epochs=1).fit(
        TEXTS, NAMES, test=(["zz ab", "ab", "xy"], ["ab", "xy", "ab"])
    )
    plain = SequenceClassifier(**SMALL, epochs=1).fit(TEXTS, NAMES)
    assert tested.reader_ == plain.reader_
    assert tested.baselines_ == plain.baselines_
    for name, weight in plain.network_.state_dict().items():
        assert torch.equal(tested.network_.state_dict()[name], weight), name
    assert tested.test_[-1] == {
        "name": "network",
        **tested.evaluate(["zz ab", "ab", "xy"], ["ab", "xy", "ab"]),
    }


def test_evidence_is_counted_in_the_training_part_alone(tmp_path) -> None:
    words = {"subwords": True, "evidence": True, "out": tmp_path / "run"}
    held = (["zzz yyy", "xy yx"], ["ab", "xy"])
    model = SequenceClassifier(**SMALL, **words, epochs=2)
    model.fit(TEXTS + TEXTS[:4], NAMES + NAMES[:4], valid=held, test=(["www"], ["ab"]))
    assert model.predict(["ab ba", "xyx yx"]).tolist() == ["ab", "xy"]
    plain = SequenceClassifier(**SMALL, subwords=True, evidence=True, held_out=0.0)
    plain.set_params(epochs=1).fit(TEXTS, NAMES)  # equal texts count once
    counts = model.network_.evidence.counts
    assert torch.equal(counts, plain.network_.evidence.counts)
    features = word_features(["ab", "zzz", "www"])
    assert counts[features[0, 0]].tolist() == [20.0, 0.0]
    assert counts[features[1:, 0]].sum() == 0
    again = SequenceClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(
        again.predict_proba(held[0]), model.predict_proba(held[0])
    )


def test_without_held_out_part_no_choice_is_made() -> None:
    model = SequenceClassifier(**SMALL, epochs=2, held_out=0.0).fit(*waves(8))
    assert model.baselines_ == []
    assert model.history_.best is None


def test_class_weights_favour_the_rare() -> None:
    draw = np.random.default_rng(0)
    labels = np.array([0] * 54 + [1] * 6)
    items = [draw.normal(0.5 * c, 1.0, (3, 1)) for c in labels]
    rare = [
        SequenceClassifier(**SMALL, epochs=4, class_weight=weight)
        .fit(items, labels)
        .predict_proba(items)[:, 1]
        .mean()
        for weight in (None, "balanced", {0: 1, 1: 9})
    ]
    assert rare[1] > 1.3 * rare[0]
    assert rare[2] > 1.3 * rare[0]


def test_an_ordinal_head() -> None:
    draw = np.random.default_rng(0)
    stars = np.tile([1, 2, 3, 4, 5], 24)
    items = [draw.normal(star, 0.2, (4, 1)) for star in stars]
    model = SequenceClassifier(**SMALL, epochs=25, head="ordinal").fit(items, stars)
    assert model.score(items, stars) > 0.8
    assert model.classes_.tolist() == [1, 2, 3, 4, 5]


def test_stars_of_reviews() -> None:
    (train, stars), (test, theirs) = starred_reviews(600), starred_reviews(200, 1)
    settings = {**SMALL, "batch_size": 16, "pooling": "mean", "embedding_size": 8}
    model = SequenceClassifier(**settings, epochs=8, head="ordinal").fit(train, stars)
    missed = np.abs(model.predict(test) - theirs)
    assert missed.mean() < 0.6 * np.abs(np.median(stars) - theirs).mean()
    assert (missed <= 1).mean() > 0.95


def test_an_order_needs_numbers() -> None:
    with pytest.raises(ConfigError, match=r"whose order is not known, .* bad, good"):
        SequenceClassifier(head="ordinal").fit(["a", "b"] * 4, ["bad", "good"] * 4)


def test_one_temperature_is_fitted_to_the_part_held_out() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 300)
    items = [draw.normal(c, 3.0, (3, 1)) for c in labels]
    model = SequenceClassifier(**{**SMALL, "batch_size": 20}, epochs=40, keep="last")
    model.fit(items[:200], labels[:200], valid=(items[200:], labels[200:]))
    found = model.calibration_
    assert found["temperature"] > 1.2  # it has learnt the noise by heart
    assert found["after"] < found["before"]
    log_probs = np.log(model.predict_proba(items[200:])) * found["temperature"]

    def loss(t: float) -> float:
        told = log_softmax(log_probs / t, axis=1)[np.arange(100), labels[200:]]
        return -told.sum() + np.log(t) ** 2 / 2

    best = min(np.geomspace(0.2, 5, 400), key=loss)
    assert found["temperature"] == pytest.approx(best, rel=0.03)
    easy = SequenceClassifier(**SMALL, epochs=15).fit(*waves())
    assert 0.2 < easy.calibration_["temperature"] < 1.0  # no mistake, yet not sure


def test_missing_numbers() -> None:
    items, labels = waves(40)
    for item in items[::3]:
        item[3, 0] = np.nan
    model = SequenceClassifier(**SMALL, epochs=12).fit(items, labels)
    assert model.score(items, labels) > 0.9


def test_run_folder(tmp_path, trained) -> None:
    run = tmp_path / "run"
    model = SequenceClassifier(**SMALL, epochs=3, out=run).fit(*waves())
    items, labels = waves(seed=2)
    again = SequenceClassifier.load(run)
    np.testing.assert_array_equal(
        again.predict_proba(items), model.predict_proba(items)
    )
    assert again.baselines_ == model.baselines_
    assert again.get_params()["hidden_size"] == 8
    assert again.classes_.tolist() == ["left", "right"]
    with pytest.raises(RunError, match="overwrite"):
        SequenceClassifier(**SMALL, out=run).fit(items, labels)


@pytest.mark.parametrize("data", [waves(), (TEXTS, NAMES)], ids=["series", "texts"])
def test_a_resumed_run_gives_the_same_bits(tmp_path, data) -> None:
    class Stopped(Exception):
        pass

    class Stopper:
        def update(self, step, total, fields) -> None:
            if step >= 12:
                raise Stopped

    settings = {**SMALL, "epochs": 4, "checkpoint_steps": 5, "dropout": 0.2}
    test = data[0][:6], data[1][:6]
    whole = SequenceClassifier(**settings).fit(*data, test=test)
    run = tmp_path / "run"
    with pytest.raises(Stopped):
        model = SequenceClassifier(**settings, out=run)
        model.fit(*data, test=test, progress=Stopper())
    resumed = SequenceClassifier.resume(run)
    for name, weight in whole.network_.state_dict().items():
        assert torch.equal(resumed.network_.state_dict()[name], weight), name
    assert resumed.baselines_ == whole.baselines_
    assert resumed.test_ == whole.test_ == SequenceClassifier.load(run).test_


def test_damaged_runs(tmp_path) -> None:
    run = tmp_path / "run"
    SequenceClassifier(**SMALL, epochs=1, out=run).fit(*waves(12))
    for damaged in (b"no", b"PK\x03\x04torn"):
        (run / "state" / "examples.npz").write_bytes(damaged)
        with pytest.raises(RunError, match="must hold what the run learns from"):
            SequenceClassifier.resume(run)


@pytest.mark.parametrize(
    ("items", "labels", "said"),
    [
        ([[1.0], [2.0]], [1, 1], r"at least two classes, got only \[1\]"),
        ([[1.0], []], [0, 1], "item 1 must have at least one step"),
        (["a", " "], [0, 1], "item 1 must hold some text"),
        (["a", 3.0], [0, 1], "item 1 must be a text"),
        ([[[1.0, 2.0]], [[1.0]]], [0, 1], "item 1 must have 2 channels"),
        ([[1.0], [2.0]], [0, 1, 1], "one target per sequence, got 3 for 2"),
        ([[1.0], [2.0]], None, "must give the class of each sequence, got None"),
        ([[1.0], [2.0]], ["a", None], "item 1 must be a word or a number, got None"),
        ([[1.0], [2.0]], [0.0, np.nan], "item 1 .* got nan"),
        ([[1.0], [2.0]], ["a", 1], "all words or all numbers"),
        ("some text", [0, 1], "must be a list of texts"),
    ],
)
def test_bad_input(items, labels, said, unchecked) -> None:
    with pytest.raises(DataError, match=said):
        SequenceClassifier(**SMALL, epochs=1).fit(items, labels)


@pytest.mark.parametrize(
    "given", [{"tokens": "char"}, {"lower": True}, {"evidence": True}]
)
def test_options_of_texts_are_refused_for_series(given) -> None:
    with pytest.raises(DataError, match=f"must be texts with {next(iter(given))}="):
        SequenceClassifier(**SMALL, **given).fit(*waves(8))


def test_that_nothing_could_be_held_out_is_said() -> None:
    with pytest.warns(UserWarning, match="none of 2 items could be held out"):
        SequenceClassifier(**SMALL, epochs=1).fit([[1.0, 2.0], [3.0]], ["a", "b"])


def test_bad_input_after_training(trained) -> None:
    items, _ = waves(4)
    with pytest.raises(DataError, match=r"item 1 must be one of the 2 .* got 'up'"):
        trained.evaluate(items[:2], ["left", "up"])
    with pytest.raises(DataError, match="must be one of the 2"):
        trained.evaluate(items[:2], [1, 2])
    with pytest.raises(DataError, match="must have 2 channels as in training, got 1"):
        trained.predict([[1.0, 2.0]])
    with pytest.raises(DataError, match="got texts"):
        trained.predict(["a text"])
    with pytest.raises(DataError, match="a number, as all did in training, got NaN"):
        trained.predict([[[np.nan, 1.0]]])
    with pytest.raises(NotFittedError):
        SequenceClassifier().predict(items)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"head": "normal"}, "must be softmax or ordinal"),
        ({"class_weight": {"left": 1.0}}, "class_weight"),
        ({"pooling": "median"}, "pooling"),
        ({"tokens": "letters"}, "tokens"),
        ({"held_out": 1.0}, "held_out"),
        ({"tokens": "byte", "evidence": True}, "evidence.* with tokens word or char"),
    ],
)
def test_bad_settings(settings, said, unchecked) -> None:
    with pytest.raises(ConfigError, match=said):
        SequenceClassifier(**{**SMALL, **settings}).fit(*waves(8))


def test_whole_sequences_have_no_chunks() -> None:
    with pytest.raises(ConfigError, match="'k1' must be left out"):
        SequenceSettings(task="classify", train={"k1": 3})


def test_a_cut_of_real_texts() -> None:
    found = read_labelled(dataset("sms-spam/sms_dev.tsv"))
    spam = [row for row, label in enumerate(found.labels) if label == "spam"][:200]
    ham = [row for row, label in enumerate(found.labels) if label == "ham"][:400]
    train, test = (found.select([*ham[i::2], *spam[i::2]]) for i in (0, 1))
    model = SequenceClassifier(**SMALL, epochs=4, lower=True)
    figures = model.fit(train.items, train.labels).evaluate(test.items, test.labels)
    assert figures["accuracy"] > 0.8  # the largest class: 0.67
    assert figures["f1_spam"] > 0.7


def test_questions_on_short_stories() -> None:
    told = tell_stories(1200, sentences=3)
    texts = [f"{story.question} | {story.text}" for story in told]
    answers = [story.answer for story in told]
    model = SequenceClassifier(
        cell=GRU(),
        hidden_size=24,
        bidirectional=False,
        pooling="last",
        embedding_size=12,
        learning_rate=0.02,
        batch_size=32,
        epochs=8,
        backend="vendor",
    )
    figures = model.fit(texts[:1000], answers[:1000]).evaluate(
        texts[1000:], answers[1000:]
    )
    assert figures["accuracy"] > 0.8  # a place by chance: 0.25


def test_evidence_of_characters() -> None:
    found = read_labelled(dataset("surnames"))
    rows = [i for i, c in enumerate(found.labels) if c in ("Greek", "Italian")]
    train, test = (found.select(rows[i::2]) for i in (0, 1))
    model = SequenceClassifier(**SMALL, tokens="char", evidence=True, epochs=2)
    figures = model.fit(train.items, train.labels).evaluate(test.items, test.labels)
    assert figures["accuracy"] > 0.9  # the largest class: 0.78


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sst2", "sms-spam", "surnames", "stories"])
def test_required_figures(name) -> None:
    case = next(case for case in CASES if case.data == name)
    if not case.generated:
        dataset(name)
    for row in measure(case, dataset("README.md").parent):
        assert row.met is not False, row


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("japanese-vowels/JapaneseVowels", {"epochs": 30, "batch_size": 16}, 0.96),
        ("basic-motions/BasicMotions", {"epochs": 60, "batch_size": 8}, 0.95),
    ],
)
def test_real_series(name, settings, wanted) -> None:
    train, test = (read_ts(dataset(f"{name}_{part}.ts")) for part in ("TRAIN", "TEST"))
    model = SequenceClassifier(dropout=0.3, **settings).fit(train.items, train.labels)
    assert model.evaluate(test.items, test.labels)["accuracy"] >= wanted


def test_a_cut_of_real_series() -> None:
    vowels = read_ts(dataset("japanese-vowels/JapaneseVowels_TRAIN.ts"))
    rows = np.flatnonzero(np.isin(vowels.labels, ["1", "2", "3"]))
    items, labels = [vowels.items[row] for row in rows], vowels.labels[rows]
    model = SequenceClassifier(**SMALL, epochs=4).fit(items[::2], labels[::2])
    assert model.score(items[1::2], labels[1::2]) > 0.8
