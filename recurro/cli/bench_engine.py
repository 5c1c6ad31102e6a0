"""``recurro bench engine``: how fast cells run over time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Json, Threads
from recurro.cli.running import use_threads

Cells = Annotated[
    list[str] | None,
    typer.Option(
        "--cell", metavar="NAME", help="LSTM, GRU, RNN, LayerNormLSTM, MinGRU."
    ),
]
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


def bench_engine(
    cell: Cells = None,
    rounds: Rounds = 15,
    threads: Threads = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Time cells in rendered C beside PyTorch's layers, or beside a Python loop.

    A ratio is the other's time over ours, the median over rounds in turn: 2 means twice
    as fast as PyTorch, 0.5 half as fast.
    """
    use_threads(threads or 1)
    from recurro.bench.engine import CELLS
    from recurro.bench.engine import bench_engine as measure
    from recurro.bench.timing import machine
    from recurro.cli.show import as_json, print_json, print_rows
    from recurro.data import atomic_write
    from recurro.errors import ArgumentError

    for name in cell or ():
        if name not in CELLS:
            raise ArgumentError(
                f"bench engine: --cell must be one of {', '.join(CELLS)}, got {name!r}."
            )
    rows = measure(cell or tuple(CELLS), rounds=rounds)
    tree = {
        "question": "How fast do cells run over time?",
        "rows": [asdict(row) for row in rows],
        "machine": machine(),
    }
    if out is not None:
        with atomic_write(out) as file:
            file.write(as_json(tree).encode())
    if json:
        print_json(tree)
        return
    print_rows(
        [
            {
                "name": f"{row.cell} {', '.join(map(str, row.shape))}",
                "against": row.against,
                "forward": 1 / row.forward.ratio.median,
                "train": 1 / row.train.ratio.median,
                "steady": "yes" if row.forward.steady and row.train.steady else "no",
            }
            for row in rows
        ]
    )
