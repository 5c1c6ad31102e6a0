"""Lists of readings and what they come to: texts to be summed up, made by a rule."""

from __future__ import annotations

import numpy as np

from recurro.data.parallel import TextPairs
from recurro.errors import ArgumentError

__all__ = ["draw_summaries", "in_words"]

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *("seventeen", "eighteen", "nineteen"),
)
_TENS = (
    *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
)


def in_words(number: int) -> str:
    """A number from 0 to 99 in words.

    Raises:
        ArgumentError: If it is another number.

    Example:
        >>> in_words(7), in_words(40), in_words(93)
        ('seven', 'forty', 'ninety three')
    """
    if not 0 <= number <= 99:
        raise ArgumentError(f"in_words: number must be in 0 to 99, got {number}.")
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return " ".join([_TENS[tens - 2], *([_ONES[ones]] if ones else [])])


def draw_summaries(
    count: int, *, least: int = 3, most: int = 8, seed: int = 0
) -> TextPairs:
    """Draw lists of readings, each with its two extreme ones in words.

    Readings are numbers from 0 to 99, no two of a list alike.

    Args:
        count: How many lists, at least 1.
        least: Readings in a list at least, 2 or more.
        most: Readings in a list at most, up to 100.
        seed: The same gives the same lists.

    Raises:
        ArgumentError: If an argument is out of its range.

    Example:
        >>> drawn = draw_summaries(1, seed=4)
        >>> drawn.sources[0], drawn.targets[0]
        ('88 49 96 95 83 8 91', 'from eight to ninety six')
    """
    if count < 1 or not 2 <= least <= most <= 100:
        raise ArgumentError(
            "draw_summaries: count must be at least 1, and 2 <= least <= most <= 100, "
            f"got {count}, {least} and {most}."
        )
    draw = np.random.default_rng(seed)
    sources, targets = [], []
    for _ in range(count):
        size = int(draw.integers(least, most + 1))
        readings = draw.choice(100, size, replace=False).tolist()
        sources.append(" ".join(map(str, readings)))
        ends = in_words(min(readings)), in_words(max(readings))
        targets.append("from {} to {}".format(*ends))
    return TextPairs(tuple(sources), tuple(targets))
