"""``recurro train label``: a label for each frame of a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import NETWORK
from recurro.cli.train_lm import (
    EmbeddingSize,
    Encoding,
)
from recurro.cli.train_sequence import (
    Features,
    IdColumn,
    LabelColumn,
    Test,
    TimeColumn,
)
from recurro.cli.training import trains

Frames = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Tables with a row for each frame, folders of such, or films in .npz "
        "files (frames, lengths, labels).",
        show_default=False,
    ),
]
Bidirectional = Annotated[
    bool | None,
    typer.Option(
        "--bidirectional/--forward",
        help="Whether frames behind are looked at too. [dim]\\[default: forward][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
FrameHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="softmax, or crf for labels that depend on their neighbours.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("label")
def train_label(
    data: Frames,
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    label: LabelColumn = None,
    test: Test = None,
    encoding: Encoding = None,
    bidirectional: Bidirectional = None,
    embedding_size: EmbeddingSize = None,
    head: FrameHead = None,
) -> None:
    """Train a model of the label of each frame: of sensors, or of video.

    A tenth of the sequences is held out to choose the best epoch on; the network and
    its baselines (most frequent label, the same network without memory) are scored on
    it.
    """
