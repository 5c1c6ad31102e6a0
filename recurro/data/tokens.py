r"""Tokenizers: text to ids and back, by characters, bytes, words or byte pairs.

One rule holds for all: *the end of a line is the newline*. An item that stands on a
line of its own (``lines=True``) is encoded with its newline, so ``"\n"`` is its end
symbol; a word model writes that symbol ``</s>``.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import tokenizers

from recurro.data.bpe import Merge, byte_signs, learn_merges, merger
from recurro.data.files import atomic_write
from recurro.data.text import join_items, recut
from recurro.data.vocabulary import (
    BYTE_SYMBOLS,
    CODES,
    FORMAT,
    LINE_END,
    UNKNOWN_CHARACTER,
    UNKNOWN_WORD,
    VERSION,
    check_fit,
    choose_symbols,
    code_points,
    count_characters,
    count_words,
    in_range,
    read_content,
    special_symbols,
    utf8,
    whole_characters,
)
from recurro.errors import DataError, VocabularyError

Unknown: TypeAlias = Literal["error", "replace", "drop"]
"""What becomes of a symbol outside the vocabulary."""

Encoded: TypeAlias = tuple[np.ndarray, int]
"""Ids (int64), and how many characters they stand for."""

_PART = 4096
"""Characters that the library of byte pairs gets at a time."""


@dataclass(frozen=True)
class Tokenizer(ABC):
    r"""A vocabulary, and the rule that cuts a text into its symbols.

    Attributes:
        symbols: The symbols in the order of their ids.
        lines: Whether the texts are items that stand one on a line.
        unknown: What becomes of a symbol outside the vocabulary: an ``"error"``, or
            ``"replace"`` it by the unknown symbol, or ``"drop"`` it.

    Example:
        >>> tokenizer = Tokenizer.fit(["hello"], "char")
        >>> tokenizer.symbols
        ('e', 'h', 'l', 'o')
        >>> tokenizer.encode("hello")
        array([1, 0, 2, 2, 3])
        >>> tokenizer.decode([1, 0, 2, 2, 3])
        'hello'
    """

    symbols: tuple[str, ...]
    lines: bool = False
    unknown: Unknown = "error"

    kind: ClassVar[str]

    @staticmethod
    def fit(
        blocks: Iterable[str],
        kind: str = "char",
        *,
        lines: bool = False,
        min_count: int = 1,
        max_size: int | None = None,
        unknown: Unknown | None = None,
    ) -> Tokenizer:
        """Learn a vocabulary from a text, read once.

        Args:
            blocks: The text in blocks of any size; with ``lines``, one item each.
            kind: ``char``, ``byte``, ``word`` (split on white space, blank lines left
                out) or ``bpe:N`` (byte pairs, N symbols).
            lines: Whether ``blocks`` are items that stand one on a line.
            min_count: How often a symbol (``bpe``: a pair) must be seen to be taken.
            max_size: At most so many symbols in all, the most frequent (``char`` and
                ``word``).
            unknown: What becomes of other symbols (``char`` and ``word``). By default
                they are replaced if the kind is ``word`` or if symbols were left out,
                and are an error otherwise.

        Returns:
            The tokenizer; its `encode` reads the same text.

        Raises:
            ArgumentError: If an argument is out of its range or has no meaning for the
                kind.
            VocabularyError: If fewer than two symbols are found.
        """
        if isinstance(blocks, str):
            blocks = [blocks]
        name, _, size = kind.partition(":")
        check_fit(name, size, min_count, max_size, unknown)
        if lines:
            blocks = join_items(blocks)
        if name == "byte":
            return ByteTokenizer(BYTE_SYMBOLS, lines)
        if name == "bpe":
            symbols, merges = learn_merges(recut(blocks), int(size), min_count)
            return BpeTokenizer(tuple(symbols), lines, merges=tuple(merges))
        count = count_characters if name == "char" else count_words
        counts = count(blocks)
        if unknown is None:
            cut = name == "word" or min_count > 1 or max_size is not None
            unknown = "replace" if cut else "error"
        special = special_symbols(name, lines, unknown)
        chosen = choose_symbols(counts, special, min_count, max_size)
        if name == "char":
            return CharTokenizer(tuple(sorted({*special, *chosen})), lines, unknown)
        return WordTokenizer((*special, *chosen), lines, unknown)

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return len(self.symbols)

    @property
    def unk_id(self) -> int | None:
        """The id of the unknown symbol, where there is one."""
        return None

    @property
    def eos_id(self) -> int | None:
        """The id of the end of a line, where lines are items or the kind is word."""
        return self.ids["\n"] if self.lines else None

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each symbol."""
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides what text becomes which ids."""
        content = json.dumps(self._content(), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Turn a text into ids ``(time,)``, int64.

        An item that stands on a line is encoded as ``item + newline``.

        Raises:
            VocabularyError: If a symbol is not in the vocabulary and ``unknown`` is
                ``"error"``; the message names it.
        """

    @abstractmethod
    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """Turn ids into text bit by bit: a piece as soon as its characters are whole.

        Joined, the pieces are ``decode(ids)``. An id may give an empty piece (a byte in
        the middle of a character).

        Raises:
            VocabularyError: If an id is out of range.
        """

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Turn ids into text; ``decode(encode(text))`` is the text.

        (For words: the text with white space made one space or newline. Unknown symbols
        come back as the unknown symbol, bytes that are no UTF-8 as U+FFFD.)
        """
        return "".join(
            self.pieces(ids.tolist() if isinstance(ids, np.ndarray) else ids)
        )

    def encode_blocks(self, blocks: Iterable[str]) -> Iterator[Encoded]:
        """Encode a text that comes in blocks, as if it came in one.

        Returns:
            The ids of each block, and how many characters they stand for (for words:
            their letters and one space or newline after each).
        """
        for block in blocks:
            yield self.encode(block), len(block)

    def missing(self, text: str) -> list[str]:
        """The symbols of a text that are not in the vocabulary, each once.

        Example:
            >>> Tokenizer.fit(["hello"], "char").missing("yellow")
            ['y', 'w']
        """
        return [s for s in dict.fromkeys(self._split(text)) if s not in self._known]

    @property
    def _known(self) -> Container[str]:
        """The symbols that a text may hold."""
        return self.ids

    def _split(self, text: str) -> Iterable[str]:
        """The symbols of a text, known or not; none where all text is known."""
        return ()

    def _content(self) -> dict[str, Any]:
        """What `to_json` writes."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "lines": self.lines,
            "unknown": self.unknown,
            "symbols": self.symbols,
        }

    def to_json(self) -> str:
        """Write the vocabulary as JSON, with its fingerprint.

        Example:
            >>> tokenizer = Tokenizer.fit(["to be or not"], "word")
            >>> Tokenizer.from_json(tokenizer.to_json()) == tokenizer
            True
        """
        content = self._content() | {"fingerprint": self.fingerprint}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    @staticmethod
    def from_json(text: str, name: str = "vocabulary") -> Tokenizer:
        """Read what `to_json` wrote.

        Args:
            text: The JSON text.
            name: What the messages call it, such as its path.

        Raises:
            DataError: If the text is no such vocabulary, was changed, or comes from a
                newer version.
        """
        content = read_content(text, name)
        kind = _KINDS[content["kind"]]
        more = {"merges": content["merges"]} if kind is BpeTokenizer else {}
        tokenizer = kind(
            content["symbols"], content["lines"], content["unknown"], **more
        )
        if content["fingerprint"] != tokenizer.fingerprint:
            raise DataError(
                f"vocabulary: {name} must be as it was saved, but it was changed since "
                "(its fingerprint differs). Take it from a copy, or train anew."
            )
        return tokenizer

    def save(self, path: Path | str) -> None:
        """Write the vocabulary file, whole or not at all."""
        with atomic_write(path) as file:
            file.write(self.to_json().encode())

    @staticmethod
    def load(path: Path | str) -> Tokenizer:
        """Read a vocabulary file; errors as in `from_json`."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise DataError(
                f"vocabulary: '{path}' cannot be read ({error}). Check the path."
            ) from error
        return Tokenizer.from_json(text, f"'{path}'")

    def _resolve(self, ids: np.ndarray, text: str) -> np.ndarray:
        """See to the ids that are -1, symbols outside the vocabulary."""
        known = ids >= 0
        if known.all():
            return ids
        if self.unknown == "drop":
            return ids[known]
        symbols = self.missing(text)
        shown = ", ".join(map(repr, symbols[:5])) + (", ..." if symbols[5:] else "")
        raise VocabularyError(
            f"encode: every symbol must be among the {self.size} of the vocabulary, "
            f"got {shown}. Leave such symbols out, or train with text that has them."
        )


@dataclass(frozen=True)
class CharTokenizer(Tokenizer):
    """A symbol is a character (a Unicode code point)."""

    kind: ClassVar[str] = "char"

    @property
    def unk_id(self) -> int | None:
        """The id of U+FFFD, where unknown characters are replaced."""
        return self.ids[UNKNOWN_CHARACTER] if self.unknown == "replace" else None

    @cached_property
    def _table(self) -> np.ndarray:
        """The id of every code point there is, or that of the unknown."""
        unk_id = -1 if self.unk_id is None else self.unk_id
        table = np.full(CODES, unk_id, np.int32)
        table[[ord(symbol) for symbol in self.symbols]] = np.arange(self.size)
        return table

    def encode(self, text: str) -> np.ndarray:
        """Turn a text into ids; see `Tokenizer.encode`."""
        return self._resolve(self._table[code_points(text)].astype(np.int64), text)

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """One character for each id."""
        return (self.symbols[i] for i in in_range(ids, self.size))

    def _split(self, text: str) -> Iterable[str]:
        return text


@dataclass(frozen=True)
class ByteTokenizer(Tokenizer):
    """A symbol is a byte of the UTF-8 text; there are 256."""

    kind: ClassVar[str] = "byte"

    @property
    def eos_id(self) -> int | None:
        """The newline, where lines are items."""
        return ord("\n") if self.lines else None

    def encode(self, text: str) -> np.ndarray:
        """Turn a text into ids; any text will do."""
        return np.frombuffer(utf8(text), np.uint8).astype(np.int64)

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """The characters whose last byte has come."""
        return whole_characters(bytes([i]) for i in in_range(ids, self.size))


@dataclass(frozen=True)
class WordTokenizer(Tokenizer):
    """A symbol is what stands between white space, or the end of a line."""

    kind: ClassVar[str] = "word"

    @property
    def unk_id(self) -> int | None:
        """The id of ``<unk>``, where unknown words are replaced."""
        return self.ids[UNKNOWN_WORD] if self.unknown == "replace" else None

    @property
    def eos_id(self) -> int:
        """The id of ``</s>``."""
        return self.ids[LINE_END]

    @cached_property
    def _lookup(self) -> _Lookup:
        lookup = _Lookup(self.ids)
        del lookup[LINE_END]  # such a word in the text is not the end of a line
        lookup.other = -1 if self.unk_id is None else self.unk_id
        return lookup

    def encode(self, text: str) -> np.ndarray:
        """Turn a text into ids, ``</s>`` for each newline after a word."""
        return self._encode(text, False)[0]

    def encode_blocks(self, blocks: Iterable[str]) -> Iterator[Encoded]:
        """Encode a text that comes in blocks; see `Tokenizer.encode_blocks`."""
        open_line = False
        for block in recut(blocks):
            ids, open_line = self._encode(block, open_line)
            words = block.split()
            yield ids, sum(map(len, words)) + len(words)  # +1 for what follows each

    def _encode(self, text: str, open_line: bool) -> tuple[np.ndarray, bool]:
        """The ids, and whether the last line is open: has words but no end yet."""
        ids: list[int] = []
        look, eos_id = self._lookup.__getitem__, self.eos_id
        first, *lines = text.split("\n")
        words = first.split()
        ids.extend(map(look, words))
        open_line = open_line or bool(words)
        for line in lines:
            if open_line:
                ids.append(eos_id)
            words = line.split()
            ids.extend(map(look, words))
            open_line = bool(words)
        return self._resolve(np.array(ids, np.int64), text), open_line

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """A word with the space before it, or a newline."""
        eos_id, start = self.eos_id, True
        for i in in_range(ids, self.size):
            space = "" if start else " "
            yield "\n" if i == eos_id else space + self.symbols[i]
            start = i == eos_id

    @property
    def _known(self) -> Container[str]:
        return self._lookup

    def _split(self, text: str) -> Iterable[str]:
        return text.split()


class _Lookup(dict[str, int]):
    """The id of each word, and of all others the same."""

    other = -1

    def __missing__(self, word: str) -> int:
        return self.other


@dataclass(frozen=True)
class BpeTokenizer(Tokenizer):
    """A symbol is a run of bytes, made by merging pairs; any text can be written.

    Attributes:
        merges: The pairs, in the order in which they are merged.
    """

    merges: tuple[Merge, ...] = ()

    kind: ClassVar[str] = "bpe"

    @property
    def eos_id(self) -> int | None:
        """The newline, where lines are items; it is never merged."""
        return self.ids["Ċ"] if self.lines else None

    @cached_property
    def _merger(self) -> tokenizers.Tokenizer:
        return merger(self.symbols, self.merges)

    @cached_property
    def _bytes(self) -> list[bytes]:
        """What each symbol stands for."""
        signs = byte_signs()
        return [bytes(map(signs.__getitem__, symbol)) for symbol in self.symbols]

    def encode(self, text: str) -> np.ndarray:
        """Turn a text into ids; any text will do."""
        utf8(text)
        # In parts, cut where no word is, as the library takes its time over long texts.
        slices = (text[i : i + _PART] for i in range(0, len(text), _PART))
        parts = self._merger.encode_batch_fast(list(recut(slices)))
        return np.array([i for part in parts for i in part.ids], np.int64)

    def encode_blocks(self, blocks: Iterable[str]) -> Iterator[Encoded]:
        """Encode a text that comes in blocks; see `Tokenizer.encode_blocks`."""
        return super().encode_blocks(recut(blocks))

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """The characters whose last byte has come."""
        known = self._bytes
        return whole_characters(known[i] for i in in_range(ids, self.size))

    def _content(self) -> dict[str, Any]:
        return super()._content() | {"merges": self.merges}


_KINDS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "byte": ByteTokenizer,
    "word": WordTokenizer,
    "bpe": BpeTokenizer,
}
