"""Sequences with what is said of them, from the files that people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recurro.data.classes import read_classes
from recurro.data.text import read_lines
from recurro.data.ts import read_ts
from recurro.errors import DataError

__all__ = ["read_items", "read_labelled"]


def read_labelled(path: Path | str) -> tuple[list[Any], list[Any]]:
    r"""Read sequences and the class or the number of each.

    Args:
        path: A ``.ts`` file; a folder of ``<Class>.txt`` files; or a file of rows
            ``label<TAB>text``, where a first row may name the columns.

    Returns:
        Series ``(time, channels)`` or texts, and what is said of each.

    Raises:
        DataError: If the file cannot be read, or says nothing of its sequences.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "sms.tsv")
        ...     _ = file.write_text("ham\tSee you\nspam\tYou won\n")
        ...     read_labelled(file)
        (['See you', 'You won'], ['ham', 'spam'])
    """
    if Path(path).suffix == ".ts":
        found = read_ts(path)
        if found.labels is None:
            raise DataError(
                f"read_labelled: '{path}' must say a class or a number of each series, "
                "got none (@classLabel false). Name a file that does."
            )
        return found.items, found.labels.tolist()
    texts = read_classes(path)
    return texts.items, [texts.classes[label] for label in texts.labels]


def read_items(path: Path | str) -> list[Any]:
    """Read sequences alone: a ``.ts`` file, or a text of one item a line.

    Raises:
        DataError: If the file cannot be read or holds none.
    """
    if Path(path).suffix == ".ts":
        return list(read_ts(path).items)
    lines = list(read_lines(path))
    if not lines:
        raise DataError(
            f"read_items: '{path}' must hold a line, got none. Name another."
        )
    return lines
