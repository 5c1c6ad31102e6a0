"""``recurro train detect``: anomalies in a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.train_lm import Encoding
from recurro.cli.training import trains

STREAM, ALERTS = "Stream", "Alerts"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A CSV, TSV, JSONL or Parquet file, a row for each step.",
        show_default=False,
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="The stamps. [dim]\\[default: the first column][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMNS",
        help="What is watched, with commas between. [dim]\\[default: all others][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="Above 0 at known anomalies; never learnt from.",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Stamps = Annotated[
    str | None,
    typer.Option(
        "--stamps",
        metavar="HOW",
        help="even, rising (steps may differ), or any (as rows come). "
        "[dim]\\[default: even][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Fill = Annotated[
    str | None,
    typer.Option(
        "--fill",
        metavar="HOW",
        help="Fill gaps: previous or linear. [dim]\\[default: none][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Probation = Annotated[
    float | None,
    typer.Option(
        "--probation",
        metavar="SHARE",
        help="Share of the file, from its beginning, to learn from. "
        "[dim]\\[default: 0.15][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="N",
        help="Steps that are learnt from at once. [dim]\\[default: 96][/dim]",
        show_default=False,
        rich_help_panel=STREAM,
    ),
]
Short = Annotated[
    int | None,
    typer.Option(
        "--short",
        metavar="N",
        help="Steps whose errors are averaged. [dim]\\[default: 10][/dim]",
        show_default=False,
        rich_help_panel=ALERTS,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="P",
        help="How unlikely errors must be for an alert. "
        "[dim]\\[default: 0.00001][/dim]",
        show_default=False,
        rich_help_panel=ALERTS,
    ),
]


@trains("detect")
def train_detect(
    data: Data,
    time: Time = None,
    target: Target = None,
    label: Label = None,
    stamps: Stamps = None,
    encoding: Encoding = None,
    fill: Fill = None,
    probation: Probation = None,
    window: Window = None,
    short: Short = None,
    threshold: Threshold = None,
) -> None:
    """Train a detector of anomalies on the first part of a stream; judge the rest.

    A network forecasts each step from those before; an alert is where its latest errors
    are unlikely by all errors so far. The scores of the whole file go to scores.csv in
    the run, and its report draws the alerts.
    """
