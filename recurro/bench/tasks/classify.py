"""Classes of texts and of series."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import Labelled, read_labelled
from recurro.tasks import SequenceClassifier

__all__ = ["CASES"]


def _found(settings: Mapping[str, Any], train: Labelled, test: Labelled) -> Found:
    """Train a model and its baselines on one part, score them on another."""
    model = SequenceClassifier(**settings)
    model.fit(train.items, train.labels, test=(test.items, test.labels))
    *others, ours = ({**row} for row in model.test_)
    del ours["name"]
    return Found(ours, {row.pop("name"): row for row in others})


def _by_hash(folder: Path, seed: int, file: str, settings: Mapping[str, Any]) -> Found:
    """Texts, of which a tenth is scored, by their hash."""
    return _found({**settings, "seed": seed}, *read_labelled(folder / file).split())


def _series(folder: Path, seed: int, name: str, settings: Mapping[str, Any]) -> Found:
    """Series, in the parts that they come in."""
    train, test = (read_labelled(folder / f"{name}_{part}.ts") for part in PARTS)
    return _found({**settings, "seed": seed}, train, test)


PARTS = ("TRAIN", "TEST")

MESSAGES = {"epochs": 8, "dropout": 0.3, "lower": True}
VOWELS = {"epochs": 30, "batch_size": 16, "dropout": 0.3}
MOTIONS = {"epochs": 60, "batch_size": 8, "dropout": 0.3}

CASES = (
    Case(
        "classify",
        "sms-spam",
        (Goal("accuracy", 0.983), Goal("macro_f1")),
        partial(_by_hash, file="sms_dev.tsv", settings=MESSAGES),
    ),
    Case(
        "classify",
        "japanese-vowels",
        (Goal("accuracy", 0.96),),
        partial(_series, name="JapaneseVowels", settings=VOWELS),
    ),
    Case(
        "classify",
        "basic-motions",
        (Goal("accuracy", 0.95),),
        partial(_series, name="BasicMotions", settings=MOTIONS),
    ),
)
"""What is measured of classifiers."""
