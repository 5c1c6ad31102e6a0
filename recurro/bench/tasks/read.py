"""Numbers on pictures: drawn ones, of digits that are not in training."""

from __future__ import annotations

from pathlib import Path

from recurro.baselines.pictures import NearestPicture
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import draw_house_numbers
from recurro.data.numbered_pictures import COUNTS
from recurro.tasks import GlimpseReader

__all__ = ["CASES"]

FIGURE, REINFORCED = "sequence_accuracy", "sequence_accuracy_reinforce"


def _numbers(folder: Path, seed: int) -> Found:
    """Two digits, by gradients and by reward, beside the nearest of all pictures."""
    train = draw_house_numbers(COUNTS["train"], length=2)
    test = draw_house_numbers(COUNTS["test"], "test", length=2, seed=1)
    models = {
        FIGURE: GlimpseReader(attention="soft", seed=seed),
        REINFORCED: GlimpseReader(attention="reinforce", seed=seed),
    }
    figures, baselines = {}, {}
    for figure, model in models.items():
        model.fit(train.images, train.numbers)
        figures[figure] = model.score(test.images, test.numbers)
    for name, k in (("nearest picture", 1), ("5 nearest pictures", 5)):
        told = NearestPicture(k).fit(train.images, train.numbers).predict(test.images)
        right = sum(a == b for a, b in zip(told, test.numbers, strict=True))
        baselines[name] = dict.fromkeys((FIGURE, REINFORCED), right / len(told))
    return Found(figures, baselines)


CASES = (
    Case(
        "read",
        "house-numbers",
        (Goal(FIGURE, 0.95), Goal(REINFORCED, 0.95)),
        _numbers,
        generated=True,
    ),
)
"""What is measured of reading."""
