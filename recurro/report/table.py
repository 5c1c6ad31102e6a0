"""The table that puts a model beside its baselines: plain, and with rich."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

__all__ = ["Cells", "Rows", "as_cells", "baseline_table", "readable", "rich_table"]

Rows: TypeAlias = Sequence[Mapping[str, str | float | None]]
"""One row per model: its ``name`` and its figures; the model of the run last."""

Cells: TypeAlias = list[tuple[str, list[str], bool]]
"""The columns in order: heading, cells, and whether they are numbers."""

ABSENT = "–"  # noqa: RUF001 (a dash, as printed tables have it)


def baseline_table(rows: Rows) -> str:
    """Write models and their figures as lines of text, without colour.

    Args:
        rows: One mapping per model: ``name``, then figures. Figures that only some
            models have are shown as a dash for the others.

    Returns:
        A heading, a rule and a line per model; names to the left, numbers to the
        right. Empty without rows.

    Example:
        >>> rows = [{"name": "unigram", "perplexity": 27.4},
        ...         {"name": "network", "perplexity": 4.8231}]
        >>> print(baseline_table(rows))
        model    perplexity
        -------  ----------
        unigram      27.400
        network       4.823
    """
    columns = []
    for heading, cells, numeric in as_cells(rows):
        width = max(map(cell_len, [heading, *cells]))
        lines = [heading, "-" * width, *cells]
        columns.append([_padded(line, width, numeric) for line in lines])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def rich_table(rows: Rows) -> Table:
    """The same table for a terminal with colours; the last row stands out.

    Args:
        rows: As for ``baseline_table``.

    Example:
        >>> rich_table([{"name": "network", "perplexity": 4.8231}]).row_count
        1
    """
    table, columns = (
        Table(box=None, pad_edge=False, padding=(0, 2, 0, 0)),
        as_cells(rows),
    )
    for heading, _, numeric in columns:
        justify = "right" if numeric else "left"
        table.add_column(Text(heading), justify=justify, header_style="dim")
    for number in range(len(rows)):
        style = "bold" if number == len(rows) - 1 else None
        table.add_row(*(Text(cells[number]) for _, cells, _ in columns), style=style)
    return table


def as_cells(rows: Rows) -> Cells:
    """The columns of a table, each figure with as many decimals as its neighbours.

    Args:
        rows: As for ``baseline_table``.

    Example:
        >>> as_cells([{"name": "a", "oov": 3}, {"name": "b", "oov": 1200}])
        [('model', ['a', 'b'], False), ('oov', ['3', '1,200'], True)]
    """
    keys = sorted({key: None for row in rows for key in row}, key="name".__ne__)
    columns = []
    for key in keys:
        values = [row.get(key) for row in rows]
        numeric = not any(isinstance(value, str) for value in values)
        decimals = _decimals([v for v in values if isinstance(v, int | float)])
        cells = [_cell(value, decimals) for value in values]
        columns.append(("model" if key == "name" else readable(key), cells, numeric))
    return columns


def readable(key: str) -> str:
    """The name of a figure or setting in words."""
    return key.replace("_", " ")


def _decimals(values: list[int | float]) -> int:
    """Decimals for a column: three, fewer for large numbers, more for tiny ones."""
    if all(isinstance(value, int) for value in values):
        return 0
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0)
    if largest == 0:
        return 3
    return min(max(3, 2 - math.floor(math.log10(largest))), 12) if largest < 1000 else 1


def _cell(value: str | float | None, decimals: int) -> str:
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return ABSENT
    return "∞" if math.isinf(value) else f"{value:,.{decimals}f}"
