"""Windows of series: what a forecaster reads, and what it is to forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurro.data.series import Series, SeriesTable
from recurro.errors import ArgumentError, DataError

__all__ = ["Cut", "SeriesScaler", "Window", "cut_windows", "windows"]


@dataclass(frozen=True)
class Window:
    """A cut of one series in a table.

    Attributes:
        series: The number of the series.
        origin: The first step to forecast; what is read ends before it.
    """

    series: int
    origin: int


def windows(
    table: SeriesTable,
    history: int,
    horizon: int,
    *,
    start: float = 0.0,
    stop: float = 1.0,
    stride: int = 1,
    every: bool = False,
) -> list[Window]:
    """All windows whose whole horizon lies in a part of each series.

    What is read may reach back before the part, as a forecaster knows the past; what is
    to be forecast never leaves it. So parts that follow each other share no target.

    Args:
        table: The series.
        history: Steps read, at least 1.
        horizon: Steps to forecast, at least 1.
        start: Where the part begins, as a share of each series' length.
        stop: Where it ends, likewise; both are rounded down to a step.
        stride: Steps from origin to origin, at least 1.
        every: Whether each series must have a window.

    Raises:
        ArgumentError: If a number is out of its range.
        DataError: If no series has a window in the part, or one that must has none.

    Example:
        >>> one = Series("", np.arange(6), *[np.zeros((6, 1), np.float32)] * 3,
        ...              np.zeros(0))
        >>> found = windows(SeriesTable((one,), ("y",)), 2, 1, start=0.5)
        >>> [window.origin for window in found]
        [3, 4, 5]
    """
    if min(history, horizon, stride) < 1 or not 0 <= start < stop <= 1:
        raise ArgumentError(
            "windows: history, horizon and stride must be ints >= 1, and 0 <= start < "
            f"stop <= 1, got {history}, {horizon}, {stride}, {start} and {stop}. Use "
            "for instance 96, 24 and 1."
        )
    found = []
    for number, series in enumerate(table.series):
        first = max(history, int(start * len(series)))
        last = int(stop * len(series)) - horizon
        found += [Window(number, origin) for origin in range(first, last + 1, stride)]
    lacking = set(range(len(table.series))) - {window.series for window in found}
    if lacking and (every or not found):
        series = max((table.series[number] for number in lacking), key=len)
        raise DataError(
            f"series: {table.called(series)} must have {history} steps to read and "
            f"{horizon} to forecast in its part {start:g} to {stop:g}, it has "
            f"{len(series)} in all. Give more of it, leave it out, or train with a "
            "shorter history or horizon."
        )
    return found


@dataclass(frozen=True, eq=False)
class SeriesScaler:
    """Brings the targets of each series to mean 0 and deviation 1.

        z = (y - m) / s,  m and s of the training part of this series

    Attributes:
        mean: m of each series and target ``(series, targets)``.
        std: s, likewise; 1 where the training part is constant.
    """

    mean: np.ndarray
    std: np.ndarray

    @staticmethod
    def fit(table: SeriesTable, stop: float = 1.0) -> SeriesScaler:
        """Learn from the first part of each series.

        Args:
            table: The series.
            stop: Where the training part ends, as a share of each length, in (0, 1].

        Raises:
            ArgumentError: If the share is out of its range.
            DataError: If the training part of a series is empty.

        Example:
            >>> one = Series("", np.arange(4), np.array([[1.0], [3], [9], [9]]),
            ...              *[np.zeros((4, 0))] * 2, np.zeros(0))
            >>> scaler = SeriesScaler.fit(SeriesTable((one,), ("y",)), stop=0.5)
            >>> scaler.scale(0, one.target).ravel().tolist()
            [-1.0, 1.0, 7.0, 7.0]
        """
        if not 0 < stop <= 1:
            raise ArgumentError(
                f"SeriesScaler: stop must be in (0, 1], got {stop}. Give the share "
                "that is trained on."
            )
        parts = [_part(table, series, stop) for series in table.series]
        std = np.array([part.std(0) for part in parts])
        return SeriesScaler(
            np.array([part.mean(0) for part in parts]), np.where(std > 0, std, 1.0)
        )

    def scale(self, series: int, values: np.ndarray) -> np.ndarray:
        """Targets ``(..., targets)`` of a series in its own units, to scaled ones."""
        return (values - self.mean[series]) / self.std[series]

    def unscale(self, series: int, values: np.ndarray) -> np.ndarray:
        """Scaled targets ``(..., targets)`` of a series, to its own units."""
        return values * self.std[series] + self.mean[series]


def _part(table: SeriesTable, series: Series, stop: float) -> np.ndarray:
    """The training part of a series' targets, float64."""
    part = series.target[: int(stop * len(series))].astype(np.float64)
    if not len(part):
        raise DataError(
            f"series: the training part of {table.called(series)} must have a step, it "
            f"has none of {len(series)}. Train on a larger share."
        )
    return part


@dataclass(frozen=True, eq=False)
class Cut:
    """Windows side by side, targets scaled: z = (y - shift) / scale.

    Attributes:
        history: Targets read ``(history, batch, targets)``.
        future: Targets to forecast ``(horizon, batch, targets)``; ``None`` where a
            window goes on behind the end of its series.
        known: Covariates ``(history + horizon, batch, known)``.
        past: Covariates ``(history, batch, past)``.
        static: What does not change ``(batch, static)``.
        shift: ``(1, batch, targets)``.
        scale: ``(1, batch, targets)``.
    """

    history: np.ndarray
    future: np.ndarray | None
    known: np.ndarray
    past: np.ndarray
    static: np.ndarray
    shift: np.ndarray
    scale: np.ndarray

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Forecasts ``(..., batch, targets)`` in the units of their series."""
        return values * self.scale[0] + self.shift[0]


def cut_windows(
    table: SeriesTable,
    chosen: Sequence[Window],
    history: int,
    horizon: int,
    *,
    scaler: SeriesScaler | None = None,
    subtract_last: bool = False,
) -> Cut:
    """Lay windows side by side.

    Args:
        table: The series.
        chosen: The windows, at least one. An origin at the end of its series forecasts
            what is not there yet.
        history: Steps read, at least 1.
        horizon: Steps to forecast, at least 1.
        scaler: Means and deviations learnt on the training part; ``None`` leaves the
            targets as they are.
        subtract_last: Whether the shift is the last value read, and not the mean, so
            that a network forecasts changes.

    Raises:
        ArgumentError: If there is no window.
        DataError: If a series has not enough steps before the origin, or covariates
            that do not reach to the horizon.

    Example:
        >>> one = Series("", np.arange(4), np.array([[1.0], [3], [4], [9]]),
        ...              *[np.zeros((4, 0))] * 2, np.zeros(0))
        >>> cut = cut_windows(SeriesTable((one,), ("y",)), [Window(0, 3)], 2, 1,
        ...                   subtract_last=True)
        >>> cut.history.ravel().tolist(), cut.future.ravel().tolist()
        ([-1.0, 0.0], [5.0])
        >>> cut.restore(cut.future).ravel().tolist()
        [9.0]
    """
    if not chosen:
        raise ArgumentError(
            "cut_windows: there must be a window, got none. Use windows() to find some."
        )
    for window in chosen:
        _reach(table, window, history, horizon)
    picked = [(table.series[w.series], w.origin) for w in chosen]
    before = [(series, slice(o - history, o)) for series, o in picked]
    read = np.stack([series.target[cut] for series, cut in before], 1)
    if scaler is None:
        shift, scale = np.zeros_like(read[:1]), np.ones_like(read[:1])
    else:
        rows = [window.series for window in chosen]
        shift, scale = scaler.mean[rows][None], scaler.std[rows][None]
    if subtract_last:
        shift = read[-1:]
    future = None
    if all(o + horizon <= len(series) for series, o in picked):
        ahead = [series.target[o : o + horizon] for series, o in picked]
        future = ((np.stack(ahead, 1) - shift) / scale).astype(np.float32)
    return Cut(
        ((read - shift) / scale).astype(np.float32),
        future,
        np.stack([_known(series, o - history, o + horizon) for series, o in picked], 1),
        np.stack([series.past[cut] for series, cut in before], 1),
        np.stack([series.static for series, _ in picked]),
        shift,
        scale,
    )


def _reach(table: SeriesTable, window: Window, history: int, horizon: int) -> None:
    """Refuse a window that its series cannot fill."""
    series, origin = table.series[window.series], window.origin
    if not history <= origin <= len(series):
        raise DataError(
            f"series: {table.called(series)} must have the {history} steps before step "
            f"{origin}, it has {len(series)} in all. Give more of it, or train with a "
            "shorter history."
        )
    if table.known and origin + horizon > len(series.known):
        raise DataError(
            f"series: {table.called(series)} must have its known covariates "
            f"({', '.join(table.known)}) up to step {origin + horizon}, it has "
            f"{len(series.known)}. Add rows for the time to forecast."
        )


def _known(series: Series, start: int, stop: int) -> np.ndarray:
    """The known covariates of some steps ``(steps, known)``; of none, without width."""
    if series.known.shape[1] == 0:
        return np.zeros((stop - start, 0), np.float32)
    return series.known[start:stop]
