"""Drawings and handwriting: -log p of a point, in nats; and whether it can be read."""

from __future__ import annotations

from pathlib import Path

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.bench.tasks.line_reader import LineReader
from recurro.data import draw_lines, read_drawings
from recurro.tasks import StrokeModel

__all__ = ["CASES"]

FIGURE = "nll_per_point"
ERRORS = "token_error_rate"

TEMPERATURE = 0.3
"""At which lines are written to be read."""


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


def _lines(folder: Path, seed: int) -> Found:
    """Lines of the font: the same network with and without their texts; a reader."""
    train, scored = draw_lines(2500, seed=2 * seed + 1), draw_lines(300, seed=2)
    assert scored.texts is not None
    same = {"hidden_size": 128, "batch_size": 32, "epochs": 14, "seed": seed}
    blind = StrokeModel(num_layers=2, **same).fit(train)
    writer = StrokeModel(window=10, **same).fit(train)
    reader = LineReader(seed=seed).fit(train)
    written = writer.generate(text=scored.texts, temperature=TEMPERATURE, seed=seed)
    return Found(
        {**writer.evaluate(scored), ERRORS: reader.error_rate(written, scored.texts)},
        {
            "without text": blind.evaluate(scored),
            "lines of the font": {ERRORS: reader.error_rate(scored, scored.texts)},
        },
    )


CASES = (
    Case(
        *("strokes", "kanji-strokes"),
        (Goal(FIGURE, better="lower", beats="Gaussian autoregression of order 16"),),
        _kanji,
    ),
    Case(
        *("strokes", "written-lines"),
        (
            Goal(FIGURE, better="lower", beats="without text"),
            Goal(ERRORS, 0.1, better="lower"),
        ),
        _lines,
        generated=True,
    ),
)
"""What is measured of drawings."""
