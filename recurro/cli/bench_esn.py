"""``recurro bench esn``: speed and memory of a large reservoir."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recurro.cli.benches import Out, Rounds, leave
from recurro.cli.options import Json
from recurro.cli.running import use_threads

Units = Annotated[
    int, typer.Option("--units", metavar="M", min=2, help="Units of the reservoir.")
]
PerRow = Annotated[
    int, typer.Option("--per-row", metavar="N", min=1, help="Entries of each row.")
]
Steps = Annotated[
    int, typer.Option("--steps", metavar="T", min=1, help="Steps of the series.")
]


def bench_esn(
    units: Units = 10_000,
    per_row: PerRow = 10,
    steps: Steps = 2_000,
    rounds: Rounds = 7,
    out: Out = None,
    json: Json = False,
) -> None:
    """Draw, run and read out a reservoir beside scipy and reservoirpy.

    One thread. A ratio is the other's time, or memory, over ours; of drawing, seconds
    are shown. What networks learn is measured by: recurro bench tasks --task esn.
    """
    use_threads(1)
    from recurro.bench.reservoir import bench_reservoir
    from recurro.bench.timing import machine
    from recurro.cli.show import print_rows, say

    rows = bench_reservoir(units, per_row, steps, rounds=rounds)
    tree = {
        "question": "What does a large reservoir cost?",
        "rows": [{**asdict(row), "met": row.met} for row in rows],
        "machine": machine(),
    }
    if leave(tree, out, as_json=json):
        return
    print_rows(
        [
            {
                "name": row.name,
                "ours": _told(row.ours, row.unit),
                "theirs": "" if row.theirs is None else _told(row.theirs, row.unit),
                "measured": row.measured,
                "required": ("<= " if row.theirs is None else ">= ")
                + f"{row.required:g}",
                "met": "yes" if row.met else "no",
                "steady": "yes" if row.steady else "no",
            }
            for row in rows
        ]
    )
    if len(rows) < 5:
        say("reservoirpy is not installed: pip install reservoirpy to compare.")


def _told(value: float, unit: str) -> str:
    return f"{value / 2**20:.0f} MiB" if unit == "B" else f"{value:.3f} s"
