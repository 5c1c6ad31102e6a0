"""Arguments and options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Typer shows only the leaf of its tree of usage errors; what they share is above it.
UsageError: type[Exception] = typer.BadParameter.__mro__[2]

TRAINING = "Training"
TEXT = "Text"
TABLE = "Table"
NETWORK = "Network"
RUN = "Run"

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="RUN",
        help="Folder of the new run. [dim]\\[default: runs/NAME-1, -2, ...][/dim]",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar=" ",
        help="Replace the run that --out holds.",
        rich_help_panel=RUN,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar=" ", help="Print the figures as JSON.", rich_help_panel=RUN
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", metavar=" ", help="Show no progress.", rich_help_panel=RUN
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="CPU threads to compute with.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
Interval = Annotated[
    float | None,
    typer.Option(
        "--interval",
        metavar="P",
        help="Of regress, and of forecasts that are predicted: the probability of "
        "the intervals.",
        show_default=False,
    ),
]
BeamSize = Annotated[
    int | None,
    typer.Option(
        "--beam",
        metavar="K",
        min=1,
        help="Of transcribe, translate: search for a likely text with K beams.",
        show_default=False,
    ),
]
LanguageRun = Annotated[
    Path | None,
    typer.Option(
        "--lm",
        metavar="RUN",
        help="Of transcribe: let a language model of lines have a say.",
        show_default=False,
    ),
]
LanguageWeight = Annotated[
    float | None,
    typer.Option(
        "--lm-weight",
        metavar="W",
        help="Of transcribe: how much --lm counts. [dim]\\[default: 0.5][/dim]",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="Seed of what is random."),
]
