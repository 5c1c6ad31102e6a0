"""Tables of series, from files or arrays; kept for a run that is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recurro.data import Series, SeriesTable, cut_table, read_series
from recurro.data.files import BROKEN_ARRAYS
from recurro.errors import ConfigError, DataError, RunError
from recurro.tasks.forecast_config import ForecastData
from recurro.tasks.runs import state_folder
from recurro.train import RunFolder

__all__ = ["TableData", "TableMaterial", "as_table", "read_material"]

TableData: TypeAlias = (
    SeriesTable | str | Path | np.ndarray | Sequence[Any] | Mapping[str, Any]
)
"""A table; a file of one; an array ``(time,)`` or ``(time, targets)``; a list of such
arrays, or arrays by name, for several series."""

FILE = "series.npz"
_ROLES = ("target", "known", "past", "static")


def as_table(
    data: TableData, settings: ForecastData, until: str | int | None = None
) -> SeriesTable:
    """What a person gives, as a table.

    Args:
        data: See ``TableData``.
        settings: The columns of a file, and what becomes of its gaps.
        until: The last stamp that is kept, or ``None`` for all.

    Raises:
        DataError: If it cannot be read; row and column, or item and step, are named.
        ConfigError: If it is a file and its columns are not named.
    """
    table = _as_table(data, settings)
    return table if until is None else _cut(table, until)


def _as_table(data: TableData, settings: ForecastData) -> SeriesTable:
    if isinstance(data, SeriesTable):
        return data
    if isinstance(data, str | Path):
        return _read(data, settings)
    if isinstance(data, Mapping):
        named = {str(name): values for name, values in data.items()}
    elif isinstance(data, np.ndarray) or not _several(data):
        named = {"": data}
    else:
        named = {str(number): values for number, values in enumerate(data)}
    series = [_series(name, values) for name, values in named.items()]
    widths = {one.target.shape[1] for one in series}
    if len(widths) != 1:
        raise DataError(
            "Forecaster: there must be a series and all must have as many targets, got "
            f"{sorted(widths) or 'none'}. Give the same columns of each."
        )
    names = tuple(f"target{number}" for number in range(widths.pop()))
    return SeriesTable(tuple(series), settings.target or names)


def _several(data: Sequence[Any]) -> bool:
    return bool(len(data)) and all(isinstance(item, np.ndarray) for item in data)


def _series(name: str, values: Any) -> Series:  # noqa: ANN401 (whatever came)
    """A series of an array, with step numbers as stamps."""
    told = f"series {name!r}" if name else "the series"
    try:
        target = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        target = np.zeros(0)
    target = target[:, None] if target.ndim == 1 else target
    if target.ndim != 2 or not target.size:
        raise DataError(
            f"Forecaster: {told} must be numbers (time,) or (time, targets), got "
            f"{type(values).__name__} that is no such table. Give an array."
        )
    wrong = np.argwhere(~np.isfinite(target))
    if len(wrong):
        step, column = wrong[0].tolist()
        raise DataError(
            f"Forecaster: {told} must be finite, got {target[step, column]} at step "
            f"{step}, target {column} ({len(wrong)} such in all). Fill the gaps in by "
            "a rule of your own, or cut the series there."
        )
    none = np.zeros((len(target), 0), np.float32)
    return Series(name, np.arange(len(target)), target, none, none, none[0])


def _read(path: str | Path, settings: ForecastData) -> SeriesTable:
    for key, value in (("time", settings.time), ("target", settings.target)):
        if not value:
            raise ConfigError(
                f"Forecaster: {key} must name a column of '{path}', got none. Give "
                f"{key}=... with its name."
            )
    assert settings.time
    columns = ("id", "known", "past", "static", "fill", "stamps", "encoding")
    return read_series(
        path,
        target=settings.target,
        time=settings.time,
        **{key: getattr(settings, key) for key in columns},
    )


@dataclass(frozen=True, eq=False)
class TableMaterial:
    """A prepared table that a model learns from and chooses on.

    Attributes:
        table: The table.
        stamped: Whether its stamps mean anything to other tables.
    """

    table: SeriesTable
    stamped: bool

    def write(self, folder: Path) -> None:
        """Write it to a folder, free of pickle."""
        table = self.table
        names = {
            "series": [one.name for one in table.series],
            "columns": [table.targets, table.known, table.past, table.static],
            "stamped": self.stamped,
        }
        arrays = {
            f"{role}{number}": getattr(one, role)
            for number, one in enumerate(table.series)
            for role in ("times", *_ROLES)
        }
        with (folder / FILE).open("wb") as file:
            text = json.dumps(names, ensure_ascii=False).encode()
            np.savez(file, names=np.frombuffer(text, np.uint8), **arrays)


def read_material(run: RunFolder) -> TableMaterial:
    """What a run learns from.

    Raises:
        RunError: If it is gone or damaged.
    """
    path = state_folder(run) / FILE
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            names = json.loads(saved["names"].tobytes())
            series = tuple(
                Series(
                    name,
                    saved[f"times{number}"],
                    *(saved[f"{role}{number}"] for role in _ROLES),
                )
                for number, name in enumerate(names["series"])
            )
            target, known, past, static = (tuple(c) for c in names["columns"])
            table = SeriesTable(series, target, known, past, static)
            return TableMaterial(table, names["stamped"])
    except BROKEN_ARRAYS:
        raise RunError(
            f"{path}: must hold what the run learns from to be resumed, got nothing "
            "that can be read. Train anew in another folder, or with --overwrite."
        ) from None


def _cut(table: SeriesTable, until: str | int) -> SeriesTable:
    """The steps of each series up to a stamp, that one included."""
    counts = []
    for series in table.series:
        dates = series.times.dtype.kind == "M"
        try:
            last = np.datetime64(str(until), "us") if dates else int(until)
        except ValueError:
            raise DataError(
                f"Forecaster: until must be a stamp such as {series.times[0]}, got "
                f"{until!r}."
            ) from None
        counts.append(int(np.searchsorted(series.times, last, side="right")))
        if not counts[-1]:
            raise DataError(
                f"Forecaster: {table.called(series)} must begin by {until}, it begins "
                f"at {series.times[0]}. Take a later stamp."
            )
    return cut_table(table, counts)
