"""Scores of forecasts by hand, by their closed form and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
)

from recurro.baselines import (
    coverage,
    crps_gaussian,
    crps_quantiles,
    crps_samples,
    hit_rate,
    mae,
    mase,
    mse,
)
from recurro.errors import ArgumentError, ShapeError


def test_points_equal_scikit_learn():
    random = np.random.default_rng(0)
    y, f = random.normal(size=(2, 50, 3))
    assert mse(y, f) == pytest.approx(mean_squared_error(y, f))
    assert mae(y, f) == pytest.approx(mean_absolute_error(y, f))


def test_scaled_error_by_hand():
    history = [1.0, 3.0, 2.0, 5.0]  # steps of 2, 1, 3: mean 2; two apart: 1, 2
    assert mase([6.0, 8.0], [5.0, 4.0], history) == 2.5 / 2
    assert mase([6.0, 8.0], [5.0, 4.0], history, season_length=2) == 2.5 / 1.5
    two = np.stack([history, np.multiply(history, 100)], 1)
    truth = np.array([[6.0, 600.0]])
    assert mase(truth, truth - [[2, 100]], two) == (2 / 2 + 100 / 200) / 2


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6), st.floats(-5, 5))
def test_samples_by_the_definition(draws, y):
    x = np.array(draws)
    definition = np.abs(x - y).mean() - np.abs(x[:, None] - x).mean() / 2
    assert crps_samples([y], x[:, None]) == pytest.approx(definition, abs=1e-12)


def test_samples_and_quantiles_come_near_the_closed_form():
    random = np.random.default_rng(1)
    y, m = random.normal(size=(2, 40))
    exact = crps_gaussian(y, m, 1.7)
    samples = m + 1.7 * random.normal(size=(4000, 40))
    assert crps_samples(y, samples) == pytest.approx(exact, rel=0.01)
    from scipy.stats import norm

    levels = (np.arange(200) + 0.5) / 200
    quantiles = m + 1.7 * norm.ppf(levels)[:, None]
    assert crps_quantiles(y, quantiles, levels) == pytest.approx(exact, rel=1e-3)
    uneven = np.concatenate(
        [np.linspace(0.002, 0.098, 60), np.linspace(0.1, 0.998, 500)]
    )
    quantiles = m + 1.7 * norm.ppf(uneven)[:, None]
    assert crps_quantiles(y, quantiles, uneven) == pytest.approx(exact, rel=3e-3)


def test_closed_form_by_integration():
    from scipy.stats import norm

    x = np.linspace(-20, 20, 400_001)
    for y, m, s in [(0.3, 0.0, 1.0), (-2.0, 1.0, 0.5)]:
        area = np.trapezoid((norm.cdf(x, m, s) - (x >= y)) ** 2, x)
        assert crps_gaussian([y], [m], s) == pytest.approx(area, abs=1e-4)


def test_even_levels_are_twice_the_mean_pinball_loss():
    random = np.random.default_rng(2)
    y, levels = random.normal(size=30), np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    quantiles = np.sort(random.normal(size=(5, 30)), 0)
    losses = [
        mean_pinball_loss(y, q, alpha=p) for q, p in zip(quantiles, levels, strict=True)
    ]
    assert crps_quantiles(y, quantiles, levels) == pytest.approx(2 * np.mean(losses))


def test_shares():
    assert coverage([1, 2, 3, 9], [1, 1, 4, 8], [1, 3, 5, 8.5]) == 0.5
    random = np.random.default_rng(3)
    returns = random.normal(size=100_000)
    assert hit_rate(returns, np.full(100_000, 1.6449)) == pytest.approx(0.05, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: mse([1.0], [1.0, 2.0]), ShapeError, r"got \(1,\) and \(2,\)"),
        (lambda: mae([], []), ShapeError, "a number in it"),
        (
            lambda: mae([1.0, np.nan], [1, 2]),
            ArgumentError,
            "got nan in the truth and 1",
        ),
        (lambda: mse([1.0], [np.inf]), ArgumentError, "got inf in the forecast"),
        (lambda: mase([1.0], [1.0], [2.0, 2.0]), ArgumentError, "not all 0"),
        (lambda: mase([1.0], [1.0], [2.0, np.nan]), ArgumentError, "finite"),
        (
            lambda: mase([1.0], [1.0], [2.0], 1),
            ShapeError,
            "longer than season_length=1",
        ),
        (lambda: mase([1.0], [1.0], [2.0, 3.0], 0), ShapeError, "season_length=0"),
        (lambda: crps_samples([1.0], [1.0]), ShapeError, r"must be \(count, 1\)"),
        (lambda: crps_samples([1.0], [[np.nan]]), ArgumentError, "finite"),
        (
            lambda: crps_quantiles([1.0], [[1.0], [2]], [0.9, 0.1]),
            ArgumentError,
            "rise",
        ),
        (lambda: crps_quantiles([1.0], [[1.0]], [1.0]), ArgumentError, "within"),
        (
            lambda: crps_quantiles([1.0], [[1.0]], [0.1, 0.2]),
            ArgumentError,
            "each of 1",
        ),
        (lambda: crps_gaussian([1.0], [1.0], 0.0), ArgumentError, "std must be over 0"),
        (lambda: coverage([1.0], [2.0], [1.0]), ArgumentError, "got 2.0 and 1.0"),
    ],
)
def test_wrong_calls(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
