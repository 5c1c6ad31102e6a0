"""Picture strips: where a reader looked, and how a painter painted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurro.data.pictures import need_pillow
from recurro.tasks.glimpse_reader import Glances
from recurro.tasks.painter import Painted

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["draw_glimpses", "draw_strokes"]

_HEIGHT = 84
"""Height of a picture in a strip, in dots; it is made larger by a whole number."""

_GAP, _LINE, _LABEL = 10, 18, 96
_BOX, _WIDER, _INK, _FAINT = "#d9482b", "#e8b09f", "#222222", "#888888"


def draw_glimpses(
    path: Path, glances: Glances, numbers: Sequence[str] | None = None
) -> None:
    """Draw where a reader looked, a row of glimpses for each picture, as a PNG file.

    Above stands the picture with the window of the glimpse, and wider ones pale; below
    what was seen through it, and the digit that was named after it.

    Args:
        path: The file.
        glances: What it looked at.
        numbers: The true numbers, if they are known.

    Raises:
        MissingExtraError: If pillow is not installed.
    """
    height, width = glances.pictures.shape[1:]
    times, count = max(1, _HEIGHT // height), glances.windows.shape[1]
    cell = (width * times + _GAP, 2 * height * times + 2 * _GAP + _LINE)
    size = (_LABEL + count * cell[0], len(glances.pictures) * cell[1] + _GAP)
    sheet, pen = _sheet(size)
    for row, picture in enumerate(glances.pictures):
        top = _GAP + row * cell[1]
        read = glances.numbers[row]
        _write(pen, (_GAP, top), f"read {read}", _INK)
        if numbers is not None:
            colour = _FAINT if read == numbers[row] else _BOX
            _write(pen, (_GAP, top + _LINE), f"is {numbers[row]}", colour)
        for look in range(count):
            left = _LABEL + look * cell[0]
            sheet.paste(_grey(picture, times), (left, top))
            windows = glances.windows[row, look]
            for place in range(len(windows) - 1, -1, -1):
                colour = _WIDER if place else _BOX
                _box(pen, windows[place], (left, top), (height, width), times, colour)
            seen = np.abs(glances.patches[row, look, 0])
            seen = seen / max(float(seen.max()), 1e-6)
            below = top + height * times + _GAP // 2
            sheet.paste(_grey(seen, height * times // len(seen)), (left, below))
            named, rest = divmod(look, glances.each)
            if look and not rest and named <= len(read):
                place = (left, below + height * times + 2)
                _write(pen, place, f"names {read[named - 1]}", _INK)
    sheet.save(path)


def draw_strokes(path: Path, painted: Painted) -> None:
    """Draw how pictures were painted, a row of strokes for each, as a PNG file.

    Args:
        path: The file.
        painted: The canvases, each shown with the window of its stroke; the last one
            stands once more, without.

    Raises:
        MissingExtraError: If pillow is not installed.
    """
    items, steps, height, width = painted.canvases.shape
    times = max(1, _HEIGHT // height)
    cell = (width * times + _GAP, height * times + _GAP)
    sheet, pen = _sheet((_GAP + (steps + 1) * cell[0], items * cell[1] + _GAP))
    for row in range(items):
        top = _GAP + row * cell[1]
        for step in range(steps + 1):
            left = _GAP + step * cell[0]
            shown = painted.canvases[row, min(step, steps - 1)]
            sheet.paste(_grey(shown, times), (left, top))
            if step < steps:
                window = painted.windows[row, step]
                _box(pen, window, (left, top), (height, width), times, _BOX)
    sheet.save(path)


def _sheet(size: tuple[int, int]) -> tuple[Image.Image, Any]:
    """A white sheet and what draws on it."""
    need_pillow()
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", size, "white")
    return sheet, ImageDraw.Draw(sheet)


def _grey(picture: np.ndarray, times: int) -> Image.Image:
    """A picture whose ink is black, so many times as large."""
    from PIL import Image

    paper = 238 - 238 * np.clip(picture, 0, 1)
    large = paper.repeat(times, axis=0).repeat(times, axis=1)
    return Image.fromarray(large.astype(np.uint8))


def _box(
    pen: Any,  # noqa: ANN401 (of an optional package)
    window: np.ndarray,
    place: tuple[int, int],
    shape: tuple[int, int],
    times: int,
    colour: str,
) -> None:
    """The part of a window that lies on a picture."""
    height, width = shape
    most = (width, height, width, height)
    (left, top), edges = place, np.clip(window, 0, most) * times
    x_1, y_1, x_2, y_2 = edges.round().astype(int).tolist()
    corners = (left + x_1, top + y_1, left + max(x_2 - 1, x_1), top + max(y_2 - 1, y_1))
    pen.rectangle(corners, outline=colour, width=2)


def _write(pen: Any, place: tuple[int, int], text: str, colour: str) -> None:  # noqa: ANN401
    pen.text(place, text, fill=colour, font_size=13)
