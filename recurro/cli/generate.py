"""``recurro generate``: text out of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from recurro.cli.options import RunFolder, Threads
from recurro.cli.running import use_threads

Prompt = Annotated[
    str,
    typer.Option("--prompt", "-p", metavar="TEXT", help="What the text begins with."),
]
Length = Annotated[
    int, typer.Option("--length", "-n", metavar="N", help="Symbols to add.")
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        "-t",
        metavar="X",
        help="Below 1 careful, above 1 adventurous; 0 takes the likeliest symbol.",
    ),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", metavar="K", help="Draw among the K likeliest symbols."),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p", metavar="P", help="Draw among the symbols that hold P of the mass."
    ),
]
Beam = Annotated[
    int | None,
    typer.Option("--beam", metavar="K", help="Search for a likely text with K beams."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="The same seed, the same text."),
]
Number = Annotated[
    int, typer.Option("--number", metavar="N", min=1, help="How many texts to write.")
]
Label = Annotated[
    str | None,
    typer.Option("--class", metavar="NAME", help="Of a run by class: which class."),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream", metavar=" ", help="Print each symbol as soon as it is drawn."
    ),
]


def generate(
    run: RunFolder,
    prompt: Prompt = "",
    length: Length = 500,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    beam: Beam = None,
    seed: Seed = None,
    number: Number = 1,
    label: Label = None,
    stream: Stream = False,
    threads: Threads = None,
) -> None:
    """Write text as the training text might go on.

    A run of lines writes one item, up to its end; --number writes several.
    """
    use_threads(threads)
    from recurro.cli.language import open_run

    model = open_run(run)
    for index in range(number):
        pieces = model.stream(
            prompt,
            length,
            label=label,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            beam_size=beam,
            seed=None if seed is None else seed + index,
        )
        _write(pieces, stream)


def _write(pieces: Iterator[str], stream: bool) -> None:
    """Print a text and an end of line."""
    if not stream:
        pieces = iter(["".join(pieces)])
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
