from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from recurro import SequenceRegressor
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.tasks.sequence_config import SequenceSettings

SMALL = {"hidden_size": 8, "learning_rate": 0.02, "batch_size": 16, "backend": "vendor"}


def counts_of_pulses(count: int = 160, seed: int = 0) -> tuple[list, np.ndarray]:
    """Series of pulses, and a number that grows with how many there are."""
    draw = np.random.default_rng(seed)
    items = [
        (draw.random((int(draw.integers(4, 10)), 1)) < 0.5) * 1.0 for _ in range(count)
    ]
    return items, np.array([item.sum() for item in items])


@pytest.mark.parametrize("head", ["plain", "normal", "log-normal", "poisson"])
def test_each_head_beats_the_mean(head) -> None:
    items, pulses = counts_of_pulses()
    draw = np.random.default_rng(1)
    y = {
        "plain": 3 * pulses + draw.normal(0, 0.1, len(pulses)),
        "normal": 100 + 10 * pulses + draw.normal(0, 1, len(pulses)),
        "log-normal": np.exp(0.3 * pulses + draw.normal(0, 0.1, len(pulses))),
        "poisson": draw.poisson(np.exp(0.4 * pulses)).astype(float),
    }[head]
    model = SequenceRegressor(**SMALL, epochs=20, head=head, held_out=0.25)
    model.fit(items, y)
    mean, ridge, network = model.baselines_
    assert (mean["name"], ridge["name"]) == ("mean", "ridge on statistics")
    assert network["rmse"] < 0.8 * mean["rmse"]
    assert model.score(items, y) > 0.5
    low, high = model.predict_interval(items, level=0.8).T
    assert (low <= high).all()
    assert 0.65 < ((low <= y) & (y <= high)).mean() <= 1.0
    assert 0 <= model.evaluate(items, y)["coverage"] <= 1


def test_a_poisson_head_comes_near_the_best_possible_error() -> None:
    # log E[y] is linear in the words, so that the best possible error is known.
    draw = np.random.default_rng(0)
    words, worth = ["cat", "dog", "sun", "the"], np.array([1.0, 0.5, 1.5, 0.0])
    picks = draw.integers(0, 4, (500, 3))
    texts = [" ".join(words[i] for i in row) for row in picks]
    rates = np.exp(worth[picks].sum(1) - 1)
    likes = draw.poisson(rates).astype(float)
    model = SequenceRegressor(
        **SMALL, epochs=15, head="poisson", pooling=["last", "max"]
    )
    model.fit(texts[:400], likes[:400])
    found, truth = model.predict(texts[400:]), likes[400:]
    best = np.sqrt(((rates[400:] - truth) ** 2).mean())
    assert np.sqrt(((found - truth) ** 2).mean()) < 1.1 * best


def test_texts_have_amounts() -> None:
    texts = ["cheap", "cheap cheap", "dear", "dear dear cheap"] * 20
    y = [2.0, 1.0, 50.0, 80.0] * 20
    model = SequenceRegressor(**SMALL, epochs=30, head="log-normal").fit(texts, y)
    cheap, dear = model.predict(["cheap", "dear"])
    assert cheap == pytest.approx(2.0, rel=0.3)
    assert dear == pytest.approx(50.0, rel=0.3)
    assert model.baselines_[1]["name"] == "ridge on words"


def test_scikit_learn_and_run_folder(tmp_path) -> None:
    items, y = counts_of_pulses(40)
    model = SequenceRegressor(**SMALL, epochs=2)
    found = cross_validate(clone(model), items, y, cv=2)
    assert np.isfinite(found["test_score"]).all()
    model.set_params(out=tmp_path / "run").fit(items, y)
    again = SequenceRegressor.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(items), model.predict(items))
    np.testing.assert_array_equal(again.deviates_, model.deviates_)
    resumed = SequenceRegressor.resume(tmp_path / "run")
    np.testing.assert_array_equal(resumed.predict(items), model.predict(items))


def test_intervals_hold_what_they_say_though_the_head_is_wrong() -> None:
    # A normal head that is hardly trained tells a spread that has nothing to do with
    # these numbers; the numbers held out put that right.
    items, pulses = counts_of_pulses(1000)
    draw = np.random.default_rng(2)
    y = pulses + 30 * (draw.random(1000) < 0.15)  # far from normal
    model = SequenceRegressor(**SMALL, epochs=1, held_out=0.3)
    model.fit(items[:600], y[:600])
    assert len(model.deviates_) == 180
    for level in (0.5, 0.8, 0.95):
        found = model.evaluate(items[600:], y[600:], level)
        error = 3 * np.sqrt(level * (1 - level) * (1 / 400 + 1 / 180))
        assert abs(found["coverage"] - level) < error
        ends = model.predict_interval(items[600:], level)
        assert found["width"] == pytest.approx(np.ptp(ends, axis=1).mean())
    alone = model.evaluate(items[600:], y[600:], 0.999)  # more than 180 can tell
    model.deviates_ = np.zeros(0)
    assert alone == model.evaluate(items[600:], y[600:], 0.999)
    assert model.evaluate(items[600:], y[600:], 0.5)["coverage"] > 0.6


def test_the_place_of_the_targets_is_that_of_the_training_part() -> None:
    items, y = counts_of_pulses(20)
    model = SequenceRegressor(**SMALL, epochs=1)
    model.fit(items, y, valid=(items, y * 1000))
    assert model.network_.head.place.item() == pytest.approx(y.mean())


@pytest.mark.parametrize(
    ("head", "y", "said"),
    [
        ("normal", [1.0, np.nan], "item 1 must be a finite number, got nan"),
        ("normal", ["a", "b"], "must give a number for each"),
        ("normal", [[1.0], [2.0]], "must give a number for each"),
        ("normal", None, "must give a number for each"),
        ("normal", [1.0], "one target per sequence, got 1 for 2"),
        ("log-normal", [1.0, -1.0], "target of item 1 must be above 0 .* got -1"),
        ("poisson", [2.0, 1.5], "target of item 1 must be a count .* got 1.5"),
    ],
)
def test_bad_targets(head, y, said) -> None:
    model = SequenceRegressor(**SMALL, epochs=1, head=head, held_out=0.0)
    with pytest.raises(DataError, match=said):
        model.fit([[1.0], [2.0]], y)


def test_bad_settings(unchecked) -> None:
    items, y = counts_of_pulses(12)
    with pytest.raises(
        ConfigError, match="must be normal, plain, log-normal or poisson for regress"
    ):
        SequenceRegressor(**SMALL, head="softmax").fit(items, y)
    with pytest.raises(ConfigError, match="where there are no classes"):
        SequenceSettings(
            task="regress", model={"head": "plain", "class_weight": "balanced"}
        )
    model = SequenceRegressor(**SMALL, epochs=1, head="plain").fit(items, y)
    with pytest.raises(ArgumentError, match="1 items held out"):
        model.predict_interval(items)
    assert "coverage" not in model.evaluate(items, y)
    with pytest.raises(ArgumentError, match="level must be in"):
        model.predict_interval(items, level=1.5)


def test_a_damaged_list_of_deviates_is_named(tmp_path) -> None:
    items, y = counts_of_pulses(30)
    SequenceRegressor(**SMALL, epochs=1, out=tmp_path / "run").fit(items, y)
    (tmp_path / "run" / "intervals.json").write_text("[2, 1]")
    with pytest.raises(RunError, match="must be a list of rising numbers"):
        SequenceRegressor.load(tmp_path / "run")
