"""Items with a class each: surnames by language, messages by spam or ham."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro.data.split import is_test
from recurro.data.text import TextFilter, raw_lines, read_lines, read_text
from recurro.errors import DataError


@dataclass(frozen=True, eq=False)
class LabelledItems:
    """Items, each with its class.

    Attributes:
        items: The texts.
        labels: The class id of each item ``(items,)``, int64.
        classes: The names of the classes in the order of their ids.
    """

    items: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]

    def select(self, mask: np.ndarray) -> LabelledItems:
        """The items where a mask ``(items,)`` is true; the classes stay the same."""
        items = [item for item, chosen in zip(self.items, mask, strict=True) if chosen]
        return LabelledItems(items, self.labels[mask], self.classes)

    def split(self) -> tuple[LabelledItems, LabelledItems]:
        """Split by hash (see `is_test`): what to train on, and what is held out."""
        test = np.fromiter(map(is_test, self.items), bool, len(self.items))
        return self.select(~test), self.select(test)


def read_classes(
    path: Path | str,
    *,
    label_column: str = "label",
    text_column: str = "text",
    encoding: str = "utf-8",
    text_filter: TextFilter | None = None,
) -> LabelledItems:
    r"""Read items by class.

    Args:
        path: A folder with a file ``<Class>.txt`` for each class, one item a line; or a
            file of rows ``label<TAB>text``. Where the first row of that file names both
            columns, they may stand in any order beside others.
        label_column: What the column of the classes is called.
        text_column: What the column of the texts is called.
        encoding: The encoding of the files.
        text_filter: What to do to each character of an item (a class stays as it is).

    Returns:
        The items, stripped, without those of which nothing is left; the classes sorted
        by name.

    Raises:
        DataError: If something is missing, a row has no class or no tab (the message
            names its line), or there are fewer than two classes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "sms.tsv")
        ...     _ = file.write_text("ham\tSee you\nspam\tYou won\nham\tOk\n")
        ...     data = read_classes(file)
        >>> data.items, data.labels.tolist(), data.classes
        (['See you', 'You won', 'Ok'], [0, 1, 0], ('ham', 'spam'))
    """
    path = Path(path)
    if path.is_dir():
        rows = _read_folder(path, encoding, text_filter)
    else:
        rows = _read_table(path, (label_column, text_column), encoding, text_filter)
    pairs = list(rows)
    classes = tuple(sorted({label for label, _ in pairs}))
    if len(classes) < 2:
        raise DataError(
            f"read_classes: '{path}' must hold items of at least two classes, got "
            f"{len(classes)}. Give a folder of <Class>.txt files or rows "
            "label<TAB>text."
        )
    ids = {name: i for i, name in enumerate(classes)}
    labels = np.fromiter((ids[label] for label, _ in pairs), np.int64, len(pairs))
    return LabelledItems([item for _, item in pairs], labels, classes)


def _read_folder(
    folder: Path, encoding: str, text_filter: TextFilter | None
) -> Iterator[tuple[str, str]]:
    """The class and the text of each line of the files of a folder."""
    files = sorted(file for file in folder.glob("[!.]*.txt") if file.is_file())
    if not files:
        raise DataError(
            f"read_classes: folder '{folder}' must hold a file <Class>.txt for each "
            "class, it has no .txt file. Name another folder."
        )
    for file in files:
        for item in read_lines(file, encoding=encoding, text_filter=text_filter):
            yield file.stem, item


def _read_table(
    path: Path,
    names: tuple[str, str],
    encoding: str,
    text_filter: TextFilter | None,
) -> Iterator[tuple[str, str]]:
    """The class and the text of each row of a file."""
    places, width = (0, 1), 2
    for number, line in enumerate(raw_lines(read_text(path, encoding=encoding)), 1):
        fields = line.split("\t")
        if number == 1 and set(names) <= set(fields):
            label_place, text_place = map(fields.index, names)
            places, width = (label_place, text_place), len(fields)
            continue
        if number == 1 and names != ("label", "text"):
            raise DataError(
                f"read_classes: the first row of '{path}' must name the columns "
                f"{names[0]!r} and {names[1]!r}, got {line[:60]!r}."
            )
        if not line.strip():
            continue
        if places == (0, 1) and width == 2:
            fields = line.split("\t", 1)  # a text may have tabs of its own
        if len(fields) != width or not (label := fields[places[0]].strip()):
            raise DataError(
                f"read_classes: line {number} of '{path}' must be a class, a tab and a "
                f"text ({width} columns), got {line[:60]!r}."
            )
        text = fields[places[1]]
        if item := (text_filter(text) if text_filter else text).strip():
            yield label, item
