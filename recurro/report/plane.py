"""Points in a plane as SVG: eigenvalues over the unit circle, gates in a square."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from recurro.report.chart import Point, ticks

__all__ = ["Plane"]

SIZE, EDGE, TOP = 380, 52, 12
STYLES = 6


@dataclass(frozen=True)
class Plane:
    """Points by groups, both axes of the same scale.

    Attributes:
        title: What stands above it.
        groups: The points of each group, by its name.
        x_label: What x is.
        y_label: What y is.
        circle: Whether the unit circle is drawn and the middle is 0; else the axes go
            from 0 to 1, with the line x + y = 1.
    """

    title: str
    groups: Mapping[str, Sequence[Point]]
    x_label: str
    y_label: str
    circle: bool = False

    def svg(self) -> str:
        """It as an ``<svg>`` element; empty where there is nothing to draw.

        Example:
            >>> plane = Plane("", {"U": [(0.5, 0.5)]}, "real", "imaginary", circle=True)
            >>> plane.svg().count("<circle")
            2
        """
        points = [p for group in self.groups.values() for p in group]
        points = [p for p in points if all(map(math.isfinite, p))]
        if not points:
            return ""
        low, high = 0.0, 1.0
        if self.circle:
            high = 1.08 * max(1.0, *(abs(c) for p in points for c in p))
            low = -high
        parts = [*self._axes(low, high), *self._dots(low, high)]
        names = ", ".join(self.groups)
        label = escape(f"{self.y_label} over {self.x_label}: {names}")
        return (
            f'<svg class="plane" viewBox="0 0 {SIZE} {SIZE}" role="img" '
            f'aria-label="{label}">{"".join(parts)}</svg>'
        )

    def keys(self) -> str:
        """The legend, as elements of the page."""
        return "".join(
            f'<span class="key group{number % STYLES}">{escape(name)}</span>'
            for number, name in enumerate(self.groups)
        )

    def _axes(self, low: float, high: float) -> list[str]:
        left, right, top, base = EDGE, SIZE - TOP, TOP, SIZE - EDGE
        parts = [
            f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" '
            f'height="{base - top}"/>'
        ]
        for value in ticks(low, high, 5):
            x, y = _place((value, value), low, high)
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{base + 16}" '
                f'text-anchor="middle">{value:g}</text>'
                f'<text class="tick" x="{left - 6}" y="{y:.1f}" dy="0.35em" '
                f'text-anchor="end">{value:g}</text>'
            )
        middle = (left + right) / 2
        parts.append(
            f'<text class="label" x="{middle}" y="{SIZE - 12}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
            f'<text class="label" transform="translate(12 {(top + base) / 2}) '
            f'rotate(-90)" text-anchor="middle">{escape(self.y_label)}</text>'
        )
        if self.circle:
            x, y = _place((0.0, 0.0), low, high)
            radius = (right - left) / (high - low)
            parts.append(
                f'<circle class="unit" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
                f'<path class="cross" d="M{left} {y:.1f}H{right}M{x:.1f} {top}V{base}"'
                "/>"
            )
        else:
            parts.append(f'<path class="cross" d="M{left} {top}L{right} {base}"/>')
        return parts

    def _dots(self, low: float, high: float) -> list[str]:
        dots = []
        for number, (name, group) in enumerate(self.groups.items()):
            for point in group:
                if not all(map(math.isfinite, point)):
                    continue
                x, y = _place(point, low, high)
                dots.append(
                    f'<circle class="group{number % STYLES}" cx="{x:.1f}" cy="{y:.1f}" '
                    f'r="3"><title>{escape(name)}: {point[0]:.3f}, {point[1]:.3f}'
                    "</title></circle>"
                )
        return dots


def _place(point: Point, low: float, high: float) -> Point:
    """Where a point lies on the picture."""
    width = SIZE - TOP - EDGE
    across, up = ((c - low) / (high - low) for c in point)
    return EDGE + across * width, SIZE - EDGE - up * width
