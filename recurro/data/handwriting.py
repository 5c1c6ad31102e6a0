"""Lines of text as a hand might write them: a font of single lines, and jitter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from recurro.data.strokes import Drawings, drawing_of
from recurro.data.svg_path import path_lines, thin
from recurro.errors import ArgumentError, DataError

__all__ = ["SYMBOLS", "Hand", "draw_lines", "write_text"]

_GLYPHS = {
    "a": "M8-8C6-11 0-10 0-4.5C0 1 6 1 8-3M8-10L8-2C8 0 9 0 10-1",
    "b": "M0-16L0 0M0-7C2-11 8-11 8-5C8 1 2 1 0-3",
    "c": "M8-8C6-11 0-11 0-5C0 1 6 1 8-2",
    "d": "M8-8C6-11 0-10 0-4.5C0 1 6 1 8-3M8-16L8 0",
    "e": "M0-5L8-5C8-11 0-12 0-5C0 1 6 1 8-2",
    "f": "M7-14C5-17 3-16 3-12L3 0M0-9L6-9",
    "g": "M8-8C6-11 0-10 0-5C0 0 6 0 8-3M8-10L8 2C8 6 2 7 0 4",
    "h": "M0-16L0 0M0-6C2-11 7-11 7-6L7 0",
    "i": "M1-10L1 0M1-14L1-13",
    "j": "M4-10L4 2C4 6 1 6 0 4M4-14L4-13",
    "k": "M0-16L0 0M7-10L0-4L7 0",
    "l": "M1-16L1-2C1 0 2 0 3-1",
    "m": "M0-10L0 0M0-6C1-11 5-11 5-6L5 0M5-6C6-11 10-11 10-6L10 0",
    "n": "M0-10L0 0M0-6C2-11 7-11 7-6L7 0",
    "o": "M4-10C-1.3-10-1.3 0 4 0C9.3 0 9.3-10 4-10",
    "p": "M0-10L0 6M0-7C2-11 8-11 8-5C8 1 2 1 0-3",
    "q": "M8-8C6-11 0-10 0-5C0 1 6 1 8-3M8-10L8 6L10 4",
    "r": "M0-10L0 0M0-6C1-9 3-11 6-9",
    "s": "M7-8C5-11 0-10 1-7C2-4 8-6 7-2C6 1 1 0 0-2",
    "t": "M3-14L3-2C3 0 5 0 7-1M0-10L6-10",
    "u": "M0-10L0-4C0 1 5 1 7-4M7-10L7 0",
    "v": "M0-10L4 0L8-10",
    "w": "M0-10L3 0L6-8L9 0L12-10",
    "x": "M0-10L8 0M8-10L0 0",
    "y": "M0-10L4-1M8-10L3 2C2 5 1 6-1 5",
    "z": "M0-10L7-10L0 0L7 0",
    "0": "M4-15C-1-15-1 0 4 0C9 0 9-15 4-15M6-12L2-3",
    "1": "M0-12L4-15L4 0",
    "2": "M0-11C1-16 8-16 7-10C6-6 2-3 0 0L8 0",
    "3": "M0-13C3-17 9-14 7-10C6-8 4-8 3-8C9-8 9 0 4 0C2 0 1-1 0-2",
    "4": "M6 0L6-15L0-5L8-5",
    "5": "M7-15L1-15L0-8C4-11 8-9 8-5C8 0 3 1 0-2",
    "6": "M7-14C2-15 0-9 0-4C0 1 8 1 8-4C8-9 1-9 0-4",
    "7": "M0-15L8-15L3 0M2-7L7-7",
    "8": "M4-8C-1-9 0-15 4-15C8-15 9-9 4-8C-2-7-1 0 4 0C9 0 10-7 4-8",
    "9": "M8-11C8-16 0-16 0-11C0-6 8-6 8-11L7 0",
    ".": "M0-1L1 0",
    ",": "M1-1L0 3",
    "!": "M1-15L1-4M0-1L1 0",
    "?": "M0-12C0-16 8-16 7-11C6-8 4-8 4-4M3-1L4 0",
    "-": "M0-6L6-6",
    "'": "M1-16L0-12",
}
"""The paths of the symbols: 0 is the base line, -10 the height of an x, 6 the depth of
a p."""

SYMBOLS = " " + "".join(_GLYPHS)
"""What can be written."""

_FINE = 0.3
"""How far off a place of a curve may lie that is left out."""

_GAP = 3.5
"""Between two symbols."""

_SPACE = 7.0
"""Of a space, beside the gap."""


@dataclass(frozen=True)
class Hand:
    """How a line is written: each is drawn by chance, in these bounds.

    Attributes:
        slant: Deviation of how far a line leans, as the tangent of its angle.
        size: Deviation of the logarithm of its size.
        drift: Deviation of its rise.
        shift: Deviation of the place of each symbol, in tenths of an x's height.
        wobble: Deviation of each point, likewise.

    Example:
        >>> neat = Hand(0, 0, 0, 0, 0)
        >>> write_text("v", np.random.default_rng(0), neat).tolist()
        [[4.0, 10.0, 0.0], [4.0, -10.0, 1.0]]
    """

    slant: float = 0.15
    size: float = 0.12
    drift: float = 0.02
    shift: float = 0.5
    wobble: float = 0.3


def write_text(
    text: str, generator: np.random.Generator, hand: Hand | None = None
) -> np.ndarray:
    """Write a text by hand.

    Args:
        text: Letters a to z, digits, spaces and ``.,!?-'``.
        generator: Where the jitter is drawn from.
        hand: How much there is of it.

    Returns:
        The drawing ``(points, 3)``; see ``as_drawing``.

    Raises:
        DataError: If a symbol is not in the font, or nothing is written.
    """
    hand = hand or Hand()
    if unknown := sorted(set(text) - set(SYMBOLS)):
        raise DataError(
            f"write_text: symbols must be a to z, 0 to 9, space and .,!?-', got "
            f"{', '.join(map(repr, unknown[:5]))} in {text[:40]!r}. Write it in these."
        )
    if not text.strip():
        raise DataError(f"write_text: must have something to write, got {text!r}.")
    slant, size, rise = generator.normal(0, [hand.slant, hand.size, hand.drift])
    lean = np.array([[1, rise], [-slant, 1]]) * np.exp(size)
    lines, x = [], 0.0
    for symbol in text:
        if symbol == " ":
            x += _SPACE
            continue
        off = generator.normal([x, 0], hand.shift)
        for line in _glyph(symbol):
            wobble = generator.normal(0, hand.wobble, line.shape)
            lines.append((line + off + wobble) @ lean)
        x += _width(symbol) + _GAP
    return drawing_of(lines)


@cache
def _glyph(symbol: str) -> tuple[np.ndarray, ...]:
    """The lines of a symbol, each ``(places, 2)``."""
    return tuple(thin(line, _FINE) for line in path_lines(_GLYPHS[symbol]))


@cache
def _width(symbol: str) -> float:
    return float(max(line[:, 0].max() for line in _glyph(symbol)))


def draw_lines(
    count: int, seed: int = 0, *, words: int = 2, hand: Hand | None = None
) -> Drawings:
    """Make lines of random words, and write them.

    A word is one to six letters, all alike likely; one in eight is a number, one in
    eight ends with a mark. So a text tells nothing of what stands next in it.

    Args:
        count: How many lines, at least 1.
        seed: The same seed, the same lines.
        words: Words of a line at most, at least 1.
        hand: How they are written.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> lines = draw_lines(2, seed=1)
        >>> lines.texts
        ['yadvy', 'lhvgkq']
    """
    if min(count, words) < 1:
        raise ArgumentError(
            f"draw_lines: count and words must be at least 1, got {count} and {words}."
        )
    draw = np.random.default_rng(seed)
    texts = [
        " ".join(_word(draw) for _ in range(draw.integers(1, words + 1)))
        for _ in range(count)
    ]
    return Drawings([write_text(text, draw, hand) for text in texts], texts)


def _word(draw: np.random.Generator) -> str:
    kind, length = draw.integers(8), int(draw.integers(1, 7))
    known = "0123456789" if kind == 0 else "abcdefghijklmnopqrstuvwxyz"
    end = str(draw.choice(list(".,!?-'"))) if kind == 1 else ""
    return "".join(draw.choice(list(known), length)) + end
