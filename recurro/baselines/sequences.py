"""Baselines for one answer per sequence: no recurrence, only what is in it.

They are what a person would try first: the largest class or the mean, and a linear
model on a fixed description of each sequence (its statistics, or its words).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

__all__ = ["classifier_baselines", "fit_baselines", "regressor_baselines", "summaries"]


def summaries(items: Sequence[np.ndarray]) -> np.ndarray:
    """A fixed number of statistics of each sequence ``(items, 7 channels + 1)``.

    Mean, deviation, least, greatest, first and last number of each channel, the share
    of its numbers that are missing, and the steps. Missing numbers are passed over; a
    channel that has none counts as 0.

    Args:
        items: Each ``(time, channels)``.

    Example:
        >>> summaries([np.array([[1.0], [3.0]])]).tolist()
        [[2.0, 1.0, 1.0, 3.0, 1.0, 3.0, 0.0, 2.0]]
    """
    return np.stack([_summary(np.asarray(item, np.float64)) for item in items])


def _summary(item: np.ndarray) -> np.ndarray:
    known = ~np.isnan(item)
    count = np.maximum(known.sum(0), 1)
    none = ~known.any(0)
    mean = np.where(known, item, 0).sum(0) / count
    deviation = np.sqrt((np.where(known, item - mean, 0) ** 2).sum(0) / count)
    least = np.where(none, 0, np.where(known, item, np.inf).min(0))
    most = np.where(none, 0, np.where(known, item, -np.inf).max(0))
    channel = np.arange(item.shape[1])
    first = np.nan_to_num(item[known.argmax(0), channel])
    last = np.nan_to_num(item[len(item) - 1 - known[::-1].argmax(0), channel])
    parts = [mean, deviation, least, most, first, last, 1 - known.mean(0)]
    return np.concatenate([*parts, [len(item)]])


def classifier_baselines(*, text: bool, characters: bool = False) -> dict[str, Any]:
    """Models to stand beside a classifier, by what they are called.

    Args:
        text: Whether the items are texts; if not, they are ``(time, channels)``.
        characters: Whether texts are told by pieces of 1 to 3 characters, and not by
            words.

    Returns:
        Models with ``fit(items, labels)`` and ``predict_proba(items)``.
    """
    if text:
        told = CountVectorizer(analyzer="char", ngram_range=(1, 3))
        counts, name = (told, "pieces") if characters else (_words(), "words")
        bayes = make_pipeline(counts, MultinomialNB())
        return {"largest class": _largest(), f"naive Bayes on {name}": bayes}
    linear = LogisticRegression(max_iter=500)
    described = make_pipeline(_statistics(), StandardScaler(), linear)
    return {
        "largest class": _largest(),
        "logistic regression on statistics": described,
    }


def regressor_baselines(*, text: bool) -> dict[str, Any]:
    """Models to stand beside a regressor, by what they are called.

    Args:
        text: Whether the items are texts; if not, they are ``(time, channels)``.

    Returns:
        Models with ``fit(items, targets)`` and ``predict(items)``.
    """
    mean = make_pipeline(FunctionTransformer(_blank), DummyRegressor())
    if text:
        return {"mean": mean, "ridge on words": make_pipeline(_words(), Ridge())}
    described = make_pipeline(_statistics(), StandardScaler(), Ridge())
    return {"mean": mean, "ridge on statistics": described}


def fit_baselines(
    models: dict[str, Any], items: Sequence[Any], targets: np.ndarray
) -> None:
    """Fit each model in place; a linear one may stop before it has converged.

    Args:
        models: The models.
        items: Texts, or arrays ``(time, channels)``.
        targets: What is said of each ``(items,)``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in models.values():
            model.fit(items, targets)


def _largest() -> Any:  # noqa: ANN401 (a pipeline of scikit-learn)
    return make_pipeline(FunctionTransformer(_blank), DummyClassifier(strategy="prior"))


def _statistics() -> FunctionTransformer:
    return FunctionTransformer(summaries)


def _words() -> CountVectorizer:
    """Counts of what stands between white space."""
    return CountVectorizer(token_pattern=r"\S+")


def _blank(items: Sequence[Any]) -> np.ndarray:
    """Nothing of each item ``(items, 1)``."""
    return np.zeros((len(items), 1))
