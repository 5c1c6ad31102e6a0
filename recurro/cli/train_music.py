"""``recurro train music``: a model of polyphonic music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.train_lm import (
    EmbeddingSize,
)
from recurro.cli.training import trains

Pieces = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="MIDI files, folders of such, or JSON: lists of frames of pitches, by "
        "part (train, valid, test) or not.",
        show_default=False,
    ),
]
Step = Annotated[
    float | None,
    typer.Option(
        "--step",
        metavar="X",
        help="Quarter notes of a frame. [dim]\\[default: 1][/dim]",
        show_default=False,
        rich_help_panel="Music",
    ),
]


@trains("music")
def train_music(
    data: Pieces,
    step: Step = None,
    embedding_size: EmbeddingSize = None,
) -> None:
    """Train a model of music: which of 88 keys sound, given the frames before.

    The best epoch is chosen on the part named valid, or on a tenth of the pieces; the
    network and its baselines (keys without memory, a Markov chain of each key) are
    scored on it, and on the part named test if there is one.
    """
