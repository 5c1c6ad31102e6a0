"""Forecasts without a network: by hand, by statsmodels and by published floors."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recurro.baselines import (
    Drift,
    ExponentialSmoothing,
    Holt,
    HoltWinters,
    Naive,
    SeasonalNaive,
    backtest,
    mae,
    mase,
    mse,
)
from recurro.errors import ArgumentError, DataError, ShapeError
from tests.datasets import dataset

MODELS = [
    Naive(),
    SeasonalNaive(12),
    Drift(),
    ExponentialSmoothing(),
    Holt(),
    Holt(damped=True),
    HoltWinters(12),
    HoltWinters(12, multiplicative=True),
]


def airline():
    table = pl.read_csv(dataset("classic-series/airline-passengers.csv"))
    return table["Passengers"].to_numpy().astype(float)


def season(seed=0, steps=96):
    random = np.random.default_rng(seed)
    time = np.arange(steps)
    wave = 8 * np.sin(2 * np.pi * time / 12) + 0.3 * time
    return 50 + wave + random.normal(size=steps)


def test_by_hand():
    values = [3.0, 5.0, 4.0, 8.0, 6.0, 9.0]
    assert Naive().fit(values).predict(2).tolist() == [9, 9]
    assert SeasonalNaive(2).fit(values).predict(3).tolist() == [6, 9, 6]
    assert Drift().fit(values).predict(2) == pytest.approx([9 + 6 / 5, 9 + 12 / 5])
    assert Naive().fit(values).residuals_[:, 0].tolist() == [2, -1, 4, -2, 3]
    # Drift: from 3, 5 to 7; from 3, 5, 4 to 4.5; ...
    assert Drift().fit(values).residuals_[:2, 0].tolist() == [-3, 3.5]


def test_smoothing_by_hand():
    model = Holt()
    state, used = model.start([1.0, 3.0])
    assert (state, used, model.expect([0.5, 0.5], state)) == ((3.0, 2.0), 2, 5.0)
    # l = .5 * 7 + .5 * 5 = 6, b = .5 * (6 - 3) + .5 * 2 = 2.5
    assert model.update([0.5, 0.5], state, 7.0) == (6.0, 2.5)
    model = Holt(damped=True)
    assert model.expect([0.5, 0.5, 0.9], (3.0, 2.0)) == 4.8


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}{vars(m)}")
def test_every_model_keeps_the_contract(model):
    values = season()
    two = np.stack([values, values[::-1] * 2], 1)
    assert model.fit(two) is model
    found = model.predict(15)
    assert found.shape == (15, 2)
    alone = type(model)(**{k: v for k, v in vars(model).items() if k[-1] != "_"})
    alone.fit(values)
    np.testing.assert_array_equal(alone.predict(15), found[:, 0])
    np.testing.assert_array_equal(found[:4], model.predict(4))
    paths = alone.sample(15, 400, seed=1)
    assert paths.shape == (400, 15)
    np.testing.assert_array_equal(paths, alone.sample(15, 400, seed=1))
    assert not np.array_equal(paths, alone.sample(15, 400, seed=2))
    spread = paths.std(0)
    assert spread[-1] > 0.9 * spread[0] > 0
    low, middle, high = alone.quantiles(15, [0.1, 0.5, 0.9])
    assert (low < middle).all()
    assert (middle < high).all()
    assert alone.score(values[:3]) == -mae(values[:3], alone.predict(3))
    # Reading on is the same as having read at once, as the parameters stay.
    part = type(alone)(**{k: v for k, v in vars(alone).items() if k[-1] != "_"})
    part.fit(values[:60])
    state, _ = part._follow(part.rates_[0], values.tolist())
    part.observe(values[60:])
    assert part.states_[0] == state


def test_sampled_paths_of_a_random_walk_spread_with_the_root_of_time():
    steps = np.random.default_rng(0).normal(size=2000)
    paths = Naive().fit(steps.cumsum()).sample(25, 4000)
    spread = paths.std(0)
    np.testing.assert_allclose(
        spread, steps.std() * np.sqrt(np.arange(1, 26)), rtol=0.06
    )


def test_series_that_go_together_are_sampled_together():
    steps = np.random.default_rng(0).normal(size=(300, 1)) * [1, -1]
    paths = Naive().fit(steps.cumsum(0)).sample(5, 50)
    np.testing.assert_allclose(np.diff(paths.sum(-1), axis=1), 0, atol=1e-9)


def smoother(values, **settings):
    holtwinters = pytest.importorskip("statsmodels.tsa.holtwinters")
    return holtwinters.ExponentialSmoothing(values, **settings)


@pytest.mark.parametrize("damped", [False, True])
def test_holt_equals_statsmodels(damped):
    values, rates = season(), [0.4, 0.2, *([0.9] if damped else [])]
    other = smoother(
        values[2:],
        trend="add",
        damped_trend=damped,
        initialization_method="known",
        initial_level=values[1],
        initial_trend=values[1] - values[0],
    ).fit(
        smoothing_level=0.4,
        smoothing_trend=0.2,
        damping_trend=0.9 if damped else None,
        optimized=False,
    )
    model = Holt(damped=damped).fit(values)
    state, errors = model._follow(rates, values.tolist())
    np.testing.assert_allclose(errors, other.resid, atol=1e-9)
    model.rates_, model.states_ = [rates], [state]
    np.testing.assert_allclose(model.predict(9), other.forecast(9), atol=1e-9)


@pytest.mark.parametrize("kind", ["add", "mul"])
def test_holt_winters_equals_statsmodels(kind):
    values, rates = airline(), [0.3, 0.1, 0.2]
    model = HoltWinters(12, multiplicative=kind == "mul").fit(values)
    (level, trend, first), used = model.start(values.tolist())
    assert used == 0

    def other(y):
        return smoother(
            y,
            trend="add",
            seasonal=kind,
            seasonal_periods=12,
            initialization_method="known",
            initial_level=level,
            initial_trend=trend,
            initial_seasonal=np.array(first),
        )

    learnt = other(values).fit()
    assert np.square(model.residuals_).sum() <= learnt.sse * 1.02
    fixed = dict(zip(("smoothing_level", "smoothing_trend"), rates, strict=False))
    fixed |= {"smoothing_seasonal": rates[2], "optimized": False}
    state, errors = model._follow(rates, values.tolist())
    np.testing.assert_allclose(errors, other(values).fit(**fixed).resid, atol=1e-8)
    # Its own forecast forgets the last season's update; told ours, it expects the same.
    model.rates_, model.states_ = [rates], [state]
    longer = np.concatenate([values, model.predict(24)])
    np.testing.assert_allclose(other(longer).fit(**fixed).resid[-24:], 0, atol=1e-8)


def test_learning_finds_the_best_rate():
    values = np.random.default_rng(3).normal(size=150).cumsum()
    values += np.random.default_rng(4).normal(size=150)
    model = ExponentialSmoothing().fit(values)
    grid = [
        np.square(model._follow([a], values.tolist())[1]).sum()
        for a in np.linspace(0, 1, 501)
    ]
    assert np.square(model.residuals_).sum() <= min(grid) + 1e-6


def test_a_season_is_worth_knowing():
    values = airline()
    scores = {}
    for name, model in {
        "naive": Naive(),
        "seasonal": SeasonalNaive(12),
        "smoothing": HoltWinters(12, multiplicative=True),
    }.items():
        found = model.fit(values[:120]).predict(24)
        scores[name] = mase(values[120:], found, values[:120], season_length=12)
    assert scores["smoothing"] < 0.8 * scores["seasonal"] < 0.8 * scores["naive"]


def etth1():
    """The standardised columns up to the end of the test part, and its first step."""
    table = pl.read_csv(dataset("ett/ETTh1.csv")).drop("date").to_numpy()
    train, test, end = (months * 30 * 24 for months in (12, 16, 20))
    scaled = (table - table[:train].mean(0)) / table[:train].std(0)
    return scaled[:end], test


def test_floor_of_the_target_of_etth1():
    scaled, first = etth1()
    found, truth = backtest(Naive(), scaled[:, -1], horizon=24, first=first)
    assert len(found) == len(scaled) - first - 24 + 1
    assert mse(truth, found) == pytest.approx(0.034, abs=6e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "expected"), [(Naive(), 1.222), (SeasonalNaive(24), 0.424)]
)
def test_floors_of_etth1(model, expected):
    scaled, first = etth1()
    found, truth = backtest(model, scaled, horizon=24, first=first)
    assert mse(truth, found) == pytest.approx(expected, abs=6e-4)


def test_rolling_origins_learn_from_the_training_part_alone():
    values = season()
    found, truth = backtest(Holt(), values, horizon=3, first=60, stride=5)
    assert found.shape == truth.shape == (7, 3)
    changed = values.copy()
    changed[75:] = 1e6
    again, _ = backtest(Holt(), changed, horizon=3, first=60, stride=5)
    np.testing.assert_array_equal(again[:4], found[:4])
    np.testing.assert_array_equal(truth[1], values[65:68])


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: Naive().predict(1), ArgumentError, "must be fitted before it is used"),
        (lambda: Naive().sample(1), ArgumentError, "must be fitted"),
        (lambda: Naive().fit([]), DataError, r"at least one, got \(0,\)"),
        (lambda: Naive().fit([1.0]), DataError, "behind those .* got 1 in all"),
        (lambda: Drift().fit([1.0]), DataError, "at least 2 values, got 1"),
        (lambda: SeasonalNaive(0).fit([1.0]), ArgumentError, "season_length must be"),
        (lambda: SeasonalNaive(3).fit([1.0, 2]), DataError, "at least 3 values, got 2"),
        (lambda: HoltWinters(3).fit([1.0] * 5), DataError, "at least 6 values, got 5"),
        (
            lambda: HoltWinters(2, multiplicative=True).fit([1.0, 2, 0, 4]),
            DataError,
            "over 0, got 0.0 at step 2",
        ),
        (
            lambda: Naive().fit([[1.0, 2], [3, np.nan]]),
            DataError,
            "got nan at step 1 of series 1",
        ),
        (lambda: Naive().fit([1.0, 2]).predict(0), ArgumentError, "horizon must be"),
        (lambda: Naive().fit([1.0, 2]).sample(0), ArgumentError, "horizon must be"),
        (lambda: Naive().fit([1.0, 2]).sample(1, 0), ArgumentError, "count must be"),
        (
            lambda: Naive().fit([1.0, 2]).quantiles(1, [1.1]),
            ArgumentError,
            "levels must lie in 0 to 1",
        ),
        (
            lambda: Naive().fit([1.0, 2]).observe([[1.0, 2.0]]),
            ShapeError,
            "must be 1 series as in fit, got 2",
        ),
        (
            lambda: backtest(Naive(), [1.0, 2, 3], horizon=3, first=1),
            ArgumentError,
            "of 3 values .* first=1 and horizon=3",
        ),
    ],
)
def test_wrong_calls(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_constant_series_are_forecast_as_they_are():
    for model in MODELS:
        model.fit([5.0] * 30)
        np.testing.assert_allclose(model.sample(3, 4), 5.0)
