"""Stamps that go on, seasons and the calendar."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data import (
    Series,
    SeriesTable,
    calendar,
    next_times,
    season_length_of,
    with_calendar,
)
from recurro.errors import ArgumentError, DataError


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[us]")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stamps("2024-02-28", "2024-02-29"), stamps("2024-03-01", "2024-03-02")),
        (stamps("2024-11", "2024-12"), stamps("2025-01", "2025-02")),
        (stamps("2023-01-05", "2023-04-05"), stamps("2023-07-05", "2023-10-05")),
        (stamps("2024-01-01T23:30", "2024-01-01T23:45"),
         stamps("2024-01-02T00:00", "2024-01-02T00:15")),
        (np.array([3, 5]), np.array([7, 9])),
    ],
)  # fmt: skip
def test_next_times(given, expected) -> None:
    np.testing.assert_array_equal(next_times(given, 2), expected)


def test_one_stamp_tells_no_step() -> None:
    with pytest.raises(DataError, match="two stamps"):
        next_times(stamps("2024-01-01"), 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stamps("2024-01-01T00:00", "2024-01-01T01:00"), 24),
        (stamps("2024-01-01T00:00", "2024-01-01T00:30"), 48),
        (stamps("2024-01-01", "2024-01-02"), 7),
        (stamps("2024-01", "2024-02"), 12),
        (stamps("2024-01", "2024-04"), 4),
        (stamps("2024-01", "2025-01"), 1),
        (stamps("2024-01-01T00:00", "2024-01-01T00:07"), 1),
        (np.array([1, 2]), 1),
        (stamps("2024-01"), 1),
    ],
)
def test_season_length(given, expected) -> None:
    assert season_length_of(given) == expected


def test_calendar_turns_once_per_cycle() -> None:
    times = np.arange("2024-01-01", "2026-01-01", dtype="datetime64[h]")[::6]
    found = calendar(times.astype("datetime64[us]"), ["hour", "weekday", "month"])
    assert found.shape == (len(times), 6)
    np.testing.assert_allclose((found.reshape(-1, 3, 2) ** 2).sum(2), 1, atol=1e-6)
    np.testing.assert_allclose(found[4:, :2], found[:-4, :2], atol=1e-6)  # a day
    np.testing.assert_allclose(found[28:, 2:4], found[:-28, 2:4], atol=1e-6)
    assert len(np.unique(found[:, 4:].round(5), axis=0)) == 12
    monday = calendar(stamps("2024-01-01", "1969-12-29"), ["weekday"])
    np.testing.assert_allclose(monday, [[0, 1]] * 2, atol=1e-7)
    week = calendar(stamps("2024-01-04T12:00"), ["week"])  # the middle of a week
    np.testing.assert_allclose(week, [[0, -1]], atol=1e-6)
    year = calendar(stamps("2024-07-01T15:00"), ["year"])
    np.testing.assert_allclose(year, [[0, -1]], atol=0.01)


def test_the_calendar_goes_on_behind_the_end() -> None:
    times = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    none = np.zeros((10, 0), np.float32)
    one = Series("", times.astype("datetime64[us]"), none[:, :0], none, none, none[0])
    one = Series("", one.times, np.zeros((10, 1), np.float32), none, none, none[0])
    table = SeriesTable((one,), ("y",))
    assert with_calendar(table, [], 3) is table
    found = with_calendar(table, ["weekday"], 3)
    assert found.known == ("sine of weekday", "cosine of weekday")
    known = found.series[0].known
    assert known.shape == (13, 2)
    np.testing.assert_allclose(known[7:], known[:6], atol=1e-6)
    # Beside other known covariates it goes on as far as they do.
    more = with_calendar(found, ["hour"], 99).series[0].known
    assert more.shape == (13, 4)
    np.testing.assert_array_equal(more[:, :2], known)


def test_bad_calendars() -> None:
    with pytest.raises(ArgumentError, match="must be dates"):
        calendar(np.array([1, 2]), ["hour"])
    with pytest.raises(ArgumentError, match="got 'moon'"):
        calendar(stamps("2024-01-01"), ["moon"])
