"""Tables as people keep them: CSV, TSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recurro.data.files import find_files
from recurro.data.text import raw_lines, read_text
from recurro.errors import ArgumentError, DataError

__all__ = ["TABLES", "Table", "check_roles", "read_table"]

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
"""How the names of files end that are tables."""

_MARK = re.compile(r"^#\s*(?:\w+:)?\s*")
_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with named columns, and where each row stands in its file.

    Attributes:
        path: The file.
        columns: The cells of each column by its name: text, or whatever a JSON or
            Parquet file says they are.
        places: The number of each row in the file ``(rows,)``, from 1.
        unit: What the numbers count: ``line`` or ``row``.
        notes: What was done to the file and a person should know.
    """

    path: Path
    columns: dict[str, list[Any]]
    places: Sequence[int]
    unit: str = "line"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.places)

    def place(self, row: int, column: str | None = None) -> str:
        """Where a row, or its cell in a column, stands, for a person."""
        cell = "" if column is None else f", column {column!r}"
        return f"{self.unit} {self.places[row]}{cell} of '{self.path}'"

    def fault(self, row: int, column: str, what: str, remedy: str) -> DataError:
        """The error for what is wrong in a row (from 0) of a column."""
        return DataError(f"read: {self.place(row, column)} {what}. {remedy}")

    def cells(self, column: str, option: str = "") -> list[Any]:
        """The cells of a column.

        Args:
            column: Its name.
            option: The option that names it, for the message.

        Raises:
            DataError: If there is no such column; those there are are named.
        """
        if column not in self.columns:
            name = f" with {option}" if option else ""
            raise DataError(
                f"read: '{self.path}' must have a column {column!r}, it has "
                f"{', '.join(map(repr, self.columns))[:300]}. Name one of them{name}."
            )
        return self.columns[column]

    def words(self, column: str, meaning: str, option: str = "") -> list[Any]:
        """The cells of a column, none of which may be empty; texts are stripped.

        Args:
            column: Its name.
            meaning: What a cell must be, for the message.
            option: The option that names the column.

        Raises:
            DataError: If a cell is empty; the first one is named, with how many are.
        """
        found = [
            cell.strip() if isinstance(cell, str) else cell
            for cell in self.cells(column, option)
        ]
        empty = [row for row, cell in enumerate(found) if cell in ("", None)]
        if empty:
            more = f" ({len(empty)} such rows)" if len(empty) > 1 else ""
            raise self.fault(
                *(empty[0], column, f"must {meaning}, got nothing{more}"),
                "Fill it in, or leave the row out.",
            )
        return found

    def numbers(self, column: str, option: str = "") -> np.ndarray:
        """The numbers of a column ``(rows,)``, float64; NaN where one is missing.

        Raises:
            DataError: If a cell is neither a finite number nor empty.
        """
        cells = [_number(cell) for cell in self.cells(column, option)]
        for row, cell in enumerate(cells):
            if cell is None or np.isinf(cell):
                raise self.fault(
                    *(row, column),
                    f"must be a finite number, got {self.columns[column][row]!r}",
                    f"Mend it, or name columns of numbers with {option}."
                    if option
                    else "Mend it.",
                )
        return np.array(cells, np.float64)

    def groups(self, column: str | None) -> dict[str, list[int]]:
        """The rows of each series, in the order of their first ones.

        Args:
            column: That of the names of the series, or ``None`` for a single one.

        Raises:
            DataError: If a row names no series.
        """
        if column is None:
            return {"": list(range(len(self)))}
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.words(column, "name a series", "--id")):
            rows.setdefault(str(name), []).append(row)
        return rows


def check_roles(roles: Mapping[str, Sequence[str]]) -> None:
    """Refuse a column with two roles.

    Args:
        roles: The columns of each role.

    Raises:
        ArgumentError: If there is one.

    Example:
        >>> check_roles({"time": ["day"], "target": ["sold", "day"]})
        Traceback (most recent call last):
        recurro.errors.ArgumentError: read: column 'day' must have one role, got time \
and target. Name each column once.
    """
    pairs = [(name, role) for role, names in roles.items() for name in names]
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            found = " and ".join(role for other, role in pairs if other == name)
            raise ArgumentError(
                f"read: column {name!r} must have one role, got {found}. Name each "
                "column once."
            )


def _number(cell: Any) -> float | None:  # noqa: ANN401 (a cell)
    """A cell as a number, NaN if it is empty, or ``None`` if it is none."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def read_table(
    path: Path | str, *, steps: bool = False, encoding: str = "utf-8"
) -> Table:
    r"""Read a table whose first row names its columns.

    In a CSV file a cell may stand in double quotes; in a TSV file quotes are text. A
    column without a name, as some programs write for row numbers, is left out, and so
    are blank lines and the mark of a comment before the first name (``# Columns:
    time``); notes say so.

    Args:
        path: The file; by its end ``.csv``, ``.jsonl`` (an object a line) or
            ``.parquet``, and any other is read as TSV.
        steps: Whether the rows are steps of series. Then, where a cell holds several
            numbers with blanks between and just as many empty cells follow, they are
            put there, and a note says how often.
        encoding: The encoding of a text file.

    Raises:
        DataError: If it is no file that can be read, or one that is no text; if it has
            no rows, a name twice, or a row with more or fewer cells than names; the
            line is named.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.csv")
        ...     _ = file.write_text('text,label\n"See, you",ham\n')
        ...     read_table(file).columns
        {'text': ['See, you'], 'label': ['ham']}
    """
    path = Path(path)
    kind = path.suffix.lower()
    if path.is_dir() or find_files(path) != [path]:
        raise DataError(
            f"read: '{path}' must be a table, got a folder or several files. Name one "
            "file."
        )
    if kind == ".parquet":
        return _read_parquet(path)
    lines = raw_lines(read_text(path, encoding=encoding))
    if kind == ".jsonl":
        return _read_json(path, lines)
    tabs = ((number, line.split("\t")) for number, line in enumerate(lines, 1))
    return _read_cells(path, _csv(path, lines) if kind == ".csv" else tabs, steps)


def _csv(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line and the cells of each row."""
    reader = csv.reader(line + "\n" for line in lines)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"read: line {reader.line_num} of '{path}' must be cells with commas "
            f"between: {error}. Look for a double quote that is not closed."
        ) from error


def _read_cells(
    path: Path, rows: Iterator[tuple[int, list[str]]], steps: bool
) -> Table:
    """A table of rows of cells, the first of which are names."""
    every = list(rows)
    filled = [(number, row) for number, row in every if any(map(str.strip, row))]
    names = [name.strip() for name in filled[0][1]] if filled else []
    if "\0" in "".join(names):
        raise DataError(
            f"read: '{path}' must be a table of text, got other bytes. Save it as CSV."
        )
    notes = _unmark(names)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(
            f"read: each column of '{path}' must have a name of its own, got "
            f"{twice[0]!r} twice. Rename one."
        )
    places: list[int] = []
    table: list[list[str]] = []
    spread = 0
    for number, cells in filled[1:]:
        if len(cells) != len(names):
            raise DataError(
                f"read: line {number} of '{path}' must have {len(names)} cells as the "
                f"first row has, got {len(cells)}. Mend the line."
            )
        places.append(number)
        mended = _spread(cells) if steps else cells
        spread += mended is not cells
        table.append(mended)
    columns: dict[str, list[Any]] = {
        name: [cells[place] for cells in table] for place, name in enumerate(names)
    }
    if spread:
        notes.append(
            f"{spread} rows held several numbers in one cell, which were put into the "
            "empty cells behind it"
        )
    return _checked(path, columns, places, notes, len(every) - len(filled))


def _unmark(names: list[str]) -> list[str]:
    """Turn a first name such as ``# Columns: time`` into ``time``; note it."""
    for place, name in enumerate(names):
        if name:
            plain = _MARK.sub("", name)
            if plain and plain != name:
                names[place] = plain
                return [f"the column {name!r} was taken for {plain!r}"]
            break
    return []


def _spread(cells: list[str]) -> list[str]:
    """A row with numbers that share a cell put into the empty cells behind it."""
    for place, cell in enumerate(cells):
        parts = cell.split()
        ahead = cells[place + 1 : place + len(parts)]
        if len(parts) < 2 or len(ahead) < len(parts) - 1 or any(ahead):
            continue
        after = cells[place + len(parts) : place + len(parts) + 1]
        if after != [""] and all(_number(part) is not None for part in parts):
            return [*cells[:place], *parts, *cells[place + len(parts) :]]
    return cells


def _checked(
    path: Path,
    columns: dict[str, list[Any]],
    places: list[int],
    notes: Sequence[str] = (),
    blank: int = 0,
) -> Table:
    if not places:
        raise DataError(
            f"read: '{path}' must hold rows below the names of its columns, got none. "
            "Name another file."
        )
    if columns.pop("", None) is not None:
        notes = ["a column without a name was left out", *notes]
    if blank:
        notes = [*notes, f"blank lines left out: {blank}"]
    return Table(path, columns, places, notes=tuple(notes))


def _read_json(path: Path, lines: Iterable[str]) -> Table:
    """A table of objects, whose missing keys are empty cells."""
    places: list[int] = []
    objects: list[dict[str, Any]] = []
    blank = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            blank += 1
            continue
        try:
            tree = json.loads(line)
        except ValueError as error:
            tree = str(error)
        if not isinstance(tree, dict):
            raise DataError(
                f"read: line {number} of '{path}' must be a JSON object, "
                f'{{"name of a column": value, ...}}, got {line[:60]!r}. Mend the line.'
            )
        places.append(number)
        objects.append(tree)
    names = dict.fromkeys(name for tree in objects for name in tree)
    columns = {name: [tree.get(name) for tree in objects] for name in names}
    return _checked(path, columns, places, blank=blank)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"read: '{path}' must be a Parquet file that can be read: "
            f"{(str(error).splitlines() or ['it is damaged'])[0][:200]}. Name another."
        ) from error
    columns = {name: frame[name].to_list() for name in frame.columns}
    table = _checked(path, columns, list(range(1, len(frame) + 1)))
    return Table(path, table.columns, table.places, unit="row")
