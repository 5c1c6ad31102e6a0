"""``recurro bench engine``: how fast cells run over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from recurro.cli.benches import Out, Picture, Rounds, leave
from recurro.cli.options import Json, Threads
from recurro.cli.running import use_threads

if TYPE_CHECKING:
    from recurro.bench.engine import EngineRow

Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="NAME",
        help="layers, cells, resets, lengths, long, sparse, stream, memory, build or "
        "compile; may be repeated. \\[default: all but compile, which takes minutes]",
        show_default=False,
    ),
]
Cell = Annotated[
    str | None,
    typer.Option(
        "--cell", metavar="NAME", help="Only the rows of a cell.", show_default=False
    ),
]


def bench_engine(
    table: Tables = None,
    cell: Cell = None,
    rounds: Rounds = 15,
    threads: Threads = None,
    out: Out = None,
    picture: Picture = None,
    json: Json = False,
) -> None:
    """Measure cells in rendered C beside PyTorch, a Python loop, scipy, ONNX Runtime.

    A ratio is the other's time (or memory) over ours, the median over rounds in turn: 2
    means twice as fast as the other, 0.5 half as fast. Where a ratio is asked for, it
    stands in the column *needed*.
    """
    use_threads(threads or 1)
    from recurro.bench.engine import bench_engine as measure
    from recurro.bench.engine import select_cases
    from recurro.bench.picture import check_picture, draw
    from recurro.bench.stream import ONNX
    from recurro.bench.timing import machine
    from recurro.cli.show import say_dim

    if picture is not None:
        check_picture(picture)
    found = []
    for name, group in groupby(select_cases(table, cell), lambda case: case.table):
        rows = list(measure(list(group), rounds=rounds))
        found += rows
        if not json:
            _print_table(name, rows)
    tree = {
        "question": "How fast do cells run over time?",
        "rows": [asdict(row) for row in found],
        "machine": machine(),
    }
    if picture is not None:
        draw(tree["rows"], picture)
    printed = leave(tree, out, as_json=json)
    if not printed and any(
        row.case.against == ONNX and not row.figures for row in found
    ):
        say_dim(
            "ONNX Runtime is not installed: pip install 'recurro[onnx]' to compare."
        )


def _print_table(name: str, rows: Sequence[EngineRow]) -> None:
    """A title, and a line for each figure."""
    from recurro.bench.engine import TABLES
    from recurro.cli.show import print_rows, say

    lines = [
        {
            "name": f"{row.case.name} {', '.join(map(str, row.case.shape))}",
            "what": kind,
            "against": row.case.against,
            "ours": _amount(figure.ours, figure.unit),
            "ratio": figure.ratio.median,
            "quartiles": f"{figure.ratio.lower:.2f} {figure.ratio.upper:.2f}",
            "needed": row.case.required[kind],
            "GFLOP/s": figure.gflops and round(figure.gflops),
            "torch.mm": figure.gemm and round(figure.gemm),
            "steady": "yes" if figure.steady else "no",
        }
        for row in rows
        for kind, figure in row.figures.items()
    ]
    if lines:
        say(f"{TABLES[name].title} ({name})")
        print_rows(lines)
        say()


def _amount(value: float, unit: str) -> str:
    """Seconds or bytes as a person reads them."""
    if unit == "B":
        return f"{value / 1e6:.0f} MB"
    size, name = next(
        (size, name)
        for size, name in ((1, "s"), (1e-3, "ms"), (0, "us"))
        if value >= size
    )
    return f"{value / (size or 1e-6):.3g} {name}"
