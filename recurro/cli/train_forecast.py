"""``recurro train forecast``: what comes next in one or many series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import NETWORK, Json, Out, Overwrite, Quiet, Threads
from recurro.cli.running import free_folder, interruptible, name_of, use_threads
from recurro.cli.train_lm import (
    BatchSize,
    CellName,
    Clip,
    Config,
    Device,
    Dropout,
    Epochs,
    HiddenSize,
    LearningRate,
    MaxSeconds,
    NumLayers,
    Optimizer,
    Patience,
    Precision,
    Schedule,
    Seed,
    Set,
)

SERIES = "Series"


def _column(flag: str, text: str, metavar: str = "COLUMN") -> Any:  # noqa: ANN401
    return typer.Option(
        flag, metavar=metavar, help=text, show_default=False, rich_help_panel=SERIES
    )


Data = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A CSV, TSV or Parquet file, a row for each time of each series.",
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
    until: Until = None,
    horizon: Horizon = None,
    history: History = None,
    season_length: Season = None,
    held_out: HeldOut = None,
    head: HeadName = None,
    cell: CellName = None,
    hidden_size: HiddenSize = None,
    num_layers: NumLayers = None,
    dropout: Dropout = None,
    epochs: Epochs = None,
    max_seconds: MaxSeconds = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    clip: Clip = None,
    patience: Patience = None,
    seed: Seed = None,
    precision: Precision = None,
    device: Device = None,
    config: Config = None,
    set_: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model that forecasts one or many series.

    The last fifth of each series is held out to choose the best epoch on; the network
    and its baselines (naive, seasonal naive, drift, smoothing, autoregression) are
    scored on it from rolling origins.

    With --target volatility: the spread of the log returns of prices, its value at
    risk, beside EWMA and GARCH(1,1).

    [dim]Settings: --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]
    """
    _train(dict(locals()))


_OURS = (
    *("data", "price", "config", "set_", "out", "overwrite", "threads", "json"),
    "quiet",
)
"""Options that are no settings of the model."""

_LISTS = ("target", "known", "past", "static", "calendar")


def _train(given: Mapping[str, Any]) -> None:
    """Train a model as the options say, and tell the outcome."""
    use_threads(given["threads"])
    from recurro.cli.forecasts import volatility_of
    from recurro.cli.sequences import finish, train_run
    from recurro.cli.settings import Given
    from recurro.tasks.forecast_config import ForecastSettings
    from recurro.tasks.sequence_config import sections_of

    flags = {
        key: value
        for key, value in given.items()
        if key not in _OURS and value is not None
    }
    for key in (*_LISTS, "price"):
        words = given[key] or ()
        flags[key] = tuple(word for part in words for word in part.split(","))
    flags = volatility_of(flags, given["data"])
    flags = {key: value for key, value in flags.items() if value != ()}
    sections = sections_of(ForecastSettings)
    asked = Given(flags, None, given["config"], given["set_"] or (), sections)
    run = given["out"] or free_folder(name_of([given["data"]]))
    with interruptible(run), asked.named():
        model = train_run(
            {**asked.tree(), "task": "forecast"},
            [given["data"]],
            run,
            overwrite=given["overwrite"],
            quiet=given["quiet"],
        )
        finish(model, run, as_json=given["json"])
