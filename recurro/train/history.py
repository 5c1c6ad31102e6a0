"""How far a run is, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["History", "Position"]


@dataclass
class Position:
    """How far the run is: plain numbers, saved with each checkpoint."""

    epoch: int = 0
    batch: int = 0  # batches read in this pass
    step: int = 0  # updates, the skipped ones too
    items: int = 0
    seconds: float = 0.0
    per_pass: int = 0  # updates of the first pass
    validated: int = -1  # the step of the last validation
    best: float | None = None
    best_step: int = 0
    waits: int = 0  # validations since the best
    plateau: int = 0  # validations without improvement since the last division
    divisions: int = 0
    validations: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class History:
    """What a training run did.

    Attributes:
        steps: Updates made, the skipped ones included.
        epochs: Whole passes over the data.
        items: Items (tokens, rows) learnt from.
        seconds: Time in training and validation, over all resumptions.
        explosions: Steps that were skipped.
        best: The best score, or ``None`` without validation.
        best_step: The step it was reached at.
        validations: Step and scores of each validation.
        stopped_by: The setting that ended the run.
    """

    steps: int
    epochs: int
    items: int
    seconds: float
    explosions: int
    best: float | None
    best_step: int
    validations: list[dict[str, float]]
    stopped_by: str
