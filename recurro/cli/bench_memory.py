"""``recurro bench memory`` and ``recurro bench optimizers``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recurro.cli.benches import Out, Picture, leave
from recurro.cli.options import Json
from recurro.cli.running import use_threads

Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="adding, copy, order or reset; may be repeated. "
        "[dim]\\[default: all][/dim]",
        show_default=False,
    ),
]
Cells = Annotated[
    list[str] | None,
    typer.Option(
        "--cell",
        metavar="NAME",
        help="elman, residual, forget, lstm, gru or esn; may be repeated. "
        "[dim]\\[default: all][/dim]",
        show_default=False,
    ),
]
Lengths = Annotated[
    list[int] | None,
    typer.Option(
        "--length",
        metavar="T",
        min=10,
        help="Steps; may be repeated. [dim]\\[default: 50, 100, 200, 500][/dim]",
        show_default=False,
    ),
]
Minutes = Annotated[
    float,
    typer.Option("--minutes", metavar="M", help="How long all may take together."),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", metavar="N", min=1, help="Processes, of one thread each."),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick", metavar=" ", help="A few updates of small networks, to try it out."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of what is random.")
]

SHARE = 0.9
"""The share of the minutes that is planned; the rest is for what takes longer."""


def bench_memory(
    task: Tasks = None,
    cell: Cells = None,
    length: Lengths = None,
    minutes: Minutes = 30.0,
    jobs: Jobs = 2,
    quick: Quick = False,
    seed: Seed = 0,
    out: Out = None,
    picture: Picture = None,
    json: Json = False,
) -> None:
    """Measure how long cells remember, and what a reset costs them.

    The adding problem, the copy task, temporal order, and sums that must be begun anew;
    each cell learns each at each length, in an equal share of the minutes left.
    Solved: the error is under a tenth of the trivial answer's, on sequences of no
    training.
    """
    use_threads(1)
    from recurro.bench.memory import CELLS, LENGTHS, TASKS, Fit, price_of_reset
    from recurro.bench.memory import bench_memory as measure
    from recurro.bench.memory_picture import draw_memory
    from recurro.bench.picture import check_picture
    from recurro.bench.timing import machine
    from recurro.cli.show import say
    from recurro.errors import ArgumentError

    if not 0 < minutes < float("inf"):
        raise ArgumentError(f"--minutes: must be a number above 0, got {minutes}.")
    if picture is not None:
        check_picture(picture)
    tasks, cells, lengths = task or list(TASKS), cell or list(CELLS), length or LENGTHS
    fit = Fit()
    if quick:
        small = {"units": 8, "rows": 8, "reservoir": 50, "judged": 100}
        fit = Fit(updates=10, look=10, **small)
    rows = []
    total = SHARE * 60 * minutes
    found = measure(tasks, cells, lengths, fit=fit, jobs=jobs, total=total, seed=seed)
    for row in found:
        rows.append(row)
        if not json:
            say(_line(row.task, row.length, row.cell, row.error / row.trivial))
    price = price_of_reset(rows)
    tree = {
        "question": "How long do cells remember?",
        "settings": {"minutes": minutes, "jobs": jobs, **asdict(fit)},
        "rows": [asdict(row) for row in rows],
        "price_of_reset": price,
        "machine": machine(),
    }
    if picture is not None:
        draw_memory(rows, picture)
    if leave(tree, out, as_json=json):
        return
    solved = sum(row.solved for row in rows)
    say()
    say(f"{solved} of {len(rows)} solved: error under a tenth of the trivial answer's.")
    for name, share in sorted(price.items(), key=lambda pair: pair[1]):
        say(f"A reset leaves {name} with {share:.2f} of the trivial answer's error.")


def _line(task: str, length: int, cell: str, share: float) -> str:
    from recurro.bench.memory import SOLVED

    word = "solved" if share < SOLVED else "-"
    return f"{task:<8}{length:>4}  {cell:<9}{share:>9.3g}  {word}"


Updates = Annotated[
    int, typer.Option("--updates", metavar="N", min=1, help="Updates at most.")
]
Units = Annotated[
    int, typer.Option("--units", metavar="N", min=2, help="Units of each network.")
]


def bench_optimizers(
    updates: Updates = 1000,
    units: Units = 64,
    seed: Seed = 0,
    out: Out = None,
    picture: Picture = None,
    json: Json = False,
) -> None:
    """Compare gradient descent, momentum and Rprop; bound the spectral radius.

    On a linear recurrence whose curvatures differ by a factor of some 3,700, and on a
    simple recurrent network that begins at a spectral radius of 1.5.
    """
    use_threads(1)
    from recurro.bench.memory_picture import draw_optimizers
    from recurro.bench.optimizers import Chain, bench_bounds, bench_methods
    from recurro.bench.picture import check_picture
    from recurro.bench.timing import machine
    from recurro.cli.show import print_rows, say

    if picture is not None:
        check_picture(picture)
    methods = bench_methods(Chain(), updates=updates, seed=seed)
    bounds = bench_bounds(updates=updates, units=units, seed=seed)
    tree = {
        "question": "What helps where gradient descent fails?",
        "condition": Chain().condition,
        "methods": [asdict(row) for row in methods],
        "bounds": [asdict(row) for row in bounds],
        "machine": machine(),
    }
    if picture is not None:
        draw_optimizers(methods, bounds, picture)
    if leave(tree, out, as_json=json):
        return
    arrived = "updates to 1/1000 of the first error"
    print_rows(
        [
            {
                "name": row.name,
                "rate": row.learning_rate,
                "momentum": row.momentum,
                arrived: "not reached" if row.updates is None else str(row.updates),
            }
            for row in methods
        ]
    )
    say()
    print_rows(
        [
            {
                "name": "no bound" if row.bound is None else f"bound {row.bound:g}",
                "spectral radius at the end": row.radius,
                "largest gradient": row.largest,
                "wrong answers": row.error,
            }
            for row in bounds
        ]
    )
