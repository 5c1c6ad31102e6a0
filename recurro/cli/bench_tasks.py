"""``recurro bench tasks``: what is measured of each task, against what is required."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurro.cli.benches import Out, leave
from recurro.cli.options import Json, Quiet, Threads
from recurro.cli.running import use_threads

if TYPE_CHECKING:
    from recurro.bench.tasks import TaskRow

Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="A task, such as classify, or one of its data sets, such as "
        "classify/sms-spam; may be repeated. [dim]\\[default: all][/dim]",
        show_default=False,
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="FOLDER",
        envvar="RECURRO_DATA",
        show_envvar=False,
        help="The folder of the data sets, one folder each; also RECURRO_DATA.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        help="Take the mean over N seeds. [dim]\\[default: as the case asks][/dim]",
        show_default=False,
    ),
]


def bench_tasks(
    task: Tasks = None,
    data: Data = Path("data"),
    seeds: Seeds = None,
    threads: Threads = None,
    out: Out = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train each task on its data sets; print measured against required.

    All of it takes hours on a small machine. The baseline is the best of those that
    stand beside the task, trained and scored on the same parts.
    """
    use_threads(threads)
    from recurro.bench.tasks import measure, select_cases
    from recurro.bench.timing import machine
    from recurro.cli.show import print_rows

    rows: list[TaskRow] = []
    for case in select_cases(task or ()):
        for row in measure(case, data, seeds):
            rows.append(row)
            if not quiet:
                print(_line(row), file=sys.stderr, flush=True)  # noqa: T201 (progress)
    tree = {"rows": [row.tree() for row in rows], "machine": machine()}
    if not leave(tree, out, as_json=json):
        print_rows([_cells(row) for row in rows])


def _line(row: TaskRow) -> str:
    """A row as soon as it is there."""
    place = f"{row.task} {row.data}: {row.figure}"
    if row.measured is None:
        return f"{place}: {row.note}"
    return f"{place} {row.measured:.4g} · {row.mark} · {row.seconds:.0f} s a seed"


def _cells(row: TaskRow) -> dict[str, str | int | None]:
    """A row of the table."""
    bound = {"higher": "≥", "lower": "≤"}[row.better]
    bound = bound if not row.strictly else {"≥": ">", "≤": "<"}[bound]
    required = "" if row.required is None else f"{bound} {row.required:.4g}"
    measured = "" if row.measured is None else f"{row.measured:.4g}"
    beside = "" if row.baseline_figure is None else f"{row.baseline_figure:.4g}"
    return {
        "task": row.task,
        "data": row.data,
        "figure": row.figure.replace("_", " "),
        "measured": measured,
        "required": required,
        "": row.mark,
        "baseline": beside,
        "which": row.note or row.baseline,
        "seconds": None if row.seconds is None else round(row.seconds),
    }
