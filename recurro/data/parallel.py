"""Pairs of texts from files: aligned lines, a table of two columns, conversations."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from recurro.errors import DataError

__all__ = ["TextPairs", "read_pairs"]

_CONVERSATIONS = (".yml", ".yaml")
_HEADER = ("source", "target")


@dataclass(frozen=True)
class TextPairs:
    """Texts and what is to be written of each.

    Attributes:
        sources: The texts.
        targets: As many others.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]


def read_pairs(
    files: Sequence[Path | str], *, encoding: str = "utf-8", targets: bool = True
) -> TextPairs:
    r"""Read pairs of texts.

    Args:
        files: Two files whose lines go with each other, the sources first; or one
            table ``.tsv`` of two columns (its first line may name them ``source`` and
            ``target``); or a file or folder of conversations, as the corpus of
            ChatterBot has them (``.yml``: lists under ``conversations``, in which each
            line answers the one before; those of one line are passed over, with a
            warning that counts them).
        encoding: Of the files.
        targets: Whether there must be targets; without, a single file may hold one
            source in each line.

    Raises:
        DataError: If a file cannot be read, lines do not align, or a side is empty; the
            file and the line are named.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "pairs.tsv"
        >>> _ = table.write_text("ein Hund\ta dog\nzwei\ttwo\n")
        >>> read_pairs([table]).targets
        ('a dog', 'two')
    """
    paths = [Path(file) for file in files]
    if len(paths) == 2:
        return _aligned(paths[0], paths[1], encoding)
    if len(paths) != 1:
        raise DataError(
            f"pairs: must be one table or two files that go with each other, got "
            f"{len(paths)} files."
        )
    (path,) = paths
    if path.is_dir() or path.suffix in _CONVERSATIONS:
        return _joined(_replies(path, encoding), path)
    if path.suffix == ".tsv":
        return _joined(_columns(path, encoding, targets), path)
    if targets:
        raise DataError(
            f"{path}: must be a .tsv of two columns or a .yml of conversations, or "
            "come with a second file that holds the other side. Name both."
        )
    lines = _lines(path, encoding)
    for number, line in enumerate(lines, 1):
        _check_side(path, number, line, "text")
    return TextPairs(tuple(lines), ())


def _joined(pairs: Iterator[tuple[str, str]], path: Path) -> TextPairs:
    found = list(pairs)
    if not found:
        raise DataError(f"{path}: must hold pairs of texts, got none. Give some data.")
    sources, targets = zip(*found, strict=True)
    return TextPairs(sources, targets)


def _aligned(source: Path, target: Path, encoding: str) -> TextPairs:
    """Lines that go with each other."""
    sides = [_lines(path, encoding) for path in (source, target)]
    first, second = map(len, sides)
    if first != second:
        raise DataError(
            f"{target}: must have a line for each of the {first} of {source}, got "
            f"{second}. Align the files: line N of one goes with line N of the other."
        )
    for number, texts in enumerate(zip(*sides, strict=True), 1):
        for path, text in zip((source, target), texts, strict=True):
            _check_side(path, number, text, "text")
    return _joined(zip(*sides, strict=True), source)


def _columns(path: Path, encoding: str, targets: bool) -> Iterator[tuple[str, str]]:
    """The rows of a table of two columns; without targets the second may be absent."""
    for number, line in enumerate(_lines(path, encoding), 1):
        cells = line.split("\t")
        if number == 1 and tuple(cells) in (_HEADER, _HEADER[: len(cells)]):
            continue
        if len(cells) != 2 and (targets or len(cells) != 1):
            raise DataError(
                f"{path}: line {number} must have two columns, source and target, "
                f"parted by a tab, got {len(cells)}. Mend the line."
            )
        for column, cell in zip(_HEADER, cells if targets else cells[:1], strict=False):
            _check_side(path, number, cell, column)
        yield cells[0], cells[-1]


def _replies(path: Path, encoding: str) -> Iterator[tuple[str, str]]:
    """Each line of conversations with the one that answers it."""
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix in _CONVERSATIONS)
        if not files:
            raise DataError(
                f"{path}: must hold .yml files of conversations, got none. Name a "
                "folder that does, or a .tsv of two columns."
            )
    for file in files:
        alone = 0
        for number, spoken in enumerate(_conversations(file, encoding), 1):
            alone += len(spoken) < 2
            lines = [" ".join(str(line).split()) for line in spoken]
            for place, line in enumerate(lines, 1):
                if not line:
                    raise DataError(
                        f"{file}: conversation {number} must hold text in each line, "
                        f"got none in line {place}. Mend it or leave it out."
                    )
            yield from pairwise(lines)
        if alone:
            warnings.warn(
                f"{file}: {alone} conversations have a single line, which nothing "
                "answers, and are passed over.",
                stacklevel=4,
            )


def _conversations(file: Path, encoding: str) -> list[list[Any]]:
    """The conversations of a file, each a list of lines."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        tree = yaml.load(_text(file, encoding), Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" in line {mark.line + 1}"
        raise DataError(
            f"{file}: must be YAML, got a fault{place}. Mend it or leave the file out."
        ) from None
    found = tree.get("conversations") if isinstance(tree, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{file}: must have a list of conversations, got "
            f"{type(found).__name__}. Write each as a list of lines."
        )
    spoken = [[lines] if isinstance(lines, str) else lines for lines in found]
    for number, lines in enumerate(spoken, 1):
        if not isinstance(lines, list) or not all(isinstance(x, str) for x in lines):
            raise DataError(
                f"{file}: conversation {number} must be a list of texts, got "
                f"{lines!r:.60}. Quote lines that hold a colon."
            )
    return spoken


def _check_side(path: Path, number: int, text: str, what: str) -> None:
    if not text.strip():
        raise DataError(
            f"{path}: line {number} must hold a {what}, got an empty one. Fill it in, "
            "or delete the line on both sides."
        )


def _lines(path: Path, encoding: str) -> list[str]:
    """The lines of a file, without their ends; the last may lack one."""
    lines = _text(path, encoding).replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"{path}: must hold texts, got none. Give some data.")
    return lines


def _text(path: Path, encoding: str) -> str:
    try:
        return path.read_bytes().decode(encoding).removeprefix("\ufeff")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Check the path."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: must be {encoding}, got another byte at {error.start}. Name its "
            "encoding, or convert it."
        ) from None
