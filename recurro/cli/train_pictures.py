"""``recurro train read`` and ``recurro train paint``: numbers on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import NETWORK
from recurro.cli.train_lm import (
    EmbeddingSize,
)
from recurro.cli.training import trains

PICTURES = "Pictures"

Pictures = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder of pictures of one size, named by the number on them "
        "(47_0001.png); a table of image and number; an .npz file (images, numbers); "
        "or digits, digits:3, digits:1-3 for drawn numbers of so many digits.",
        show_default=False,
    ),
]
Attention = Annotated[
    str | None,
    typer.Option(
        "--attention",
        metavar="NAME",
        help="soft: a grid of Gaussian filters, learnt by gradients; reinforce: patches"
        " around a place, learnt by reward. [dim]\\[default: soft][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Glimpses = Annotated[
    int | None,
    typer.Option(
        "--glimpses",
        metavar="N",
        help="Glimpses for each digit. [dim]\\[default: 2][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Patch = Annotated[
    int | None,
    typer.Option(
        "--patch",
        metavar="N",
        help="Side of what is seen in a glimpse, or painted in a stroke.",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Strokes = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="N",
        help="Strokes of a picture. [dim]\\[default: 8][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Latent = Annotated[
    int | None,
    typer.Option(
        "--latent",
        metavar="N",
        help="Numbers that say what a stroke is like. [dim]\\[default: 8][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Binary = Annotated[
    bool | None,
    typer.Option(
        "--binary/--grey",
        metavar=" ",
        help="Paint ink and paper, or greys. [dim]\\[default: binary][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]


@trains("read")
def train_read(
    data: Pictures,
    attention: Attention = None,
    glimpses: Glimpses = None,
    patch: Patch = None,
    embedding_size: EmbeddingSize = None,
) -> None:
    """Train a reader of numbers that moves its glance over a picture.

    A tenth of the pictures is held out to choose the best epoch on; the network and its
    baselines (the most frequent number, those of the nearest pictures) are scored on
    it, and for drawn numbers also on ones of digits that are not in training. Where it
    looked is drawn in glimpses.png in the run.
    """


@trains("paint")
def train_paint(
    data: Pictures,
    steps: Strokes = None,
    patch: Patch = None,
    latent: Latent = None,
    binary: Binary = None,
) -> None:
    """Train a painter of pictures, stroke by stroke.

    A tenth of the pictures is held out to choose the best epoch on; the network and its
    baselines (independent pixels, a plain autoencoder) are scored on it, and for drawn
    numbers also on ones of digits that are not in training. How it paints is drawn in
    strokes.png in the run.
    """
