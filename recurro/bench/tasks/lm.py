"""Lines that a language model writes: molecules as SMILES."""

from __future__ import annotations

from pathlib import Path

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.cells import GRU
from recurro.tasks import LanguageModel
from recurro.tasks.presets import PRESETS

__all__ = ["CASES"]

LINES = 5000
"""Lines that are written at temperature 1 to be judged."""


def _molecules(folder: Path, seed: int) -> Found:
    """Small molecules; the best epoch is chosen on a tenth of them, by hash."""
    preset = PRESETS["molecules"]
    settings = {**preset["data"], **preset["model"], **preset["train"], "cell": GRU()}
    model = LanguageModel(**settings, seed=seed)
    model.fit(folder / "qm9_dev.smi")
    *others, ours = ({**row} for row in model.baselines_)
    del ours["name"]
    baselines = {row.pop("name"): row for row in others}
    return Found({**ours, **model.evaluate_lines(LINES, seed=seed)}, baselines)


CASES = (
    Case(
        "lm",
        "smiles",
        (Goal("validity", 0.97), Goal("valence_validity"), Goal("novelty")),
        _molecules,
    ),
)
"""What is measured of the lines that a language model writes."""
