"""``recurro train forecast``: what comes next in one or many series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import NETWORK
from recurro.cli.train_lm import Encoding
from recurro.cli.training import Flags, trains

SERIES = "Series"


def _column(flag: str, text: str, metavar: str = "COLUMN") -> Any:  # noqa: ANN401
    return typer.Option(
        flag, metavar=metavar, help=text, show_default=False, rich_help_panel=SERIES
    )


Data = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A CSV, TSV, JSONL or Parquet file, a row for each time of each series.",
        show_default=False,
    ),
]
Several = list[str] | None
Time = Annotated[str | None, _column("--time", "The column of the stamps.")]
Id = Annotated[str | None, _column("--id", "The column that names the series.")]
Target = Annotated[
    Several,
    _column(
        "--target",
        "A column to forecast (repeat, or part by commas); 'volatility' for that of "
        "the returns of --price.",
    ),
]
Price = Annotated[
    Several, _column("--price", "With --target volatility: the column of prices.")
]
Known = Annotated[Several, _column("--known", "A covariate known ahead.")]
Past = Annotated[Several, _column("--past", "A covariate known up to now.")]
Static = Annotated[
    Several, _column("--static", "A column that does not change within a series.")
]
Cycles = Annotated[
    Several,
    _column(
        "--calendar",
        "What the stamps tell ahead: hour, weekday, month, week, year.",
        "CYCLE",
    ),
]
Fill = Annotated[
    str | None,
    _column(
        "--fill",
        "Fill missing rows and numbers: linear or previous. [dim]\\[default: none, an "
        "error][/dim]",
        "HOW",
    ),
]
Stamps = Annotated[
    str | None,
    _column(
        "--stamps",
        "rising lets steps between stamps differ. [dim]\\[default: even][/dim]",
        "HOW",
    ),
]
Until = Annotated[
    str | None, _column("--until", "The last stamp that training reads.", "STAMP")
]
Horizon = Annotated[
    int | None,
    _column("--horizon", "Steps to forecast. [dim]\\[default: 24][/dim]", "N"),
]
History = Annotated[
    int | None,
    _column("--history", "Steps to read. [dim]\\[default: four horizons][/dim]", "N"),
]
Season = Annotated[
    int | None,
    _column(
        "--season-length",
        "Steps in a season. [dim]\\[default: a day; of days a week, of months a year]"
        "[/dim]",
        "N",
    ),
]
HeldOut = Annotated[
    float | None,
    _column(
        "--held-out",
        "Share of each series, from its end, to choose on. [dim]\\[default: 0.2][/dim]",
        "SHARE",
    ),
]
HeadName = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="normal, point (squared error), quantile, or student-t (heavy tails).",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


_LISTS = ("target", "known", "past", "static", "calendar", "price")


def _flags(flags: Flags, data: Path) -> Flags:
    """Lists of names put together; what volatility asks for put in."""
    from recurro.cli.forecasts import volatility_of

    lists = {
        key: tuple(word for part in flags.get(key, ()) for word in part.split(","))
        for key in _LISTS
    }
    flags = volatility_of({**flags, **lists}, data)
    return {key: value for key, value in flags.items() if value != ()}


@trains("forecast", _flags)
def train_forecast(
    data: Data,
    time: Time = None,
    id: Id = None,
    target: Target = None,
    price: Price = None,
    known: Known = None,
    past: Past = None,
    static: Static = None,
    calendar: Cycles = None,
    fill: Fill = None,
    stamps: Stamps = None,
    encoding: Encoding = None,
    until: Until = None,
    horizon: Horizon = None,
    history: History = None,
    season_length: Season = None,
    held_out: HeldOut = None,
    head: HeadName = None,
) -> None:
    """Train a model that forecasts one or many series.

    The last fifth of each series is held out to choose the best epoch on; the network
    and its baselines (naive, seasonal naive, drift, smoothing, autoregression) are
    scored on it from rolling origins.

    With --target volatility: the spread of the log returns of prices, its value at
    risk, beside EWMA and GARCH(1,1).
    """
