"""The figures that tasks are judged by."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from recurro.errors import ShapeError

__all__ = ["classification_figures", "regression_figures"]


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
        of F1 over the classes that are true or named somewhere.

    Raises:
        ShapeError: If the numbers of items differ, or there is none.

    Example:
        >>> log_probs = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> figures = classification_figures(log_probs, np.array([0, 1, 1]))
        >>> {key: round(value, 4) for key, value in figures.items()}
        {'log_loss': 0.4149, 'accuracy': 0.6667, 'macro_f1': 0.6667}
    """
    _check(len(log_probs), len(targets))
    chances = log_softmax(log_probs, axis=1)
    told = log_probs.argmax(1) if named is None else named
    return {
        "log_loss": float(-chances[np.arange(len(targets)), targets].mean()),
        "accuracy": float((told == targets).mean()),
        "macro_f1": _macro_f1(told, targets),
    }


def _macro_f1(named: np.ndarray, targets: np.ndarray) -> float:
    """The mean over the classes of 2 hits / (named + true)."""
    size = int(max(named.max(), targets.max())) + 1
    hits = np.bincount(targets[named == targets], minlength=size)
    either = np.bincount(named, minlength=size) + np.bincount(targets, minlength=size)
    seen = either > 0
    return float((2 * hits[seen] / either[seen]).mean())


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
