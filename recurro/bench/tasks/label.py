"""Labels of frames, where something moves out of sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data.occlusion import Occluded, moving_shapes, moving_targets
from recurro.tasks import FrameLabeler

__all__ = ["CASES"]

TRAIN, TEST = 400, 200
"""Sequences to learn from and to score."""


def _generated(
    folder: Path,
    seed: int,
    make: Callable[..., Occluded],
    settings: Mapping[str, Any],
) -> Found:
    """A labeler with and without memory, on new sequences, and on hidden steps."""
    learnt, new = make(TRAIN, seed=2 * seed), make(TEST, seed=2 * seed + 1)
    model = FrameLabeler(**settings, seed=seed)
    plain = model.without_memory()
    figures = [
        _figures(one.fit(learnt.items, learnt.labels), new) for one in (plain, model)
    ]
    return Found(figures[1], {"without memory": figures[0]})


def _figures(model: FrameLabeler, seen: Occluded) -> dict[str, float]:
    named = [np.array(row) for row in model.predict(seen.items)]
    right = np.concatenate(named) == np.concatenate(seen.labels)
    hidden = np.concatenate(seen.hidden)
    return {
        "accuracy": float(right.mean()),
        "accuracy_hidden": float(right[hidden].mean()),
    }


RUN = {"epochs": 20, "learning_rate": 0.01}
FILM = {"epochs": 20, "learning_rate": 0.003, "batch_size": 16, "schedule": "cosine"}

CASES = (
    Case(
        "label",
        "moving-targets",
        (Goal("accuracy", 0.95), Goal("accuracy_hidden", beats="without memory")),
        partial(_generated, make=moving_targets, settings=RUN),
        generated=True,
    ),
    Case(
        "label",
        "moving-shapes",
        (Goal("accuracy", 0.95), Goal("accuracy_hidden", beats="without memory")),
        partial(_generated, make=moving_shapes, settings=FILM),
        generated=True,
    ),
)
"""What is measured of labelers."""
