"""Moving things that are out of sight for a while: what memory is for.

Both makers draw from a seed alone, so that equal arguments give equal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["SHAPES", "Occluded", "moving_shapes", "moving_targets"]

SHAPES: dict[str, tuple[str, ...]] = {
    "cross": ("#...#", ".#.#.", "..#..", ".#.#.", "#...#"),
    "plus": ("..#..", "..#..", "#####", "..#..", "..#.."),
    "square": ("#####", "#...#", "#...#", "#...#", "#####"),
}
"""The shapes that move, by name."""

_SIDE = 5
_NOISE = 0.05
_WALL = 0.5
"""How bright the wall is; a shape is 1, the rest 0."""


@dataclass(frozen=True, eq=False)
class Occluded:
    """Sequences with a label for each step, and what cannot be seen of them.

    Attributes:
        items: What is seen, each ``(time, ...)``, float32.
        labels: The label of each step of each.
        hidden: Whether the target is wholly out of sight, at each step of each.
    """

    items: list[np.ndarray]
    labels: list[list[Any]]
    hidden: list[np.ndarray]


def moving_targets(
    count: int, *, steps: int = 40, cells: int = 12, longest: int = 10, seed: int = 0
) -> Occluded:
    """A target that runs to and fro over a row of cells, out of sight for a while.

    At each step a sensor on each cell gives noise, and 1 more where the target is; from
    some step on, for a third of ``longest`` to ``longest`` steps, noise alone. The
    label is the number of the cell.

    Args:
        count: Sequences, at least 1.
        steps: Steps of each, more than ``longest + 3``.
        cells: How many there are, at least 2.
        longest: The most steps out of sight, at least 3.
        seed: Of all that is random.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> found = moving_targets(2, steps=20)
        >>> found.items[0].shape, len(found.labels[0]), bool(found.hidden[0][:3].any())
        ((20, 12), 20, False)
    """
    if count < 1 or cells < 2 or longest < 3 or steps <= longest + 3:
        raise ArgumentError(
            "moving_targets: count must be at least 1, cells 2, longest 3, and steps "
            f"more than longest + 3, got {count}, {cells}, {longest} and {steps}."
        )
    draw = np.random.default_rng(seed)
    found = Occluded([], [], [])
    for _ in range(count):
        place = _to_and_fro(draw, steps, cells)
        length = int(draw.integers(longest // 3, longest + 1))
        start = int(draw.integers(3, steps - length))
        hidden = np.zeros(steps, bool)
        hidden[start : start + length] = True
        seen = np.eye(cells)[place] * ~hidden[:, None]
        seen += draw.normal(0, _NOISE, seen.shape)
        found.items.append(seen.astype(np.float32))
        found.labels.append(place.tolist())
        found.hidden.append(hidden)
    return found


def moving_shapes(
    count: int, *, steps: int = 24, size: int = 20, wall: int = 9, seed: int = 0
) -> Occluded:
    """Small films of a shape that moves and passes behind a wall.

    The shape, 5 pixels high and wide, moves by a pixel a step, across and up or down,
    and turns at the borders. The wall is a bar from top to bottom in the middle. Each
    film begins with the whole shape in sight; the label of each frame is its name (a
    key of ``SHAPES``).

    Args:
        count: Films, at least 1.
        steps: Frames of each, at least 1.
        size: Height and width of a frame in pixels.
        wall: Width of the wall, at least 5, with room for a shape on both sides.
        seed: Of all that is random.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> found = moving_shapes(3, steps=10)
        >>> found.items[0].shape, len(found.labels[0]), bool(found.hidden[0][0])
        ((10, 20, 20), 10, False)
    """
    left = (size - wall) // 2
    right = left + wall
    if count < 1 or steps < 1 or wall < _SIDE or left < _SIDE:
        raise ArgumentError(
            f"moving_shapes: count and steps must be at least 1, wall at least {_SIDE},"
            f" and size at least wall + {2 * _SIDE}, got {count}, {steps}, {wall} and "
            f"{size}."
        )
    draw, names = np.random.default_rng(seed), list(SHAPES)
    masks = [np.array([[c == "#" for c in row] for row in SHAPES[n]]) for n in names]
    ends = [*range(left - _SIDE + 1), *range(right, size - _SIDE + 1)]
    found = Occluded([], [], [])
    for _ in range(count):
        shape = int(draw.integers(len(names)))
        across = _to_and_fro(draw, steps, size - _SIDE + 1, ends)
        down = _to_and_fro(draw, steps, size - _SIDE + 1)
        film = draw.normal(0, _NOISE, (steps, size, size))
        for frame, x, y in zip(film, across, down, strict=True):
            frame[y : y + _SIDE, x : x + _SIDE] += masks[shape]
        film[:, :, left:right] = _WALL
        found.items.append(film.astype(np.float32))
        found.labels.append([names[shape]] * steps)
        found.hidden.append((across >= left) & (across + _SIDE <= right))
    return found


def _to_and_fro(
    draw: np.random.Generator, steps: int, places: int, first: list[int] | None = None
) -> np.ndarray:
    """A place for each step, a place further each time, turning at the ends."""
    start = int(draw.choice(first or np.arange(places)))
    phase = start if draw.random() < 0.5 else 2 * (places - 1) - start
    along = (phase + np.arange(steps)) % (2 * (places - 1))
    return np.minimum(along, 2 * (places - 1) - along)
