"""What is measured of a task, and what is required of it.

A case is one piece of work on one data set, with a goal for each figure that it gives;
``measure`` does the work for some seeds and puts each mean beside its goal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

__all__ = ["Case", "Found", "Goal", "TaskRow", "measure"]

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Goal:
    """A figure and what is required of it.

    Attributes:
        figure: The key of the metric, as ``evaluate`` prints it.
        required: What it must reach; ``None`` for no more than being reported.
        better: Which way is better.
        beats: The baseline that must be beaten, whose figure is then what is required:
            its name, or ``best`` for the best of them.
    """

    figure: str
    required: float | None = None
    better: Better = "higher"
    beats: str | None = None


@dataclass(frozen=True)
class Found:
    """What one training gave.

    Attributes:
        figures: The figures of the network on the scored part.
        baselines: Those of each baseline on the same part, by its name.
    """

    figures: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A task on a data set.

    Attributes:
        task: The word of the task on the command line.
        data: What the data set is called; its folder in the folder of all sets.
        goals: What is required.
        work: Trains with a seed on the set in a folder and scores the part for that.
        seeds: Over how many seeds, from 0, the requirement wants the mean.
        generated: Whether the data are made, so that there is no folder.
    """

    task: str
    data: str
    goals: tuple[Goal, ...]
    work: Callable[[Path, int], Found]
    seeds: int = 1
    generated: bool = False

    @property
    def name(self) -> str:
        """Task and data set, as ``classify/sms-spam``."""
        return f"{self.task}/{self.data}"


@dataclass(frozen=True)
class TaskRow:
    """One figure, measured against what is required.

    Attributes:
        task: The word of the task.
        data: The data set.
        figure: The key of the metric.
        measured: Its mean over the seeds; ``None`` where the set is absent.
        required: What it must reach, or ``None``.
        better: Which way is better.
        baseline: The best of the baselines, or the one that must be beaten; empty if
            there is none.
        baseline_figure: Its figure.
        seconds: Of one seed, training and scoring together; ``None`` where absent.
        by_seed: The figure of each seed.
        strictly: Whether what is required must be beaten, where equal is not enough.
        note: Why nothing was measured.
    """

    task: str
    data: str
    figure: str
    measured: float | None
    required: float | None
    better: Better
    baseline: str = ""
    baseline_figure: float | None = None
    seconds: float | None = None
    by_seed: tuple[float, ...] = ()
    strictly: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it reaches what is required; ``None`` if nothing can be said."""
        if self.measured is None or self.required is None:
            return None
        if self.measured == self.required:
            return not self.strictly
        return (self.measured > self.required) == (self.better == "higher")

    @property
    def mark(self) -> str:
        """``met``, ``missed``, ``reported`` or ``absent``."""
        if self.measured is None:
            return "absent"
        return {True: "met", False: "missed", None: "reported"}[self.met]

    def tree(self) -> dict[str, Any]:
        """Plain values, the mark among them."""
        return {**vars(self), "mark": self.mark}


def measure(case: Case, data: Path, seeds: int | None = None) -> Iterator[TaskRow]:
    """Do the work of a case and give a row for each of its goals.

    Args:
        case: What is measured.
        data: The folder of all data sets. A set that is not there gives rows that say
            so.
        seeds: How many seeds, at least 1; ``None`` for as many as the case wants.

    Example:
        >>> def toss(folder, seed):
        ...     ours, coin = {"accuracy": 0.5 + seed / 10}, {"accuracy": 0.5}
        ...     return Found(ours, {"coin": coin})
        >>> case = Case("classify", "coins", (Goal("accuracy", 0.6),), toss, seeds=3,
        ...             generated=True)
        >>> [row] = measure(case, Path())
        >>> round(row.measured, 3), row.mark, row.baseline, row.baseline_figure
        (0.6, 'met', 'coin', 0.5)
    """
    folder = data / case.data
    if not (case.generated or folder.exists()):
        note = f"{folder} is not there"
        for goal in case.goals:
            yield TaskRow(
                *(case.task, case.data, goal.figure, None, goal.required, goal.better),
                note=note,
            )
        return
    begun = time.perf_counter()
    found = [case.work(folder, seed) for seed in range(seeds or case.seeds)]
    seconds = (time.perf_counter() - begun) / len(found)
    for goal in case.goals:
        yield _row(case, goal, found, seconds)


def _row(case: Case, goal: Goal, found: list[Found], seconds: float) -> TaskRow:
    values = tuple(float(one.figures[goal.figure]) for one in found)
    name, baseline = _baseline(goal, found)
    return TaskRow(
        *(case.task, case.data, goal.figure, _mean(values)),
        required=baseline if goal.beats else goal.required,
        better=goal.better,
        baseline=name,
        baseline_figure=baseline,
        seconds=seconds,
        by_seed=values,
        strictly=goal.beats is not None,
    )


def _baseline(goal: Goal, found: list[Found]) -> tuple[str, float | None]:
    """The baseline that stands beside a figure: the one named, or the best."""
    means = {
        name: _mean([one.baselines[name][goal.figure] for one in found])
        for name, figures in found[0].baselines.items()
        if goal.figure in figures
    }
    if goal.beats not in (None, "best"):
        return goal.beats, means[goal.beats]
    if not means:
        return "", None
    best = (max if goal.better == "higher" else min)(means, key=means.__getitem__)
    return best, means[best]


def _mean(values: list[float] | tuple[float, ...]) -> float:
    # Rounding of the mean must not turn three times 0.96 into less than 0.96.
    return round(float(np.mean(values)), 12)
