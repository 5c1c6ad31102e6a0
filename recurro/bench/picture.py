"""All ratios of a benchmark as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from recurro.errors import ArgumentError, MissingExtraError

__all__ = ["check_picture", "draw"]

Rows: TypeAlias = Sequence[Mapping[str, Any]]

FORMATS = (".png", ".svg", ".pdf")
_BLUE, _ORANGE = "#3d6f9e", "#d9822b"
_COLOURS = {
    "forward": _BLUE,
    "train": _ORANGE,
    "step": _BLUE,
    "high": _BLUE,
    "low": _ORANGE,
    "cold": _BLUE,
    "cached": _ORANGE,
}
"""Of each kind of figure; two kinds of one row differ."""
_FONT = 8


def check_picture(path: Path) -> None:
    """Refuse at once what could not be drawn at the end.

    Raises:
        ArgumentError: If the name does not end in .png, .svg or .pdf.
        MissingExtraError: If matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise ArgumentError(
            f"picture: the name must end in {', '.join(FORMATS)}, got {str(path)!r}."
        )
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            "picture: matplotlib must be installed, and is not. pip install "
            "'recurro[plot]'."
        )


def draw(rows: Rows, path: Path) -> None:
    """Draw the ratios of all rows as bars over a logarithmic axis.

    A line stands at 1; a mark on each bar stands where a ratio is asked for. Unsteady
    figures are pale. PyTorch's layers stand to the left, all else to the right.

    Args:
        rows: What ``recurro bench engine`` writes as ``rows``; those without figures
            are left out.
        path: The picture to write, .png, .svg or .pdf.

    Raises:
        ArgumentError: If the name has another ending.
        MissingExtraError: If matplotlib is not installed.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = [row for row in rows if row["figures"]]
    left = [row for row in rows if row["case"]["table"] == "layers"]
    right = [row for row in rows if row["case"]["table"] != "layers"]
    panels = [panel for panel in (left, right) if panel]
    if not panels:
        raise ArgumentError("picture: there must be a figure to draw, got none.")
    height = 1.2 + 0.3 * max(map(len, panels))
    sheet = Figure(figsize=(6.5 * len(panels), height), layout="constrained")
    areas = sheet.subplots(1, len(panels), squeeze=False)[0]
    for area, panel in zip(areas, panels, strict=True):
        _panel(area, panel)
    names = {
        colour: ", ".join(k for k, c in _COLOURS.items() if c == colour)
        for colour in (_BLUE, _ORANGE)
    }
    handles = [Patch(color=colour, label=label) for colour, label in names.items()]
    sheet.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    asked = "black marks: what is asked for; pale: unsteady"
    sheet.supxlabel(
        f"times as fast as the other, or as small; {asked}",
        fontsize=_FONT + 2,
    )
    sheet.savefig(path, dpi=130)


def _panel(area: Any, rows: Rows) -> None:  # noqa: ANN401 (an Axes of matplotlib)
    """The bars of some rows, from the top down."""
    largest = 1.0
    for place, row in enumerate(rows):
        count = len(row["figures"])
        for number, (kind, figure) in enumerate(row["figures"].items()):
            ratio, needed = figure["ratio"]["median"], row["case"]["required"][kind]
            y = place + (number - (count - 1) / 2) * 0.4
            area.barh(
                y,
                ratio - 1,
                left=1,
                height=0.36,
                color=_COLOURS[kind],
                alpha=1 if figure["steady"] else 0.4,
            )
            if needed is not None:
                area.plot([needed] * 2, [y - 0.2, y + 0.2], color="black", lw=1.5)
            label = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
            end = max(ratio, needed or 1, 1)
            area.text(end * 1.06, y, label, va="center", fontsize=_FONT - 1)
            largest = max(largest, end)
    names = [_name(row["case"]) for row in rows]
    area.set_yticks(range(len(rows)), names, fontsize=_FONT)
    area.set(xscale="log", xlim=(0.5, largest * 1.5), ylim=(len(rows) - 0.4, -0.6))
    area.set_xticks([n for n in (0.5, 1, 2, 5, 10, 20, 50) if n < largest * 1.5])
    area.xaxis.set_major_formatter("{x:g}")
    area.xaxis.set_minor_formatter("")
    area.axvline(1, color="black", lw=0.8)
    area.grid(axis="x", color="#dddddd", lw=0.6)
    area.set_axisbelow(True)
    area.spines[["top", "right", "left"]].set_visible(False)
    area.tick_params(left=False, labelsize=_FONT)


def _name(case: Mapping[str, Any]) -> str:
    shape = ", ".join(map(str, case["shape"]))
    table = "" if case["table"] == "layers" else f"{case['table']}: "
    return f"{table}{case['name']} {shape} / {case['against']}"
