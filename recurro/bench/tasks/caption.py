"""Captions: what is said of drawn scenes whose combinations were never seen."""

from __future__ import annotations

from pathlib import Path

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import draw_scenes
from recurro.tasks import Captioner

__all__ = ["CASES"]

TRAIN, TEST = 16_000, 500
"""Scenes to learn from and to score."""


def _scenes(folder: Path, seed: int) -> Found:
    """Pictures that each show a pair of colour and kind that was withheld."""
    learnt = draw_scenes(TRAIN, seed=2 * seed)
    new = draw_scenes(TEST, unseen=True, seed=2 * seed + 1)
    test = (new.items, new.captions)
    model = Captioner(held_out=0.02, seed=seed)
    model.fit(learnt.items, learnt.captions, test=test)
    *others, ours = ({**row} for row in model.test_)
    del ours["name"]
    return Found(ours, {row.pop("name"): row for row in others})


CASES = (
    Case(
        "caption",
        "scenes",
        (Goal("exact_match", 0.95), Goal("bleu", None, beats="best")),
        _scenes,
        generated=True,
    ),
)
"""What is measured of captions."""
