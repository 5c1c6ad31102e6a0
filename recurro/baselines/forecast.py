"""Forecasts without a network: the naive ones, and rolling origins.

Each model is a recurrence over one series: it says what it expects, given its state,
and the state after the next value. From these come fitting, forecasts (each expected
value read as if it had come) and sampled paths (with past errors added).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product
from typing import Any, Self, TypeAlias

import numpy as np
from scipy.optimize import minimize

from recurro.baselines.scores import Numbers, mae
from recurro.errors import ArgumentError, DataError, ShapeError

__all__ = [
    "Drift",
    "Forecaster",
    "Naive",
    "Rates",
    "SeasonalNaive",
    "Value",
    "backtest",
    "enough",
    "season",
]

Value: TypeAlias = Any
"""A number, or an array of one per path."""

Rates: TypeAlias = Sequence[float]
"""The smoothing parameters of one series, in the order of ``bounds``."""


class Forecaster(ABC):
    """A model that forecasts each series from its own past.

    Attributes:
        bounds: The range of each smoothing parameter; empty where none is learnt.
        rates_: The learnt parameters ``(series, parameters)``.
        residuals_: The errors of the forecasts one step ahead over the training part
            ``(time, series)``, from the first step that all series can forecast.
    """

    bounds: tuple[tuple[float, float], ...] = ()

    @abstractmethod
    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first state of a series, and how many of its values it holds.

        Raises:
            DataError: If there are too few values.
        """

    @abstractmethod
    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401 (its own)
        """The value expected next."""

    @abstractmethod
    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """The state after a value has come."""

    def fit(self, values: Numbers) -> Self:
        """Learn the parameters of each series by the least squares one step ahead.

        Args:
            values: The training part ``(time,)`` or ``(time, series)``, finite.

        Raises:
            DataError: If a value is not finite, or there are too few.
        """
        table = _table(self, values)
        self.flat_ = np.ndim(values) == 1
        self.rates_, self.states_, errors = [], [], []
        for column in table.T.tolist():
            rates = self._learn(column)
            state, found = self._follow(rates, column)
            self.rates_.append(rates)
            self.states_.append(state)
            errors.append(found)
        if not errors[0]:
            raise DataError(
                f"{type(self).__name__}: a series must have a value behind those that "
                f"the model starts from, got {len(table)} in all. Give a longer one."
            )
        self.residuals_ = np.array(errors).T
        return self

    def observe(self, values: Numbers) -> Self:
        """Read what came after the training part; the parameters stay.

        Args:
            values: New values ``(time,)`` or ``(time, series)``, as in `fit`.

        Raises:
            DataError: If a value is not finite.
            ShapeError: If there is another number of series.
        """
        table = _table(self, values)
        if table.shape[1] != len(self._states()):
            raise ShapeError(
                f"{type(self).__name__}: there must be {len(self.states_)} series as "
                f"in fit, got {table.shape[1]}. Give the same columns."
            )
        for number, column in enumerate(table.T.tolist()):
            for value in column:
                self.states_[number] = self.update(
                    self.rates_[number], self.states_[number], value
                )
        return self

    def predict(self, horizon: int) -> np.ndarray:
        """The values expected next ``(horizon,)`` or ``(horizon, series)``.

        Args:
            horizon: Steps, at least 1.

        Raises:
            ArgumentError: If the horizon is under 1, or the model is not fitted.
        """
        return self._paths(horizon, np.zeros((1, horizon), np.int64), 0.0)[0]

    def sample(self, horizon: int, count: int = 200, *, seed: int = 0) -> np.ndarray:
        """Draw paths: each step adds the errors of a random step of the past.

        Args:
            horizon: Steps, at least 1.
            count: Paths, at least 1.
            seed: Equal seeds give equal paths.

        Returns:
            Paths ``(count, horizon)`` or ``(count, horizon, series)``; the errors of
            series come from one step, so that what goes together stays together.

        Raises:
            ArgumentError: If a number is under 1, or the model is not fitted.
        """
        self._states()
        if count < 1:
            raise ArgumentError(
                f"{type(self).__name__}: count must be an int >= 1, got {count}. Use "
                "200 for quantiles."
            )
        random = np.random.default_rng(seed)
        draws = random.integers(0, len(self.residuals_), (count, max(horizon, 0)))
        return self._paths(horizon, draws, 1.0)

    def quantiles(
        self, horizon: int, levels: Numbers, count: int = 1000, *, seed: int = 0
    ) -> np.ndarray:
        """Quantiles of `sample`, ``(levels, horizon)`` or with ``series`` behind.

        Args:
            horizon: Steps, at least 1.
            levels: Levels in 0 to 1.
            count: Paths drawn, at least 1.
            seed: Equal seeds give equal quantiles.

        Raises:
            ArgumentError: As `sample`; or if a level is outside 0 to 1.
        """
        levels = np.asarray(levels, np.float64)
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ArgumentError(
                f"{type(self).__name__}: levels must lie in 0 to 1, got {levels}. Use "
                "0.5 for the median."
            )
        return np.quantile(self.sample(horizon, count, seed=seed), levels, axis=0)

    def score(self, values: Numbers) -> float:
        """Minus the mean absolute error of forecasting all these values at once."""
        return -mae(values, self.predict(len(np.asarray(values))))

    def _states(self) -> list[Any]:
        if not hasattr(self, "states_"):
            raise ArgumentError(
                f"{type(self).__name__}: the model must be fitted before it is used, "
                "got one without a state. Call fit."
            )
        return self.states_

    def _paths(self, horizon: int, draws: np.ndarray, weight: float) -> np.ndarray:
        """Go on with errors of the named steps, ``(count, horizon[, series])``."""
        states = self._states()
        if horizon < 1:
            raise ArgumentError(
                f"{type(self).__name__}: horizon must be an int >= 1, got {horizon}. "
                "Ask for at least one step."
            )
        paths = np.empty((*draws.shape, len(states)))
        for number, (rates, state) in enumerate(zip(self.rates_, states, strict=True)):
            for step in range(horizon):
                errors = weight * self.residuals_[draws[:, step], number]
                value = self.expect(rates, state) + errors
                paths[:, step, number] = value
                state = self.update(rates, state, value)
        return paths[..., 0] if self.flat_ else paths

    def _follow(self, rates: Rates, column: list[float]) -> tuple[Any, list[float]]:
        """The state behind a series, and the errors one step ahead."""
        state, used = self.start(column)
        errors = []
        for value in column[used:]:
            errors.append(value - self.expect(rates, state))
            state = self.update(rates, state, value)
        return state, errors

    def _learn(self, column: list[float]) -> list[float]:
        """The parameters of the least squared errors, from several starts."""
        if not self.bounds:
            return []

        def loss(rates: Rates) -> float:
            return float(np.square(self._follow(rates, column)[1]).mean())

        scale = float(np.var(column)) or 1.0
        starts = product(
            *[(a + (b - a) * s for s in (0.1, 0.6)) for a, b in self.bounds]
        )
        best = min(map(list, starts), key=loss)
        found = minimize(
            lambda rates: loss(rates.tolist()) / scale,
            best,
            method="L-BFGS-B",
            bounds=self.bounds,
        )
        return min((found.x.tolist(), best), key=loss)


class Naive(Forecaster):
    """The last value goes on: f_{t+h} = y_t. This is persistence.

    Example:
        >>> Naive().fit([1.0, 4.0, 2.0]).predict(2)
        array([2., 2.])
    """

    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first value."""
        return values[0], 1

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """The last value."""
        return state

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Keep the value."""
        return value


class SeasonalNaive(Forecaster):
    """The last season goes on: f_{t+h} = y_{t+h-m}, for h up to m, and so on.

    Args:
        season_length: Steps m in a season, at least 1.

    Example:
        >>> SeasonalNaive(2).fit([1.0, 5.0, 2.0, 6.0]).predict(3)
        array([2., 6., 2.])
    """

    def __init__(self, season_length: int) -> None:
        self.season_length = season_length

    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first season."""
        enough(self, values, season(self, self.season_length))
        return tuple(values[: self.season_length]), self.season_length

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """The value a season ago."""
        return state[0]

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Move on by a step."""
        return (*state[1:], value)


class Drift(Forecaster):
    """A line through the first and the last value: f_{t+h} = y_t + h (y_t - y_1)/(t-1).

    Example:
        >>> Drift().fit([1.0, 4.0, 3.0]).predict(2)
        array([4., 5.])
    """

    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first value, the last one, and the steps between them."""
        enough(self, values, 2)
        return (values[0], values[1], 1), 2

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """A step further on the line."""
        first, last, steps = state
        return last + (last - first) / steps

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Draw the line to the new value."""
        return state[0], value, state[2] + 1


def backtest(
    model: Forecaster, values: Numbers, *, horizon: int, first: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast from rolling origins; the parameters are learnt before the first alone.

    Args:
        model: The model; it is fitted anew, and has read all origins in the end.
        values: All values ``(time,)`` or ``(time, series)``.
        horizon: Steps of each forecast, at least 1.
        first: The first step to forecast: those before it are the training part.
        stride: Steps from origin to origin, at least 1.

    Returns:
        Forecasts and truths, each ``(origins, horizon)`` or with ``series`` behind.

    Raises:
        ArgumentError: If no origin has a whole horizon behind it.
        DataError: If the values cannot be used; see `Forecaster.fit`.

    Example:
        >>> found, truth = backtest(Naive(), [1.0, 2, 3, 4, 5], horizon=2, first=2)
        >>> found.tolist(), truth.tolist()
        ([[2.0, 2.0], [3.0, 3.0]], [[3.0, 4.0], [4.0, 5.0]])

    References:
        Tashman (2000), doi:10.1016/S0169-2070(00)00065-0, section 3.
    """
    values = np.asarray(values, np.float64)
    if horizon < 1 or stride < 1 or not 1 <= first <= len(values) - horizon:
        raise ArgumentError(
            f"backtest: of {len(values)} values at least one must come before first="
            f"{first} and horizon={horizon} (>= 1) from there, with stride={stride} "
            ">= 1. Use a shorter horizon or a longer series."
        )
    model.fit(values[:first])
    found, origins = [], range(first, len(values) - horizon + 1, stride)
    for origin in origins:
        if origin > first:
            model.observe(values[origin - stride : origin])
        found.append(model.predict(horizon))
    return np.array(found), np.array([values[o : o + horizon] for o in origins])


def _table(model: Forecaster, values: Numbers) -> np.ndarray:
    """Values as ``(time, series)``, finite."""
    table = np.asarray(values, np.float64)
    name = type(model).__name__
    if table.ndim not in (1, 2) or table.size == 0:
        raise DataError(
            f"{name}: values must be (time,) or (time, series) and at least one, got "
            f"{table.shape}. Lay each series in a column."
        )
    table = table.reshape(len(table), -1)
    if not np.isfinite(table).all():
        step, column = np.argwhere(~np.isfinite(table))[0]
        raise DataError(
            f"{name}: all values must be finite, got {table[step, column]} at step "
            f"{step} of series {column}. Fill or cut it out first."
        )
    return table


def season(model: Forecaster, season_length: int) -> int:
    """The steps in a season of a model, checked."""
    if season_length < 1:
        raise ArgumentError(
            f"{type(model).__name__}: season_length must be an int >= 1, got "
            f"{season_length}. Use 24 for hours of a day, 12 for months."
        )
    return season_length


def enough(model: Forecaster, values: list[float], least: int) -> None:
    """Refuse a series that is too short to start from."""
    if len(values) < least:
        raise DataError(
            f"{type(model).__name__}: a series must have at least {least} values, got "
            f"{len(values)}. Give a longer history."
        )
