"""Forecasts of hours, demand, sugar levels, volatility and classic series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurro.baselines import ConstantVolatility, Ewma, Garch
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import (
    SeriesTable,
    cut_table,
    garch_prices,
    glucose_table,
    log_returns,
    read_series,
)
from recurro.tasks import Forecaster

__all__ = ["CASES"]

HOURS = {"horizon": 24, "history": 96, "held_out": 0.25, "head": "point", "epochs": 8}
DEMAND = {"horizon": 48, "history": 336, "calendar": ["week"], "stride": 2}
SUGAR = {"horizon": 12, "history": 48, "level": True, "stride": 3}
RETURNS = {"horizon": 5, "history": 60, "returns": True, "linear": False, "epochs": 20}
CLASSIC: dict[str, tuple[str, dict[str, Any]]] = {
    "airline": (
        "airline-passengers.csv",
        {
            "time": "Month",
            "target": "Passengers",
            "horizon": 12,
            "history": 24,
            "hidden_size": 8,
            "level": True,
            "batch_size": 16,
            "epochs": 200,
            "patience": 30,
        },
    ),
    "sunspots": (
        "monthly-sunspots.csv",
        {"time": "Month", "target": "Sunspots", "horizon": 12, "history": 132},
    ),
    "temperatures": (
        "daily-min-temperatures.csv",
        {
            "time": "Date",
            "target": "Temp",
            "horizon": 7,
            "history": 56,
            "fill": "linear",
            "calendar": "year",
            "level": True,
        },
    ),
}
"""File and settings of each classic series; its last fifth is scored."""


def _last(table: SeriesTable, share: float) -> SeriesTable:
    """The table without the last share of each series."""
    return cut_table(table, [int((1 - share) * len(s)) for s in table.series])


def _repeated(
    model: Forecaster, table: SeriesTable, lag: int, stride: int = 1
) -> dict[str, float]:
    """The errors of repeating what was a lag before, in units of the training."""
    found = model.backtest(table, stride=stride, levels=())
    horizon, targets = model.settings.data.horizon, len(table.targets)
    errors = []
    for series in table.series:
        rows = found if len(table.series) == 1 else found.filter(id=series.name)
        truth = rows["truth"].to_numpy().reshape(-1, horizon, targets)
        last = rows["origin"].to_numpy()[:: horizon * targets]
        origins = np.searchsorted(series.times, last) + 1
        begins = origins[:, None] + np.arange(horizon)
        while (late := begins >= origins[:, None]).any():
            begins = begins - lag * late
        std = np.array(model.reader_.moments[series.name][1])
        errors.append((series.target[begins] - truth) / std)
    error = np.concatenate(errors)
    return {"mse": float((error**2).mean()), "mae": float(np.abs(error).mean())}


def _hours(folder: Path, seed: int) -> Found:
    """ETTh1, 12 months to learn from, 4 to choose on and 4 that are scored."""
    figures: dict[str, float] = {}
    baselines: dict[str, dict[str, float]] = {"last value": {}, "last day": {}}
    every = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    for suffix, targets in (("", every), ("_target", ("OT",))):
        whole = read_series(folder / "ETTh1.csv", time="date", target=targets)
        table = cut_table(whole, 14_400)
        model = Forecaster(**HOURS, seed=seed).fit(cut_table(table, 11_520))
        found = {
            "": model.evaluate(table),
            "last value": _repeated(model, table, 1),
            "last day": _repeated(model, table, 24),
        }
        for name, values in found.items():
            into = baselines[name] if name else figures
            into |= {f"{key}{suffix}": values[key] for key in ("mse", "mae")}
    return Found(figures, baselines)


def _demand(folder: Path, seed: int) -> Found:
    """Half hours of taxi rides, a day ahead; the last fifth is scored."""
    path = folder / "realKnownCause" / "nyc_taxi.csv"
    table = read_series(path, time="timestamp", target=["value"])
    model = Forecaster(**DEMAND, seed=seed).fit(_last(table, 0.2))
    naive = {name: _repeated(model, table, lag) for name, lag in SEASONS.items()}
    return Found(model.evaluate(table), naive)


SEASONS = {"the day before": 48, "the week before": 336}


def _sugar(folder: Path, seed: int) -> Found:
    """An hour of made sugar levels, by steps of five minutes; the last fifth."""
    table = glucose_table(patients=4, days=28, seed=0)
    model = Forecaster(**SUGAR, seed=seed).fit(_last(table, 0.2))
    return Found(model.evaluate(table), {"naive": _repeated(model, table, 1)})


def _volatility(folder: Path, seed: int) -> Found:
    """Prices whose true volatility is known; the last 1,000 days are scored."""
    prices, true = garch_prices(6000, seed=seed)
    model = Forecaster(**RETURNS, seed=seed).fit(cut_table(prices, 5000))
    rows = {row["name"]: row for row in model.compare(prices)}
    told = model.backtest(prices, stride=1)["volatility"].to_numpy()
    horizon = model.settings.data.horizon
    next_day = told[::horizon]
    days = slice(4999, 4999 + len(next_day))
    r = log_returns(prices).series[0].target[:, 0].astype(np.float64)
    rules = {
        "constant volatility": ConstantVolatility(),
        "EWMA": Ewma(),
        "GARCH(1,1)": Garch(),
    }
    errors = {"network": np.abs(next_day - true[days]).mean()}
    for name, rule in rules.items():
        found = rule.fit(r[:4999]).volatility(r)[days, 0]
        errors[name] = np.abs(found - true[days]).mean()
    scored = {
        name: {**_numbers(row), "volatility_error": float(errors[name])}
        for name, row in rows.items()
    }
    return Found(scored.pop("network"), scored)


def _classic(folder: Path, seed: int) -> Found:
    """Three short series; the last fifth of each is scored."""
    figures: dict[str, float] = {}
    baselines: dict[str, dict[str, float]] = {}
    for name, (file, settings) in CLASSIC.items():
        model = Forecaster(**settings, seed=seed)
        table = model.read(folder / file)
        for row in model.fit(_last(table, 0.2)).compare(table):
            ours = row["name"] == "network"
            kind = row["name"].partition(" of ")[0]  # orders differ
            into = figures if ours else baselines.setdefault(kind, {})
            into |= {f"{key}_{name}": row[key] for key in ("mase", "crps")}
    return Found(figures, baselines)


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key != "name"}


CASES = (
    Case(
        "forecast",
        "ett",
        (
            Goal("mse", 0.41, "lower"),
            Goal("mse_target", 0.030, "lower"),
            Goal("mae", None, "lower"),
        ),
        _hours,
        seeds=3,
    ),
    Case(
        "forecast",
        "nab",
        (
            Goal("mse", None, "lower", beats="the week before"),
            Goal("mae", None, "lower", beats="the week before"),
        ),
        _demand,
    ),
    Case(
        "forecast",
        "sugar",
        (Goal("mse", None, "lower", beats="naive"),),
        _sugar,
        generated=True,
    ),
    Case(
        "forecast",
        "volatility",
        (
            Goal("volatility_error", None, "lower", beats="EWMA"),
            Goal("crps", None, "lower"),
            Goal("hit_rate", None, "lower"),
        ),
        _volatility,
        generated=True,
    ),
    Case(
        "forecast",
        "classic-series",
        tuple(
            Goal(f"{key}_{name}", None, "lower")
            for name in CLASSIC
            for key in ("mase", "crps")
        ),
        _classic,
    ),
)
"""What is measured of forecasters."""
