"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Typer shows only the leaf of its tree of usage errors; what they share is above it.
UsageError = typer.BadParameter.__mro__[2]

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="RUN",
        help="Folder of the new run.  [dim]\\[default: runs/NAME-…][/dim]",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run that --out already holds.")
]
Json = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="Where to compute: auto, cpu, cuda."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, help="CPU threads to compute with."),
]
