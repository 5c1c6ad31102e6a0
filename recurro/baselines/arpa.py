r"""n-gram models as ARPA files, the text format of KenLM and SRILM.

::

    \data\
    ngram 1=4
    ngram 2=2

    \1-grams:
    -1.1    <unk>   0
    -99 <s> -0.3
    -0.6    </s>    0
    -0.2    word    -0.1

    \2-grams:
    -0.3    <s> word
    -0.4    word </s>

    \end\

A row has log10 P(last word | words before), the words, and log10 of their weight as a
context (none in the highest order). ``<s>`` and ``</s>`` are one symbol here, the
*boundary*: as the first word of an n-gram it is written ``<s>``, as the last ``</s>``.
What the format cannot hold, a white space in a symbol, is written ``\u{20}``.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np

from recurro.baselines.ngram import File, NGramModel, NGramTable
from recurro.errors import DataError

__all__ = ["read_arpa", "write_arpa"]

_BLOCK = 1 << 14
_LOG10 = float(np.log(10))
_START, _END = b"<s>", b"</s>"
_SPACE = re.compile(r"[\0\t\n\v\f\r ]|\\(?=u\{)")
_ESCAPED = re.compile(r"\\u\{(0|9|[a-d]|20|5c)\}")


def write_arpa(model: NGramModel, symbols: Sequence[str], file: File) -> None:
    r"""Write a model as an ARPA file.

    Args:
        model: The fitted model.
        symbols: The symbol of each id; the unknown one should be ``<unk>``. That of
            the boundary is not read.
        file: A path, or a file open for writing bytes.

    Raises:
        DataError: If the symbols cannot stand in such a file.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> write_arpa(NGramModel(2, order=1).fit([0, 1, 0, 1, 1]), ["a", "b"], file)
        >>> print(file.getvalue().decode().expandtabs(1))
        \data\
        ngram 1=2
        <BLANKLINE>
        \1-grams:
        -0.425968726 a
        -0.204119985 b
        <BLANKLINE>
        \end\
        <BLANKLINE>
    """
    if isinstance(file, Path | str):
        with Path(file).open("wb") as opened:
            return write_arpa(model, symbols, opened)
    names = np.array([*_names(model, symbols), "<s>"], object)
    file.write(b"\\data\\\n")
    for n, table in enumerate(model.tables_, start=1):
        count = len(table.keys) + (n == 1 and model.boundary is not None)
        file.write(f"ngram {n}={count}\n".encode())
    for n, table in enumerate(model.tables_, start=1):
        file.write(f"\n\\{n}-grams:\n".encode())
        if n == 1 and model.boundary is not None:
            weight = float(table.backoffs[model.boundary])
            file.write(_rows([-99 * _LOG10], [["<s>"]], [weight], model.order == 1))
        for start in range(0, len(table.keys), _BLOCK):
            part = slice(start, start + _BLOCK)
            numbers = np.arange(len(table.keys))[part]
            words, backoffs = model.tokens_of(n, numbers), table.backoffs[part]
            if n == 1:  # what follows a boundary follows <s>
                backoffs = np.where(words[:, 0] == model.boundary, 0, backoffs)
            else:
                words[words[:, 0] == model.boundary, 0] = model.size
            rows = names[words].tolist()
            file.write(_rows(table.log_probs[part], rows, backoffs, n == model.order))
    file.write(b"\n\\end\\\n")
    return None


def _rows(
    log_probs: Sequence[float] | np.ndarray,
    words: list[list[str]],
    backoffs: Sequence[float] | np.ndarray,
    last: bool,
) -> bytes:
    """The rows of some n-grams; those of the last order have no backoff."""
    probs = (np.array(log_probs, np.float64) / _LOG10).tolist()
    weights = (np.array(backoffs, np.float64) / _LOG10 + 0.0).tolist()  # no -0
    if last:
        rows = (f"{p:.9g}\t{' '.join(w)}\n" for p, w in zip(probs, words, strict=True))
    else:
        rows = (
            f"{p:.9g}\t{' '.join(w)}\t{b:.9g}\n"
            for p, w, b in zip(probs, words, weights, strict=True)
        )
    return "".join(rows).encode()


def _names(model: NGramModel, symbols: Sequence[str]) -> list[str]:
    """The symbols as an ARPA file has them."""
    model._fitted()
    if len(symbols) != model.size:
        raise DataError(
            f"write_arpa: needs one symbol for each of the {model.size} ids, got "
            f"{len(symbols)}. Pass the vocabulary that the model was trained with."
        )
    names = [_SPACE.sub(lambda sign: f"\\u{{{ord(sign[0]):x}}}", s) for s in symbols]
    if model.boundary is not None:
        names[model.boundary] = "</s>"
    taken = {"<s>"} if model.boundary is not None else {"<s>", "</s>"}
    if wrong := [s for s in names if not s or s in taken]:
        raise DataError(
            f"write_arpa: no symbol may be empty or have a meaning in ARPA files, got "
            f"{wrong[0]!r}. Leave it out of the vocabulary."
        )
    if len(set(names)) < len(names):
        raise DataError(
            "write_arpa: the symbols must differ, got some twice. Pass the vocabulary "
            "that the model was trained with."
        )
    return names


def read_arpa(file: File) -> tuple[NGramModel, tuple[str, ...]]:
    """Read an ARPA file, of this or another program.

    Args:
        file: A path, or a file open for reading bytes.

    Returns:
        The model and its symbols in the order of their ids. If the file has ``<s>``
        and ``</s>``, both are the id ``model.boundary``, named ``</s>``; if it has
        neither, the model is one of running text.

    Raises:
        DataError: If the file cannot be read or does not keep to the format; the
            message names the line.
    """
    if isinstance(file, Path | str):
        try:
            with Path(file).open("rb") as opened:
                return read_arpa(opened)
        except OSError as error:
            raise DataError(
                f"read_arpa: '{file}' cannot be read ({error.strerror}). Check the "
                "path."
            ) from error
    lines = _Lines(file)
    counts = _header(lines)
    ids = _Growing()
    unigrams = _section(lines, 1, counts[0], ids)
    ids = dict(ids)  # full grown
    model, numbers = _vocabulary(lines, ids, counts)
    symbols = _symbols(lines, ids, unigrams.first, model)
    model.tables_ = (_unigrams(unigrams, model, ids.get(_START)),)
    for n, count in enumerate(counts[1:], start=2):
        lines.expect(f"\\{n}-grams:")
        section = _section(lines, n, count, ids)
        table = _table(lines, section, numbers[section.words], model)
        model.tables_ = (*model.tables_, table)
    lines.expect("\\end\\")
    return model, symbols


class _Lines:
    """The lines of a file, and the number of the last one read."""

    def __init__(self, file: BinaryIO | BytesIO) -> None:
        self.name = getattr(file, "name", "the file")
        self.file, self.number = iter(file), 0

    def __iter__(self) -> Iterator[bytes]:
        """The lines that are left."""
        for line in self.file:
            self.number += 1
            yield line

    def full(self) -> bytes:
        """The next line that is not blank; nothing at the end of the file."""
        return next(filter(None, map(bytes.strip, self)), b"")

    def expect(self, text: str) -> None:
        """Read a line that must be this."""
        if self.full() != text.encode():
            self.refuse(f"the line {text} must follow")

    def refuse(self, what: str, line: int | None = None) -> NoReturn:
        """Say what must hold at a line, by default the last one read."""
        raise DataError(
            f"read_arpa: '{self.name}', line {line or self.number}: {what}, got "
            "something else. Write the file anew with the program it comes from."
        )


class _Growing(dict[bytes, int]):
    """Gives each new word the next number."""

    def __missing__(self, word: bytes) -> int:
        self[word] = len(self)
        return self[word]


class _Section(NamedTuple):
    """The n-grams of one order as they stand in the file, from line ``first`` on."""

    first: int
    words: np.ndarray  # (ngrams, n), numbered as in the file
    log_probs: np.ndarray
    backoffs: np.ndarray


def _header(lines: _Lines) -> list[int]:
    r"""How many n-grams each order has; the line ``\1-grams:`` is read, too."""
    while (line := lines.full()) != b"\\data\\":
        if not line:
            lines.refuse("an ARPA file must have a line \\data\\")
    counts: list[int] = []
    while match := re.fullmatch(rb"ngram\s+(\d+)\s*=\s*(\d+)", line := lines.full()):
        if int(match[1]) != len(counts) + 1:
            lines.refuse(f"the number of {len(counts) + 1}-grams must stand here")
        counts.append(int(match[2]))
    if not counts or not counts[0] or line != b"\\1-grams:":
        lines.refuse("numbers of n-grams and then \\1-grams: must stand here")
    return counts


def _section(lines: _Lines, n: int, count: int, ids: dict[bytes, int]) -> _Section:
    """Read the rows of one order."""
    first = lines.number + 1
    words, log_probs, backoffs = array("q"), array("d"), array("d")
    for line in islice(lines, count):
        row = line.split()
        try:
            log_probs.append(float(row[0]))
            words.extend([ids[row[i]] for i in range(1, n + 1)])
            backoffs.append(float(row[n + 1]) if len(row) == n + 2 else 0.0)
        except (ValueError, IndexError, KeyError):
            row = []
        if not n < len(row) <= n + 2 or log_probs[-1] > 0:
            lines.refuse(f"log10 P, {n} known words and log10 backoff must stand here")
    if lines.number != first + count - 1:
        lines.refuse(f"{count} rows of {n}-grams must stand here")
    both = np.array([log_probs, backoffs]) * _LOG10
    if not (finite := np.isfinite(both).all(0)).all():
        lines.refuse("all numbers must be finite", first + int(finite.argmin()))
    return _Section(first, np.array(words).reshape(-1, n), *both.astype(np.float32))


def _vocabulary(
    lines: _Lines, ids: dict[bytes, int], counts: list[int]
) -> tuple[NGramModel, np.ndarray]:
    """An empty model, and the id of each word of the file: ``size`` for ``<s>``."""
    numbers = np.arange(len(ids))
    start, end = ids.get(_START), ids.get(_END)
    if len(ids) != counts[0]:
        lines.refuse("each 1-gram must stand once in the file")
    if (start is None) != (end is None):
        lines.refuse("<s> and </s> must both be among the 1-grams, or none of them")
    if start is None or end is None:
        return NGramModel(len(ids), len(counts)), numbers
    numbers -= numbers > start
    numbers[start] = size = len(ids) - 1
    return NGramModel(size, len(counts), boundary=int(numbers[end])), numbers


def _unigrams(section: _Section, model: NGramModel, start: int | None) -> NGramTable:
    """The table of 1-grams, with the weight of ``<s>`` at the boundary."""
    if start is None:
        return NGramTable(np.arange(model.size), section.log_probs, section.backoffs)
    log_probs, backoffs = (
        np.delete(part, start) for part in (section.log_probs, section.backoffs)
    )
    backoffs[model.boundary] = section.backoffs[start]
    return NGramTable(np.arange(model.size), log_probs, backoffs)


def _table(
    lines: _Lines, section: _Section, words: np.ndarray, model: NGramModel
) -> NGramTable:
    """The table of n-grams with these words ``(ngrams, n)``, n > 1."""
    boundary, start = model.boundary, model.size

    def check(good: np.ndarray, what: str) -> None:
        if not good.all():
            lines.refuse(what, section.first + int(good.argmin()))

    if boundary is not None:
        inside = (words[:, 1:] != start).all(1) & (words[:, :-1] != boundary).all(1)
        check(inside, "<s> must be a first word and </s> a last one")
        words = np.where(words == start, boundary, words)
    contexts = words[:, 0]
    for word, table in zip(words[:, 1:-1].T, model.tables_[1:], strict=True):
        contexts = table.find(contexts * model.size + word)
    check(contexts >= 0, "the words but the last must be an n-gram of the file")
    keys = contexts * model.size + words[:, -1]
    order = np.argsort(keys, kind="stable")
    good = np.ones(len(keys), bool)
    good[order[1:]] = np.diff(keys[order]) > 0
    check(good, "each n-gram must stand once in the file")
    return NGramTable(keys[order], section.log_probs[order], section.backoffs[order])


def _symbols(
    lines: _Lines, ids: dict[bytes, int], first: int, model: NGramModel
) -> tuple[str, ...]:
    """The words as they were before they were written, without ``<s>``."""
    words = []
    for line, word in enumerate(ids, start=first):
        try:
            words.append(word.decode())
        except UnicodeDecodeError:
            lines.refuse("the words of the file must be UTF-8", line)
    if model.boundary is not None:
        words.remove("<s>")
    return tuple(_ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), s) for s in words)
