"""``recurro train execute``: programs, and what they print."""

from __future__ import annotations

from typing import Annotated

import typer

from recurro.cli.train_lm import EmbeddingSize
from recurro.cli.training import trains

PROGRAMS = "Programs"

Problem = Annotated[
    str | None,
    typer.Option(
        "--problem",
        metavar="KIND",
        help="programs, or addition of two numbers. [dim]\\[default: programs][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Length = Annotated[
    int | None,
    typer.Option(
        "--length",
        metavar="N",
        help="Digits of numbers. [dim]\\[default: 3][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Nesting = Annotated[
    int | None,
    typer.Option(
        "--nesting",
        metavar="N",
        help="Operations of a program. [dim]\\[default: 2][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Curriculum = Annotated[
    str | None,
    typer.Option(
        "--curriculum",
        metavar="KIND",
        help="Which are drawn when: none (all of full length and nesting), naive (easy "
        "ones first), mix (all kinds at all times), combined. [dim]\\[default: "
        "combined][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Reverse = Annotated[
    bool | None,
    typer.Option(
        "--reverse/--forward",
        metavar=" ",
        help="Read programs from their ends, or as they stand. [dim]\\[default: "
        "reverse][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Double = Annotated[
    bool | None,
    typer.Option(
        "--double/--once",
        metavar=" ",
        help="Read each program twice. [dim]\\[default: once][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]
Programs = Annotated[
    int | None,
    typer.Option(
        "--programs",
        metavar="N",
        help="Programs of a pass, new ones in each. [dim]\\[default: 20000][/dim]",
        show_default=False,
        rich_help_panel=PROGRAMS,
    ),
]


@trains("execute")
def train_execute(
    problem: Problem = None,
    length: Length = None,
    nesting: Nesting = None,
    curriculum: Curriculum = None,
    reverse: Reverse = None,
    double: Double = None,
    programs: Programs = None,
    embedding_size: EmbeddingSize = None,
) -> None:
    """Train a network to read small programs and write what they print.

    Programs are drawn, new ones for each pass; those that the best pass is chosen on
    and that are tested on are never learnt from. Beside the network stand the most
    frequent answer, the likeliest symbol at each place, and the last number in the
    program.
    """
