from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, f1_score, log_loss

from recurro.data import read_classes
from recurro.errors import ArgumentError, DataError, RunError
from recurro.tasks import ClassLanguageModel, LanguageModel
from tests.datasets import dataset

ALPHABETS = {"a to d": "abcd", "c to f": "cdef", "x to z": "xyz"}


def words(count: int = 240) -> tuple[list[str], list[str]]:
    """Words of three languages; every second one is of the first."""
    draw = np.random.default_rng(0)
    names = list(ALPHABETS)
    labels = [names[(0, 1, 0, 2)[i % 4]] for i in range(count)]
    items = ["".join(draw.choice(list(ALPHABETS[name]), 5)) for name in labels]
    return items, labels


def small(**settings) -> LanguageModel:
    given = {"hidden_size": 16, "epochs": 6, "batch_size": 16, "learning_rate": 0.02}
    return LanguageModel(lines=True, **{**given, **settings})


@pytest.fixture(scope="module", params=[False, True], ids=["one network", "separate"])
def fitted(request, tmp_path_factory) -> ClassLanguageModel:
    run = tmp_path_factory.mktemp("runs") / "run"
    model = ClassLanguageModel(small(out=run), separate=request.param)
    return model.fit(*words())


def test_it_names_the_language(fitted):
    found = fitted.predict(["abab", "efef", "xyzz"])
    assert found.tolist() == ["a to d", "c to f", "x to z"]
    items, labels = words()
    assert fitted.score(items, labels) > 0.9
    rows = {row["name"]: row for row in fitted.baselines_}
    assert list(rows) == [
        "largest class",
        "6-gram of each class",
        "network",
        "network + 6-gram",
    ]
    assert rows["network"]["accuracy"] > rows["largest class"]["accuracy"]


def test_probabilities_follow_bayes(fitted):
    items = ["abcd", "cdcd", "q"]
    joint = fitted.log_likelihood(items) + np.log([0.5, 0.25, 0.25])
    assert np.exp(fitted.log_prior_) == pytest.approx([0.5, 0.25, 0.25])
    expected = np.exp(joint) / np.exp(joint).sum(1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(items), expected, rtol=1e-4)
    np.testing.assert_allclose(
        fitted.predict_log_proba(items), np.log(expected), rtol=1e-4, atol=1e-6
    )
    assert fitted.predict_proba([]).shape == (0, 3)


def test_figures_are_those_of_scikit_learn(fitted):
    items, labels = words(40)
    found = fitted.evaluate(items, labels)
    named = fitted.predict(items)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, named))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, named, average="macro"))
    chances = fitted.predict_proba(items)
    assert found["log_loss"] == pytest.approx(log_loss(labels, chances), rel=1e-4)


def test_items_do_not_depend_on_each_other(fitted):
    alone = fitted.log_likelihood(["abcd"])
    among = fitted.log_likelihood(["x", "abcd", "zzzzzzzzzz"])
    np.testing.assert_allclose(alone[0], among[1], rtol=1e-4)


def test_it_writes_in_each_language(fitted):
    written = fitted.generate(length=20, label="x to z", temperature=0.5, seed=1)
    assert set(written) <= set("xyz")
    assert written == fitted.generate(
        length=20, label="x to z", temperature=0.5, seed=1
    )
    with pytest.raises(ArgumentError, match="must be one of a to d, c to f, x to z"):
        fitted.generate(label="Latin")
    with pytest.raises(ArgumentError, match="got None"):
        fitted.generate()


def test_a_run_is_all_that_is_needed(fitted):
    again = ClassLanguageModel.load(fitted.run_.path)
    items, labels = words(40)
    assert again.separate == fitted.separate
    assert again.classes_.tolist() == fitted.classes_.tolist()
    assert again.baselines_ == fitted.baselines_
    assert again.evaluate(items, labels) == fitted.evaluate(items, labels)
    with pytest.raises(RunError, match="must be a run of task 'lm', got one of 'by-cl"):
        LanguageModel.load(fitted.run_.path)


class Stop:
    def update(self, step, total, fields) -> None:
        raise KeyboardInterrupt


def test_a_run_that_was_stopped_ends_as_if_it_had_not(fitted, tmp_path):
    stopped = ClassLanguageModel(
        small(out=tmp_path / "run", checkpoint_steps=1), separate=fitted.separate
    )
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(*words(), progress=Stop())
    resumed = ClassLanguageModel.resume(tmp_path / "run")
    ours, theirs = resumed.network_.state_dict(), fitted.network_.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert resumed.baselines_ == fitted.baselines_


def test_it_is_an_estimator():
    model = ClassLanguageModel(small(), separate=True)
    copy = clone(model)
    assert copy.get_params()["model__hidden_size"] == 16
    copy.set_params(model__hidden_size=4)
    assert model.model.hidden_size == 16
    with pytest.raises(NotFittedError):
        copy.predict(["a"])


@pytest.mark.parametrize(
    ("items", "labels", "complaint"),
    [
        (["ab", "cd"], ["x"], "each item must have a class, got 2 items and 1"),
        (["ab", "cd"], ["x", "x"], "at least two classes, got .'x'"),
        (["ab", " "], ["x", "y"], "at least two classes, got .'x'"),
        ([], [], "at least two classes"),
    ],
)
def test_bad_items_are_refused(items, labels, complaint):
    with pytest.raises(DataError, match=complaint):
        ClassLanguageModel(small()).fit(items, labels)


def test_blank_items_and_strange_labels_are_refused(fitted):
    with pytest.raises(DataError, match="no white space, got ' '"):
        fitted.predict(["ab", " "])
    with pytest.raises(DataError, match=r"must be of a class among .* got .'Latin'"):
        fitted.evaluate(["ab"], ["Latin"])
    with pytest.raises(ArgumentError, match="Build it with lines=True"):
        ClassLanguageModel(LanguageModel()).fit(*words())


def test_filters_hold_for_items():
    model = ClassLanguageModel(small(lower=True, epochs=1)).fit(*words())
    np.testing.assert_allclose(
        model.log_likelihood(["ABcd "]), model.log_likelihood(["abcd"])
    )


@pytest.mark.slow
def test_surnames():
    data = read_classes(dataset("surnames"))
    names = np.array(data.classes)
    train, test = data.split()
    model = ClassLanguageModel(
        LanguageModel(
            lines=True,
            hidden_size=128,
            epochs=6,
            batch_size=64,
            learning_rate=0.004,
            schedule="cosine",
            recurrent_dropout=0.1,
        )
    ).fit(train.items, names[train.labels])
    assert model.evaluate(test.items, names[test.labels])["accuracy"] > 0.75
