from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import cut_recordings, equal_recordings
from recurro.errors import ArgumentError


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_windows_are_those_that_can_be_counted_back_from_the_end(
    lengths: list[int], window: int, stride: int
) -> None:
    items = [np.arange(length)[:, None] + 100 * n for n, length in enumerate(lengths)]
    found = cut_recordings(items, window, stride)
    expected = []
    for number, item in enumerate(items):
        ends = [
            end
            for end in range(1, len(item) + 1)
            if (len(item) - end) % stride == 0 and (end >= window or end == len(item))
        ]
        expected += [(number, end, item[max(0, end - window) : end]) for end in ends]
    assert len(found) == len(expected)
    rows = zip(found.recordings, found.ends, found.items, expected, strict=True)
    for recording, end, cut, (number, at, part) in rows:
        assert (recording, end) == (number, at)
        np.testing.assert_array_equal(cut, part)


def test_picked_windows() -> None:
    found = cut_recordings([np.arange(4)[:, None]], 2).select(np.array([2, 0]))
    assert [cut.ravel().tolist() for cut in found.items] == [[2, 3], [0, 1]]
    assert (found.recordings.tolist(), found.ends.tolist()) == ([0, 0], [4, 2])


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (2, 0)])
def test_bad_windows(window: int, stride: int) -> None:
    with pytest.raises(ArgumentError, match="must be ints >= 1"):
        cut_recordings([np.ones((3, 1))], window, stride)


def test_recordings_are_equal_number_by_number() -> None:
    gap = np.array([[1.0, np.nan], [-0.0, 2.0]])
    same = np.array([[1.0, -np.nan], [0.0, 2.0]], np.float32)
    items = [gap, same, gap.T, gap[:1], gap.reshape(1, 4), gap.reshape(4, 1)]
    assert equal_recordings(items).tolist() == [0, 0, 2, 3, 4, 5]
    assert equal_recordings([]).tolist() == []
