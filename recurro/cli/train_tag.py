"""``recurro train tag``: a tag for each word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import (
    NETWORK,
    TEXT,
)
from recurro.cli.train_lm import (
    EmbeddingSize,
    Encoding,
    MinCount,
    Vectors,
)
from recurro.cli.training import trains

Tagged = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="CoNLL-U files (.conllu), or files with a word and its tags in columns "
        "and a blank line after each sentence.",
        show_default=False,
    ),
]
Column = Annotated[
    str | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="Of CoNLL-U: upos, xpos or deprel; of columns: a number from 2 on, or "
        "last. [dim]\\[default: upos; the second of two][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Valid = Annotated[
    Path | None,
    typer.Option(
        "--valid",
        metavar="FILE",
        help="Sentences to choose the best epoch on. [dim]\\[default: a tenth][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Test = Annotated[
    Path | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Sentences to test on at the end.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Lower = Annotated[
    bool | None,
    typer.Option(
        "--lower/--keep-case",
        help="Look words up in lower case; letters are read as they are. "
        "[dim]\\[default: lower][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
TagHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="softmax, or crf for tags that depend on each other, as of names.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


@trains("tag")
def train_tag(
    data: Tagged,
    column: Column = None,
    valid: Valid = None,
    test: Test = None,
    encoding: Encoding = None,
    lower: Lower = None,
    min_count: MinCount = None,
    embedding_size: EmbeddingSize = None,
    vectors: Vectors = None,
    head: TagHead = None,
) -> None:
    """Train a tagger of words: parts of speech, names and other spans.

    A tenth of the sentences is held out to choose the best epoch on, by span F1 where
    tags tell spans (B-person, I-person, O); the network and its baselines (most
    frequent tag, hidden Markov model) are scored on it, and on what --test names.
    """
