"""Vocabularies: counting and choosing symbols, checking a saved one, plain bytes."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from recurro.data.bpe import byte_signs, merger
from recurro.data.text import recut
from recurro.errors import ArgumentError, DataError, VocabularyError

CODES = 0x110000
"""How many code points Unicode has."""

BYTE_SYMBOLS = tuple(
    chr(byte) if 32 < byte < 127 else f"<0x{byte:02X}>" for byte in range(256)
)
"""What each byte is called."""

UNKNOWN_CHARACTER = "\ufffd"
UNKNOWN_WORD = "<unk>"
LINE_END = "</s>"

FORMAT = "recurro-vocabulary"
VERSION = 1


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


def special_symbols(name: str, lines: bool, unknown: str | None) -> list[str]:
    """The symbols that a vocabulary has whatever the text."""
    if name == "char":
        return ["\n"] * lines + [UNKNOWN_CHARACTER] * (unknown == "replace")
    return [UNKNOWN_WORD] * (unknown == "replace") + [LINE_END]


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
        utf8(block)
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
        "vocabulary: the text must hold at least two different symbols to learn "
        f"from, got {found}. Give more text, or keep more of its symbols."
    )


def in_range(ids: Iterable[int], size: int) -> Iterator[int]:
    """Pass ids on; one that is no symbol's is an error."""
    for i in ids:
        if not 0 <= i < size:
            raise VocabularyError(
                f"decode: ids must be in [0, {size}), got {i}. Use the vocabulary that "
                "they were made with."
            )
        yield i


def whole_characters(chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode UTF-8 that comes in parts; what is no UTF-8 becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def read_content(text: str, name: str) -> dict[str, Any]:
    """Read a saved vocabulary and check its parts, but for its fingerprint.

    Args:
        text: The JSON text that `Tokenizer.to_json` wrote.
        name: What the messages call it.

    Returns:
        The JSON object, its lists turned into tuples.

    Raises:
        DataError: If it is something else, of a newer version, or damaged.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"vocabulary: {name} must be JSON, got something else ({error}). Take the "
            "file that was saved with the model."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(
            f"vocabulary: {name} must be a vocabulary of recurro, got other JSON. Take "
            "the file that was saved with the model."
        )
    if content.get("version") != VERSION:
        raise DataError(
            f"vocabulary: {name} must have version {VERSION}, got "
            f"{content.get('version')!r}. Use the version of recurro that wrote it."
        )
    if wrong := _wrong_part(content):
        raise DataError(
            f"vocabulary: {name} must be as it was saved, but its part {wrong!r} is "
            "damaged. Take it from a copy, or train anew."
        )
    content["symbols"] = tuple(content["symbols"])
    if content["kind"] == "bpe":
        content["merges"] = tuple(map(tuple, content["merges"]))
        merger(content["symbols"], content["merges"])
    return content


def _wrong_part(content: dict[str, Any]) -> str | None:
    """The name of a part that is missing or has a wrong value."""
    kind, symbols = content.get("kind"), content.get("symbols")
    merges = content.get("merges") if kind == "bpe" else []
    checks = {
        "kind": kind in ("char", "byte", "word", "bpe"),
        "lines": isinstance(content.get("lines"), bool),
        "unknown": content.get("unknown") in ("error", "replace", "drop"),
        "fingerprint": isinstance(content.get("fingerprint"), str),
        "symbols": _may_be_symbols(symbols, content),
        "merges": isinstance(merges, list) and all(_is_merge(m) for m in merges),
    }
    return next((name for name, right in checks.items() if not right), None)


def _may_be_symbols(symbols: object, content: dict[str, Any]) -> bool:
    """Whether a JSON value can be the symbols of this kind of vocabulary."""
    kind, lines, unknown = (content.get(name) for name in ("kind", "lines", "unknown"))
    if not (isinstance(symbols, list) and all(isinstance(s, str) for s in symbols)):
        return False
    if len(set(symbols)) < max(2, len(symbols)):
        return False
    if kind == "byte":
        return symbols == list(BYTE_SYMBOLS)
    if kind == "bpe":
        signs = byte_signs().keys()
        return signs <= set(symbols) and set("".join(symbols)) <= signs
    if kind == "char" and any(len(symbol) != 1 for symbol in symbols):
        return False
    special = special_symbols(str(kind), lines is True, str(unknown))
    return set(special) <= set(symbols)


def _is_merge(merge: object) -> bool:
    """Whether a JSON value is a pair of strings."""
    return (
        isinstance(merge, list)
        and len(merge) == 2
        and all(isinstance(part, str) for part in merge)
    )
