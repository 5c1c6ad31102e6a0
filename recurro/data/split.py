"""Which part of the data is held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from recurro.errors import ArgumentError


def is_test(text: str) -> bool:
    """Whether an item is held out: its MD5, as an integer, is divisible by 10.

    Equal items are never on both sides, and the split needs no seed and no file.

    Args:
        text: The item; its UTF-8 bytes are hashed.

    Example:
        >>> [number for number in range(50) if is_test(str(number))]
        [0, 4, 11, 36]
    """
    return hash_digit(text) == 0


def hash_digit(text: str) -> int:
    """The last decimal digit of an item's MD5 as an integer: a tenth of all items each.

    Args:
        text: The item; its UTF-8 bytes are hashed.

    Example:
        >>> [hash_digit(str(number)) for number in range(5)]
        [0, 1, 2, 3, 0]
    """
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return int(digest.hexdigest(), 16) % 10


def hash_split(items: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split items into those to train on and those held out, both in order.

    Example:
        >>> train, test = hash_split(map(str, range(1000)))
        >>> len(train), len(test)
        (895, 105)
    """
    parts: tuple[list[str], list[str]] = ([], [])
    for item in items:
        parts[is_test(item)].append(item)
    return parts


def tail_start(count: int, fraction: float) -> int:
    """Where the held-out tail of a running text starts.

    Args:
        count: How many characters, lines or tokens there are.
        fraction: The share of the tail, in [0, 1).

    Returns:
        The whole part of (1 - fraction) count.

    Example:
        >>> tail_start(1_115_394, 0.05)
        1059624
    """
    if not 0 <= fraction < 1:
        raise ArgumentError(
            f"tail_start: fraction must be in [0, 1), got {fraction}. Hold out less."
        )
    return int(round((1 - fraction) * count, 6))  # (1 - 0.9) * 10 is 1, not 0.999...
