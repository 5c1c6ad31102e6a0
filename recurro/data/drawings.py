"""Drawn pictures of one thing or two, and what there is to say of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurro.data.captioned import Captioned
from recurro.errors import ArgumentError

__all__ = ["COLOURS", "KINDS", "SIZES", "WITHHELD", "draw_scenes"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (60, 90, 230),
    "yellow": (230, 210, 50),
    "purple": (170, 60, 200),
    "white": (235, 235, 235),
}
"""The colours, as red, green and blue of 255."""

KINDS = ("circle", "square", "triangle", "cross", "ring")
"""What is drawn."""

SIZES = {"small": 3, "large": 6}
"""How far a thing reaches from its middle, in pixels."""

WITHHELD = frozenset(
    (colour, KINDS[number % len(KINDS)]) for number, colour in enumerate(COLOURS)
)
"""Colours and kinds that never come together in training, one of each colour."""

_SIDE = 32
_PLACES = {
    "at the top left": (8, 8),
    "at the top right": (8, 23),
    "in the middle": (16, 16),
    "at the bottom left": (23, 8),
    "at the bottom right": (23, 23),
}
_JITTER = 1
_NOISE = 6.0
"""The deviation of the noise of each number."""
_SHADE = 0.12
"""By which share a thing may be darker or lighter."""
_AWRY = 3
"""How far two things may be out of line, in pixels."""


@dataclass(frozen=True)
class _Thing:
    """What is drawn of a kind, in a colour and a size."""

    size: str
    colour: str
    kind: str

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.kind}"


def draw_scenes(count: int, *, unseen: bool = False, seed: int = 0) -> Captioned:
    """Draw pictures of one thing or two, and describe each.

    Of one thing its place is said: ``a small red ring at the top left``; of two how
    the first stands to the other, in the order of reading: ``a large blue cross above a
    small red ring``, ``a small red ring left of a large blue cross``. A third of the
    pictures, drawn at random, show one. The ground is dark, colours vary a little, and
    there is noise.

    Args:
        count: Pictures, at least 1.
        unseen: Whether each picture shows a thing whose colour and kind are
            ``WITHHELD``; if not, none does.
        seed: Of all that is random; the same gives the same pictures.

    Raises:
        ArgumentError: If there is to be no picture.

    Example:
        >>> scenes = draw_scenes(2)
        >>> scenes.items[0].shape, scenes.captions[1][0]
        ((32, 32, 3), 'a small yellow triangle at the top left')
    """
    if count < 1:
        raise ArgumentError(f"draw_scenes: count must be at least 1, got {count}.")
    draw = np.random.default_rng(seed)
    scenes = [_scene(draw, unseen) for _ in range(count)]
    names = tuple(f"{number:05d}.png" for number in range(count))
    return Captioned(
        [picture for picture, _ in scenes], tuple((said,) for _, said in scenes), names
    )


def _scene(draw: np.random.Generator, unseen: bool) -> tuple[np.ndarray, str]:
    """A picture ``(32, 32, 3)``, uint8, and its description."""
    things = [_thing(draw, withheld=unseen)]
    if draw.random() < 2 / 3:
        things.append(_thing(draw, withheld=unseen and draw.random() < 0.3))
        things = [things[place] for place in draw.permutation(2)]
    if len(things) == 1:
        place = str(draw.choice(list(_PLACES)))
        middles = [_PLACES[place] + draw.integers(-_JITTER, _JITTER, 2, endpoint=True)]
        caption = f"{things[0]} {place}"
    else:
        across = bool(draw.integers(2))
        middles = _pair(draw, things, across)
        caption = f"{things[0]} {'left of' if across else 'above'} {things[1]}"
    picture = np.full((_SIDE, _SIDE, 3), draw.uniform(10, 60))
    for thing, middle in zip(things, middles, strict=True):
        shade = 1 + draw.uniform(-_SHADE, _SHADE)
        picture[_mask(thing, middle)] = shade * np.array(COLOURS[thing.colour])
    picture += draw.normal(0, _NOISE, picture.shape)
    return picture.clip(0, 255).astype(np.uint8), caption


def _thing(draw: np.random.Generator, *, withheld: bool) -> _Thing:
    """Any thing whose colour and kind are withheld from training, or are not."""
    pairs = [
        (colour, kind)
        for colour in COLOURS
        for kind in KINDS
        if ((colour, kind) in WITHHELD) == withheld
    ]
    colour, kind = pairs[draw.integers(len(pairs))]
    return _Thing(str(draw.choice(list(SIZES))), colour, kind)


def _pair(
    draw: np.random.Generator, things: list[_Thing], across: bool
) -> list[np.ndarray]:
    """The middles ``(row, column)`` of two things, the first left of or above."""
    first, second = (SIZES[thing.size] for thing in things)
    least = first + second + 3  # a gap of two pixels
    start = int(draw.integers(first, _SIDE - second - least))
    end = int(draw.integers(start + least, _SIDE - second))
    line = int(draw.integers(6 + _AWRY, _SIDE - 6 - _AWRY))
    away = line + draw.integers(-_AWRY, _AWRY, 2, endpoint=True)
    middles = np.stack([np.array([start, end]), away], axis=1)
    return list(middles[:, ::-1] if across else middles)


def _mask(thing: _Thing, middle: np.ndarray) -> np.ndarray:
    """Where a thing is in a picture ``(32, 32)``."""
    reach = SIZES[thing.size]
    y, x = np.ogrid[:_SIDE, :_SIDE]
    y, x = y - middle[0], x - middle[1]
    within = np.maximum(abs(x), abs(y)) <= reach
    radius = np.hypot(x, y) / (reach + 0.3)
    masks = {
        "circle": radius <= 1,
        "square": within,
        "triangle": within & (2 * abs(x) <= y + reach),
        "cross": within & (np.minimum(abs(x), abs(y)) <= reach / 5),
        "ring": (radius <= 1) & (radius > 0.62),
    }
    return masks[thing.kind]
