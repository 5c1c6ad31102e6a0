"""Counting the symbols of a text and choosing those of a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from recurro.data.text import recut
from recurro.errors import ArgumentError, DataError, VocabularyError

CODES = 0x110000
"""How many code points Unicode has."""


def check_fit(
    name: str, size: str, min_count: int, max_size: int | None, unknown: str | None
) -> None:
    """Refuse settings of a vocabulary that are out of range or have no meaning.

    Args:
        name: The kind of symbols, what stands before the colon.
        size: What stands after the colon.
        min_count: See `Tokenizer.fit`, as the rest.
        max_size: How many symbols at most.
        unknown: What becomes of others.

    Raises:
        ArgumentError: Naming the setting.
    """
    if name not in ("char", "byte", "word", "bpe"):
        raise ArgumentError(
            f"Tokenizer.fit: kind must be char, byte, word or bpe:N, got {name!r}."
        )
    if (name == "bpe") != size.isdecimal() or (name != "bpe" and size):
        raise ArgumentError(
            f"Tokenizer.fit: kind must be char, byte, word or bpe:N with a number N, "
            f"got {name + ':' + size if size else name!r}. Write for instance bpe:2000."
        )
    if name == "bpe" and int(size) < 257:
        raise ArgumentError(
            f"Tokenizer.fit: bpe:N needs N >= 257 (256 bytes and a merge), got "
            f"{size}. Use byte for no merges."
        )
    if min_count < 1:
        raise ArgumentError(
            f"Tokenizer.fit: min_count must be an int >= 1, got {min_count}."
        )
    if max_size is not None and max_size < 2:
        raise ArgumentError(
            f"Tokenizer.fit: max_size must be an int >= 2, got {max_size}."
        )
    fixed = name in ("byte", "bpe")
    if fixed and (max_size is not None or unknown is not None):
        raise ArgumentError(
            f"Tokenizer.fit: max_size and unknown are for char and word; kind {name} "
            "knows every text. Leave them out."
        )
    if name == "byte" and min_count > 1:
        raise ArgumentError(
            "Tokenizer.fit: min_count is for char, word and bpe; there are always 256 "
            "bytes. Leave it out."
        )


def code_points(text: str) -> np.ndarray:
    """The Unicode code points of a text, uint32.

    Example:
        >>> code_points("né").tolist()
        [110, 233]
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), np.uint32)
    except UnicodeEncodeError as error:
        raise _surrogate(error) from error


def utf8(text: str) -> bytes:
    """The UTF-8 bytes of a text, or our error for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _surrogate(error) from error


def _surrogate(error: UnicodeEncodeError) -> DataError:
    return DataError(
        f"encode: a text must be whole Unicode characters, got half a surrogate pair "
        f"at character {error.start} (bytes that were no UTF-8?). Give UTF-8."
    )


def count_characters(blocks: Iterable[str]) -> Counter[str]:
    """Count each character of a text that comes in blocks."""
    counts = np.zeros(CODES, np.int64)
    for block in blocks:
        found = np.bincount(code_points(block))
        counts[: len(found)] += found
    return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)})


def count_words(blocks: Iterable[str]) -> Counter[str]:
    """Count what stands between white space in a text that comes in blocks."""
    counts: Counter[str] = Counter()
    for block in recut(blocks):
        counts.update(block.split())
    return counts


def choose_symbols(
    counts: Counter[str],
    special: Sequence[str],
    min_count: int = 1,
    max_size: int | None = None,
) -> list[str]:
    """Choose the symbols of a vocabulary, the most frequent first, ties by name.

    Args:
        counts: How often each symbol was seen.
        special: Symbols that are taken anyway; they are not chosen again, and count in
            ``max_size``.
        min_count: How often a symbol must be seen.
        max_size: How many symbols there may be, the special ones among them.

    Raises:
        VocabularyError: If fewer than two symbols are left to tell apart.

    Example:
        >>> choose_symbols(Counter("hello yellow"), (), min_count=2)
        ['l', 'e', 'o']
    """
    frequent = [s for s, n in counts.items() if n >= min_count and s not in special]
    frequent.sort(key=lambda symbol: (-counts[symbol], symbol))
    chosen = frequent if max_size is None else frequent[: max_size - len(special)]
    if len(chosen) + ("\n" in special) >= 2:
        return chosen
    if not counts:
        found = "none"
    elif len(counts) == 1:
        found = f"only {next(iter(counts))!r}"
    else:
        found = f"{len(chosen)} of {len(counts)} (min_count={min_count}"
        found += ")" if max_size is None else f", max_size={max_size})"
    raise VocabularyError(
        "Tokenizer.fit: the text must hold at least two different symbols to learn "
        f"from, got {found}. Give more text, or keep more of its symbols."
    )
