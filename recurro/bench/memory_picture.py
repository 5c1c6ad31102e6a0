"""Pictures of what was measured of memory and of optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurro.bench.memory import SOLVED, MemoryRow
from recurro.bench.optimizers import REACHED, BoundRow, MethodRow
from recurro.bench.picture import check_picture

__all__ = ["draw_memory", "draw_optimizers"]

COLOURS = ("#3d6f9e", "#d9822b", "#5a9e6f", "#a64d79", "#8c6d31", "#555555")
_LEAST = 1e-3
"""Smaller shares are drawn as this."""


def draw_memory(rows: Sequence[MemoryRow], path: Path) -> None:
    """Draw each cell's error over the trivial answer's against the length, by task.

    What is under the dashed line is solved.

    Args:
        rows: What ``bench_memory`` gave.
        path: The picture to write, .png, .svg or .pdf.

    Raises:
        ArgumentError: If the name has another ending.
        MissingExtraError: If matplotlib is not installed.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(row.task for row in rows))
    cells = list(dict.fromkeys(row.cell for row in rows))
    sheet = Figure(figsize=(3.4 * len(tasks) + 1, 3.6), layout="constrained")
    areas = sheet.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for area, task in zip(areas, tasks, strict=True):
        for place, cell in enumerate(cells):
            own = [row for row in rows if (row.task, row.cell) == (task, cell)]
            lengths = [row.length for row in own]
            shares = [max(row.error / row.trivial, _LEAST) for row in own]
            colour = COLOURS[place % len(COLOURS)]
            area.plot(lengths, shares, "o-", color=colour, label=cell, lw=1.5, ms=4)
        lengths = sorted({row.length for row in rows})
        area.axhline(SOLVED, color="black", lw=0.8, ls="--")
        area.set(title=task, xlabel="steps", xscale="log", yscale="log")
        area.set_xticks(lengths, [str(length) for length in lengths])
        area.minorticks_off()
        _plain(area)
    areas[0].set_ylabel("error / trivial answer's")
    handles, names = areas[0].get_legend_handles_labels()
    sheet.legend(handles, names, loc="outside right center", frameon=False)
    sheet.savefig(path, dpi=130)


def draw_optimizers(
    methods: Sequence[MethodRow], bounds: Sequence[BoundRow], path: Path
) -> None:
    """Draw the errors of methods, and gradients with bounds and without.

    Args:
        methods: What ``bench_methods`` gave.
        bounds: What ``bench_bounds`` gave.
        path: The picture to write, .png, .svg or .pdf.

    Raises:
        ArgumentError: If the name has another ending.
        MissingExtraError: If matplotlib is not installed.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = sheet.subplots(1, 2)
    for colour, row in zip(COLOURS, methods, strict=False):
        left.plot(row.errors, color=colour, label=row.name, lw=1.5)
    left.axhline(REACHED, color="black", lw=0.8, ls="--")
    left.set(yscale="log", xlabel="updates", ylabel="error / first error")
    left.set(title="ill-conditioned recurrence")
    arrived = max((row.updates or 0 for row in methods), default=0)
    longest = max((len(row.errors) for row in methods), default=1)
    left.set_xlim(0, min(longest, 1.5 * arrived) if arrived else longest)
    for colour, row in zip(COLOURS, bounds, strict=False):
        name = "no bound" if row.bound is None else f"radius at most {row.bound:g}"
        right.plot(row.gradients, color=colour, label=name, lw=1)
    right.set(yscale="log", xlabel="updates", ylabel="norm of the gradient")
    right.set(title="spectral radius 1.5 at the start")
    for area in (left, right):
        area.legend(frameon=False)
        _plain(area)
    sheet.savefig(path, dpi=130)


def _plain(area: Any) -> None:  # noqa: ANN401 (an Axes of matplotlib)
    area.spines[["top", "right"]].set_visible(False)
    area.grid(color="#dddddd", lw=0.6)
    area.set_axisbelow(True)
