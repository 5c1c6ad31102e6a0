"""Numbers of series and of texts: life that is left, salaries, likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import (
    NumberedTexts,
    liked_posts,
    paid_adverts,
)
from recurro.tasks import SequenceRegressor
from recurro.tasks.metrics import regression_figures

__all__ = ["CASES"]

LIFE = {
    "window": 30,
    "stride": 2,
    "held_out": 0.15,
    "batch_size": 64,
    "epochs": 10,
    "hidden_size": 48,
    "bidirectional": False,
    "pooling": "last",
    "dropout": 0.2,
    "head": "normal",
    "learning_rate": 0.003,
    "schedule": "cosine",
}
TEXTS = {
    "hidden_size": 32,
    "pooling": "last",
    "batch_size": 64,
    "epochs": 10,
    "learning_rate": 0.01,
    "schedule": "cosine",
}
MOST = 125
"""Cycles: more life than that is left is no more than that, in training and test."""


def _life(folder: Path, seed: int, settings: Mapping[str, Any] = LIFE) -> Found:
    """Cycles that are left to engines, told from their last windows."""
    runs = _engines(folder / "train_FD001.txt")
    left = [np.minimum(MOST, np.arange(len(run))[::-1]).astype(float) for run in runs]
    begun = _engines(folder / "test_FD001.txt")
    truth = np.minimum(MOST, np.loadtxt(folder / "RUL_FD001.txt"))
    joined = np.concatenate(runs)
    vary = [column for column in range(21) if len(np.unique(joined[:, column])) > 2]
    runs, begun = ([run[:, vary] for run in part] for part in (runs, begun))
    model = SequenceRegressor(**settings, seed=seed)
    return _found(model.fit(runs, left, test=(begun, truth)))


def _engines(file: Path) -> list[np.ndarray]:
    """The sensors of each engine ``(cycles, 21)``; behind id, cycle and 3 settings."""
    table = np.loadtxt(file)
    starts = np.flatnonzero(np.diff(table[:, 0])) + 1
    return [part[:, 5:] for part in np.split(table, starts)]


def _texts(
    folder: Path,
    seed: int,
    make: Callable[..., NumberedTexts],
    head: Literal["log-normal", "poisson"],
) -> Found:
    """Made texts; all errors as multiples of the best that there can be."""
    train, test = make(12_000), make(2000, seed=1)
    model = SequenceRegressor(**TEXTS, head=head, seed=seed)
    model.fit(train.texts, train.numbers, test=(test.texts, test.numbers))
    best = regression_figures(test.means, test.numbers)["rmse"]
    for row in model.test_:
        row[OF_BEST] = row["rmse"] / best
    return _found(model)


OF_BEST = "rmse_of_best"
"""The error over that of the true mean, on the same texts."""


def _found(model: SequenceRegressor) -> Found:
    """What a trained model and its baselines told of the part for test."""
    *others, ours = ({**row} for row in model.test_)
    del ours["name"]
    return Found(ours, {row.pop("name"): row for row in others})


_INTERVALS = (Goal("coverage"), Goal("width", better="lower"))

CASES = (
    Case(
        "regress",
        "cmapss-fd001",
        (Goal("rmse", 14.5, "lower"), Goal("mae", better="lower"), *_INTERVALS),
        _life,
        seeds=3,
    ),
    Case(
        "regress",
        "salaries",
        (Goal(OF_BEST, 1.05, "lower"), *_INTERVALS),
        partial(_texts, make=paid_adverts, head="log-normal"),
        generated=True,
    ),
    Case(
        "regress",
        "likes",
        (Goal(OF_BEST, 1.05, "lower"), *_INTERVALS),
        partial(_texts, make=liked_posts, head="poisson"),
        generated=True,
    ),
)
"""What is measured of regressors."""
