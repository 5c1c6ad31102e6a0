"""Tables of series: a row is a time of a series, a column what was measured then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recurro.errors import ArgumentError, DataError

__all__ = ["Series", "SeriesTable", "read_series"]

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_MONTH = "%Y-%m"


@dataclass(frozen=True, eq=False)
class Series:
    """One series, evenly spaced in time.

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
    """

    series: tuple[Series, ...]
    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()


def read_series(
    path: Path | str,
    *,
    target: Sequence[str],
    time: str,
    id: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
) -> SeriesTable:
    r"""Read one or many series from a CSV, TSV or Parquet file.

    Nothing is guessed or filled in: times must rise by equal steps within a series (a
    calendar month counts as a step, also a quarter or a year), and every number must be
    there. Only at the end of a series may targets and past covariates be left out,
    where covariates known ahead go on.

    Args:
        path: The file; by its end ``.csv``, ``.tsv`` or ``.parquet``.
        target: The columns to forecast, at least one.
        time: The column of the stamps: dates (2016-07-01, with or without 12:30 or
            12:30:00 behind), months (2016-07), or whole numbers.
        id: The column that names the series, or ``None`` for one series.
        known: Columns that are known ahead, such as prices or the hour.
        past: Columns that are known up to now.
        static: Columns that do not change within a series.

    Raises:
        DataError: If the file or a column is missing, or a stamp or a number is
            missing, doubled, out of order or no such thing; the message names row and
            column (the first row behind the header is row 1).
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
    names = [name for columns in roles.values() for name in columns]
    if not target or len(set(names)) < len(names):
        raise ArgumentError(
            "read_series: there must be a target, and each column may have one role, "
            f"got {roles}. Name each column once."
        )
    frame = _read(path, names)
    table = _Table(path, frame, time)
    groups = table.groups(id)
    series = [table.one(name, rows, roles) for name, rows in groups.items()]
    return SeriesTable(
        tuple(series), tuple(target), tuple(known), tuple(past), tuple(static)
    )


def _read(path: Path | str, names: list[str]) -> pl.DataFrame:
    """The named columns of a file; of text files, as text."""
    kind = Path(path).suffix.lower()
    if kind not in (".csv", ".tsv", ".parquet"):
        raise DataError(
            f"read_series: '{path}' must end in .csv, .tsv or .parquet, got {kind!r}. "
            "Save the table as one of them."
        )
    try:
        if kind == ".parquet":
            frame = pl.read_parquet(path)
        else:
            separator = "\t" if kind == ".tsv" else ","
            frame = pl.read_csv(path, separator=separator, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"read_series: '{path}' must be a readable table: "
            f"{str(error).splitlines()[0]}. Check the path, and the row it names."
        ) from error
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        raise DataError(
            f"read_series: '{path}' must have a column {lacking[0]!r}, it has "
            f"{', '.join(frame.columns)[:200]}. Name one of them."
        )
    if not len(frame):
        raise DataError(
            f"read_series: '{path}' must have rows, got none. Check the file."
        )
    return frame.select(names)


@dataclass(frozen=True)
class _Table:
    """The columns of a file, and how to complain about a place in them."""

    path: Path | str
    frame: pl.DataFrame
    time: str

    def fault(self, row: int, column: str, what: str, remedy: str) -> DataError:
        """The error for what is wrong in a row (from 0) of a column."""
        return DataError(
            f"read_series: row {row + 1}, column {column!r} of '{self.path}' {what}. "
            f"{remedy}"
        )

    def groups(self, column: str | None) -> dict[str, np.ndarray]:
        """The rows of each series, in the order of their first ones."""
        if column is None:
            return {"": np.arange(len(self.frame))}
        rows: dict[str, list[int]] = {}
        for row, value in enumerate(self.frame[column].to_list()):
            if value is None or value == "":
                raise self.fault(
                    row, column, "must name a series, got nothing", "Fill it in."
                )
            rows.setdefault(str(value), []).append(row)
        return {name: np.array(places) for name, places in rows.items()}

    def one(
        self, name: str, rows: np.ndarray, roles: dict[str, tuple[str, ...]]
    ) -> Series:
        """The series of these rows."""
        times = self._times(rows)
        target = self._numbers(rows, roles["target"])
        past = self._numbers(rows, roles["past"])
        count = len(rows)
        if roles["known"]:  # the end may be known ahead alone
            empty = np.all(np.isnan(np.concatenate([target, past], 1)), axis=1)
            count = len(rows) - int(np.argmin(empty[::-1])) if not empty.all() else 0
        self._complete(rows[:count], target[:count], roles["target"])
        self._complete(rows[:count], past[:count], roles["past"])
        known = self._numbers(rows, roles["known"])
        self._complete(rows, known, roles["known"])
        if not count:
            raise self.fault(
                int(rows[0]), roles["target"][0], "must have a target", "Fill it in."
            )
        static = self._numbers(rows, roles["static"])
        self._complete(rows, static, roles["static"])
        changed = np.argwhere(static != static[:1]).tolist()
        if changed:
            place, column = changed[0]
            raise self.fault(
                int(rows[place]),
                roles["static"][column],
                f"must be the same in all rows of series {name!r}, got "
                f"{static[place, column]:g} after {static[0, column]:g}",
                "Make it a known covariate, or mend it.",
            )
        return Series(
            name, times[:count], target[:count], known, past[:count], static[0]
        )

    def _numbers(self, rows: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
        """Numbers ``(rows, columns)``, float32; NaN where there is none."""
        table = np.empty((len(rows), len(columns)), np.float32)
        for number, column in enumerate(columns):
            values = self.frame[column].gather(rows.tolist())
            if values.dtype == pl.String:
                values = values.str.strip_chars()
                values = values.set(values.is_in(_MISSING), None)
            found = values.cast(pl.Float64, strict=False)
            wrong = (found.is_null() & values.is_not_null()) | found.is_infinite()
            if wrong.fill_null(False).any():
                place = int(wrong.fill_null(False).arg_max() or 0)
                raise self.fault(
                    int(rows[place]),
                    column,
                    f"must be a finite number, got {values[place]!r}",
                    "Mend it.",
                )
            table[:, number] = found.fill_null(np.nan).to_numpy()
        return table

    def _complete(
        self, rows: np.ndarray, table: np.ndarray, columns: tuple[str, ...]
    ) -> None:
        """Refuse a missing number."""
        missing = np.argwhere(np.isnan(table))
        if len(missing):
            place, column = missing[0]
            raise self.fault(
                int(rows[place]),
                columns[column],
                f"must be a number, got none ({len(missing)} are missing in this "
                "series)",
                "Fill the gaps in by a rule of your own, or cut the series there.",
            )

    def _times(self, rows: np.ndarray) -> np.ndarray:
        """The stamps of a series, checked to be evenly spaced."""
        values = self.frame[self.time].gather(rows.tolist()).to_list()
        stamps = [self._stamp(int(row), v) for row, v in zip(rows, values, strict=True)]
        if len({type(stamp) for stamp in stamps}) > 1:
            first = next(
                i for i, s in enumerate(stamps) if type(s) is not type(stamps[0])
            )
            raise self.fault(
                int(rows[first]),
                self.time,
                f"must be a stamp like the first one, {values[0]!r}, got "
                f"{values[first]!r}",
                "Write all stamps alike.",
            )
        self._even(rows, stamps, values)
        if isinstance(stamps[0], int):
            return np.array(stamps, np.int64)
        return np.array(stamps, "datetime64[us]")

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
        raise self.fault(
            row,
            self.time,
            f"must be a date such as 2016-07-01 12:30:00 or a whole number, got "
            f"{text!r}",
            "Write it so.",
        )

    def _even(self, rows: np.ndarray, stamps: list[Any], values: list[Any]) -> None:
        """Refuse stamps that are doubled, out of order or unevenly spaced."""
        steps = [b - a for a, b in pairwise(stamps)]
        months = [_month(b) - _month(a) for a, b in pairwise(stamps)]
        remedy = "Put each series in order of time."
        for place, step in enumerate(steps, 1):
            if not step:
                what = f"must be a new time, got {values[place]!r} again"
                raise self.fault(
                    int(rows[place]), self.time, what, "Keep one of the two rows."
                )
            if step < type(step)(0):
                what = f"must come after {values[place - 1]!r}, got {values[place]!r}"
                raise self.fault(int(rows[place]), self.time, what, remedy)
        whole = len({(s.day, s.time()) for s in stamps if isinstance(s, datetime)}) == 1
        if whole and isinstance(stamps[0], datetime) and len(set(months)) <= 1:
            return
        usual = max(set(steps), key=steps.count, default=None)
        for place, step in enumerate(steps, 1):
            if step != usual:
                what = (
                    f"must come {usual} after {values[place - 1]!r} as most rows do, "
                    f"got {values[place]!r}"
                )
                raise self.fault(
                    int(rows[place]),
                    self.time,
                    what,
                    "Add the missing rows, or bring the series to even steps.",
                )


def _month(stamp: datetime | int) -> int:
    """The number of the month since year 0."""
    return stamp.year * 12 + stamp.month if isinstance(stamp, datetime) else 0
