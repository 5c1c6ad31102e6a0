"""``recurro bench jacobian``: what the derivatives of all steps cost."""

from __future__ import annotations

from typing import Annotated

import typer

from recurro.cli.benches import Out, Rounds, leave
from recurro.cli.options import Json
from recurro.cli.running import use_threads

Hidden = Annotated[
    int, typer.Option("--hidden", metavar="N", min=1, help="Units of the LSTM.")
]
Steps = Annotated[
    int, typer.Option("--steps", metavar="N", min=1, help="Steps of the run.")
]


def bench_jacobian(
    hidden: Hidden = 128,
    steps: Steps = 200,
    rounds: Rounds = 3,
    out: Out = None,
    json: Json = False,
) -> None:
    """Time the Jacobians of an LSTM's steps beside a call of autograd for each unit.

    One thread. A ratio is autograd's time over ours, the median over rounds in turn;
    at 128 units and 200 steps it must be at least 10.
    """
    use_threads(1)
    from recurro.bench.jacobian import REQUIRED
    from recurro.bench.jacobian import bench_jacobian as measure
    from recurro.bench.timing import as_tree
    from recurro.cli.show import print_rows

    rows = measure(hidden, steps, rounds=rounds)
    sizes = {"hidden": hidden, "steps": steps, "required": REQUIRED}
    tree = as_tree("What do the Jacobians of all steps cost?", rows, sizes)
    if leave(tree, out, as_json=json):
        return
    print_rows(
        [
            {
                "name": row.name,
                "ms": 1e3 * row.seconds.median,
                "ratio": 1 / row.ratio.median,
                "quartiles": f"{1 / row.ratio.upper:.1f} {1 / row.ratio.lower:.1f}",
                "steady": "yes" if row.steady else "no",
            }
            for row in rows
        ]
    )
