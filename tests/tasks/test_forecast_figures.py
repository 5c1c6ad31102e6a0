"""Forecasts scored by hand, and the baselines beside them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recurro.baselines import Garch, Naive, backtest, crps_gaussian
from recurro.data import Series, SeriesScaler, SeriesTable, garch_prices, windows
from recurro.tasks.forecast_config import LEVELS, ForecastSettings
from recurro.tasks.forecast_figures import baselines_told, forecast_figures, truth_of
from recurro.tasks.forecast_reader import prepared
from recurro.tasks.forecast_task import Part, Told


def part(*values: list[float], horizon: int = 2, start: float = 0.5) -> Part:
    series = []
    for number, column in enumerate(values):
        target = np.array(column, np.float32)[:, None]
        none = np.zeros((len(column), 0), np.float32)
        times = np.arange(len(column))
        series.append(Series(str(number), times, target, none, none, none[0]))
    table = SeriesTable(tuple(series), ("y",))
    found = windows(table, 1, horizon, start=start)
    return Part(table, found, SeriesScaler.fit(table, start))


def test_figures_by_hand() -> None:
    one = part([0.0, 2.0, 4.0, 8.0], [10.0, 30.0, 20.0, 40.0])  # deviations 1 and 10
    truth = truth_of(one, 2)[..., 0]
    np.testing.assert_array_equal(truth, [[4, 8], [20, 40]])
    mean = np.array([[[5.0], [6.0]], [[20.0], [50.0]]])
    spread = np.array([1.0, 10.0]).reshape(2, 1, 1)
    scores = stats.norm.ppf(LEVELS).reshape(-1, 1, 1, 1)
    told = Told(mean, mean + scores * spread, spread)
    scales = {"0": (2.0,), "1": (20.0,)}
    found = forecast_figures(told, one, scales, returns=True)
    assert found["mse"] == pytest.approx((1 + 4 + 0 + 1) / 4)
    assert found["mae"] == pytest.approx((1 + 2 + 0 + 1) / 4)
    assert found["mase"] == pytest.approx((0.5 + 1 + 0 + 0.5) / 4)
    exact = crps_gaussian([4, 8, 2, 4], [5, 6, 2, 5], 1.0)
    assert found["crps"] == pytest.approx(exact, rel=0.05)
    assert found["coverage"] == 0.75  # 8 lies beyond 6 + 1.64
    assert found["hit_rate"] == 0.0
    without = forecast_figures(told, one, {"0": (0.0,), "1": (1.0,)})
    assert set(without) == set(found) - {"mase", "hit_rate"}


def test_baselines_roll_as_backtest_does_and_learn_before_the_part_alone() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=80).cumsum().tolist()
    one = part(values, horizon=3)
    settings = ForecastSettings(data={"horizon": 3, "history": 4})
    told = baselines_told(one, settings, 0.5, 6)
    assert list(told) == [
        "naive", "drift", "seasonal naive", "exponential smoothing",
        "autoregression of 4",
    ]  # fmt: skip
    expected, _ = backtest(Naive(), np.float32(values), horizon=3, first=40)
    np.testing.assert_allclose(told["naive"].mean[..., 0], expected, rtol=1e-6)
    np.testing.assert_allclose(
        told["seasonal naive"].mean[:, :, 0],
        [values[w.origin - 6 : w.origin - 3] for w in one.windows],
        rtol=1e-6,
    )
    changed = part([*values[:70], *[99.0] * 10], horizon=3)
    again = baselines_told(changed, settings, 0.5, 6)
    for name, before in told.items():
        same = [w.origin <= 67 for w in one.windows]
        np.testing.assert_array_equal(again[name].mean[same], before.mean[same])


def test_volatility_is_that_of_the_rules() -> None:
    settings = ForecastSettings(data={"returns": True, "horizon": 2})
    prices, _ = garch_prices(120)
    table = prepared(prices, settings.data)
    found = windows(table, 1, 2, start=0.5)
    told = baselines_told(
        Part(table, found, SeriesScaler.fit(table, 0.5)), settings, 0.5, 1
    )
    r = table.series[0].target[:, 0].astype(float)
    rule = Garch().fit(r[:59])
    origin = found[7].origin
    law = stats.norm(rule.mean_, rule.volatility(r, 2)[origin])
    quantiles = told["GARCH(1,1)"].quantiles[:, 7, :, 0]
    np.testing.assert_allclose(quantiles, [law.ppf(level) for level in LEVELS])
