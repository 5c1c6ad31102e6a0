"""Tables of series: a row is a time of a series, a column what was measured then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from recurro.data.tables import Table, check_roles, read_table
from recurro.errors import ArgumentError

__all__ = [
    "Fill",
    "Series",
    "SeriesTable",
    "Stamps",
    "cut_table",
    "read_series",
    "ticks_of",
    "times_of",
]

Fill: TypeAlias = Literal["none", "previous", "linear"]
"""What becomes of missing rows and numbers: an error, the last one, a straight line."""

Stamps: TypeAlias = Literal["even", "rising", "any"]
"""Whether times must rise by equal steps, must only rise, or may come as they are."""

_AS_THEY_COME = "A detector may take rows as they come (stamps='any')."
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_MONTH = "%Y-%m"
_NUMBERS = ("target", "known", "past", "static")


@dataclass(frozen=True, eq=False)
class Series:
    """One series, evenly spaced in time unless it was read otherwise.

    Attributes:
        name: Its id; empty where the table holds one series.
        times: The stamps ``(time,)``: datetime64[us], or int64 where they are numbers.
        target: What is to be forecast ``(time, targets)``, float32.
        known: Covariates known ahead ``(time, known)``, float32. Where the targets end
            before the table does, they go on: ``(time + ahead, known)``.
        past: Covariates known up to now ``(time, past)``, float32.
        static: What does not change ``(static,)``, float32.
    """

    name: str
    times: np.ndarray
    target: np.ndarray
    known: np.ndarray
    past: np.ndarray
    static: np.ndarray

    def __len__(self) -> int:
        """Steps with a target."""
        return len(self.target)


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """All series of a table.

    Attributes:
        series: The series, in the order of their first rows.
        targets, known, past, static: The names of the columns.
        added: Rows that were missing and were filled in.
        filled: Numbers that were missing in rows that were there, and were filled in.
        notes: What was done to the file and a person should know.
        path: The file, where they come from one.
    """

    series: tuple[Series, ...]
    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    added: int = 0
    filled: int = 0
    notes: tuple[str, ...] = ()
    path: Path | None = None

    def called(self, series: Series) -> str:
        """A series as an error names it: by its id, its file, or both."""
        name = f"series {series.name!r}" if series.name else ""
        file = f"'{self.path}'" if self.path else ""
        return " of ".join(filter(None, (name, file))) or "the series"


def cut_table(
    table: SeriesTable, steps: int | Sequence[int], *, ahead: int = 0
) -> SeriesTable:
    """The first steps of each series, with nothing known of those behind.

    Args:
        table: The series.
        steps: How many, for all series or for each; those that are shorter stay whole.
        ahead: Steps behind them that known covariates go on for.

    Example:
        >>> one = Series("", np.arange(4), *[np.zeros((4, 1), np.float32)] * 3,
        ...              np.zeros(0))
        >>> len(cut_table(SeriesTable((one,), ("y",)), 3).series[0])
        3
    """
    counts = [steps] * len(table.series) if isinstance(steps, int) else steps
    cut = tuple(
        replace(
            s,
            times=s.times[:n],
            target=s.target[:n],
            known=s.known[: n + ahead],
            past=s.past[:n],
        )
        for s, n in zip(table.series, counts, strict=True)
    )
    return replace(table, series=cut)


def read_series(
    source: Path | str | Table,
    *,
    target: Sequence[str],
    time: str,
    id: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    fill: Fill = "none",
    stamps: Stamps = "even",
    encoding: str = "utf-8",
) -> SeriesTable:
    r"""Read one or many series from a table.

    Nothing is guessed, and nothing filled in unless ``fill`` says how: times must rise
    by equal steps within a series (a calendar month counts as a step, also a quarter or
    a year) unless ``stamps`` says otherwise, and every number must be there. Only at
    the end of a series may targets and past covariates be left out, where covariates
    known ahead go on.

    Args:
        source: A CSV, TSV, JSONL or Parquet file, or what `read_table` found in one.
        target: The columns to forecast, at least one.
        time: The column of the stamps: dates (2016-07-01, with or without 12:30 or
            12:30:00 behind), months (2016-07), or whole numbers.
        id: The column that names the series, or ``None`` for one series.
        known: Columns that are known ahead, such as prices or the hour.
        past: Columns that are known up to now.
        static: Columns that do not change within a series.
        fill: What becomes of rows and numbers that are missing within a series:
            ``none`` names the first one in an error; ``previous`` repeats the last
            number before; ``linear`` draws a line between the numbers on both sides.
            The table counts what was filled in.
        stamps: ``even`` for equal steps; ``rising`` lets steps differ, so that no row
            is missing; ``any`` takes rows as they came, also with stamps that are
            doubled or out of order.
        encoding: The encoding of a text file.

    Raises:
        DataError: If the file cannot be read (see `read_table`), a column is missing,
            or a stamp or a number is missing, doubled, out of order or no such thing;
            line (of Parquet: row) and column are named.
        ArgumentError: If a column has two roles, or there is no target.

    Example:
        >>> import tempfile
        >>> from recurro.data import read_series
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "sales.csv")
        ...     _ = file.write_text("month,sold\n2024-11,3\n2024-12,5\n2025-01,4\n")
        ...     table = read_series(file, time="month", target=["sold"])
        >>> table.series[0].target.ravel().tolist()
        [3.0, 5.0, 4.0]
    """
    roles = {"time": (time,), "id": (id,) if id else (), "target": tuple(target)}
    roles |= {"known": tuple(known), "past": tuple(past), "static": tuple(static)}
    check_roles(roles)
    if not target:
        raise ArgumentError(
            "read_series: there must be a target, got none. Name a column."
        )
    found = (
        source if isinstance(source, Table) else read_table(source, encoding=encoding)
    )
    table = _Table(found, time, fill, stamps)
    groups = found.groups(id)
    numbers = {role: table.numbers(role, roles[role]) for role in _NUMBERS}
    read = [
        table.one(name, np.array(rows), roles, numbers) for name, rows in groups.items()
    ]
    series, added, filled = zip(*read, strict=True)
    notes = found.notes
    if sum(added) + sum(filled):
        notes += (
            f"filled in {sum(added):,} missing rows and {sum(filled):,} missing "
            f"numbers ({fill})",
        )
    return SeriesTable(
        *(series, roles["target"], roles["known"], roles["past"], roles["static"]),
        *(sum(added), sum(filled), notes, found.path),
    )


@dataclass(frozen=True)
class _Table:
    """The cells of a file, and how the series in them are read."""

    table: Table
    time: str
    fill: Fill
    stamps: Stamps

    def numbers(self, role: str, columns: tuple[str, ...]) -> np.ndarray:
        """Numbers ``(rows, columns)``, float32; NaN where there is none."""
        option = "--target" if role == "target" else ""
        found = [self.table.numbers(column, option) for column in columns]
        return np.array(found, np.float32).reshape(len(columns), len(self.table)).T

    def one(
        self,
        name: str,
        rows: np.ndarray,
        roles: Mapping[str, tuple[str, ...]],
        numbers: Mapping[str, np.ndarray],
    ) -> tuple[Series, int, int]:
        """The series of these rows; the rows and the numbers that were filled in."""
        times, places = self._times(rows)
        near = rows[np.searchsorted(places, np.arange(len(times)), side="right") - 1]
        tables = {
            role: _laid(values[rows], places, len(times))
            for role, values in numbers.items()
        }
        count = len(times)
        if roles["known"]:  # the end may be known ahead alone
            empty = np.isnan(np.concatenate([tables["target"], tables["past"]], 1))
            gone = empty.all(1)
            count = 0 if gone.all() else int(np.flatnonzero(~gone)[-1]) + 1
        if not count:
            raise self.table.fault(
                int(rows[0]), roles["target"][0], "must have a target", "Fill it in."
            )
        known = len(times) if roles["known"] else count
        ends = {"target": count, "known": known, "past": count, "static": count}
        gaps = 0
        for role, end in ends.items():
            gaps += int(np.isnan(tables[role][places[places < end]]).sum())
            tables[role] = _filled(tables[role][:end], self.fill)
            self._complete(near[:end], tables[role], roles[role])
        self._unchanging(name, near, tables["static"], roles["static"])
        series = Series(
            name,
            times[:count],
            tables["target"],
            tables["known"],
            tables["past"],
            tables["static"][0],
        )
        return series, len(times) - len(rows), gaps

    def _unchanging(
        self, name: str, rows: np.ndarray, static: np.ndarray, columns: tuple[str, ...]
    ) -> None:
        """Refuse a static column that changes."""
        changed = np.argwhere(static != static[:1]).tolist()
        if changed:
            place, column = changed[0]
            raise self.table.fault(
                int(rows[place]),
                columns[column],
                f"must be the same in all rows of series {name!r}, got "
                f"{static[place, column]:g} after {static[0, column]:g}",
                "Make it a known covariate, or mend it.",
            )

    def _complete(
        self, rows: np.ndarray, table: np.ndarray, columns: tuple[str, ...]
    ) -> None:
        """Refuse a missing number."""
        missing = np.argwhere(np.isnan(table))
        if len(missing):
            place, column = missing[0]
            raise self.table.fault(
                int(rows[place]),
                columns[column],
                f"must be a number, got none ({len(missing)} are missing in this "
                "series)",
                "Fill the gaps in (fill='previous' or fill='linear' does), or cut the "
                "series there.",
            )

    def _times(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stamps of a series, and the place of each row in them."""
        cells = self.table.cells(self.time)
        values = [cells[row] for row in rows]
        stamps = [self._stamp(int(row), v) for row, v in zip(rows, values, strict=True)]
        if len({type(stamp) for stamp in stamps}) > 1:
            first = next(
                i for i, s in enumerate(stamps) if type(s) is not type(stamps[0])
            )
            raise self.table.fault(
                int(rows[first]),
                self.time,
                f"must be a stamp like the first one, {values[0]!r}, got "
                f"{values[first]!r}",
                "Write all stamps alike.",
            )
        if self.stamps != "any":
            self._rising(rows, stamps, values)
        number = isinstance(stamps[0], int)
        times = np.array(stamps, np.int64 if number else "datetime64[us]")
        if self.stamps != "even":
            return times, np.arange(len(times))
        places = self._places(rows, times, values)
        return _grid(times, places), places

    def _stamp(self, row: int, value: Any) -> datetime | int:  # noqa: ANN401 (a cell)
        """One stamp."""
        if isinstance(value, int):
            return value
        if hasattr(value, "isoformat"):  # a date or a datetime of Parquet
            return datetime.fromisoformat(value.isoformat()).replace(tzinfo=None)
        text = str(value or "").strip()
        if text.lstrip("-").isdecimal():
            return int(text)
        for form in (*_FORMATS, _MONTH):
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
        raise self.table.fault(
            row,
            self.time,
            f"must be a date such as 2016-07-01 12:30:00 or a whole number, got "
            f"{text!r}",
            "Write it so.",
        )

    def _rising(self, rows: np.ndarray, stamps: list[Any], values: list[Any]) -> None:
        """Refuse stamps that are doubled or out of order."""
        for place, (before, stamp) in enumerate(pairwise(stamps), 1):
            if stamp == before:
                what = f"must be a new time, got {values[place]!r} again"
                raise self.table.fault(
                    int(rows[place]),
                    self.time,
                    what,
                    "Name the column that tells series apart (--id) if there are "
                    f"several; if not, keep one of the two rows. {_AS_THEY_COME}",
                )
            if stamp < before:
                what = f"must come after {values[place - 1]!r}, got {values[place]!r}"
                raise self.table.fault(
                    int(rows[place]),
                    self.time,
                    what,
                    f"Put each series in order of time. {_AS_THEY_COME}",
                )

    def _places(
        self, rows: np.ndarray, times: np.ndarray, values: list[Any]
    ) -> np.ndarray:
        """The number of each row's step, counted from the first; evenly spaced."""
        ticks = ticks_of(times)
        steps = np.diff(ticks)
        kinds, counts = np.unique(steps, return_counts=True)
        usual = int(kinds[counts.argmax()]) if len(kinds) else 1
        wrong = steps != usual if self.fill == "none" else steps % usual != 0
        if wrong.any():
            place = int(np.argmax(wrong)) + 1
            told = _told(times, usual)
            must = told if self.fill == "none" else f"{told}, or a multiple of that,"
            raise self.table.fault(
                int(rows[place]),
                self.time,
                f"must come {must} after {values[place - 1]!r} as most rows do, got "
                f"{values[place]!r}",
                "Add the missing rows (fill='previous' or fill='linear' adds and "
                "counts them), bring the series to even steps, or take it as it is "
                "where the task can (stamps='rising').",
            )
        return (ticks - ticks[0]) // usual


def ticks_of(times: np.ndarray) -> np.ndarray:
    """Stamps as whole numbers: months where all are the same moment of a month.

    Args:
        times: Stamps ``(time,)`` as in ``Series``.
    """
    if times.dtype.kind == "M":
        months = times.astype("datetime64[M]")
        if len(np.unique(times - months)) == 1:
            return months.astype(np.int64)
    return times.astype(np.int64)


def _told(times: np.ndarray, usual: int) -> str:
    """A step between stamps, for a person."""
    if times.dtype.kind != "M":
        return str(usual)
    if ticks_of(times)[0] != times.astype(np.int64)[0]:
        return f"{usual} month{'s' * (usual > 1)}"
    return str(timedelta(microseconds=usual)).removesuffix(", 0:00:00")


def times_of(times: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """Stamps from whole numbers, as `ticks_of` makes them of some others.

    Args:
        times: The others, which say what the numbers mean.
        ticks: The numbers.
    """
    if times.dtype.kind == "M" and ticks_of(times)[0] != times.astype(np.int64)[0]:
        moment = times[0] - times[0].astype("datetime64[M]")
        return ticks.astype("datetime64[M]") + moment
    return ticks.astype(times.dtype)


def _laid(table: np.ndarray, places: np.ndarray, steps: int) -> np.ndarray:
    """Rows in their places among all steps, NaN between."""
    laid = np.full((steps, table.shape[1]), np.nan, np.float32)
    laid[places] = table
    return laid


def _grid(times: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The stamps of all steps from the first row's to the last one's."""
    ticks, last = ticks_of(times), int(places[-1])
    steps = np.arange(last + 1) * (int(ticks[-1] - ticks[0]) // max(last, 1))
    return times_of(times, ticks[0] + steps)


def _filled(table: np.ndarray, fill: Fill) -> np.ndarray:
    """Columns without gaps between numbers; what is missing at the ends stays so."""
    if fill == "none" or not np.isnan(table).any():
        return table
    table, steps = table.copy(), np.arange(len(table))
    for column in table.T:
        there = np.flatnonzero(~np.isnan(column))
        if not len(there):
            continue
        inner = slice(there[0], there[-1] + 1)
        if fill == "previous":
            last = there[np.searchsorted(there, steps[inner], side="right") - 1]
            column[inner] = column[last]
        else:
            column[inner] = np.interp(steps[inner], there, column[there])
    return table
