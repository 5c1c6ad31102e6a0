"""Where a network looked in pictures, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurro.data.files import atomic_write
from recurro.data.pictures import need_pillow
from recurro.errors import ArgumentError
from recurro.tasks.captioner import Look

__all__ = ["draw_looks"]

_CELL, _GAP, _LINE = 112, 8, 20
"""Side of a picture in the sheet, what is between two, and height of a word."""

_DIM = 0.25
"""How bright a place is where the network did not look."""


def draw_looks(
    path: Path, pictures: Sequence[np.ndarray | None], looks: Sequence[Look]
) -> None:
    """Draw where a network looked for each word, a row for each picture.

    The picture stands first, then once more over each word, bright where the network
    looked. Of features, which cannot be seen, the places alone are drawn.

    Args:
        path: The PNG file.
        pictures: Each ``(height, width)`` or ``(height, width, 3)``, uint8, or ``None``
            for features.
        looks: Where it looked in each.

    Raises:
        ArgumentError: If there is no picture, or not as many as looks.
        DataError: If the file cannot be written.
        MissingExtraError: If pillow is not installed.
    """
    if len(pictures) != len(looks) or not len(looks):
        raise ArgumentError(
            f"draw_looks: there must be a look for each picture, got {len(looks)} for "
            f"{len(pictures)}."
        )
    need_pillow()
    from PIL import Image, ImageDraw

    most = max(len(look.words) for look in looks)
    step, high = _CELL + _GAP, _CELL + _LINE + _GAP
    size = (_GAP + (1 + most) * step, _GAP + len(looks) * high)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for row, (picture, look) in enumerate(zip(pictures, looks, strict=True)):
        top = _GAP + row * high
        whole = np.full((1, 1, 3), 255.0) if picture is None else _coloured(picture)
        if picture is not None:
            sheet.paste(Image.fromarray(_large(whole).astype(np.uint8)), (_GAP, top))
        for column, word in enumerate(look.words, 1):
            left = _GAP + column * step
            lit = _lit(whole, look.weights[column - 1])
            sheet.paste(Image.fromarray(lit), (left, top))
            pen.text((left, top + _CELL + 2), word, fill="#222222", font_size=14)
    with atomic_write(path) as file:
        sheet.save(file, "PNG")


def _coloured(picture: np.ndarray) -> np.ndarray:
    """Red, green and blue of a picture, float."""
    three = picture if picture.ndim == 3 else picture[..., None]
    return three.astype(float).repeat(3 if three.shape[-1] == 1 else 1, axis=2)


def _large(values: np.ndarray) -> np.ndarray:
    """Numbers ``(rows, columns, ...)`` over the side of a picture in the sheet."""
    rows, columns = (np.arange(_CELL) * side // _CELL for side in values.shape[:2])
    return values[rows][:, columns]


def _lit(whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A picture, bright where the weights are great."""
    grid = weights if weights.ndim == 2 else weights[None]
    share = _large(grid / max(float(grid.max()), 1e-9))[..., None]
    return (_large(whole) * (_DIM + (1 - _DIM) * share)).astype(np.uint8)
