"""``recurro train music``: a model of polyphonic music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Json, Out, Overwrite, Quiet, Threads
from recurro.cli.train_lm import (
    BatchSize,
    CellName,
    Clip,
    Config,
    Device,
    Dropout,
    EmbeddingSize,
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
from recurro.cli.train_sequence import train_task

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


def train_music(
    data: Pieces,
    step: Step = None,
    cell: CellName = None,
    hidden_size: HiddenSize = None,
    num_layers: NumLayers = None,
    embedding_size: EmbeddingSize = None,
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
    """Train a model of music: which of 88 keys sound, given the frames before.

    The best epoch is chosen on the part named valid, or on a tenth of the pieces; the
    network and its baselines (keys without memory, a Markov chain of each key) are
    scored on it, and on the part named test if there is one.

    [dim]Settings: --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]
    """
    train_task("music", dict(locals()))
