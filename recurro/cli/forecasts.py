"""What the commands on forecasts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recurro.cli.show import tell
from recurro.data import SeriesTable, read_table
from recurro.errors import ArgumentError, ConfigError
from recurro.report import Chart, Line, write_report
from recurro.tasks import Forecaster

__all__ = ["answers", "draw", "read", "volatility_of"]

VOLATILITY = "volatility"


def volatility_of(flags: Mapping[str, Any], data: Path) -> dict[str, Any]:
    """The settings that are meant by the target ``volatility``.

    Args:
        flags: What was given, ``price`` among it.
        data: The file, whose only column without a role is the price if none is named.

    Raises:
        ConfigError: If there is no such column, several, or a price without the target.
    """
    rest = {key: value for key, value in flags.items() if key != "price"}
    price = flags["price"]
    if flags["target"] != (VOLATILITY,):
        if price:
            raise ConfigError(
                f"--price: must come with --target {VOLATILITY}, got --target "
                f"{','.join(flags['target'])}. Leave it out."
            )
        return rest
    if not price:
        columns = read_table(data, encoding=flags.get("encoding", "utf-8")).columns
        if VOLATILITY in columns:
            return rest
        roles = ("known", "past", "static")
        used = {flags.get("time"), flags.get("id")}
        used |= {name for role in roles for name in flags[role]}
        price = tuple(name for name in columns if name not in used)
        if len(price) != 1:
            raise ConfigError(
                f"--price: must name the column of prices, which '{data}' leaves open: "
                f"{', '.join(price) or 'no column is left'}. Name one."
            )
    return {**rest, "target": price, "returns": True}


def read(model: Forecaster, files: Sequence[Path]) -> tuple[SeriesTable]:
    """The table of a file, by the columns of a model; what was done to it is said.

    Raises:
        ArgumentError: If there are several files.
    """
    if len(files) > 1:
        raise ArgumentError(
            f"forecast: there must be one table, got {len(files)} files. Join them."
        )
    table = model.read(files[0])
    tell(f"'{files[0]}': {note}." for note in table.notes)
    return (table,)


def draw(model: Forecaster, files: Sequence[Path]) -> None:
    """Draw the last forecasts of the part held out into the report of a run.

    Args:
        model: A model that was trained; nothing is drawn where nothing was held out.
        files: What it has learnt from.
    """
    shown: pl.DataFrame | None = getattr(model, "shown_", None)
    if shown is not None and model.run_ is not None:
        write_report(model.run_.path, charts=_charts(shown))


def _charts(shown: pl.DataFrame) -> list[Chart]:
    names = {
        "truth": "measured",
        "q0.5": "median",
        "q0.05": "5 % and 95 %",
        "q0.95": "",
    }
    parts = [name for name in ("id", "target") if name in shown.columns]
    groups = shown.partition_by(parts, maintain_order=True) if parts else [shown]
    return [
        Chart(
            "Forecast of " + ", ".join(str(table[name][0]) for name in parts)
            if parts
            else "Forecast",
            [
                Line(name, list(enumerate(table[column].to_list(), 1)))
                for column, name in names.items()
            ],
            "steps ahead, at the end of the part held out",
            "value",
        )
        for table in groups
    ]


def answers(
    model: Forecaster, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """What comes behind the end of each series of a file, one row for each number.

    Args:
        model: A trained model.
        file: A table.
        interval: The probability of the interval whose ends are told; 0.9 if not given.
    """
    level = 0.9 if interval is None else interval
    if not 0 < level < 1:
        raise ArgumentError(
            f"predict: --interval must be in (0, 1), got {level}. Use for instance 0.8."
        )
    ends = ((1 - level) / 2, (1 + level) / 2)
    table = model.predict(*read(model, [file]), levels=(ends[0], 0.5, ends[1]))
    if table["time"].dtype.is_temporal():
        days = bool((table["time"].dt.truncate("1d") == table["time"]).all())
        form = "%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S"
        table = table.with_columns(pl.col("time").dt.strftime(form))
    return table.to_dicts()
