"""Pictures of where attention looked, as SVG: what was read across, written down."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

__all__ = ["attention_svg"]

_CELL = 20
"""Side of a cell, in units of the picture."""

_LETTER = 7.5
"""Width that is set aside for a letter."""

_GAP = 30
"""Space between two matrices, one below the other."""


def attention_svg(
    looks: Sequence[tuple[Sequence[str], Sequence[str], np.ndarray]],
) -> str:
    """Draw attention: the darker a cell, the more its column was looked at for its row.

    Args:
        looks: For each text what was read, what was written, and the weights
            ``(written, read)`` in [0, 1], as ``Translator.attention_of`` gives them.

    Returns:
        An SVG file, one matrix below the other; each cell says its weight to a pointer
        that rests on it.

    Example:
        >>> picture = attention_svg([(["a", ""], ["b"], np.array([[0.75, 0.25]]))])
        >>> picture.startswith("<svg") and "0.75" in picture
        True

    References:
        Bahdanau, Cho and Bengio (2015), arXiv 1409.0473, figure 3.
    """
    parts, top, wide = [], 0.0, 0.0
    for read, written, weights in looks:
        columns, rows = _named(read), _named(written)
        left = _width(rows) + 12
        head = _width(columns) + 12
        parts += _matrix(columns, rows, weights, left, top + head)
        wide = max(wide, left + _CELL * len(columns) + 12)
        top += head + _CELL * len(rows) + _GAP
    size = f"{wide:g} {max(0.0, top - _GAP + 12):g}"
    width, height = size.split()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
        f'width="{width}" height="{height}" role="img" '
        'aria-label="Where attention looked" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _matrix(
    columns: list[str], rows: list[str], weights: np.ndarray, left: float, top: float
) -> list[str]:
    parts = []
    for place, name in enumerate(columns):
        x, y = left + _CELL * (place + 0.65), top - 6
        parts.append(
            f'<text x="{x:g}" y="{y:g}" transform="rotate(-90 {x:g} {y:g})">'
            f"{escape(name)}</text>"
        )
    for row, name in enumerate(rows):
        y = top + _CELL * row
        parts.append(
            f'<text x="{left - 6:g}" y="{y + 0.7 * _CELL:g}" text-anchor="end">'
            f"{escape(name)}</text>"
        )
        for place, column in enumerate(columns):
            weight = float(weights[row, place])
            told = escape(f"{name}: {column} {weight:.2f}")
            parts.append(
                f'<rect x="{left + _CELL * place:g}" y="{y:g}" width="{_CELL}" '
                f'height="{_CELL}" fill="#1f4e79" fill-opacity="{weight:.3f}" '
                f'stroke="#ccc" stroke-width="0.5"><title>{told}</title></rect>'
            )
    return parts


def _named(tokens: Sequence[str]) -> list[str]:
    """Tokens as they are read by people: no space around, the end as a sign."""
    return [token.strip() or ("_" if token else "(end)") for token in tokens]


def _width(names: list[str]) -> float:
    return _LETTER * max(map(len, names), default=0)
