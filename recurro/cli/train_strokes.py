"""``recurro train strokes``: a model of drawings and handwriting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import NETWORK
from recurro.cli.train_lm import (
    EmbeddingSize,
)
from recurro.cli.training import trains

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="NPZ files of drawings (points, lengths, perhaps texts), by part (train, "
        "valid, test) or not; SVG files, or folders of such.",
        show_default=False,
    ),
]
Mixtures = Annotated[
    int | None,
    typer.Option(
        "--mixtures",
        metavar="M",
        help="Gaussians of the mixture; 0 for a squared error. [dim]\\[default: 20]"
        "[/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="K",
        help="Learn to write the texts of the drawings: Gaussians of the soft window "
        "over them. [dim]\\[default: 0, no texts][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("strokes")
def train_strokes(
    data: Files,
    mixtures: Mixtures = None,
    window: Window = None,
    embedding_size: EmbeddingSize = None,
) -> None:
    """Train a model of drawings: where the pen goes next, and whether it is lifted.

    The best epoch is chosen on the part named valid, or on a tenth of the drawings; the
    network and its baseline (a Gaussian autoregression of the last 16 points) are
    scored on it, and on the part named test if there is one.
    """
