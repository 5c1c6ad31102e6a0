"""The figures that tasks are judged by."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from recurro.errors import ShapeError

__all__ = [
    "calibration_error",
    "class_f1",
    "classification_figures",
    "regression_figures",
]


def classification_figures(
    log_probs: np.ndarray, targets: np.ndarray, named: np.ndarray | None = None
) -> dict[str, float]:
    """How well classes are named.

    Args:
        log_probs: log P(class) up to a term per item ``(items, classes)``.
        targets: The true class ids ``(items,)``.
        named: The class ids that are told, or ``None`` for the likeliest.

    Returns:
        The mean of -log P(true class) in nats; the share that is named right; the mean
        of F1 over the classes that are true or named somewhere; the expected
        calibration error.

    Raises:
        ShapeError: If the numbers of items differ, or there is none.

    Example:
        >>> log_probs = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> figures = classification_figures(log_probs, np.array([0, 1, 1]))
        >>> {key: round(value, 4) for key, value in figures.items()}
        {'log_loss': 0.4149, 'accuracy': 0.6667, 'macro_f1': 0.6667, \
'calibration_error': 0.3}
    """
    _check(len(log_probs), len(targets))
    chances = log_softmax(log_probs, axis=1)
    told = log_probs.argmax(1) if named is None else named
    return {
        "log_loss": float(-chances[np.arange(len(targets)), targets].mean()),
        "accuracy": float((told == targets).mean()),
        "macro_f1": float(np.nanmean(class_f1(told, targets, log_probs.shape[1]))),
        "calibration_error": calibration_error(np.exp(chances), targets),
    }


def class_f1(named: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """F1 of each class: 2 hits / (named + true) ``(classes,)``.

    NaN where a class is neither named nor true anywhere.

    Args:
        named: The class ids that are told ``(items,)``.
        targets: The true ones ``(items,)``.
        classes: How many there are.

    Example:
        >>> class_f1(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).round(3).tolist()
        [0.667, 0.667]
    """
    hits = np.bincount(targets[named == targets], minlength=classes)
    either = np.bincount(named, minlength=classes)
    either = either + np.bincount(targets, minlength=classes)
    return np.where(either > 0, 2 * hits / np.maximum(either, 1), np.nan)


def calibration_error(probs: np.ndarray, targets: np.ndarray, bins: int = 10) -> float:
    """How far the probability of the class that is named lies from how often it holds.

    sum_b (n_b / n) |share right in b - mean probability in b|, over bins of equal width
    of the probability of the likeliest class; the upper end belongs to a bin.

    Args:
        probs: P(class) ``(items, classes)``.
        targets: The true class ids ``(items,)``.
        bins: How many bins, at least 1.

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.95, 0.05], [0.3, 0.7]])
        >>> round(calibration_error(probs, np.array([0, 1, 1])), 4)
        0.45

    References:
        Guo et al. (2017), arXiv 1706.04599, equation 3.
    """
    _check(len(probs), len(targets))
    sure, right = probs.max(1), probs.argmax(1) == targets
    # A thousandth of a bin against rounding: 0.7 is 7 tenths.
    places = np.ceil(sure * bins - 1e-3).astype(np.int64).clip(1, bins)
    gaps = np.bincount(places, right - sure)
    return float(np.abs(gaps).sum() / len(targets))


def regression_figures(
    means: np.ndarray,
    targets: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, float]:
    """How well numbers are told.

    Args:
        means: The numbers told ``(items,)``.
        targets: The true numbers ``(items,)``.
        interval: The lower and upper ends of predicted intervals, each ``(items,)``.

    Returns:
        The root of the mean squared error; the mean absolute error; R^2, which is not a
        number where all targets are the same; with intervals, the share of the targets
        that lie within them, ends included, and their mean width.

    Raises:
        ShapeError: If the numbers of items differ, or there is none.

    Example:
        >>> regression_figures(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        {'rmse': 1.4142135623730951, 'mae': 1.0, 'r2': 0.11111111111111116}
    """
    _check(len(means), len(targets))
    error = means - targets
    square, variance = float((error**2).mean()), float(targets.var())
    figures = {
        "rmse": square**0.5,
        "mae": float(np.abs(error).mean()),
        "r2": 1 - square / variance if variance > 0 else float("nan"),
    }
    if interval is not None:
        low, high = interval
        figures["coverage"] = float(((low <= targets) & (targets <= high)).mean())
        figures["width"] = float((high - low).mean())
    return figures


def _check(predicted: int, true: int) -> None:
    if predicted != true or true == 0:
        raise ShapeError(
            f"metrics: predictions and targets must be as many, and at least one, got "
            f"{predicted} and {true}."
        )
