"""Classes of texts and of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.cells import GRU
from recurro.data import (
    Labelled,
    Roles,
    equal_recordings,
    read_labelled,
    tell_stories,
)
from recurro.data.labelled import JOINT
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


def _sentences(folder: Path, seed: int, settings: Mapping[str, Any]) -> Found:
    """Sentences of reviews, in the parts that they come in."""
    parts = (read_labelled(folder / f"stsa.binary.{part}") for part in ("train", "dev"))
    return _found({**settings, "seed": seed}, *parts)


def _stories(folder: Path, seed: int, settings: Mapping[str, Any]) -> Found:
    """Questions on stories, the question first; those scored are other stories."""
    parts = []
    for count, number in ((6000, seed), (1000, 10**6)):
        told = tell_stories(count, number)
        texts = [f"{story.question} {JOINT} {story.text}" for story in told]
        answers = [story.answer for story in told]
        parts.append(Labelled(texts, answers, texts, [""] * count))
    return _found({**settings, "seed": seed}, *parts)


def _series(folder: Path, seed: int, name: str, settings: Mapping[str, Any]) -> Found:
    """Series, in the parts that they come in."""
    train, test = (read_labelled(folder / f"{name}_{part}.ts") for part in PARTS)
    return _found({**settings, "seed": seed}, train, test)


def _recordings(
    folder: Path, seed: int, roles: Roles, settings: Mapping[str, Any]
) -> Found:
    """Recordings in windows, each recording scored in one of four folds.

    A recording, and one that is the same, is never in training and in test.
    """
    found = read_labelled(folder, roles)
    groups = equal_recordings(found.items)
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    rows = [
        _found({**settings, "seed": seed}, found.select(train), found.select(test))
        for train, test in folds.split(found.items, found.labels, groups)
    ]
    return Found(
        _means([row.figures for row in rows]),
        {
            name: _means([row.baselines[name] for row in rows])
            for name in rows[0].baselines
        },
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


PARTS = ("TRAIN", "TEST")

SENTENCES = {
    "lower": True,
    "min_count": 1,
    "subwords": True,
    "evidence": True,
    "embedding_size": 50,
    "hidden_size": 32,
    "dropout": 0.5,
    "learning_rate": 0.003,
    "average": 0.99,
    "batch_size": 50,
    "epochs": 6,
}
NAMES = {
    "tokens": "char",
    "evidence": True,
    "cell": GRU(),
    "hidden_size": 96,
    "embedding_size": 48,
    "dropout": 0.5,
    "held_out": 0.02,
    "batch_size": 64,
    "learning_rate": 0.004,
    "schedule": "cosine",
    "epochs": 15,
    "keep": "last",  # what is held out is too little to choose by
}
STORIES = {
    "cell": GRU(),
    "bidirectional": False,
    "pooling": "last",
    "embedding_size": 24,
    "batch_size": 64,
    "learning_rate": 0.005,
    "schedule": "cosine",
    "epochs": 12,
}
MESSAGES = {"epochs": 8, "dropout": 0.3, "lower": True}
VOWELS = {"epochs": 30, "batch_size": 16, "dropout": 0.3}
MOTIONS = {"epochs": 60, "batch_size": 8, "dropout": 0.3}
ACTIVITIES = {
    "window": 80,
    "stride": 40,
    "held_out": 0.15,
    "batch_size": 16,
    "epochs": 30,
    "hidden_size": 48,
    "embedding_size": 48,
    "dropout": 0.5,
    "learning_rate": 0.003,
    "schedule": "cosine",
}

CASES = (
    Case(
        "classify",
        "sst2",
        (
            Goal("accuracy", 0.81),
            Goal("accuracy", beats="naive Bayes on words"),
            Goal("calibration_error", better="lower"),
        ),
        partial(_sentences, settings=SENTENCES),
        seeds=3,
    ),
    Case(
        "classify",
        "sms-spam",
        (Goal("accuracy", 0.983), Goal("f1_spam"), Goal("macro_f1")),
        partial(_by_hash, file="sms_dev.tsv", settings=MESSAGES),
    ),
    Case(
        "classify",
        "surnames",
        (Goal("accuracy", 0.81), Goal("macro_f1")),
        partial(_by_hash, file="", settings=NAMES),
    ),
    Case(
        "classify",
        "stories",
        (Goal("accuracy", 0.95),),
        partial(_stories, settings=STORIES),
        generated=True,
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
    Case(
        "classify",
        "arem",
        (Goal("accuracy", beats="best"), Goal("macro_f1")),
        partial(
            _recordings,
            roles=Roles(label="Lable", time="time"),
            settings=ACTIVITIES,
        ),
    ),
)
"""What is measured of classifiers."""
