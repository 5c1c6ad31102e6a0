"""``recurro bench ngram``: quality and speed of n-grams."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Json

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A text of words.", show_default=False),
]
Orders = Annotated[
    str,
    typer.Option("--orders", metavar="N,N", help="The orders to measure."),
]


def bench_ngram(file: File, orders: Orders = "3,5", json: Json = False) -> None:
    """Train on the first 90 % of the lines of a text, score the rest, take the time."""
    from recurro.bench.ngram import bench_ngram as measure
    from recurro.cli.show import print_json, print_rows
    from recurro.errors import ArgumentError

    try:
        wanted = [int(order) for order in orders.split(",")]
    except ValueError:
        raise ArgumentError(
            f"--orders: must be numbers with commas between, got {orders!r}. Write for "
            "instance 3,5."
        ) from None
    found = [asdict(row) for row in measure(file, wanted)]
    if json:
        print_json(found)
    else:
        print_rows([{"name": f"{row.pop('order')}-gram", **row} for row in found])
