"""What all tasks with a class at each step share, by one of the smallest kind."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recurro import GRU
from recurro.cells import Cell
from recurro.data import Scaler, join_series
from recurro.errors import ConfigError, DataError, RunError
from recurro.tasks.in_step import StepClassifier
from recurro.tasks.readers import SCALER, SeriesReader
from recurro.tasks.sequence_config import sections_of


class Framer(StepClassifier):
    """A class for each step of a series, without baselines."""

    task: ClassVar[str] = "label"

    def __init__(
        self,
        *,
        cell: Cell = GRU(),  # noqa: B008
        hidden_size: int = 8,
        bidirectional: bool = False,
        head: str = "softmax",
        class_weight: Any = None,
        backend: str = "vendor",
        held_out: float = 0.1,
        batch_size: int = 8,
        epochs: int = 12,
        learning_rate: float = 0.03,
        out: Any = None,
        overwrite: bool = False,
    ) -> None:
        values = dict(locals())
        del values["self"]
        vars(self).update(values)

    def _learn_reader(self, items, targets, settings) -> SeriesReader:
        return SeriesReader(Scaler.fit(join_series(items)))

    def _load_reader(self, run, settings) -> SeriesReader:
        tree = run.read_json(SCALER)
        return SeriesReader(Scaler(**{key: tuple(tree[key]) for key in tree}))

    def _baselines(self, train, valid) -> list[dict[str, Any]]:
        return []


def echoes(count: int = 60, seed: int = 0) -> tuple[list[np.ndarray], list[list[str]]]:
    """The class of a step is the sign of the number two steps before."""
    draw = np.random.default_rng(seed)
    items = [draw.normal(size=n) for n in draw.integers(3, 12, count)]
    signs = [
        np.where(np.concatenate([[1, 1], x[:-2]]) > 0, "up", "down") for x in items
    ]
    return items, [row.tolist() for row in signs]


@pytest.fixture(scope="module")
def trained() -> Framer:
    return Framer().fit(*echoes())


@pytest.fixture(scope="module")
def chained() -> Framer:
    return Framer(head="crf", epochs=8).fit(*echoes())


def test_what_came_before_is_learnt(trained, chained) -> None:
    items, labels = echoes(seed=1)
    for model in (trained, chained):
        figures = model.evaluate(items, labels)
        assert figures["accuracy"] > 0.9
        assert model.score(items, labels) == figures["accuracy"]
        assert model.baselines_ == [{"name": "network", **model.baselines_[0]}]


def test_figures_are_those_of_scikit_learn(trained) -> None:
    items, labels = echoes(seed=1)
    true = [label for row in labels for label in row]
    named = [label for row in trained.predict(items) for label in row]
    chances = np.concatenate(trained.predict_proba(items))
    figures = trained.evaluate(items, labels)
    assert figures["accuracy"] == pytest.approx(accuracy_score(true, named))
    assert figures["macro_f1"] == pytest.approx(f1_score(true, named, average="macro"))
    assert figures["log_loss"] == pytest.approx(log_loss(true, chances), rel=1e-5)


def test_answers_are_as_long_as_their_items_and_do_not_depend_on_others(
    trained, chained
) -> None:
    items, _ = echoes(seed=2)
    for model in (trained, chained):
        named, chances = model.predict(items), model.predict_proba(items)
        assert [len(row) for row in named] == [len(item) for item in items]
        for item, row, chance in zip(items[:5], named, chances, strict=False):
            np.testing.assert_allclose(chance.sum(1), 1, rtol=1e-5)
            assert model.predict([item]) == [row]
            np.testing.assert_allclose(model.predict_proba([item])[0], chance, 1e-4)


def test_scikit_learn_takes_targets_of_any_lengths() -> None:
    data = echoes(24)
    model = Framer(epochs=1)
    found = cross_validate(model, *data, cv=2)
    assert np.isfinite(found["test_score"]).all()
    search = GridSearchCV(model, {"hidden_size": [2, 3]}, cv=2).fit(*data)
    assert search.best_params_["hidden_size"] in (2, 3)
    pipeline = make_pipeline(FunctionTransformer(list), clone(model))
    assert len(pipeline.fit(*data).predict(data[0][:3])) == 3


def test_class_weights_favour_the_rare() -> None:
    draw = np.random.default_rng(0)
    labels = [(draw.random(8) < 0.1).astype(int) for _ in range(30)]
    items = [draw.normal(0.5 * row) for row in labels]
    rare = [
        np.concatenate(
            Framer(epochs=4, class_weight=weight)
            .fit(items, labels)
            .predict_proba(items)
        )[:, 1].mean()
        for weight in (None, "balanced", {0: 1, 1: 9})
    ]
    assert min(rare[1:]) > 1.3 * rare[0]
    with pytest.raises(ConfigError, match=r"class_weight.*must be left out for a crf"):
        Framer(head="crf", class_weight="balanced").fit(items, labels)
    with pytest.raises(ConfigError, match="for each of the classes 0, 1"):
        Framer(class_weight={0: 1}).fit(items, labels)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_run_is_read_back_and_resumed(tmp_path, head, monkeypatch) -> None:
    items, labels = echoes(30)
    model = Framer(head=head, epochs=3, out=tmp_path / "run").fit(items, labels)
    again = Framer.load(tmp_path / "run")
    assert again.settings == model.settings
    assert again.predict(items) == model.predict(items)
    assert again.baselines_ == model.baselines_

    monkeypatch.setattr(Framer, "_judge", _stop_at(2))
    with pytest.raises(KeyboardInterrupt):
        Framer(head=head, epochs=3, out=tmp_path / "cut").fit(items, labels)
    monkeypatch.undo()
    resumed = Framer.resume(tmp_path / "cut")
    for name, weight in resumed.network_.state_dict().items():
        assert torch.equal(weight, model.network_.state_dict()[name]), name


def _stop_at(number: int) -> Any:
    """A judge that is stopped by a person at its ``number``-th call."""
    judge, calls = Framer._judge, []

    def stopped(self, network, data) -> dict[str, float]:
        calls.append(0)
        if len(calls) == number:
            raise KeyboardInterrupt
        return judge(self, network, data)

    return stopped


def test_nothing_leaks_from_what_is_held_out() -> None:
    items, labels = echoes(20)
    wild = [item * 1000 for item in items]
    model = Framer(epochs=1).fit(items, labels, valid=(wild, labels))
    plain = Framer(epochs=1, held_out=0.0).fit(items, labels)
    assert model.reader_ == plain.reader_
    for row in range(20):  # wherever it is, a class that comes once is learnt from
        rare = [*labels[:row], ["rare"] * len(labels[row]), *labels[row + 1 :]]
        held = Framer(epochs=1, held_out=0.5)
        examples = held._examples(held.settings, items, rare, None)
        (_, learnt), _ = examples.parts()
        assert held._counts.tolist() == np.bincount(learnt.values).tolist()
        assert "rare" in held.classes_
    with pytest.raises(DataError, match="step 1 of item 0 must be one of the 2 seen"):
        Framer(epochs=1).fit(items, labels, valid=([[0.0, 1.0]], [["up", "left"]]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "y must give the class of each step, got None"),
        (["up"], "y must give a list of classes for each item.*got 'up' for item 0"),
        ([["up", "down"]], "there must be one target per sequence, got 1 for 2"),
        ([["up"], ["up", "down"]], "item 0 must have a target for each of its 2"),
        ([["up", None], ["up", "down"]], "the class of step 1 of item 0.*got None"),
        ([["up", "up"], ["up", float("nan")]], "step 1 of item 1 must be a word"),
        ([["up", "up"], ["up", 3]], "classes must be all words or all numbers"),
        ([["up", "up"], ["up", "up"]], "at least two classes, got only .'up'"),
    ],
)
def test_targets_that_cannot_be_learnt(labels, message) -> None:
    with pytest.raises(DataError, match=message):
        Framer(held_out=0.0).fit([[0.0, 1.0], [1.0, 2.0]], labels)


def test_targets_that_cannot_be_scored(trained) -> None:
    with pytest.raises(DataError, match="step 1 of item 1 must be one of the 2 seen"):
        trained.evaluate([[0.0], [1.0, 2.0]], [["up"], ["up", "left"]])
    with pytest.raises(NotFittedError):
        Framer().predict([[1.0]])
    assert set(sections_of(Framer.kind)) == {"data", "model", "train"}


def test_a_run_of_another_task_is_refused(tmp_path) -> None:
    Framer(epochs=1, out=tmp_path / "run").fit(*echoes(10))
    path = tmp_path / "run" / "classes.json"
    assert '"allowed": null' in path.read_text()
    path.write_text("{}")
    with pytest.raises(RunError):
        Framer.load(tmp_path / "run")
