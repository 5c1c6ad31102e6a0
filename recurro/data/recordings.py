"""Recordings cut into windows, and those that are there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["RecordingWindows", "cut_recordings", "equal_recordings"]


@dataclass(frozen=True, eq=False)
class RecordingWindows:
    """Windows of recordings.

    Attributes:
        items: The windows, each ``(time, channels)``, as views.
        recordings: The number of the recording each is of ``(windows,)``.
        ends: The step of the recording each ends before ``(windows,)``.
    """

    items: list[np.ndarray]
    recordings: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.items)

    def select(self, rows: np.ndarray) -> RecordingWindows:
        """The windows of the given numbers ``(rows,)``, in that order."""
        picked = [self.items[row] for row in rows]
        return RecordingWindows(picked, self.recordings[rows], self.ends[rows])


def cut_recordings(
    items: Sequence[np.ndarray], window: int, stride: int = 1
) -> RecordingWindows:
    """Cut recordings into windows that may overlap.

    The last window of a recording ends with it, the one before ``stride`` steps
    earlier. A recording that is shorter than a window is one.

    Args:
        items: The recordings, each ``(time, channels)``.
        window: Steps of a window, at least 1.
        stride: Steps from window to window, at least 1.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> cut = cut_recordings([np.arange(5)[:, None], np.ones((1, 1))], 3, 2)
        >>> [item.ravel().tolist() for item in cut.items], cut.recordings.tolist()
        ([[0, 1, 2], [2, 3, 4], [1.0]], [0, 0, 1])
    """
    if min(window, stride) < 1:
        raise ArgumentError(
            f"cut_recordings: window and stride must be ints >= 1, got {window} and "
            f"{stride}. Use for instance 30 and 1."
        )
    ends = [
        np.arange(len(item), min(window, len(item)) - 1, -stride)[::-1]
        for item in items
    ]
    recordings = np.repeat(np.arange(len(items)), [len(end) for end in ends])
    joined = np.concatenate(ends) if ends else np.zeros(0, np.int64)
    cuts = [
        item[max(0, end - window) : end]
        for item, its in zip(items, ends, strict=True)
        for end in its
    ]
    return RecordingWindows(cuts, recordings, joined)


def equal_recordings(items: Sequence[np.ndarray]) -> np.ndarray:
    """For each recording the number of the first that is the same, step by step.

    These are groups that a split must not part: ``GroupKFold`` of scikit-learn takes
    them as ``groups``.

    Args:
        items: The recordings, each ``(time, channels)``; a missing number (NaN) equals
            another.

    Example:
        >>> equal_recordings([np.ones((2, 1)), np.zeros((2, 1)), np.ones((2, 1))])
        array([0, 1, 0])
    """
    first: dict[tuple[object, ...], int] = {}
    groups = []
    for number, item in enumerate(items):
        part = np.asarray(item, np.float32) + 0.0  # -0 is 0
        part[np.isnan(part)] = np.nan
        digest = hashlib.sha256(part.tobytes()).digest()
        groups.append(first.setdefault((*part.shape, digest), number))
    return np.array(groups, np.int64)
