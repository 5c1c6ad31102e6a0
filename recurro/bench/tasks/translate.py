"""Translation, and summaries of lists that are drawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import draw_summaries, read_pairs
from recurro.tasks import Translator
from recurro.tasks.presets import TASK_PRESETS

__all__ = ["CASES"]

FASTER = "times_faster_together"
"""How many times faster texts are translated together than one after another."""

SUMMARIES = (40_000, 1_000)
"""Lists that are learnt from, and others to test on."""


def _sides(folder: Path, part: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """German and English."""
    found = read_pairs([folder / f"{part}.de", folder / f"{part}.en"])
    return found.sources, found.targets


def _translated(folder: Path, seed: int) -> Found:
    """German to English, lower-cased, with attention; without it stands beside."""
    train, valid, test = (
        _sides(folder, part) for part in ("train", "val", "test_2017_flickr")
    )
    small = TASK_PRESETS["translate"]["small"]
    settings: dict[str, Any] = {
        key: v for part in small.values() for key, v in part.items()
    }
    figures: dict[str, dict[str, float]] = {}
    others: dict[str, dict[str, float]] = {}
    for name in ("general", "none"):
        model = Translator(lower=True, attention=name, seed=seed, **settings)
        model.fit(*train, valid=valid, test=test)
        *rest, ours = model.test_
        figures[name] = _numbers(ours)
        others = {str(row["name"]): _numbers(row) for row in rest}
        if name == "general":
            figures[name][FASTER] = _times_faster(model, test[0])
    others["without attention"] = figures["none"]
    return Found(figures["general"], others)


def _times_faster(model: Translator, texts: Sequence[str]) -> float:
    """CPU time to translate texts one after another, over that of all together."""
    model.predict(texts[:50])  # so that all is loaded and built
    starts = [time.process_time()]
    model.predict(texts)
    starts.append(time.process_time())
    for text in texts:
        model.predict([text])
    together, apart = np.diff([*starts, time.process_time()])
    return float(apart / together)


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key != "name"}


def _summed_up(folder: Path, seed: int) -> Found:
    """The share of lists that are summed up without a fault."""
    train, test = (
        draw_summaries(count, seed=2 * seed + place)
        for place, count in enumerate(SUMMARIES)
    )
    model = Translator(
        tokens="word",
        joint=False,
        hidden_size=160,
        embedding_size=64,
        dropout=0.0,
        smoothing=0.0,
        learning_rate=0.005,
        warmup_steps=100,
        average=0.99,
        epochs=16,
        seed=seed,
    )
    model.fit(train.sources, train.targets)
    common = max(set(train.targets), key=train.targets.count)
    return Found(
        {"exact_match": _right(test.targets, model.predict(test.sources))},
        {
            "most frequent text": {
                "exact_match": _right(test.targets, [common] * len(test.targets))
            }
        },
    )


def _right(wanted: Sequence[str], found: Sequence[str]) -> float:
    pairs = zip(wanted, found, strict=True)
    return sum(a == b for a, b in pairs) / len(wanted)


CASES = (
    Case(
        "translate",
        "multi30k-en-de",
        (
            Goal("bleu", 22.0),
            Goal("bleu", beats="without attention"),
            Goal(FASTER, 5.0),
        ),
        _translated,
    ),
    Case(
        "translate",
        "summaries",
        (Goal("exact_match", 0.95),),
        _summed_up,
        generated=True,
    ),
)
"""What is measured of texts that are turned into others."""
