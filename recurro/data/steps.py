"""Long tables: a row is a step of a series, a column what was measured then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.tables import Table, check_roles, read_table
from recurro.errors import DataError

__all__ = ["Roles", "Steps", "read_steps"]


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        text: The texts; ``None`` for ``text``. Several columns, with commas between,
            are joined in that order: ``question,story`` gives *question | story*.
        label: The class or the number; ``None`` for ``label``.
        id: Which series a row is a step of.
        time: When a step was: a number or a date, rising within a series.
        features: What was measured; none for all columns without another role.
    """

    text: str | None = None
    label: str | None = None
    id: str | None = None
    time: str | None = None
    features: tuple[str, ...] = ()

    @property
    def stepwise(self) -> bool:
        """Whether a row is a step, and not a text."""
        return bool(self.id or self.time or self.features)


@dataclass(frozen=True, eq=False)
class Steps:
    """One series of a long table.

    Attributes:
        name: Its id; empty where the table has none.
        values: What was measured ``(time, features)``, float32; NaN where a number is
            missing.
        labels: What is said of each step; ``None`` where the table has no such column.
        table: Where it comes from.
        rows: Its rows in that table ``(time,)``.
        features: The names of the columns that were measured.
    """

    name: str
    values: np.ndarray
    labels: list[Any] | None
    table: Table
    rows: list[int]
    features: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where it begins, for a person."""
        return self.table.place(self.rows[0])


def read_steps(
    path: Path | str, roles: Roles, *, encoding: str = "utf-8", labelled: bool = True
) -> list[Steps]:
    r"""Read the series of a long table, in the order of their first rows.

    Rows of a series need not stand together, but where a column of times is named they
    must rise.

    Args:
        path: A table; see `recurro.data.tables.read_table`.
        roles: What its columns are. Without ``id`` all rows are one series.
        encoding: The encoding of a text file.
        labelled: Whether the column of labels must be there, where it is named.

    Raises:
        DataError: If the file or a column is missing, an id is empty, a number is none
            or infinite, or a time is no time, doubled or out of order; line and column
            are named.
        ArgumentError: If a column has two roles.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "walks.csv")
        ...     _ = file.write_text("who,x,label\na,1,up\nb,5,down\na,2,up\n")
        ...     walks = read_steps(file, Roles(id="who"))
        >>> [(walk.name, walk.values.ravel().tolist(), walk.labels) for walk in walks]
        [('a', [1.0, 2.0], ['up', 'up']), ('b', [5.0], ['down'])]
    """
    table = read_table(path, steps=True, encoding=encoding)
    label = roles.label or ("label" if "label" in table.columns else None)
    if not labelled and label not in table.columns:
        label = None
    said = table.cells(label, "--label") if label else None
    groups = table.groups(roles.id)
    times = None if roles.time is None else _times(table, roles.time)
    values, features = _measured(table, roles, label)
    found = []
    for name, rows in groups.items():
        if times is not None and roles.time is not None:
            _check_order(table, roles.time, times, rows)
        labels = None if said is None else [said[row] for row in rows]
        found.append(Steps(name, values[rows], labels, table, rows, features))
    return found


def _measured(
    table: Table, roles: Roles, label: str | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers ``(rows, features)`` and the names of their columns."""
    single = {"label": label, "id": roles.id, "time": roles.time}
    taken = {role: (name,) for role, name in single.items() if name}
    names = [name for (name,) in taken.values()]
    features = roles.features or tuple(i for i in table.columns if i not in names)
    check_roles({**taken, "features": features})
    if not features:
        raise DataError(
            f"read: '{table.path}' must have columns that were measured beside "
            f"{', '.join(names)}, got none. Check the roles of the columns."
        )
    numbers = [table.numbers(name, "--features") for name in features]
    return np.stack(numbers, axis=1).astype(np.float32), features


def _times(table: Table, column: str) -> list[Any]:
    """The time of each row, all numbers or all dates."""
    times = [_time(cell) for cell in table.words(column, "be a time", "--time")]
    kind = type(times[0])
    for row, time in enumerate(times):
        if time is None or type(time) is not kind:
            raise table.fault(
                *(row, column),
                "must be a number or a date such as 2016-07-01 12:30:00, written like "
                f"the others, got {table.columns[column][row]!r}",
                "Mend it.",
            )
    return times


def _time(cell: Any) -> float | datetime | None:  # noqa: ANN401 (a cell)
    try:
        return float(cell)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(str(cell)).replace(tzinfo=None)
    except ValueError:
        return None


def _check_order(table: Table, column: str, times: list[Any], rows: list[int]) -> None:
    """Refuse times that do not rise."""
    cells = table.columns[column]
    for before, row in pairwise(rows):
        if times[row] > times[before]:
            continue
        twice = times[row] == times[before]
        what = "again" if twice else f"after {cells[before]!r}"
        raise table.fault(
            *(row, column),
            f"must be later than the step before it in its series, got "
            f"{cells[row]!r} {what}",
            "Keep one of the two rows." if twice else "Put the rows in order of time.",
        )
