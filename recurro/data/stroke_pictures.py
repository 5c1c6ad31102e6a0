"""Drawings as pictures: SVG, and PNG where Pillow is installed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro.data.files import atomic_write
from recurro.data.strokes import strokes_of
from recurro.errors import ArgumentError, MissingExtraError
from recurro.types import Float

__all__ = ["write_png", "write_svg"]

_LONGEST = 900
"""The longer side of a PNG of several drawings, in pixels; of one, half of that."""

_LINE = 0.025
"""Width of the lines, as a share of the shorter side of a drawing; at least a pixel."""

_FINE = 4
"""Pixels of the canvas to one of the PNG: what smooths its lines."""


@dataclass(frozen=True)
class _Sheet:
    """Drawings side by side, all to one scale.

    Attributes:
        lines: The places of each line on the sheet ``(places, 2)``, by drawing.
        width: Its width.
        height: Its height.
        pen: Width of the lines.
    """

    lines: list[list[np.ndarray]]
    width: float
    height: float
    pen: float


def _sheet(drawings: Sequence[np.ndarray], columns: int | None) -> _Sheet:
    """Lay drawings out in rows, in units of their own."""
    if not len(drawings):
        raise ArgumentError("drawings: must be at least one to draw, got none.")
    lines = [strokes_of(drawing) for drawing in drawings]
    low = [np.concatenate(some).min(0) for some in lines]
    sizes = np.array(
        [np.concatenate(some).max(0) - low[n] for n, some in enumerate(lines)]
    )
    wide, high = np.maximum(sizes.max(0), 1e-9)
    if columns is None:
        columns = max(1, round(math.sqrt(len(lines) * high / wide)))
    columns = min(columns, len(lines))
    gap = 0.2 * min(wide, high) if len(lines) > 1 else 0.05 * max(wide, high)
    moved = []
    for number, some in enumerate(lines):
        row, column = divmod(number, columns)
        off = np.array([column * (wide + gap), row * (high + gap)]) + gap
        middle = (np.array([wide if columns > 1 else 0, high]) - sizes[number]) / 2
        middle[0] = max(0.0, middle[0])
        moved.append([line - low[number] + off + middle for line in some])
    rows = -(-len(lines) // columns)
    width, height = columns * (wide + gap) + gap, rows * (high + gap) + gap
    return _Sheet(
        moved,
        float(width),
        float(height),
        _LINE * float(max(min(wide, high), max(wide, high) / 8)),
    )


def write_svg(
    path: Path | str,
    drawings: Sequence[Float[np.ndarray, "_ 3"]],
    *,
    columns: int | None = None,
) -> None:
    """Write drawings as one SVG file, side by side; ``read_svg`` reads it back.

    Args:
        path: The file.
        drawings: The drawings, at least one.
        columns: How many stand in a row; ``None`` for about a square of them.

    Raises:
        ArgumentError: If there is no drawing.
        DataError: If the file cannot be written.
    """
    sheet = _sheet(drawings, columns)
    paths = "\n".join(
        '<path d="'
        + "".join(
            "M" + " ".join(f"{x:.6g},{y:.6g}" for x, y in line.tolist())
            for line in some
        )
        + '"/>'
        for some in sheet.lines
    )
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width:.6g} '
        f'{sheet.height:.6g}">\n<g fill="none" stroke="black" stroke-linecap="round" '
        f'stroke-linejoin="round" stroke-width="{sheet.pen:.4g}">\n{paths}\n</g>\n'
        "</svg>\n"
    )
    with atomic_write(path) as file:
        file.write(text.encode())


def write_png(
    path: Path | str,
    drawings: Sequence[Float[np.ndarray, "_ 3"]],
    *,
    columns: int | None = None,
) -> None:
    """Write drawings as one PNG file, side by side.

    Args:
        path: The file.
        drawings: The drawings, at least one.
        columns: How many stand in a row; ``None`` for about a square of them.

    Raises:
        ArgumentError: If there is no drawing.
        DataError: If the file cannot be written.
        MissingExtraError: If Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError(
            "write_png: needs Pillow, which is not installed. Use 'pip install "
            "recurro[images]', or write SVG."
        ) from None
    sheet = _sheet(drawings, columns)
    side = _LONGEST if len(drawings) > 1 else _LONGEST // 2
    scale = _FINE * side / max(sheet.width, sheet.height)
    size = [max(1, round(side * scale / _FINE)) for side in (sheet.width, sheet.height)]
    image = Image.new("L", (size[0] * _FINE, size[1] * _FINE), 255)
    canvas = ImageDraw.Draw(image)
    pen = max(round(sheet.pen * scale), _FINE)
    for line in (line for some in sheet.lines for line in some):
        places = [(x * scale, y * scale) for x, y in line.tolist()]
        canvas.line(places, fill=0, width=pen, joint="curve")
        for x, y in (places[0], places[-1]):
            canvas.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=0)
    with atomic_write(path) as file:
        image.resize((size[0], size[1]), Image.Resampling.LANCZOS).save(file, "PNG")
