"""Exponential smoothing: a level, a trend and a season that follow the values."""

from __future__ import annotations

from typing import Any

from recurro.baselines.forecast import Forecaster, Rates, Value, enough, season
from recurro.errors import DataError

__all__ = ["ExponentialSmoothing", "Holt", "HoltWinters"]


class ExponentialSmoothing(Forecaster):
    """Simple exponential smoothing: f_{t+h} = l_t.

        l_t = a y_t + (1 - a) l_{t-1},  l_1 = y_1

    The parameter a in [0, 1] is learnt.

    Example:
        >>> model = ExponentialSmoothing().fit([1.0, 1.2, 0.9, 1.1, 0.8, 1.0, 1.1])
        >>> model.rates_[0][0] < 0.5  # noise around a level asks for a long memory
        True

    References:
        Hyndman and Athanasopoulos (2021), Forecasting: Principles and Practice,
        3rd edition, equations 8.1 and 8.2.
    """

    bounds = ((0.0, 1.0),)

    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first value is the level."""
        return values[0], 1

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """The level."""
        return state

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Smooth the level."""
        (a,) = rates
        return a * value + (1 - a) * state


class Holt(Forecaster):
    """Holt's linear trend, damped on request.

        l_t = a y_t + (1 - a) (l_{t-1} + p b_{t-1}),  l_2 = y_2
        b_t = c (l_t - l_{t-1}) + (1 - c) p b_{t-1},  b_2 = y_2 - y_1
        f_{t+h} = l_t + (p + ... + p^h) b_t

    The parameters a and c in [0, 1] are learnt, and p in [0.8, 0.98] if damped, else 1.

    Args:
        damped: Whether the trend dies out.

    Example:
        >>> Holt().fit([1.0, 2.0, 3.0, 4.0, 5.0]).predict(3)
        array([6., 7., 8.])

    References:
        Hyndman and Athanasopoulos (2021), Forecasting: Principles and Practice,
        3rd edition, section 8.2.
    """

    def __init__(self, *, damped: bool = False) -> None:
        self.damped = damped

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:  # pyright: ignore[reportIncompatibleVariableOverride] (read only)
        """The ranges of a, c and, if damped, p."""
        return ((0.0, 1.0), (0.0, 1.0), *([(0.8, 0.98)] if self.damped else []))

    def start(self, values: list[float]) -> tuple[Any, int]:
        """Level and trend of the first two values."""
        enough(self, values, 2)
        return (values[1], values[1] - values[0]), 2

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """A step further along the trend."""
        l, b = state  # noqa: E741 (the letter of the equation)
        return l + (rates[2] if self.damped else 1.0) * b

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Smooth level and trend."""
        a, c = rates[:2]
        p = rates[2] if self.damped else 1.0
        before, b = state
        l = a * value + (1 - a) * (before + p * b)  # noqa: E741
        return l, c * (l - before) + (1 - c) * p * b


class HoltWinters(Forecaster):
    """Level, trend and season.

        l_t = a (y_t - s_{t-m}) + (1 - a) (l_{t-1} + b_{t-1})
        b_t = c (l_t - l_{t-1}) + (1 - c) b_{t-1}
        s_t = g (y_t - l_{t-1} - b_{t-1}) + (1 - g) s_{t-m}
        f_{t+h} = l_t + h b_t + s_{t+h-m}

    If the season is a factor, - s and + s become / s and * s, and the brackets of s_t
    become y_t / (l_{t-1} + b_{t-1}). At the start, l is the mean of the first season,
    b the rise of the mean to the second one by m, and s the first season against l.
    The parameters a, c and g in [0, 1] are learnt.

    Args:
        season_length: Steps m in a season, at least 1; the history holds two.
        multiplicative: Whether the season is a factor; all values must be over 0 then.

    Example:
        >>> HoltWinters(2).fit([1.0, 3.0, 1.0, 3.0, 1.0, 3.0]).predict(3)
        array([1., 3., 1.])

    References:
        Hyndman and Athanasopoulos (2021), Forecasting: Principles and Practice,
        3rd edition, section 8.3.
    """

    bounds = ((0.0, 1.0),) * 3

    def __init__(self, season_length: int, *, multiplicative: bool = False) -> None:
        self.season_length, self.multiplicative = season_length, multiplicative

    def start(self, values: list[float]) -> tuple[Any, int]:
        """Level, trend and season of the first two seasons."""
        m = season(self, self.season_length)
        enough(self, values, 2 * m)
        if self.multiplicative and min(values) <= 0:
            raise DataError(
                "HoltWinters: with a season as factor all values must be over 0, got "
                f"{min(values)} at step {values.index(min(values))}. Add a constant, "
                "or use multiplicative=False."
            )
        level, second = sum(values[:m]) / m, sum(values[m : 2 * m]) / m
        first = values[:m]
        seasons = [y / level if self.multiplicative else y - level for y in first]
        return (level, (second - level) / m, tuple(seasons)), 0

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """Level, trend and season put together."""
        l, b, s = state  # noqa: E741
        return (l + b) * s[0] if self.multiplicative else l + b + s[0]

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Smooth level, trend and season."""
        a, c, g = rates
        before, b, s = state
        line = before + b
        if self.multiplicative:
            bare, now = value / s[0], value / line
        else:
            bare, now = value - s[0], value - line
        l = a * bare + (1 - a) * line  # noqa: E741
        trend = c * (l - before) + (1 - c) * b
        return l, trend, (*s[1:], g * now + (1 - g) * s[0])
