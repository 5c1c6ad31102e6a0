"""Sequences with what is said of them, from the files that people have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurro.data.class_folders import files_of
from recurro.data.recordings import equal_recordings
from recurro.data.split import is_test
from recurro.data.steps import Roles, Steps, read_steps
from recurro.data.tables import Table, read_table
from recurro.data.text import raw_lines, read_text, split_lines
from recurro.data.ts import read_ts
from recurro.errors import DataError

__all__ = [
    "Labelled",
    "read_frames",
    "read_items",
    "read_labelled",
    "read_step_numbers",
]

JOINT = "|"
"""What stands between the texts of several columns, with blanks around."""

_NAMED = (".csv", ".jsonl", ".parquet")
"""Tables whose first row must name the columns."""


class _Row(NamedTuple):
    """One sequence as it is found."""

    item: Any
    label: Any
    key: str
    place: str
    series: Steps | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """Sequences, and what is said of each.

    Attributes:
        items: Texts, or series ``(time, features)``, float32, NaN where a number is
            missing.
        labels: The class or the number of each, as the file has it; of frames, the
            list of those of its steps.
        keys: What the hash of each is made of: the text itself, or the name of a
            series; empty where a series has none.
        places: Where each stands, for a person.
        notes: What was done to the files and a person should know.
        features: The columns that series were read from, if they have any.
        series: The steps of each in a table, where all come from such.
    """

    items: list[Any]
    labels: list[Any]
    keys: list[str]
    places: list[str]
    notes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    series: Sequence[Steps] = ()

    def __len__(self) -> int:
        """How many sequences there are."""
        return len(self.items)

    def select(self, rows: Sequence[int] | np.ndarray) -> Labelled:
        """The sequences of the given numbers, in that order."""
        lists = ("items", "labels", "keys", "places", "series")
        lists = lists if self.series else lists[:-1]
        picked: Any = {k: [getattr(self, k)[row] for row in rows] for k in lists}
        return replace(self, **picked)

    def where(
        self, item: int, step: int | None = None, channel: int | None = None
    ) -> str:
        """Where an item, a step of it or a number stands, for a person."""
        if step is None:
            return self.places[item]
        if not self.series:
            number = "" if channel is None else f", channel {channel}"
            return f"step {step}{number} of {self.places[item]}"
        series = self.series[item]
        column = None if channel is None else series.features[channel]
        return series.table.place(series.rows[step], column)

    def split(self) -> tuple[Labelled, Labelled]:
        """Split by hash (see `is_test`): what to train on, and what is held out.

        A series that is there twice is on the side of the first of the two.

        Raises:
            DataError: If a series has no name, or a side would be empty.
        """
        if "" in self.keys:
            raise DataError(
                "read: series must have names to be split by hash, that of "
                f"{self.places[self.keys.index('')]} has none. Name the column of ids "
                "with --id, or a file to test on."
            )
        keys = self.keys
        if series := [item for item in self.items if not isinstance(item, str)]:
            keys = [keys[first] for first in equal_recordings(series)]
        test = np.fromiter(map(is_test, keys), bool, len(self))
        if test.all() or not test.any():
            raise DataError(
                f"read: both sides of the split by hash must hold items, got "
                f"{test.sum()} of {len(self)} to test on. Name a file to test on."
            )
        return self.select(np.flatnonzero(~test)), self.select(np.flatnonzero(test))


def read_labelled(
    path: Path | str, roles: Roles | None = None, *, encoding: str = "utf-8"
) -> Labelled:
    r"""Read sequences and the class or the number of each.

    Args:
        path: One of these:

            - a table (``.csv``, ``.tsv``, ``.jsonl``, ``.parquet``) with a text and a
              label in each row; or, where ``roles`` names a column of ids, times or
              features, with one row per step of a series. A TSV file of label and text
              needs no names in its first row.
            - any other text file: lines ``label<TAB>text`` or ``label sentence``.
            - a ``.ts`` file.
            - a folder of ``<Class>.txt`` files, an item a line; or of folders, each a
              class, with one text (``.txt``) or the steps of one series (a table) in
              each file. Tables with a column of labels need no folders within.
        roles: What the columns of a table are.
        encoding: The encoding of text files.

    Raises:
        DataError: If something cannot be read, a row is ragged, a column is missing, a
            text or a label is empty; the message names file, line and column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "sms.tsv")
        ...     _ = file.write_text("ham\tSee you\nspam\tYou won\n")
        ...     found = read_labelled(file)
        >>> found.items, found.labels
        (['See you', 'You won'], ['ham', 'spam'])
    """
    return _Reader(Path(path), roles or Roles(), encoding, True).read()


def read_items(
    path: Path | str, roles: Roles | None = None, *, encoding: str = "utf-8"
) -> Labelled:
    """Read sequences whose labels, if any, are not asked for; they are ``None``.

    Args:
        path: What `read_labelled` takes, but the lines of a file that is no table are
            texts.
        roles: What the columns of a table are.
        encoding: The encoding of text files.

    Raises:
        DataError: If the file cannot be read or holds none.
    """
    return _Reader(Path(path), roles or Roles(), encoding, False).read()


def read_frames(
    path: Path | str,
    roles: Roles | None = None,
    *,
    encoding: str = "utf-8",
    labelled: bool = True,
) -> Labelled:
    r"""Read series each step of which has a label.

    Args:
        path: A table with one row per step; or a folder of such tables, or of folders
            of them.
        roles: What the columns are. Without ``id`` each file is one series.
        encoding: The encoding of text files.
        labelled: Whether labels are asked for; without, they are ``None``.

    Raises:
        DataError: If a file cannot be read or has no labels, or one is empty.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "walk.csv")
        ...     _ = file.write_text("x,label\n1,up\n2,down\n")
        ...     read_frames(file).labels
        [['up', 'down']]
    """
    reader = _Reader(Path(path), roles or Roles(), encoding, labelled)
    return _each_step(reader, _said if labelled else lambda series, column: None)


def read_step_numbers(
    path: Path | str, roles: Roles | None = None, *, encoding: str = "utf-8"
) -> Labelled:
    r"""Read series whose steps have a number each, such as the life that is left.

    Args:
        path: What `read_frames` takes.
        roles: What the columns are; ``label`` is that of the numbers.
        encoding: The encoding of text files.

    Returns:
        The series; their labels are arrays ``(time,)``, float64, NaN where a step has
        no number.

    Raises:
        DataError: If a file cannot be read, or holds something else than numbers.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "engine.csv")
        ...     _ = file.write_text("heat,left\n520.5,2\n521,1\n524,\n")
        ...     read_step_numbers(file, Roles(label="left")).labels
        [array([ 2.,  1., nan])]
    """
    reader = _Reader(Path(path), roles or Roles(), encoding, True)
    found = _each_step(reader, _numbers)
    numbers = np.concatenate(found.labels)
    blank = int(np.isnan(numbers).sum())
    if not blank:
        return found
    note = f"'{path}': {blank} of {len(numbers)} steps have no number."
    return replace(found, notes=(*found.notes, note))


def _each_step(reader: _Reader, said: Callable[[Steps, str], Any]) -> Labelled:
    """Series and what is said of the steps of each."""
    files = files_of(reader.path).tables if reader.path.is_dir() else [reader.path]
    column = reader.roles.label or "label"
    rows = [
        reader.row(file, series, said(series, column))
        for file in files
        for series in reader.steps(file)
    ]
    return reader.found(rows)


def _numbers(series: Steps, column: str) -> np.ndarray:
    """The number of each step, NaN where there is none."""
    return series.table.numbers(column, "--label")[series.rows]


def _said(series: Steps, column: str) -> list[Any]:
    """What is said of each step, none of it empty."""
    if series.labels is None:
        series.table.cells(column, "--label")  # says what is missing
    for row, label in zip(series.rows, series.labels or (), strict=True):
        if label is None or not str(label).strip():
            raise series.table.fault(
                *(row, column, "must be a label, got nothing"),
                "Fill it in, or leave the row out.",
            )
    return series.labels or []


class _Reader:
    """Reads sequences from a file or a folder, and keeps what a person should know."""

    def __init__(self, path: Path, roles: Roles, encoding: str, labelled: bool) -> None:
        self.path, self.roles, self.encoding = path, roles, encoding
        self.labelled = labelled
        self.notes: dict[str, list[Path]] = {}
        self.features: tuple[str, ...] = ()

    def read(self) -> Labelled:
        """The sequences."""
        kind = self.path.suffix.lower()
        if self.path.is_dir():
            return self.found(self._folder())
        if kind == ".ts":
            return self.found(self._ts())
        if self.roles.stepwise:
            return self.found(self._series(self.path))
        if kind in _NAMED:
            return self.found(self._cells(self._table(self.path)))
        return self.found(self._lines())

    def found(self, rows: Iterable[_Row]) -> Labelled:
        """The sequences that were found, at least one, with notes on the files."""
        parts = list(zip(*rows, strict=True))
        if not parts:
            raise DataError(f"read: '{self.path}' must hold items, got none.")
        more = {1: ""}
        notes = tuple(
            more.get(len(files), f"{len(files)} files such as ")
            + f"'{files[0]}': {note}."
            for note, files in self.notes.items()
        )
        items, labels, keys, places, series = map(list, parts)
        known = [] if None in series else series
        return Labelled(items, labels, keys, places, notes, self.features, known)

    def steps(self, file: Path) -> list[Steps]:
        """The series of a table."""
        found = read_steps(
            file, self.roles, encoding=self.encoding, labelled=self.labelled
        )
        self._note(found[0].table)
        self.features = self.features or found[0].features
        if found[0].features != self.features:
            raise DataError(
                f"read: '{file}' must have the columns {', '.join(self.features)} as "
                f"the files before it, got {', '.join(found[0].features)}. Name those "
                "to read with --features."
            )
        return found

    def row(self, file: Path, series: Steps, label: object) -> _Row:
        """A series and what is said of it; file in the folder and id are its name."""
        inside = file.relative_to(self.path).as_posix() if self.path.is_dir() else ""
        key = "/".join(filter(None, (inside, series.name)))
        return _Row(series.values, label, key, series.place, series)

    def _table(self, file: Path) -> Table:
        table = read_table(file, encoding=self.encoding)
        self._note(table)
        return table

    def _note(self, table: Table) -> None:
        for note in table.notes:
            self.notes.setdefault(note, []).append(table.path)

    def _folder(self) -> Iterator[_Row]:
        files = files_of(self.path)
        if self.roles != Roles() and not files.tables:
            raise DataError(
                f"read: the files of '{self.path}' have no columns that could be "
                f"named, as tables have. Leave {', '.join(_options(self.roles))} out."
            )
        if files.others:
            self.notes["neither text nor table, left out"] = files.others
        for file in files.lines:
            for number, line in self._numbered(file):
                yield _Row(line, file.stem, line, f"line {number} of '{file}'")
        for file in files.texts:
            text = " ".join(split_lines(read_text(file, encoding=self.encoding)))
            if not text:
                raise DataError(
                    f"read: '{file}' must hold a text, got white space alone. Fill it "
                    "in, or leave the file out."
                )
            yield _Row(text, file.parent.name, text, f"'{file}'")
        for file in files.tables:
            yield from self._series(file)

    def _numbered(self, file: Path, ends: str = "") -> Iterator[tuple[int, str]]:
        """Number and text of each line of a file; blank ones are counted."""
        blocks, blank = read_text(file, encoding=self.encoding), 0
        for number, line in enumerate(raw_lines(blocks), 1):
            if line.strip():
                yield number, line.strip(ends or None)
            else:
                blank += 1
        if blank:
            self.notes.setdefault(f"blank lines left out: {blank}", []).append(file)

    def _ts(self) -> Iterator[_Row]:
        if self.roles != Roles():
            raise DataError(
                f"read: '{self.path}' has no columns that could be named, as a table "
                f"has. Leave {', '.join(_options(self.roles))} out."
            )
        found = read_ts(self.path)
        if found.labels is None and self.labelled:
            raise DataError(
                f"read_labelled: '{self.path}' must say a class or a number of each "
                "series, got none (@classLabel false). Name a file that does."
            )
        labels = [None] * len(found.items)
        if found.labels is not None and self.labelled:
            labels = found.labels.tolist()
        for number, (item, label) in enumerate(zip(found.items, labels, strict=True)):
            yield _Row(item, label, "", f"series {number} of '{self.path}'")

    def _series(self, file: Path) -> Iterator[_Row]:
        """The series of a table, each with one label."""
        for series in self.steps(file):
            label = self._one_label(series, file) if self.labelled else None
            yield self.row(file, series, label)

    def _one_label(self, series: Steps, file: Path) -> object:
        """What is said of a series: in each of its rows, or by its folder."""
        inside = self.path.is_dir() and file.parent != self.path
        if series.labels is None and inside:
            return file.parent.name
        labels = _said(series, self.roles.label or "label")
        for row, label in zip(series.rows, labels, strict=True):
            if label != labels[0]:
                raise series.table.fault(
                    *(row, self.roles.label or "label"),
                    f"must be the same in all steps of a series, got {label!r} after "
                    f"{labels[0]!r}",
                    "Name the column of ids with --id, label each step (recurro train "
                    "label), or tell the number at each (train regress --window).",
                )
        return labels[0]

    def _cells(self, table: Table) -> Iterator[_Row]:
        """The texts of a table."""
        names = (self.roles.text or "text").split(",")
        columns = [table.words(name, "be a text", "--text") for name in names]
        texts = [
            f" {JOINT} ".join(map(str, parts)) for parts in zip(*columns, strict=True)
        ]
        labels: list[Any] = [None] * len(texts)
        if self.labelled:
            labels = table.words(self.roles.label or "label", "be a label", "--label")
        for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
            yield _Row(text, label, text, table.place(row))

    def _lines(self) -> Iterator[_Row]:
        """The texts of a file that is a TSV table, or lines of label and text."""
        numbered = self._numbered(self.path, " ")  # a cell may be missing at an end
        head = next(numbered, (0, ""))
        cells = [cell.strip() for cell in head[1].split("\t")]
        wanted = (self.roles.text or "text").split(",")
        wanted += [self.roles.label or "label"] if self.labelled else []
        tsv = self.path.suffix.lower() == ".tsv"
        if set(wanted) <= set(cells) and (tsv or len(cells) > 1):
            yield from self._cells(self._table(self.path))
            return
        if (self.roles.text or self.roles.label) and (self.labelled or tsv):
            raise DataError(
                f"read: the first row of '{self.path}' must name the columns "
                f"{' and '.join(map(repr, wanted))}, got {head[1][:60]!r}. Name "
                "columns with --text and --label that are there."
            )
        lines = chain([head], numbered)
        if not self.labelled and not (tsv and len(cells) > 1):
            for number, line in lines:
                text = line.strip()
                yield _Row(text, None, text, f"line {number} of '{self.path}'")
            return
        yield from self._pairs(lines, "\t" if tsv or len(cells) > 1 else None)

    def _pairs(
        self, lines: Iterable[tuple[int, str]], mark: str | None
    ) -> Iterator[_Row]:
        """The label and the text of each line, with a tab or white space between."""
        labels, count = set(), 0
        for number, line in lines:
            place = f"line {number} of '{self.path}'"
            parts = [part.strip() for part in line.split(mark, 1)]
            if len(parts) != 2 or not all(parts):
                raise DataError(
                    f"read: {place} must be a label, {'a tab' if mark else 'a space'} "
                    f"and a text, got {line[:60]!r}. Mend the line."
                )
            labels.add(parts[0])
            count += 1
            yield _Row(parts[1], parts[0], parts[1], place)
        words = {label for label in labels if not _is_number(label)}
        if mark is None and len(words) > max(2, count // 2):
            raise DataError(
                f"read: lines of '{self.path}' must begin with a label, got "
                f"{len(words)} different ones in {count} lines. Write a tab between "
                "label and text, or put a row with names of columns first."
            )


def _options(roles: Roles) -> list[str]:
    """The options that say what the columns are."""
    return [f"--{name}" for name, value in vars(roles).items() if value]


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
