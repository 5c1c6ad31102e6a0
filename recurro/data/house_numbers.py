"""House numbers: handwritten digits placed and joined on a larger canvas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from recurro.data.split import is_test
from recurro.errors import ArgumentError
from recurro.types import Float

__all__ = ["HouseNumbers", "digit_parts", "draw_house_numbers"]

Part = Literal["train", "test"]

_SIDE = 8
_GREYS = 16.0
_NARROWEST, _WIDEST = -1, 2
"""Columns between two digits; below 0 they touch or overlap."""
_TILT = 1
"""How many rows a digit stands above or below its neighbours at most."""


@dataclass(frozen=True, eq=False)
class HouseNumbers:
    """Pictures of numbers, and the numbers.

    Attributes:
        images: ``(items, height, width)``, float32, 0 for paper and 1 for ink.
        numbers: The digits of each, from left to right.
    """

    images: Float[np.ndarray, "items height width"]
    numbers: list[str]


@cache
def digit_parts() -> dict[Part, tuple[np.ndarray, np.ndarray]]:
    """The digits of scikit-learn in two parts: of each, images and the classes.

    Images are ``(items, 8, 8)`` from 0 to 1. One is of the part ``test`` by the hash of
    its pixels (see `recurro.data.is_test`), so that equal images are of one part.

    Example:
        >>> {part: len(images) for part, (images, _) in digit_parts().items()}
        {'train': 1619, 'test': 178}

    References:
        Alpaydin and Kaynak (1998), Cascading classifiers, Kybernetika 34.
    """
    from sklearn.datasets import load_digits

    pixels, classes = map(np.asarray, load_digits(return_X_y=True))
    held = np.array([is_test(" ".join(f"{v:.0f}" for v in row)) for row in pixels])
    images = (pixels / _GREYS).reshape(-1, _SIDE, _SIDE).astype(np.float32)
    return {
        "train": (images[~held], classes[~held]),
        "test": (images[held], classes[held]),
    }


def draw_house_numbers(
    count: int,
    part: Part = "train",
    *,
    length: int | tuple[int, int] = 2,
    shape: tuple[int, int] | None = None,
    seed: int = 0,
) -> HouseNumbers:
    """Draw numbers, each of digits of one part, somewhere on an empty canvas.

    Digits stand from left to right, a little closer or farther, higher or lower than
    their neighbours; they may touch. All is drawn evenly.

    Args:
        count: How many numbers, at least 1.
        part: Which images of digits are used: ``train`` and ``test`` share none.
        length: Digits of a number, or the least and the greatest number of them.
        shape: Height and width of the canvas; if not given 16 by 8 more than the
            digits of the longest number take.
        seed: The same seed, the same pictures.

    Raises:
        ArgumentError: If the canvas is too small for the longest number, or another
            argument is out of its range.

    Example:
        >>> some = draw_house_numbers(3, length=(1, 3), seed=1)
        >>> some.images.shape, some.numbers
        ((3, 16, 32), ['53', '8', '23'])
    """
    least, most = (length, length) if isinstance(length, int) else length
    height, width = shape or (2 * _SIDE, _SIDE * most + _SIDE)
    widest = most * _SIDE + (most - 1) * _WIDEST
    if count < 1 or not 1 <= least <= most or part not in ("train", "test"):
        raise ArgumentError(
            "house numbers: count must be at least 1, length from 1 up and part train "
            f"or test, got {count}, {length} and {part!r}."
        )
    if height < _SIDE + 2 * _TILT or width < widest:
        raise ArgumentError(
            f"house numbers: {most} digits must have a canvas of {_SIDE + 2 * _TILT} by"
            f" {widest} or more, got {height} by {width}. Give a larger shape."
        )
    images, classes = digit_parts()[part]
    draw = np.random.default_rng(seed)
    canvases = np.zeros((count, height, width), np.float32)
    numbers = []
    for canvas in canvases:
        rows = draw.integers(len(images), size=draw.integers(least, most + 1))
        _place(canvas, images[rows], draw)
        numbers.append("".join(map(str, classes[rows])))
    return HouseNumbers(canvases, numbers)


def _place(canvas: np.ndarray, digits: np.ndarray, draw: np.random.Generator) -> None:
    """Put digits next to each other somewhere on a canvas."""
    height, width = canvas.shape
    steps = _SIDE + draw.integers(_NARROWEST, _WIDEST + 1, size=len(digits))
    columns = np.cumsum(steps) - steps
    left = draw.integers(width - (columns[-1] + _SIDE) + 1)
    top = draw.integers(_TILT, height - _SIDE - _TILT + 1)
    for digit, column in zip(digits, columns + left, strict=True):
        row = top + draw.integers(-_TILT, _TILT + 1)
        place = canvas[row : row + _SIDE, column : column + _SIDE]
        np.maximum(place, digit, out=place)
