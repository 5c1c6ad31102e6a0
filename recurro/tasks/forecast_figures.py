"""Forecasts scored, and those of the baselines beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from recurro.baselines import (
    ConstantVolatility,
    Drift,
    Ewma,
    ExponentialSmoothing,
    Garch,
    HoltWinters,
    Naive,
    SeasonalNaive,
    VolatilityModel,
    coverage,
    crps_quantiles,
)
from recurro.baselines.autoregression import AutoRegression
from recurro.baselines.forecast import Forecaster as Baseline
from recurro.data import Series
from recurro.tasks.forecast_config import LEVELS, ForecastSettings
from recurro.tasks.forecast_task import Part, Told

__all__ = ["baselines_told", "forecast_figures", "truth_of"]

MOST = 3000
"""Steps at most that a baseline learns from: those nearest to the part held out."""

_PATHS = 100
"""Paths that the quantiles of a baseline are taken from."""


def truth_of(part: Part, horizon: int) -> np.ndarray:
    """What came ``(windows, horizon, targets)``, in units of each series."""
    series = part.table.series
    return np.stack(
        [series[w.series].target[w.origin : w.origin + horizon] for w in part.windows]
    ).astype(np.float64)


def forecast_figures(
    told: Told,
    part: Part,
    scales: Mapping[str, tuple[float, ...]],
    *,
    returns: bool = False,
) -> dict[str, float]:
    """How well windows were forecast.

    Errors and ``crps`` are in units of the deviation of each series and target in
    training, so that they can be averaged.

    Args:
        told: The forecasts, with the quantiles of ``LEVELS``.
        part: The windows.
        scales: The mean absolute seasonal difference of each target in training, by the
            name of the series.
        returns: Whether these are returns, of which the value at risk is judged.

    Returns:
        ``mse`` and ``mae``; ``mase``, unless the scale of a series is not known or 0;
        ``crps`` by the quantiles of ``LEVELS``; ``coverage`` of the interval of 90 %.
        Of returns also ``hit_rate``, the share below the value at risk of 95 %.
    """
    truth = truth_of(part, told.mean.shape[1])
    scale = part.scaler.std[part.rows][:, None]
    error = (told.mean - truth) / scale
    figures = {"mse": float(np.mean(error**2)), "mae": float(np.abs(error).mean())}
    names = [part.table.series[window.series].name for window in part.windows]
    if all(min(scales.get(name, (0,))) > 0 for name in set(names)):
        unit = np.array([scales[name] for name in names])[:, None]
        figures["mase"] = float(np.mean(np.abs(told.mean - truth) / unit))
    quantiles = np.sort(told.quantiles, 0)
    figures["crps"] = crps_quantiles(truth / scale, quantiles / scale, LEVELS)
    figures["coverage"] = coverage(truth, quantiles[0], quantiles[-1])
    if returns:
        figures["hit_rate"] = float(np.mean(truth < quantiles[0]))
    return figures


def baselines_told(
    part: Part, settings: ForecastSettings, share: float, season_length: int
) -> dict[str, Told]:
    """What models without a network forecast of the same windows, by their names.

    Args:
        part: The windows, by rising origins within each series.
        settings: All settings of the run.
        share: How much of each series is the training part.
        season_length: Steps of a season.
    """
    if settings.data.returns:
        kinds: dict[str, Callable[[], Any]] = {
            "constant volatility": ConstantVolatility,
            "EWMA": Ewma,
            "GARCH(1,1)": Garch,
        }
        roll: Callable[..., tuple[np.ndarray, np.ndarray]] = _roll_volatility
    else:
        kinds, roll = _kinds(part, settings, share, season_length), _roll
    told = {}
    for name, kind in kinds.items():
        shape = (len(part.windows), settings.data.horizon, len(part.table.targets))
        mean, quantiles = np.empty(shape), np.empty((len(LEVELS), *shape))
        for number in sorted(set(part.rows.tolist())):
            rows = np.flatnonzero(part.rows == number)
            series = part.table.series[number]
            origins = [part.windows[row].origin for row in rows.tolist()]
            stop = min(int(share * len(series)) or len(series), origins[0])
            mean[rows], quantiles[:, rows] = roll(
                kind, series, origins, stop, settings.data.horizon
            )
        told[name] = Told(mean, quantiles, np.zeros(shape))
    return told


def _kinds(
    part: Part, settings: ForecastSettings, share: float, season_length: int
) -> dict[str, Callable[[], Baseline]]:
    """The models that there is enough history for."""
    used = part.table.series
    shortest = min(int(share * len(used[row])) for row in set(part.rows.tolist()))
    kinds: dict[str, Callable[[], Baseline]] = {"naive": Naive, "drift": Drift}
    smooth: Callable[[], Baseline] = ExponentialSmoothing
    if season_length > 1 and 2 * season_length < shortest:
        kinds["seasonal naive"] = lambda: SeasonalNaive(season_length)
        smooth = lambda: HoltWinters(season_length)  # noqa: E731 (a choice)
    kinds["exponential smoothing"] = smooth
    order = min(settings.data.steps, shortest // 4)
    if order:
        kinds[f"autoregression of {order}"] = lambda: AutoRegression(order)
    return kinds


def _roll(
    kind: Callable[[], Baseline],
    series: Series,
    origins: list[int],
    stop: int,
    horizon: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and quantiles from rolling origins; learnt before ``stop`` alone."""
    values = series.target.astype(np.float64)
    model = kind().fit(values[max(0, stop - MOST) : stop])
    read, means, quantiles = stop, [], []
    for origin in origins:
        if origin > read:
            model.observe(values[read:origin])
            read = origin
        means.append(model.predict(horizon))
        quantiles.append(model.quantiles(horizon, LEVELS, _PATHS))
    return np.stack(means), np.stack(quantiles, 1)


def _roll_volatility(
    kind: Callable[[], VolatilityModel],
    series: Series,
    origins: list[int],
    stop: int,
    horizon: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The same of returns, by their volatility."""
    means, deviations = [], []
    for column in series.target.T.astype(np.float64):
        model = kind().fit(column[:stop])
        deviations.append(model.volatility(column, horizon)[origins])
        means.append(np.full(deviations[-1].shape, model.mean_))
    mean, deviation = np.stack(means, 2), np.stack(deviations, 2)
    scores = ndtri(np.array(LEVELS))[:, None, None, None]
    return mean, mean + scores * deviation
