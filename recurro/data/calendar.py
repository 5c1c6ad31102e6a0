"""Stamps of series: how they go on, the season they suggest, what a calendar says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from recurro.data.series import SeriesTable, ticks_of, times_of
from recurro.errors import ArgumentError, DataError

__all__ = ["Calendar", "calendar", "next_times", "season_length_of", "with_calendar"]

Calendar: TypeAlias = Literal["hour", "weekday", "month", "week", "year"]
"""Cycles: hour of the day, day of the week, month of the year; time within the week,
and within the year."""

_DAY, _WEEK, _YEAR = 86_400e6, 7 * 86_400e6, 365.2425 * 86_400e6
_SEASONS = {3600: 24, 1800: 48, 900: 96, 600: 144, 300: 288, 60: 1440, 86_400: 7}
"""The season that steps of so many seconds suggest: a day, and of days a week."""


def next_times(times: np.ndarray, count: int) -> np.ndarray:
    """The stamps of the next steps.

    Args:
        times: Evenly spaced stamps, as in ``Series``, at least two.
        count: How many are wanted.

    Raises:
        DataError: If there is a single stamp, which tells no step.

    Example:
        >>> next_times(np.array(["2024-11", "2024-12"], "datetime64[us]"), 1)
        array(['2025-01-01T00:00:00.000000'], dtype='datetime64[us]')
    """
    if len(times) < 2:
        raise DataError(
            f"next_times: there must be two stamps to tell the step from, got "
            f"{len(times)}. Give a longer series."
        )
    ticks = ticks_of(times)
    return times_of(times, ticks[-1] + (ticks[1] - ticks[0]) * np.arange(1, count + 1))


def season_length_of(times: np.ndarray) -> int:
    """The steps of the season that the spacing of the stamps suggests.

    A day for stamps an hour or some minutes apart, a week for days, a year for months
    and quarters; 1, no season, for all else.

    Args:
        times: Evenly spaced stamps, as in ``Series``.

    Example:
        >>> season_length_of(np.arange("2024-01", "2024-05", dtype="datetime64[M]")
        ...                  .astype("datetime64[us]"))
        12
    """
    if times.dtype.kind != "M" or len(times) < 2:
        return 1
    step = int(np.diff(ticks_of(times)[:2])[0])
    if ticks_of(times)[0] != times.astype(np.int64)[0]:  # months
        return 12 // step if 12 % step == 0 else 1
    return _SEASONS.get(step // 1_000_000, 1)


def calendar(times: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    """Where stamps stand in some cycles: sine and cosine of each.

    Args:
        times: Dates ``(time,)``.
        cycles: Which ones, each one of ``Calendar``.

    Returns:
        ``(time, 2 * cycles)``, float32.

    Raises:
        ArgumentError: If a cycle is unknown, or stamps are numbers.

    Example:
        >>> noon = np.array(["2024-01-01T12:00"], "datetime64[us]")
        >>> calendar(noon, ["hour"]).round(3).tolist()
        [[0.0, -1.0]]
    """
    if times.dtype.kind != "M":
        raise ArgumentError(
            "calendar: stamps must be dates, got whole numbers. Leave the calendar "
            "out, or write dates."
        )
    since = times.astype("datetime64[us]")
    day, month = since.astype("datetime64[D]"), since.astype("datetime64[M]")
    year = since.astype("datetime64[Y]")
    weekday = (day.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    hours = (since - day).astype(np.int64) / _DAY
    shares = {
        "hour": hours,
        "weekday": weekday / 7,
        "month": (month - year.astype("datetime64[M]")).astype(np.int64) / 12,
        "week": (weekday + hours) / 7,
        "year": (since - year.astype("datetime64[us]")).astype(np.int64) / _YEAR,
    }
    unknown = [cycle for cycle in cycles if cycle not in shares]
    if unknown:
        raise ArgumentError(
            f"calendar: must be of {', '.join(shares)}, got {unknown[0]!r}."
        )
    angles = 2 * np.pi * np.stack([shares[cycle] for cycle in cycles], 1)
    both = np.stack([np.sin(angles), np.cos(angles)], 2)
    return both.reshape(len(times), -1).astype(np.float32)


def with_calendar(
    table: SeriesTable, cycles: Sequence[str], horizon: int
) -> SeriesTable:
    """A table with the calendar among what is known ahead.

    Args:
        table: The series.
        cycles: See ``calendar``; none leaves the table as it is.
        horizon: Steps behind the end of the targets that it goes on for, unless other
            known covariates end before.

    Raises:
        ArgumentError: If a cycle is unknown, or stamps are numbers.
        DataError: If a series has a single stamp.
    """
    if not cycles:
        return table
    found = []
    for series in table.series:
        ahead = len(series.known) - len(series) if table.known else horizon
        times = series.times
        if ahead > 0:
            times = np.concatenate([times, next_times(times, ahead)])
        columns = [series.known] if table.known else []
        columns.append(calendar(times[: len(series) + ahead], cycles))
        found.append(replace(series, known=np.concatenate(columns, 1)))
    names = [f"{part} of {cycle}" for cycle in cycles for part in ("sine", "cosine")]
    return replace(table, series=tuple(found), known=(*table.known, *names))
