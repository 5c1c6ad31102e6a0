"""What the commands on tasks of sequences share: one table of tasks for all verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recurro.cli.show import outcome, print_json, print_rows, say, say_dim, watch
from recurro.data import read_items, read_labelled
from recurro.errors import ArgumentError, DataError
from recurro.report import write_report
from recurro.tasks import SequenceClassifier, SequenceRegressor
from recurro.tasks.regressor import LEVEL
from recurro.tasks.sequence import SequenceEstimator
from recurro.tasks.sequence_config import HEADS
from recurro.train import current_shard

__all__ = [
    "TASKS",
    "answers_of",
    "check_interval",
    "figures_of",
    "finish",
    "resume_run",
    "train_run",
]

Answers: TypeAlias = list[dict[str, Any]]
"""What a model tells, one row for each thing that it tells of."""


@dataclass(frozen=True)
class TaskVerbs:
    """What the commands need to know of a task.

    Attributes:
        model: Its class.
        read: The arguments of ``evaluate``, read from files, for a model.
        answers: What a model tells of a file, for ``predict``; with the probability of
            intervals, where one is asked for.
        training: The arguments of ``fit``, by name, where they are not those of
            ``evaluate``.
    """

    model: type[SequenceEstimator]
    read: Callable[[Any, Sequence[Path]], tuple[Any, ...]]
    answers: Callable[[Any, Path, float | None], Answers]
    training: Callable[[Any, Sequence[Path]], dict[str, Any]] | None = None


def train_run(
    tree: Mapping[str, Any],
    files: Sequence[Path],
    run: Path,
    *,
    overwrite: bool,
    quiet: bool,
) -> SequenceEstimator:
    """Train a model in a run folder, shown to a person.

    Args:
        tree: The settings that were given, and the task.
        files: What to learn from.
        run: The folder.
        overwrite: Whether it may replace a run.
        quiet: Show nothing.
    """
    task = TASKS[tree["task"]]
    if tree["task"] in HEADS:
        model = {"head": HEADS[tree["task"]][0], **tree.get("model", {})}
        tree = {**tree, "model": model}
    settings = task.model.kind(**tree)
    fresh = task.model.of(settings, out=run, overwrite=overwrite)
    if task.training is None:
        given = dict(zip(("X", "y"), task.read(fresh, files), strict=False))
    else:
        given = task.training(fresh, files)
    hidden = quiet or current_shard().rank > 0
    with watch(quiet=hidden, limit=settings.train.max_seconds) as watcher:
        return fresh.fit(**given, progress=watcher)


def resume_run(task: str, run: Path, *, quiet: bool) -> SequenceEstimator:
    """Go on with a run, shown to a person."""
    with watch(quiet=quiet or current_shard().rank > 0) as watcher:
        return TASKS[task].model.resume(run, progress=watcher)


def check_interval(verb: str, interval: float | None, task: str) -> None:
    """Refuse the level of an interval where no number is told."""
    if interval is not None and task != "regress":
        raise ArgumentError(
            f"{verb}: --interval must be left out for a run of {task}, which tells no "
            f"number, got {interval}."
        )


def figures_of(
    model: SequenceEstimator, files: Sequence[Path], interval: float | None
) -> dict[str, float]:
    """How well a model tells what files say of their sequences."""
    read = TASKS[model.task].read(model, files)
    if isinstance(model, SequenceRegressor):
        items, numbers = read
        return model.evaluate(items, numbers, LEVEL if interval is None else interval)
    return model.evaluate(*read)


def answers_of(model: SequenceEstimator, file: Path, interval: float | None) -> Answers:
    """What a model tells of each sequence of a file, one row for each."""
    return TASKS[model.task].answers(model, file, interval)


def _classes(model: SequenceClassifier, file: Path, interval: float | None) -> Answers:
    items = read_items(file)
    return [
        {
            "class": str(model.classes_[chance.argmax()]),
            "probability": float(chance.max()),
            **_text(item),
        }
        for item, chance in zip(items, model.predict_proba(items), strict=True)
    ]


def _numbers(model: SequenceRegressor, file: Path, interval: float | None) -> Answers:
    items = read_items(file)
    rows = [{"mean": float(mean)} for mean in model.predict(items)]
    if interval is not None:
        ends = model.predict_interval(items, interval)
        for row, (low, high) in zip(rows, ends, strict=True):
            row |= {"low": float(low), "high": float(high)}
    return [{**row, **_text(item)} for row, item in zip(rows, items, strict=True)]


def _text(item: object) -> dict[str, str]:
    return {"text": item} if isinstance(item, str) else {}


def _read_classes(
    model: SequenceClassifier, files: Sequence[Path]
) -> tuple[list[Any], list[Any]]:
    return read_labelled(only(files))


def _read_numbers(
    model: SequenceRegressor, files: Sequence[Path]
) -> tuple[list[Any], list[Any]]:
    items, labels = read_labelled(only(files))
    numbers = []
    for item, label in enumerate(labels):
        try:
            numbers.append(float(label))
        except ValueError:
            raise DataError(
                f"regress: '{files[0]}' must say a number of each sequence, got "
                f"{label!r} of item {item}. Use classify for classes."
            ) from None
    return items, np.array(numbers).tolist()


def only(files: Sequence[Path]) -> Path:
    """The one file that there is.

    Raises:
        ArgumentError: If there are several.
    """
    if len(files) > 1:
        raise ArgumentError(
            f"evaluate: a run of this task is scored on one folder or file, got "
            f"{len(files)}. Name one."
        )
    return files[0]


def finish(model: SequenceEstimator, run: Path, *, as_json: bool) -> None:
    """Write the report of a run and say how it went and what to do next."""
    if current_shard().rank > 0:
        return
    write_report(run)
    history, rows = model.history_, model.baselines_
    if as_json:
        print_json(outcome(run, rows, history))
        return
    print_rows(rows)
    if history.explosions:
        say(f"{history.explosions} steps exploded and were skipped.")
    say(f"\nrun     {run}")
    say(f"report  {run / 'report.html'}")
    say_dim(f"Try next: recurro evaluate {run} FILE")


TASKS: dict[str, TaskVerbs] = {
    "classify": TaskVerbs(SequenceClassifier, _read_classes, _classes),
    "regress": TaskVerbs(SequenceRegressor, _read_numbers, _numbers),
}
"""What there is to know of each task, by its word."""
