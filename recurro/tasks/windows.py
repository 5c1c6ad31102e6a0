"""Items cut into windows, and those that must not be parted."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurro.data import RecordingWindows, cut_recordings, equal_recordings
from recurro.errors import DataError
from recurro.tasks.readers import Items

__all__ = ["cut_items", "groups_of", "keep_gaps", "last_windows"]


def cut_items(items: Items, window: int, stride: int) -> RecordingWindows:
    """Cut series into windows.

    Args:
        items: The series.
        window: Steps of a window.
        stride: Steps from window to window.

    Raises:
        DataError: If they are texts.
    """
    return cut_recordings(_series(items), window, stride)


def last_windows(items: Items, window: int) -> list[np.ndarray]:
    """The last window of each series.

    Args:
        items: The series.
        window: Steps of a window.

    Raises:
        DataError: If they are texts.
    """
    return [item[-window:] for item in _series(items)]


def groups_of(items: Items) -> np.ndarray:
    """What each item belongs to ``(items,)``: those that are equal belong together.

    Args:
        items: The items.
    """
    series = [item for item in items if isinstance(item, np.ndarray)]
    if series:
        return equal_recordings(series)
    first: dict[Any, int] = {}
    texts = (item if isinstance(item, str) else tuple(item) for item in items)
    return np.array([first.setdefault(text, row) for row, text in enumerate(texts)])


def keep_gaps(items: Items, held: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What may be held out: nothing that alone lacks numbers of a channel.

    What is missing is told by a companion of its channel, which is learnt of.

    Args:
        items: All items.
        held: The numbers of those to be held out.
        groups: What each belongs to ``(items,)``; groups are not parted.
    """
    if not len(held) or not all(isinstance(item, np.ndarray) for item in items):
        return held
    gaps = np.stack([np.isnan(np.asarray(i)).reshape(len(i), -1).any(0) for i in items])
    kept = np.setdiff1d(np.arange(len(items)), held)
    alone = held[(gaps[held] & ~gaps[kept].any(0)).any(1)]
    return held[~np.isin(groups[held], groups[alone])]


def _series(items: Items) -> list[np.ndarray]:
    found = [item for item in items if isinstance(item, np.ndarray)]
    if not found:
        raise DataError(
            "sequences: must be series of numbers to be cut into windows, got texts. "
            "Leave out window."
        )
    return found
