"""Drawings: -log p of a point, in nats."""

from __future__ import annotations

from pathlib import Path

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import read_drawings
from recurro.tasks import StrokeModel

__all__ = ["CASES"]

FIGURE = "nll_per_point"


def _kanji(folder: Path, seed: int) -> Found:
    """The part named valid; the best epoch is chosen on a tenth of the other."""
    parts = read_drawings(folder / "short_kanji.npz")
    train, scored = parts["train"], parts["valid"]
    plain = StrokeModel(mixtures=0, epochs=8, seed=seed).fit(train)
    model = StrokeModel(seed=seed).fit(train, test=scored)
    linear, ours = ({FIGURE: row[FIGURE]} for row in model.test_)
    return Found(
        ours, {model.test_[0]["name"]: linear, "squared error": plain.evaluate(scored)}
    )


CASES = (
    Case(
        *("strokes", "kanji-strokes"),
        (Goal(FIGURE, better="lower", beats="Gaussian autoregression of order 16"),),
        _kanji,
    ),
)
"""What is measured of drawings."""
