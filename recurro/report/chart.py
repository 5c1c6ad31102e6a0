"""A line chart as SVG, its colours taken from the page around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from operator import itemgetter
from typing import TypeAlias

__all__ = ["Chart", "Level", "Line", "line_chart", "ticks"]

Point: TypeAlias = tuple[float, float]

WIDTH, HEIGHT = 780, 380
LEFT, RIGHT, TOP, BOTTOM = 72, 14, 14, 46
LABELS = 136
"""Room to the right for the names of levels, where there are any."""
POINTS = 400
"""Points at most in a line; longer ones are thinned in groups."""

OUTLIER = 3.0
"""How many times above the upper 2 % a peak must be to be cut off."""


@dataclass(frozen=True)
class Line:
    """A series of measurements.

    Attributes:
        name: What the legend calls it; empty to leave it out there.
        points: Pairs (x, y), by rising x.
        dots: Whether each point is marked.
        peaks: Whether a line of too many points is thinned to the least and the
            greatest of each group, so that no peak is lost, and not to their mean.
        style: Its class in the page's style; the name if left out.
    """

    name: str
    points: Sequence[Point]
    dots: bool = False
    peaks: bool = False
    style: str = ""


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare with.

    Attributes:
        name: Its label.
        value: Its height.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Chart:
    """A chart of a report, with all that it shows.

    Attributes:
        title: What stands above it.
        lines: The series.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        levels, marks, bands: See ``line_chart``.
        marks_name: What the legend calls the marks.
        bands_name: What it calls the bands.
    """

    title: str
    lines: Sequence[Line]
    x_label: str
    y_label: str
    levels: Sequence[Level] = ()
    marks: Sequence[float] = ()
    bands: Sequence[Point] = ()
    marks_name: str = ""
    bands_name: str = ""

    def svg(self) -> str:
        """It as an ``<svg>`` element, its lines in the styles line0, line1, ..."""
        return line_chart(
            [replace(one, style=f"line{n}") for n, one in enumerate(self.lines)],
            x_label=self.x_label,
            y_label=self.y_label,
            levels=self.levels,
            marks=self.marks,
            bands=self.bands,
            cut=False,
        )


@dataclass(frozen=True)
class _Frame:
    """Where data lie on the picture: the ranges of both axes, the right border."""

    x: tuple[float, float]
    y: tuple[float, float]
    right: int

    def across(self, x: float) -> float:
        low, high = self.x
        return LEFT + (x - low) / (high - low) * (self.right - LEFT)

    def down(self, y: float) -> float:
        low, high = self.y
        y = min(max(y, low), high)
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def line_chart(
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    levels: Sequence[Level] = (),
    marks: Sequence[float] = (),
    bands: Sequence[Point] = (),
    cut: bool = True,
) -> str:
    """Draw lines over a common axis.

    Args:
        lines: The series; empty ones are left out.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        levels: Horizontal lines with labels; those that would squeeze the lines into
            less than half the height are left out.
        marks: Places on the x axis that are marked with a small triangle.
        bands: Stretches of the x axis, each from first to last, behind the lines.
        cut: Whether a peak far above all else is cut off.

    Returns:
        An ``<svg>`` element of its own proportions that fills the width it is given;
        empty where there is nothing to draw.

    Example:
        >>> chart = line_chart([Line("train", [(0, 2.0), (9, 1.0)])],
        ...                    x_label="updates", y_label="nats")
        >>> chart.startswith("<svg") and "updates" in chart
        True
    """
    lines = [replace(one, points=_thinned(one.points, one.peaks)) for one in lines]
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    frame, levels = _frame(lines, levels, cut=cut)
    parts = [
        *(_band(frame, *band) for band in bands),
        *_axes(frame, x_label, y_label),
        *_levels(frame, levels),
        *(_mark(frame, x) for x in marks if frame.x[0] <= x <= frame.x[1]),
        *(part for line in lines for part in _line(frame, line)),
    ]
    names = " and ".join(line.name for line in lines if line.name)
    label = escape(f"{y_label} over {x_label}: {names}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def ticks(low: float, high: float, count: int = 8) -> list[float]:
    """Round numbers in an interval: multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: Lower end.
        high: Upper end, above the lower.
        count: At most about how many.

    Example:
        >>> ticks(0, 1230)
        [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]
        >>> ticks(1.42, 1.71)
        [1.45, 1.5, 1.55, 1.6, 1.65, 1.7]
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _thinned(points: Sequence[Point], peaks: bool) -> list[Point]:
    """The finite points, fewer where they are too many to be seen."""
    finite = [p for p in points if all(map(math.isfinite, p))]
    size = -(-len(finite) // POINTS)
    if size > 1:
        size *= 1 + peaks
    groups = [
        finite[start : start + size] for start in range(0, len(finite), size or 1)
    ]
    if peaks and size > 1:
        ends = [{min(g, key=itemgetter(1)), max(g, key=itemgetter(1))} for g in groups]
        return [point for both in ends for point in sorted(both)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _frame(
    lines: Sequence[Line], levels: Sequence[Level], *, cut: bool
) -> tuple[_Frame, list[Level]]:
    """The ranges of both axes, and the levels that lie within."""
    xs = [x for line in lines for x, _ in line.points]
    ys = sorted(y for line in lines for _, y in line.points)
    low, high = ys[0], ys[-1]
    usual = ys[int(0.98 * (len(ys) - 1))]
    if cut and high > OUTLIER * usual > 0:
        high = usual
    room = (high - low) or abs(high) or 1.0
    shown = [v for v in levels if low - room < v.value < high + room]
    low, high = (
        edge(bound, *(level.value for level in shown)) if shown else bound
        for edge, bound in ((min, low), (max, high))
    )
    room = (high - low) or abs(high) or 1.0
    left, right = min(0.0, *xs), max(xs)
    right = right if right > left else left + 1
    border = WIDTH - RIGHT - (LABELS if shown else 0)
    return _Frame((left, right), (low - 0.04 * room, high + 0.04 * room), border), shown


def _axes(frame: _Frame, x_label: str, y_label: str) -> list[str]:
    right, base = frame.right, HEIGHT - BOTTOM
    parts = []
    for y in ticks(*frame.y):
        place = f"{frame.down(y):.1f}"
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{place}" y2="{place}"/>'
            f'<text class="tick" x="{LEFT - 8}" y="{place}" dy="0.35em" '
            f'text-anchor="end">{_short(y)}</text>'
        )
    for x in _places(*frame.x):
        place = f"{frame.across(x):.1f}"
        parts.append(
            f'<line class="axis" x1="{place}" x2="{place}" y1="{base}" '
            f'y2="{base + 4}"/><text class="tick" x="{place}" y="{base + 18}" '
            f'text-anchor="middle">{_short(x)}</text>'
        )
    middle = (TOP + base) / 2
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{base}" y2="{base}"/>'
        f'<text class="label" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
        f'<text class="label" transform="translate(12 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )
    return parts


def _places(low: float, high: float) -> list[float]:
    """The ticks of an axis that counts: whole numbers, if its ends are some."""
    whole = float(low).is_integer() and float(high).is_integer()
    return [x for x in ticks(low, high) if x.is_integer() or not whole]


def _short(value: float) -> str:
    """A tick's number: 1500 as 1.5k, 2000000 as 2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _levels(frame: _Frame, levels: Sequence[Level]) -> list[str]:
    """Dashed lines, their labels at the right, moved apart where they would touch."""
    parts, place = [], -math.inf
    for level in sorted(levels, key=lambda level: -level.value):
        y = frame.down(level.value)
        place = max(y, place + 15)
        end = frame.right
        parts.append(
            f'<line class="level" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<line class="lead" x1="{end}" x2="{end + 10}" y1="{y:.1f}" '
            f'y2="{place:.1f}"/>'
            f'<text class="tick" x="{end + 14}" y="{place:.1f}" dy="0.35em">'
            f"{escape(_clipped(level.name))}"
            f"<title>{escape(level.name)}: {level.value:.4f}</title></text>"
        )
    return parts


def _clipped(name: str, length: int = 20) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _mark(frame: _Frame, x: float) -> str:
    place, base = frame.across(x), HEIGHT - BOTTOM
    return (
        f'<path class="mark" d="M{place - 4:.1f} {base}h8l-4 -8z">'
        f"<title>{x:,.10g}</title></path>"
    )


def _band(frame: _Frame, first: float, last: float) -> str:
    left, right = frame.across(first), frame.across(last)
    width = max(right - left, 1.0)  # else a single step would not be seen
    return (
        f'<rect class="band" x="{left:.1f}" width="{width:.1f}" y="{TOP}" '
        f'height="{HEIGHT - TOP - BOTTOM}"><title>{first:,.10g} to {last:,.10g}'
        "</title></rect>"
    )


def _line(frame: _Frame, line: Line) -> list[str]:
    places = [(frame.across(x), frame.down(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    name, style = escape(line.name), escape(line.style or line.name)
    parts = [f'<polyline class="{style}" points="{path}"/>']
    if line.dots or len(places) == 1:
        parts += [
            f'<circle class="{style}" cx="{a:.1f}" '
            f'cy="{b:.1f}" r="3"><title>{name}: {y:.4f} at {x:,.0f}</title></circle>'
            for (a, b), (x, y) in zip(places, line.points, strict=True)
        ]
    return parts
