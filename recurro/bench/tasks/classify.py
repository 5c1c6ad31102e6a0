"""Classes of texts and of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recurro.baselines.sequences import classifier_baselines, fit_baselines
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import read_classes, read_labelled
from recurro.tasks import SequenceClassifier
from recurro.tasks.metrics import classification_figures

__all__ = ["CASES"]

Items = tuple[Sequence[Any], Sequence[Any]]
"""Sequences and the class of each."""


def _found(model: SequenceClassifier, train: Items, test: Items) -> Found:
    """Train a model and its baselines on one part, score them on another."""
    baselines = classifier_baselines(text=isinstance(train[0][0], str))
    fit_baselines(baselines, train[0], np.array(train[1]))
    model.fit(*train)
    classes = {label: number for number, label in enumerate(model.classes_.tolist())}
    targets = np.array([classes[label] for label in test[1]])
    return Found(
        model.evaluate(*test),
        {
            name: classification_figures(
                np.log(np.maximum(other.predict_proba(test[0]), 1e-12)), targets
            )
            for name, other in baselines.items()
        },
    )


def _by_hash(folder: Path, seed: int, file: str, settings: Mapping[str, Any]) -> Found:
    """Texts, of which a tenth is scored, by their hash."""
    train, test = (
        (part.items, [part.classes[label] for label in part.labels])
        for part in read_classes(folder / file).split()
    )
    return _found(SequenceClassifier(**settings, seed=seed), train, test)


def _series(folder: Path, seed: int, name: str, settings: Mapping[str, Any]) -> Found:
    """Series, in the parts that they come in."""
    train, test = (read_labelled(folder / f"{name}_{part}.ts") for part in PARTS)
    return _found(SequenceClassifier(**settings, seed=seed), train, test)


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
