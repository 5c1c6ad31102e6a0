"""Polyphonic music: -log P of a frame of 88 keys, in nats."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recurro.baselines.music import IndependentKeys, MarkovKeys
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import read_pieces
from recurro.tasks import MusicModel

__all__ = ["CASES"]

FIGURE = "nll_per_frame"


def _chorales(folder: Path, seed: int) -> Found:
    """The official parts; the best epoch is chosen on the second of them."""
    parts = read_pieces(folder / "jsb-chorales-quarter.json")
    model = MusicModel(patience=10, seed=seed)
    model.fit(parts["train"], valid=parts["valid"])
    baselines = {}
    for name, counted in (
        ("independent keys", IndependentKeys()),
        ("Markov chain of each key", MarkovKeys()),
    ):
        counted.fit(parts["train"])
        found = [counted.log_probs(roll)[1:] for roll in parts["test"]]
        baselines[name] = {FIGURE: -float(np.concatenate(found).mean())}
    return Found(model.evaluate(parts["test"]), baselines)


CASES = (Case("music", "jsb-chorales", (Goal(FIGURE, 8.65, "lower"),), _chorales),)
"""What is measured of music."""
