"""``recurro train classify`` and ``regress``: one answer per sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import (
    NETWORK,
    TABLE,
    TEXT,
)
from recurro.cli.train_lm import (
    EmbeddingSize,
    Encoding,
    Lower,
    MinCount,
)
from recurro.cli.training import trains

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A table (.csv, .tsv, .jsonl, .parquet), lines of label and text, a .ts "
        "file, or a folder of CLASS.txt files or CLASS/FILE.",
        show_default=False,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Texts of a table; several, with commas between, are joined. [dim]"
        "\\[default: text][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="What is said of each. [dim]\\[default: label][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="COLUMN",
        help="Which series a row is a step of.",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="When a step was; must rise within a series.",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="COLUMNS",
        help="What was measured, with commas between. [dim]\\[default: the other "
        "columns][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
Test = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Test on this at the end; 'hash' for a tenth of DATA by its hash.",
        show_default=False,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="KIND",
        help="Of texts: word, char, byte, or bpe:N. [dim]\\[default: word][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="STEPS",
        help="Of series: cut each into windows of so many steps.",
        show_default=False,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        "--stride",
        metavar="STEPS",
        help="Of windows: steps from one to the next. [dim]\\[default: 1][/dim]",
        show_default=False,
    ),
]
Subwords = Annotated[
    bool | None,
    typer.Option(
        "--subwords",
        metavar=" ",
        help="Read words by their pieces too.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Evidence = Annotated[
    bool | None,
    typer.Option(
        "--evidence",
        metavar=" ",
        help="Count words or characters, pairs and pieces by class, too.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="KIND",
        help="balanced: each class weighs the same in training.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        "--pooling",
        metavar="WAYS",
        help="last, max, mean, attention, or several with commas between.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
ClassHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="softmax, or ordinal for classes with an order.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
NumberHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="normal, plain (squared error), log-normal (amounts), poisson (counts).",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("classify")
def train_classify(
    data: Data,
    test: Test = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    encoding: Encoding = None,
    tokens: Tokens = None,
    lower: Lower = None,
    min_count: MinCount = None,
    subwords: Subwords = None,
    evidence: Evidence = None,
    window: Window = None,
    stride: Stride = None,
    embedding_size: EmbeddingSize = None,
    pooling: Pooling = None,
    head: ClassHead = None,
    class_weight: ClassWeight = None,
) -> None:
    """Train a classifier of texts or of series of numbers.

    A tenth of the data is held out to choose the best epoch on; the network and its
    baselines (largest class, a linear model on statistics or words) are scored on it,
    and on what --test names.
    """


@trains("regress")
def train_regress(
    data: Data,
    test: Test = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    encoding: Encoding = None,
    tokens: Tokens = None,
    lower: Lower = None,
    min_count: MinCount = None,
    subwords: Subwords = None,
    window: Window = None,
    stride: Stride = None,
    embedding_size: EmbeddingSize = None,
    pooling: Pooling = None,
    head: NumberHead = None,
) -> None:
    """Train a model of the number that goes with a text or a series.

    A tenth of the data is held out to choose the best epoch on; the network and its
    baselines (the mean, ridge on statistics or words) are scored on it, and on what
    --test names.
    """
