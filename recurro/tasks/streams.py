"""Streams: what a detector reads, from arrays, series and tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recurro.data import Series, calendar, read_series, read_table
from recurro.errors import DataError
from recurro.tasks.detect_config import DetectData
from recurro.types import Bool, Float

__all__ = ["Stream", "StreamData", "as_stream", "clock_of"]

_DAYS = {"hour": 1, "weekday": 7, "week": 7, "month": 365, "year": 365}
"""How long each cycle of the calendar takes."""

StreamData: TypeAlias = "Path | str | Series | Sequence[Any] | np.ndarray"
"""A table of one series, a series, or numbers ``(time, channels)`` or ``(time,)``."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Numbers in the order in which they came.

    Attributes:
        values: The channels ``(time, channels)``, float32.
        times: The stamps ``(time,)``: datetime64, or whole numbers.
        names: What the channels are called.
        labels: Whether there is a known anomaly, at each step, or ``None``.
        notes: What was done to the file and a person should know.
    """

    values: Float[np.ndarray, "time channels"]
    times: np.ndarray
    names: tuple[str, ...]
    labels: Bool[np.ndarray, " time"] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.values)

    @property
    def dated(self) -> bool:
        """Whether stamps are dates."""
        return self.times.dtype.kind == "M"

    def cycles(self, wanted: Sequence[str], steps: int) -> tuple[str, ...]:
        """Those cycles of the calendar that the first steps run through twice.

        Of what was seen but once, nothing can be learnt that comes again.
        """
        if not self.dated or not steps:
            return ()
        days = (self.times[steps - 1] - self.times[0]) / np.timedelta64(1, "D")
        return tuple(cycle for cycle in wanted if days >= 2 * _DAYS[cycle])

    def inputs(self, cycles: Sequence[str]) -> Float[np.ndarray, "ahead inputs"]:
        """What is known when a step is forecast: the one before, and the calendar.

        Args:
            cycles: Of the calendar, of the stamp of the step that is forecast.

        Returns:
            One row for each step but the first.
        """
        return np.concatenate(
            [self.values[:-1], clock_of(self.times[1:], cycles)], axis=1
        )

    @property
    def changes(self) -> Float[np.ndarray, "ahead channels"]:
        """What is forecast: by how much each step but the first differs."""
        return np.diff(self.values, axis=0)

    def digest(self, steps: int) -> str:
        """What tells the first steps from those of another stream."""
        part = np.ascontiguousarray(self.values[:steps], "<f4")
        return hashlib.sha256(part.tobytes()).hexdigest()


def clock_of(times: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    """The calendar of some stamps ``(time, 2 * cycles)``; none without cycles."""
    if not cycles:
        return np.zeros((len(times), 0), np.float32)
    return calendar(times, cycles)


def as_stream(X: StreamData, settings: DetectData) -> Stream:
    """What a person gives, checked.

    Args:
        X: See ``StreamData``.
        settings: Which columns of a table mean what, and how its stamps may come.

    Raises:
        DataError: If it cannot be read, has less than two steps, or a number that is
            missing or infinite; row and column are named.

    Example:
        >>> as_stream([1.0, 2.0, 4.0], DetectData()).changes.tolist()
        [[1.0], [2.0]]
    """
    if isinstance(X, str | Path):
        return _read(Path(X), settings)
    times = None
    if isinstance(X, Series):
        times, X = X.times, X.target
    try:
        values = np.asarray(X, np.float32)
    except (TypeError, ValueError):
        values = np.zeros((0, 0, 0), np.float32)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(
            "stream: must be numbers (time, channels) or (time,), got "
            f"{type(X).__name__} of another shape. Give one row for each step."
        )
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, channel = wrong[0]
        raise DataError(
            f"stream: row {row}, channel {channel} must be a finite number, got "
            f"{values[row, channel]} ({len(wrong)} such in all). Fill the gaps in by a "
            "rule of your own, or cut the stream there."
        )
    times = np.arange(len(values)) if times is None else times
    names = tuple(f"channel {n}" for n in range(values.shape[1]))
    return _long_enough(Stream(values, times, names))


def _read(path: Path, settings: DetectData) -> Stream:
    """The stream of a table."""
    table = read_table(path, encoding=settings.encoding)
    if settings.label:
        table.cells(settings.label, "--label")  # says what is missing
    columns = list(table.columns)
    time = settings.time or columns[0]
    roles = (time, settings.label)
    targets = settings.target or [name for name in columns if name not in roles]
    if not targets:
        raise DataError(
            f"stream: '{path}' must have a column of numbers beside that of the "
            f"stamps, {time!r}, got no other. Name the columns (--time, --target)."
        )
    found = read_series(
        table,
        time=time,
        target=targets,
        past=[settings.label] if settings.label else [],
        stamps=settings.stamps,
        fill=settings.fill,
    )
    series = found.series[0]
    labels = series.past[:, 0] > 0 if settings.label else None
    stream = Stream(series.target, series.times, found.targets, labels, found.notes)
    return _long_enough(stream, f"'{path}'")


def _long_enough(stream: Stream, name: str = "it") -> Stream:
    if len(stream) < 2:
        raise DataError(
            f"stream: {name} must have at least two steps, got {len(stream)}. Give "
            "more of it."
        )
    return stream
