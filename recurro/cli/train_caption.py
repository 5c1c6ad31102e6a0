"""``recurro train caption``: pictures to descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import NETWORK, TEXT
from recurro.cli.train_lm import EmbeddingSize, Lower
from recurro.cli.training import trains

PICTURES = "Pictures"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A table of image and captions (.jsonl, .csv, .tsv, .parquet), or a folder"
        " of images with such a table; or scenes, scenes:8000 for drawn ones.",
        show_default=False,
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="PATH",
        help="Where the images are: a folder, or features by name (.npz) or by row "
        "(.npy). [dim]\\[default: beside the table][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Side = Annotated[
    int | None,
    typer.Option(
        "--side",
        metavar="N",
        help="Cut and scale pictures to N x N pixels.",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Test = Annotated[
    Path | None,
    typer.Option(
        "--test",
        metavar="DATA",
        help="Score on these at the end, once. Of scenes: unseen combinations.",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
TestImages = Annotated[
    Path | None,
    typer.Option(
        "--test-images",
        metavar="PATH",
        help="Where the images of --test are. [dim]\\[default: as --images][/dim]",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="KIND",
        help="word, char, byte or bpe:N. [dim]\\[default: word][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Look = Annotated[
    str | None,
    typer.Option(
        "--attention",
        metavar="NAME",
        help="bahdanau, dot, general, or none to see a picture as a whole. "
        "[dim]\\[default: bahdanau][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
EachStep = Annotated[
    bool | None,
    typer.Option(
        "--each-step/--at-first",
        metavar=" ",
        help="Let the picture as a whole enter at each step too, or set the first "
        "state alone. [dim]\\[default: first][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("caption")
def train_caption(
    data: Data,
    images: Images = None,
    side: Side = None,
    test: Test = None,
    test_images: TestImages = None,
    tokens: Tokens = None,
    lower: Lower = None,
    attention: Look = None,
    each_step: EachStep = None,
    embedding_size: EmbeddingSize = None,
) -> None:
    """Train a describer of pictures.

    A tenth of the pictures is held out to choose the best epoch on; the network and its
    baselines (the most frequent caption, and what was said of the nearest picture) are
    scored on it. The report sorts captions into four grades, from without errors to
    unrelated; a picture shows where the network looked for each word.
    """
