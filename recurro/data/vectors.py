"""Word vectors trained elsewhere, in word2vec's text format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recurro.data.text import raw_lines, read_text
from recurro.errors import DataError


def read_word2vec(
    path: Path | str, vocabulary: Sequence[str], *, encoding: str = "utf-8"
) -> tuple[np.ndarray, np.ndarray]:
    r"""Read the vectors of the symbols of a vocabulary.

    A row is a word and its numbers, parted by single spaces. The first line may say how
    many rows there are and how long a vector is (word2vec has it, GloVe does not). Of a
    word that comes twice the first vector counts.

    Args:
        path: The file; read as a stream.
        vocabulary: The symbols in the order of their ids (``tokenizer.symbols``).
        encoding: The encoding of the file.

    Returns:
        The matrix ``(vocab, features)``, float32, zero where there is no vector; and
        which symbols have one ``(vocab,)``, bool.

    Raises:
        DataError: If the file is missing or damaged (the message names the line), or
            has a vector for no symbol.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "vectors.txt")
        ...     _ = file.write_text("2 3\nbe 1 0 2\nto .5 0 1\n")
        ...     matrix, found = read_word2vec(file, ("<unk>", "to", "be"))
        >>> matrix.tolist(), found.tolist()
        ([[0.0, 0.0, 0.0], [0.5, 0.0, 1.0], [1.0, 0.0, 2.0]], [False, True, True])

    References:
        Mikolov et al. (2013), arXiv:1301.3781, and the tool word2vec that came with it.
    """
    lines = enumerate(raw_lines(read_text(path, encoding=encoding)), 1)
    ids = {symbol: i for i, symbol in enumerate(vocabulary)}
    rows, length, lines = _header(path, lines)
    matrix = np.zeros((len(ids), length), np.float32)
    found = np.zeros(len(ids), bool)
    count = 0
    for number, line in lines:
        count += bool(line)
        if line.split(" ", 1)[0] not in ids:
            continue
        word, *numbers = line.rstrip(" ").rsplit(" ", length)
        place = ids.get(word)
        if place is not None and not found[place]:
            matrix[place] = _vector(path, number, numbers, length)
            found[place] = True
    if rows is not None and count != rows:
        raise DataError(
            f"read_word2vec: '{path}' must have {rows} vectors, as its first line "
            f"says, got {count}: it is cut off or added to. Fetch it anew."
        )
    if not found.any():
        raise DataError(
            f"read_word2vec: '{path}' must have a vector for at least one symbol of "
            f"the vocabulary ({', '.join(map(repr, list(vocabulary)[:3]))}, ...), got "
            "none. Look at case and language, and train with words as tokens."
        )
    return matrix, found


def _header(
    path: Path | str, lines: Iterator[tuple[int, str]]
) -> tuple[int | None, int, Iterator[tuple[int, str]]]:
    """How many rows there are, if it is said; how long vectors are; and the rows."""
    number, first = next(lines)
    fields = first.rstrip(" ").split(" ")
    if len(fields) == 2 and all(field.isdecimal() for field in fields):
        rows, length = map(int, fields)
        if length < 1:
            raise DataError(
                f"read_word2vec: the vectors of '{path}' must have at least one "
                f"number, its first line says {length}. Fetch it anew."
            )
        return rows, length, lines
    if len(fields) < 2:
        raise DataError(
            f"read_word2vec: the first line of '{path}' must be a word and its "
            f"numbers, or two counts, got {first[:60]!r}. Give vectors in "
            "word2vec's text format."
        )
    return None, len(fields) - 1, _again(number, first, lines)


def _again(
    number: int, line: str, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    """A line that was looked at, and those after it."""
    yield number, line
    yield from lines


def _vector(
    path: Path | str, number: int, numbers: list[str], length: int
) -> np.ndarray:
    """The numbers of one row, checked."""
    try:
        with np.errstate(over="ignore"):  # becomes infinite and is refused below
            vector = np.array(numbers, np.float64).astype(np.float32)
    except ValueError:
        vector = np.empty(0)
    if len(vector) != length or not np.isfinite(vector).all():
        raise DataError(
            f"read_word2vec: line {number} of '{path}' must be a word and {length} "
            f"finite numbers, got {len(numbers)}: {' '.join(numbers)[:60]!r}. Fetch it "
            "anew."
        )
    return vector
