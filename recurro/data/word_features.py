"""What can be counted at each step of a text: a symbol, a pair of them, pieces."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

import numpy as np

__all__ = ["FEATURES", "PIECES", "character_features", "word_features"]

FEATURES = 1 << 18
"""How many features are told apart; more share the same by chance."""

PIECES = 30
"""Pieces of a word that count, its first ones."""

_LENGTHS = (3, 4, 5)


def word_features(words: Iterable[str]) -> np.ndarray:
    """The features of each word ``(words, 2 + PIECES)``, int64, in [1, FEATURES].

    The word; the pair of it and the one before; the pieces of 3 to 5 characters of
    *<word>*, its ends marked. 0 stands where there is no further piece. A feature is
    known by its CRC-32, so no vocabulary is needed and an unseen word still has pieces
    that were seen.

    Args:
        words: The words of a text, in order.

    Example:
        >>> (word_features(["fun", "unfun"]) > 0).sum(1).tolist()
        [8, 14]

    References:
        Bojanowski et al. (2017), arXiv 1607.04606, section 3.2 (pieces).
    """
    rows, before = [], ""
    for word in words:
        rows.append(
            [_feature(f"w{word}"), _feature(f"p{before} {word}"), *_pieces(word)]
        )
        before = word
    return np.array(rows, np.int64).reshape(len(rows), 2 + PIECES)


def character_features(text: str) -> np.ndarray:
    """The features of each character and of the end ``(characters + 1, 5)``, int64.

    The character, the pair of it and the one before, and the pieces of 3 to 5
    characters of *<text>* that end with it; else as `word_features`.

    Args:
        text: The text.

    Example:
        >>> (character_features("Ek") > 0).sum(1).tolist()
        [2, 3, 4]
    """
    marked = f"<{text}>"
    rows = [
        [
            _feature(marked[end - length : end]) if length <= end else 0
            for length in (1, 2, *_LENGTHS)
        ]
        for end in range(2, len(marked) + 1)
    ]
    return np.array(rows, np.int64)


@lru_cache(maxsize=1 << 16)
def _pieces(word: str) -> tuple[int, ...]:
    """The features of the pieces of a word, filled up with 0."""
    marked = f"<{word}>"
    found = [
        _feature(f"c{marked[start : start + length]}")
        for length in _LENGTHS
        for start in range(len(marked) - length + 1)
    ][:PIECES]
    return (*found, *[0] * (PIECES - len(found)))


def _feature(name: str) -> int:
    return 1 + crc32(name.encode("utf-8", "surrogatepass")) % FEATURES
