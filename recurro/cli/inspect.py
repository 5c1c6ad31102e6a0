"""``recurro inspect``: why a network is hard to train, or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurro.cli.options import Json, RunFolder, Threads
from recurro.cli.running import use_threads
from recurro.errors import ArgumentError

if TYPE_CHECKING:
    from recurro.tasks.example import TrainedModel

Data = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATA",
        help="What it reads as it is looked at: files as for evaluate. "
        "[dim]\\[default: what it was trained on][/dim]",
        show_default=False,
    ),
]
Rows = Annotated[
    int,
    typer.Option("--rows", metavar="N", min=1, help="Sequences that are looked at."),
]
Steps = Annotated[
    int,
    typer.Option(
        "--steps",
        metavar="N",
        min=2,
        help="Of a running text: the steps of each sequence.",
    ),
]


def inspect(
    run: RunFolder,
    data: Data = None,
    rows: Rows = 16,
    steps: Steps = 200,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Look into a trained network: gradients, eigenvalues, gates, and advice.

    For each layer it tells how far back the gradient of the loss reaches, before and
    after training, what one step does to a state, and how often gates are stuck. Each
    advice names the figure that it rests on. The pictures go into the run's
    report.html, one file that loads nothing from elsewhere.
    """
    use_threads(threads)
    from recurro.analysis import inspect as look
    from recurro.cli.show import print_json, print_rows, say, say_dim
    from recurro.report import dynamics_of, write_report
    from recurro.train import RunFolder as Folder

    model = _opened(run)
    metrics = (
        Folder.open(run).read_metrics() if (run / "metrics.jsonl").exists() else []
    )
    found = look(
        model,
        _read(model, data or []),
        rows=rows,
        steps=steps,
        gradients=tuple(r["gradient"] for r in metrics if _is_step(r)),
        explosions=sum(record.get("kind") == "explosion" for record in metrics),
    )
    dynamics = dynamics_of(found)
    page = write_report(run, dynamics=dynamics)
    if json:
        advice = [{"sentence": s, "figure": f} for s, f in dynamics.advice]
        print_json({"layers": dynamics.rows, "advice": advice, "report": str(page)})
        return
    print_rows(dynamics.rows)
    say_dim(f"gradients of {found.of}; steps looked at: {found.views[0].steps}")
    say()
    for advice in found.advice:
        say(f"- {advice.sentence}")
        say_dim(f"  {advice.figure}")
    say(f"\nreport  {page}")


def _is_step(record: dict[str, Any]) -> bool:
    return record.get("kind") == "train" and record.get("gradient") is not None


def _opened(run: Path) -> TrainedModel:
    """The model of a run, if that has a recurrence.

    Raises:
        ArgumentError: If it is one of n-grams.
    """
    from recurro.cli.language import open_run
    from recurro.cli.sequences import TASKS
    from recurro.tasks import NGramLanguageModel
    from recurro.tasks.runs import task_of

    task = task_of(run)
    if task in TASKS:
        return TASKS[task].model.load(run)
    model = open_run(run)
    if isinstance(model, NGramLanguageModel):
        raise ArgumentError(
            f"inspect: the run must be one of a network, got {run}, one of n-grams, "
            "which have no recurrence. Use recurro evaluate."
        )
    return model


def _read(model: TrainedModel, files: list[Path]) -> Any:  # noqa: ANN401 (of the task)
    """What the files hold, as ``inspect`` takes it; ``None`` for no files."""
    from recurro.cli.sequences import TASKS
    from recurro.cli.settings import in_flags
    from recurro.tasks import ClassLanguageModel, LanguageModel
    from recurro.tasks.sequence import SequenceEstimator
    from recurro.tasks.sequence_config import sections_of

    if not files:
        return None
    if isinstance(model, LanguageModel):
        return files
    if isinstance(model, ClassLanguageModel) or not isinstance(
        model, SequenceEstimator
    ):
        raise ArgumentError(
            f"inspect: a run of {getattr(model, 'task', 'lm by class')} is looked at "
            f"by what it was trained on, got {files[0]}. Leave DATA out."
        )
    with in_flags((), sections_of(model.kind)):
        return TASKS[model.task].read(model, files)
