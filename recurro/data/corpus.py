"""Token ids on disk: written in one pass over a text, read through a memory map."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.files import atomic_write
from recurro.data.text import join_items
from recurro.data.tokens import Encoded, Tokenizer
from recurro.errors import DataError

_FORMAT = "recurro-corpus"
_VERSION = 1
_HEADER = 512
"""Bytes before the first id: a JSON object, filled up with spaces."""

_DTYPES = ("uint8", "uint16", "uint32")


@dataclass(frozen=True, eq=False)
class Corpus:
    r"""The token ids of a text, in memory or on disk.

    Where lines end (items, and word models), the ids start with one line end, so that
    the first token of the text has something before it. Every token but the first is
    then a target, whatever the kind.

    Attributes:
        ids: The ids ``(tokens,)``, in the smallest of uint8, uint16 and uint32 that
            holds the vocabulary. Turn them into int64 before you reckon with them.
        size: How many symbols the vocabulary has.
        characters: How many Unicode characters the targets stand for.
        eos_id: The id that ends a line, or ``None``.

    Example:
        >>> tokenizer = Tokenizer.fit(["to be", "or"], "char", lines=True)
        >>> corpus = build_corpus(["to be", "or"], tokenizer)
        >>> [tokenizer.decode(corpus.line(i)) for i in range(len(corpus.starts) - 1)]
        ['to be\n', 'or\n']
        >>> corpus.targets, corpus.characters
        (9, 9)
    """

    ids: np.ndarray
    size: int
    characters: int
    eos_id: int | None = None

    @property
    def targets(self) -> int:
        """How many tokens are to be predicted: all but the first."""
        return len(self.ids) - 1

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each line starts, and the end of the last: ``(lines + 1,)``, int64.

        Raises:
            DataError: If the text is running text without line ends.
        """
        if self.eos_id is None:
            raise DataError(
                "Corpus.starts: the corpus must consist of lines, got running text. "
                "Fit the tokenizer with lines=True."
            )
        step = 1 << 24  # not the whole file at once
        parts = [
            np.flatnonzero(self.ids[i : i + step] == self.eos_id) + (i + 1)
            for i in range(0, len(self.ids), step)
        ]
        return np.concatenate(parts)

    def line(self, number: int) -> np.ndarray:
        """The ids of one line, its end included."""
        return self.ids[self.starts[number] : self.starts[number + 1]]

    @staticmethod
    def open(
        path: Path | str, tokenizer: Tokenizer | None = None, *, verify: bool = True
    ) -> Corpus:
        """Open a corpus file through a memory map.

        Args:
            path: A file that `build_corpus` wrote.
            tokenizer: The tokenizer it must have been made with.
            verify: Whether to read the whole file once and compare its checksum.

        Raises:
            DataError: If the file is missing, truncated, changed, of a newer version or
                made with another vocabulary.
        """
        path = Path(path)
        header = _read_header(path)
        if tokenizer is not None and header.get("fingerprint") != tokenizer.fingerprint:
            raise DataError(
                f"Corpus.open: '{path}' was made with another vocabulary than this "
                "one. Build it anew, or open the vocabulary saved with it."
            )
        ids = np.memmap(path, header["dtype"], "r", _HEADER, (header["tokens"],))
        if verify and _seal(header, _checksum(ids)) != header["checksum"]:
            raise DataError(
                f"Corpus.open: '{path}' must be as it was written, but it was changed "
                "since (its checksum differs). Build it anew."
            )
        return Corpus(ids, header["size"], header["characters"], header.get("eos_id"))


def build_corpus(
    blocks: Iterable[str], tokenizer: Tokenizer, path: Path | str | None = None
) -> Corpus:
    """Turn a text into token ids, in one pass.

    Args:
        blocks: The text in blocks; for a tokenizer of lines, one item each.
        tokenizer: What cuts the text.
        path: The file to write (whole or not at all), or ``None`` to stay in memory.

    Returns:
        The corpus, memory-mapped if there is a path.

    Raises:
        DataError: If the text has fewer than two tokens, or the file cannot be written.
        VocabularyError: If a symbol is not in the vocabulary.
    """
    encoded = _encode(blocks, tokenizer)
    dtype = np.dtype(_DTYPES[(tokenizer.size > 1 << 8) + (tokenizer.size > 1 << 16)])
    if path is None:
        parts = [(ids.astype(dtype), characters) for ids, characters in encoded]
        ids = np.concatenate([np.empty(0, dtype), *(part for part, _ in parts)])
        count = _check(len(ids), sum(count for _, count in parts), ids[:1], tokenizer)
        return Corpus(ids, tokenizer.size, count, tokenizer.eos_id)
    with atomic_write(path) as file:
        file.write(b" " * _HEADER)
        tokens = characters = checksum = 0
        first = np.empty(0, dtype)
        for block, count in encoded:
            ids = block.astype(dtype)
            file.write(ids.data)
            first = first if len(first) else ids[:1]
            tokens, characters = tokens + len(ids), characters + count
            checksum = zlib.crc32(ids.data, checksum)
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "dtype": dtype.name,
            "tokens": tokens,
            "characters": _check(tokens, characters, first, tokenizer),
            "size": tokenizer.size,
            "eos_id": tokenizer.eos_id,
            "fingerprint": tokenizer.fingerprint,
        }
        header["checksum"] = _seal(header, checksum)
        file.seek(0)
        file.write(json.dumps(header).encode())
    return Corpus.open(path, tokenizer, verify=False)


def _encode(blocks: Iterable[str], tokenizer: Tokenizer) -> Iterator[Encoded]:
    """The ids of a whole corpus in blocks, its line ends seen to."""
    if isinstance(blocks, str):
        blocks = [blocks]
    if tokenizer.lines:
        blocks = join_items(blocks)
    eos_id = tokenizer.eos_id
    if eos_id is None:
        yield from tokenizer.encode_blocks(blocks)
        return
    end = np.array([eos_id])
    last = end
    for ids, characters in chain([(end, 0)], tokenizer.encode_blocks(blocks)):
        last = ids[-1:] if len(ids) else last
        yield ids, characters
    if last[0] != eos_id:  # the text stops in the middle of a line
        yield end, 0


def _check(
    tokens: int, characters: int, first: np.ndarray, tokenizer: Tokenizer
) -> int:
    """The characters of all targets, if there is any target."""
    if tokens < 2:
        raise DataError(
            f"build_corpus: the text must have at least two tokens, one to read and "
            f"one to predict, got {tokens}. Give more text."
        )
    if tokenizer.eos_id is not None:
        return characters
    return characters - len(tokenizer.decode(first))  # the first is no target


def _read_header(path: Path) -> dict[str, Any]:
    """The checked header of a corpus file."""
    try:
        with path.open("rb") as file:
            text = file.read(_HEADER)
            length = file.seek(0, 2)
    except OSError as error:
        raise DataError(
            f"Corpus.open: '{path}' cannot be read: {error.strerror or error}. Check "
            "the path."
        ) from error
    try:
        header = json.loads(text)
        if header["format"] != _FORMAT:
            raise ValueError("format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"Corpus.open: '{path}' must be a corpus of recurro, it is not or its "
            "start is damaged. Build it anew."
        ) from error
    if header.get("version") != _VERSION:
        raise DataError(
            f"Corpus.open: '{path}' must have version {_VERSION}, got "
            f"{header.get('version')!r}. Build it anew."
        )
    numbers = ("tokens", "characters", "size", "checksum")
    whole = all(type(header.get(name)) is int for name in numbers)
    if not whole or header.get("dtype") not in _DTYPES or header["tokens"] < 2:
        raise DataError(
            f"Corpus.open: the header of '{path}' is damaged. Build it anew."
        )
    expected = _HEADER + header["tokens"] * np.dtype(header["dtype"]).itemsize
    if length != expected:
        raise DataError(
            f"Corpus.open: '{path}' must have {expected} bytes, got {length}: it was "
            "cut off or added to. Build it anew."
        )
    return header


def _seal(header: dict[str, Any], checksum: int) -> int:
    """The checksum of the ids, carried on over the rest of the header."""
    rest = {name: value for name, value in header.items() if name != "checksum"}
    return zlib.crc32(json.dumps(rest, sort_keys=True).encode(), checksum)


def _checksum(ids: np.ndarray) -> int:
    """The CRC-32 of all ids, read part by part."""
    checksum, step = 0, 1 << 24
    for i in range(0, len(ids), step):
        checksum = zlib.crc32(np.ascontiguousarray(ids[i : i + step]).data, checksum)
    return checksum
