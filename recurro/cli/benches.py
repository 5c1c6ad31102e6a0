"""What the commands that measure share: their options, and where figures go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Out", "Picture", "Rounds", "leave"]

Rounds = Annotated[
    int, typer.Option("--rounds", metavar="N", min=1, help="Rounds at least.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="JSON file to write, with machine and versions.",
        show_default=False,
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        "--picture",
        metavar="FILE",
        help="Picture of all figures to draw: .png, .svg or .pdf.",
        show_default=False,
    ),
]


def leave(tree: Any, out: Path | None, *, as_json: bool) -> bool:  # noqa: ANN401
    """Write figures into a file, if there is to be one, and print them as JSON if so.

    Args:
        tree: The figures, plain values.
        out: The file.
        as_json: Whether they are printed.

    Returns:
        Whether they were printed.
    """
    from recurro.cli import show
    from recurro.data import atomic_write

    if out is not None:
        with atomic_write(out) as file:
            file.write(show.as_json(tree).encode())
    if as_json:
        show.print_json(tree)
    return as_json
