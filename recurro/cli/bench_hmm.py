"""``recurro bench hmm``: what learning a hidden Markov model costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recurro.cli.benches import Out, Rounds, leave
from recurro.cli.options import Json
from recurro.cli.running import use_threads

States = Annotated[
    int, typer.Option("--states", metavar="N", min=1, help="Hidden states.")
]
Observations = Annotated[
    int,
    typer.Option("--observations", metavar="N", min=300, help="Steps in all."),
]


def bench_hmm(
    states: States = 20,
    observations: Observations = 100_000,
    rounds: Rounds = 5,
    out: Out = None,
    json: Json = False,
) -> None:
    """Time an iteration of Baum-Welch beside hmmlearn, scaled and in logarithms.

    One thread. A ratio is hmmlearn's time over ours, the median over rounds in turn;
    what is required of it stands beside it, for 20 states and 100,000 observations.
    """
    use_threads(1)
    from recurro.bench.hmm import OURS, REQUIRED
    from recurro.bench.hmm import bench_hmm as measure
    from recurro.bench.timing import machine
    from recurro.cli.show import print_rows

    rows = measure(states, observations, rounds=rounds)
    tree = {
        "question": "What does an iteration of Baum-Welch cost?",
        "required": REQUIRED,
        "rows": [asdict(row) for row in rows],
        "machine": machine(),
    }
    if leave(tree, out, as_json=json):
        return
    told = []
    for row in rows:
        parts = "one sequence" if row.sequences == 1 else f"{row.sequences} sequences"
        cells: dict[str, object] = {
            "name": f"{row.emission}, {parts}",
            "ms": 1e3 * row.engines[OURS].seconds.median,
        }
        for name, least in REQUIRED.items():
            cells[name] = row.engines[name].ratio.median
            cells[f"required of {name.split()[-1]}"] = least
        told.append(cells | {"steady": "yes" if row.engines[OURS].steady else "no"})
    print_rows(told)
