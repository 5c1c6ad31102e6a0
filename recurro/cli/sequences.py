"""What the commands on one answer per sequence share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recurro.cli.show import outcome, print_json, print_rows, say, say_dim, watch
from recurro.data import read_items, read_labelled
from recurro.errors import ArgumentError, DataError
from recurro.report import write_report
from recurro.tasks import SequenceClassifier, SequenceRegressor
from recurro.tasks.regressor import LEVEL
from recurro.tasks.sequence_config import HEADS, SequenceSettings
from recurro.train import current_shard

__all__ = [
    "KINDS",
    "Model",
    "answers_of",
    "check_interval",
    "figures_of",
    "finish",
    "resume_run",
    "train_run",
]

Model: TypeAlias = SequenceClassifier | SequenceRegressor

KINDS: dict[str, type[Model]] = {
    "classify": SequenceClassifier,
    "regress": SequenceRegressor,
}
"""The class of each task."""


def train_run(
    tree: Mapping[str, Any], data: Path, run: Path, *, overwrite: bool, quiet: bool
) -> Model:
    """Train a model in a run folder, shown to a person.

    Args:
        tree: The settings that were given, and the task.
        data: What to learn from.
        run: The folder.
        overwrite: Whether it may replace a run.
        quiet: Show nothing.
    """
    task = tree["task"]
    model = {"head": HEADS[task][0], **tree.get("model", {})}
    settings = SequenceSettings(**{**tree, "model": model})
    fresh = KINDS[task].of(settings, out=run, overwrite=overwrite)
    items, labels = _read(task, data)
    hidden = quiet or current_shard().rank > 0
    with watch(quiet=hidden, limit=settings.train.max_seconds) as watcher:
        return fresh.fit(items, labels, progress=watcher)


def resume_run(kind: type[Model], run: Path, *, quiet: bool) -> Model:
    """Go on with a run, shown to a person."""
    with watch(quiet=quiet or current_shard().rank > 0) as watcher:
        return kind.resume(run, progress=watcher)


def check_interval(verb: str, interval: float | None, task: str) -> None:
    """Refuse the level of an interval where no number is told."""
    if interval is not None and task != "regress":
        raise ArgumentError(
            f"{verb}: --interval must be left out for a run of {task}, which tells no "
            f"number, got {interval}."
        )


def figures_of(model: Model, data: Path, interval: float | None) -> dict[str, float]:
    """How well a model tells what a file says of its sequences."""
    items, labels = _read(model.task, data)
    if isinstance(model, SequenceRegressor):
        return model.evaluate(items, labels, LEVEL if interval is None else interval)
    return model.evaluate(items, labels)


def answers_of(
    model: Model, data: Path, interval: float | None
) -> list[dict[str, Any]]:
    """What a model tells of each sequence of a file, one row for each."""
    items = read_items(data)
    if isinstance(model, SequenceClassifier):
        chances = model.predict_proba(items)
        return [
            {
                "class": str(model.classes_[chance.argmax()]),
                "probability": float(chance.max()),
                **_text(item),
            }
            for item, chance in zip(items, chances, strict=True)
        ]
    rows = [{"mean": float(mean)} for mean in model.predict(items)]
    if interval is not None:
        ends = model.predict_interval(items, interval)
        for row, (low, high) in zip(rows, ends, strict=True):
            row |= {"low": float(low), "high": float(high)}
    return [{**row, **_text(item)} for row, item in zip(rows, items, strict=True)]


def _text(item: object) -> dict[str, str]:
    return {"text": item} if isinstance(item, str) else {}


def _read(task: str, data: Path) -> tuple[list[Any], list[Any]]:
    items, labels = read_labelled(data)
    if task == "classify":
        return items, labels
    numbers = []
    for item, label in enumerate(labels):
        try:
            numbers.append(float(label))
        except ValueError:
            raise DataError(
                f"regress: '{data}' must say a number of each sequence, got {label!r} "
                f"of item {item}. Use classify for classes."
            ) from None
    return items, np.array(numbers).tolist()


def finish(model: Model, run: Path, *, as_json: bool) -> None:
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
