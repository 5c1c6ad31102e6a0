"""Programs that are read and executed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.cells import GRU
from recurro.tasks import ProgramExecutor

__all__ = ["CASES"]

FIGURES = ("char_accuracy", "exact_match")
PROGRAMS = {"length": 3, "nesting": 2, "cell": GRU(), "epochs": 30}
ADDITION = {
    "problem": "addition",
    "length": 3,
    "curriculum": "mix",
    "cell": GRU(),
    "hidden_size": 128,
    "batch_size": 64,
    "learning_rate": 0.004,
    "programs": 25_600,
    "epochs": 60,
}


def _executed(folder: Path, seed: int, settings: Mapping[str, Any]) -> Found:
    """New programs, all of the full length and nesting, and of each hardness."""
    model = ProgramExecutor(**settings, seed=seed).fit()
    figures = model.evaluate()
    for row in model.evaluate_each():
        hardness = f"{row['length']}_{row['nesting']}"
        figures |= {f"{key}_{hardness}": row[key] for key in FIGURES}
    *others, _ = ({**row} for row in model.test_)
    return Found(figures, {row.pop("name"): row for row in others})


def _reported(length: int, nesting: int) -> tuple[Goal, ...]:
    """The figures as a whole, and for each length and nesting."""
    each = tuple(
        Goal(f"{key}_{one}_{two}")
        for two in range(1, nesting + 1)
        for one in range(1, length + 1)
        for key in FIGURES
    )
    return (*map(Goal, FIGURES), *each)


CASES = (
    Case(
        "execute",
        "addition",
        (Goal("exact_match", 0.98), Goal("char_accuracy")),
        partial(_executed, settings=ADDITION),
        generated=True,
    ),
    Case(
        "execute",
        "programs",
        _reported(PROGRAMS["length"], PROGRAMS["nesting"]),
        partial(_executed, settings=PROGRAMS),
        generated=True,
    ),
)
"""What is measured of executors."""
