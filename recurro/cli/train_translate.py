"""``recurro train translate``: one text into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import NETWORK, RUN, TEXT
from recurro.cli.train_lm import EmbeddingSize, Encoding, Lower, MinCount
from recurro.cli.training import trains
from recurro.errors import ArgumentError

Data = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="A table .tsv of source and target, or a file or folder of conversations "
        "(.yml). Instead of it: --source and --target.",
        show_default=False,
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(
        "--source",
        metavar="FILE",
        help="Texts to be read, one on a line.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--target",
        metavar="FILE",
        help="What is to be written of each, on the same line.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Valid = Annotated[
    list[Path] | None,
    typer.Option(
        "--valid",
        metavar="FILE",
        help="What to choose the best epoch on: a table, or given twice, sources "
        "first. [dim]\\[default: a tenth][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Test = Annotated[
    list[Path] | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="What to test on at the end, likewise.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="KIND",
        help="bpe:N (byte pairs, N of at least 257), word, char or byte. "
        "[dim]\\[default: bpe:8000][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Joint = Annotated[
    bool | None,
    typer.Option(
        "--joint/--apart",
        help="One vocabulary and embedding for both sides. "
        "[dim]\\[default: joint][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Attention = Annotated[
    str | None,
    typer.Option(
        "--attention",
        metavar="KIND",
        help="none, bahdanau, dot or general. [dim]\\[default: general][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Smoothing = Annotated[
    float | None,
    typer.Option(
        "--smoothing",
        metavar="P",
        help="Share of P that training spreads over all tokens. "
        "[dim]\\[default: 0.1][/dim]",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Sampling = Annotated[
    float | None,
    typer.Option(
        "--scheduled-sampling",
        metavar="P",
        help="Share of own tokens that is read at the end of training.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Settings to start from: small, luong, bahdanau, cho, sutskever, google.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]


def _files(flags: dict[str, Any], data: Path | None) -> list[Path]:
    """What is read: DATA, or both sides."""
    source, target = flags.pop("source", None), flags.pop("target", None)
    sides = [side for side in (source, target) if side is not None]
    if len(sides) == 2 and data is None:
        return sides
    if data is not None and not sides:
        return [data]
    got = [
        name
        for name, value in (("DATA", data), ("--source", source), ("--target", target))
        if value is not None
    ]
    raise ArgumentError(
        f"train translate: there must be DATA, or --source and --target, got "
        f"{' and '.join(got) or 'neither'}. See 'recurro train translate --help'."
    )


@trains("translate", files=_files)
def train_translate(
    data: Data = None,
    source: Source = None,
    target: Target = None,
    valid: Valid = None,
    test: Test = None,
    tokens: Tokens = None,
    joint: Joint = None,
    lower: Lower = None,
    min_count: MinCount = None,
    encoding: Encoding = None,
    attention: Attention = None,
    embedding_size: EmbeddingSize = None,
    smoothing: Smoothing = None,
    scheduled_sampling: Sampling = None,
    preset: Preset = None,
) -> None:
    """Train a model that turns texts into others: translations, replies, summaries.

    The network and its baselines (the source as it is, and the translation of the
    nearest text of training) are scored by BLEU and chrF of sacrebleu on what is held
    out, and on --test. The run folder gets a picture of where attention looked.
    """
