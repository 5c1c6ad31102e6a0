"""``recurro train transcribe``: speech to text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import NETWORK, TEXT
from recurro.cli.train_lm import (
    Lower,
)
from recurro.cli.training import trains

SOUND = "Sound"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A table of file and text (.csv, .tsv, .jsonl, .parquet), or a folder of "
        "WAV files, each with its text beside it in a .txt file.",
        show_default=False,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="KIND",
        help="char, or word where texts use few. [dim]\\[default: char][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate",
        metavar="HZ",
        help="Samples per second; recordings of more are resampled. "
        "[dim]\\[default: 8000][/dim]",
        show_default=False,
        rich_help_panel=SOUND,
    ),
]
Stack = Annotated[
    int | None,
    typer.Option(
        "--stack",
        metavar="N",
        help="Frames of 10 ms that are read in one step. [dim]\\[default: 3][/dim]",
        show_default=False,
        rich_help_panel=SOUND,
    ),
]
Join = Annotated[
    str | None,
    typer.Option(
        "--join",
        metavar="N|N,M",
        help="Train on so many recordings joined, other ones in each pass.",
        show_default=False,
        rich_help_panel=SOUND,
    ),
]
Noise = Annotated[
    float | None,
    typer.Option(
        "--noise",
        metavar="DB",
        help="The least ratio to noise that is added. [dim]\\[default: 15][/dim]",
        show_default=False,
        rich_help_panel=SOUND,
    ),
]
Bidirectional = Annotated[
    bool | None,
    typer.Option(
        "--bidirectional/--forward",
        metavar=" ",
        help="Read in both directions, or forward only. [dim]\\[default: both][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("transcribe")
def train_transcribe(
    data: Data,
    tokens: Tokens = None,
    lower: Lower = None,
    rate: Rate = None,
    stack: Stack = None,
    join: Join = None,
    noise: Noise = None,
    bidirectional: Bidirectional = None,
) -> None:
    """Train a recogniser of speech.

    A tenth of the recordings is held out to choose the best epoch on; the network and
    its baselines (the most frequent text, and templates joined by dynamic time warping)
    are scored on it. In training, recordings are varied in speed, loudness and noise,
    with parts hidden.
    """
