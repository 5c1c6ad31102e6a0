"""Series as a reservoir reads them: one or many, checked, and in chunks of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from recurro.errors import DataError

__all__ = ["Chunk", "Series", "as_series", "chunks", "is_one", "pad"]

Series: TypeAlias = np.ndarray | Sequence[np.ndarray]
"""One series ``(time, channels)`` or ``(time,)``, or many of them."""

CHUNK = 2**22
"""Numbers of states that are held at a time."""


@dataclass(frozen=True)
class Chunk:
    """Some steps of some series that are run together.

    Attributes:
        rows: The numbers of the series.
        start: The first step.
        stop: The step after the last one.
        lengths: Steps of each series ``(rows,)``.
    """

    rows: np.ndarray
    start: int
    stop: int
    lengths: np.ndarray

    @property
    def left(self) -> np.ndarray:
        """How many of the steps each series has ``(rows,)``."""
        return np.clip(self.lengths - self.start, 0, self.stop - self.start)

    def counted(self, washout: int) -> np.ndarray:
        """Which steps a series has, and after its washout ``(steps, rows)``."""
        steps = np.arange(self.start, self.stop)[:, None]
        return (steps >= washout) & (steps < self.lengths)


def is_one(values: Any) -> bool:  # noqa: ANN401 (to be looked at)
    """Whether this is one series and not many."""
    if isinstance(values, np.ndarray):
        return values.dtype != object
    return not isinstance(values, Sequence) or (
        len(values) > 0 and np.ndim(values[0]) == 0
    )


def as_series(
    name: str,
    values: Any,  # noqa: ANN401 (to be checked)
    dtype: str,
    width: int | None = None,
) -> list[np.ndarray]:
    """Series as arrays ``(time, channels)`` of one width.

    Args:
        name: What they are called in messages.
        values: One series or many.
        dtype: The type of the numbers.
        width: Channels that there must be; if not given, those of the first series.

    Raises:
        DataError: If one has no step, another width, or what is no finite number.

    Example:
        >>> many = as_series("X", [np.zeros(3), np.zeros((2, 1))], "float64")
        >>> [series.shape for series in many]
        [(3, 1), (2, 1)]
    """
    several = not is_one(values)
    found = []
    for number, item in enumerate(values if several else [values]):
        where = f"{name}[{number}]" if several else name
        array = _numbers(where, item)
        width = array.shape[1] if width is None else width
        if array.shape[1] != width or not len(array):
            raise DataError(
                f"{where}: must be (time, {width}) with at least one step, got "
                f"{array.shape}. All series must have the same channels."
            )
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            step, column = bad[0]
            raise DataError(
                f"{where}: must be finite, got {array[step, column]} at step {step}, "
                f"column {column}. Fill the gaps or cut the series there."
            )
        found.append(np.ascontiguousarray(array, dtype))
    if not found:
        raise DataError(f"{name}: there must be a series, got none.")
    return found


def _numbers(where: str, item: Any) -> np.ndarray:  # noqa: ANN401 (to be checked)
    try:
        array = np.asarray(item, float)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: must hold numbers alone, got {type(item).__name__}. A series is "
            "an array (time, channels)."
        ) from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(
            f"{where}: must be (time, channels), got {array.shape}. Pass many series "
            "as a list."
        )
    return array


def chunks(lengths: np.ndarray, width: int) -> Iterator[Chunk]:
    """Cut series into chunks of bounded memory, those of like lengths together.

    The chunks of some series come one after another, from their first step to the last.

    Args:
        lengths: Steps of each series ``(series,)``.
        width: Numbers of a state.
    """
    order = np.argsort(lengths, kind="stable")
    rows = max(1, CHUNK // (width * 16))
    for first in range(0, len(order), rows):
        taken = order[first : first + rows]
        longest = int(lengths[taken].max())
        steps = max(1, CHUNK // (width * len(taken)))
        for start in range(0, longest, steps):
            stop = min(longest, start + steps)
            yield Chunk(taken, start, stop, lengths[taken])


def pad(series: Sequence[np.ndarray], chunk: Chunk) -> np.ndarray:
    """The steps of a chunk ``(steps, rows, channels)``, zero after ends of series."""
    parts = [series[row][chunk.start : chunk.stop] for row in chunk.rows]
    laid = np.zeros(
        (chunk.stop - chunk.start, len(parts), parts[0].shape[1]), parts[0].dtype
    )
    for place, part in enumerate(parts):
        laid[: len(part), place] = part
    return laid
