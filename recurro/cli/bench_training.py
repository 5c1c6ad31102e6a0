"""``recurro bench training``: what the training loop costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Json, Threads
from recurro.cli.running import use_threads

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


def bench_training(
    rounds: Rounds = 15, threads: Threads = None, out: Out = None, json: Json = False
) -> None:
    """Time the training loop beside a bare PyTorch loop that does the same work.

    A character model, two LSTM layers of 512, batch 64, chunks of 100 steps; the ratio
    is the median over rounds in turn, between its quartiles.
    """
    use_threads(threads or 1)
    from recurro.bench.timing import as_tree
    from recurro.bench.training import Sizes
    from recurro.bench.training import bench_training as measure
    from recurro.cli.show import as_json, print_json, print_rows, say
    from recurro.data import atomic_write

    sizes = Sizes()
    rows = measure(sizes, rounds=rounds)
    tree = as_tree("What does the training loop cost?", rows, vars(sizes))
    if out is not None:
        with atomic_write(out) as file:
            file.write(as_json(tree).encode())
    if json:
        print_json(tree)
        return
    print_rows(
        [
            {
                "name": row.name,
                "seconds per update": row.seconds.median / sizes.chunks,
                "ratio": row.ratio.median,
                "lower quartile": row.ratio.lower,
                "upper quartile": row.ratio.upper,
            }
            for row in rows
        ]
    )
    say(f"\nrecurro's loop costs {100 * (rows[-1].ratio.median - 1):+.1f} %.")
    if not rows[0].steady:
        say("The machine was busy: the bare loop wavered too much to trust this.")
