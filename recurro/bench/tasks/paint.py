"""Painting: a bound on -log P of a picture, in nats."""

from __future__ import annotations

from pathlib import Path

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import draw_house_numbers
from recurro.data.numbered_pictures import COUNTS
from recurro.tasks import Painter

__all__ = ["CASES"]

FIGURE = "bound"


def _numbers(folder: Path, seed: int) -> Found:
    """Numbers of two digits that are not in training."""
    train = draw_house_numbers(COUNTS["train"], length=2)
    test = draw_house_numbers(COUNTS["test"], "test", length=2, seed=1)
    model = Painter(seed=seed).fit(train.images, test=test.images)
    *others, ours = model.test_
    return Found(
        {FIGURE: ours[FIGURE]},
        {row["name"]: {FIGURE: row[FIGURE]} for row in others},
    )


CASES = (
    Case(
        "paint",
        "house-numbers",
        (Goal(FIGURE, None, "lower", beats="plain autoencoder"),),
        _numbers,
        generated=True,
    ),
)
"""What is measured of painting."""
