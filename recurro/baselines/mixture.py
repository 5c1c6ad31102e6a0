"""Two models as one: linear interpolation of their probabilities."""

from __future__ import annotations

import numpy as np

from recurro.errors import ArgumentError, DataError, ShapeError

__all__ = ["fit_weight", "interpolate"]

_STEPS = 10_000


def interpolate(
    log_probs_a: np.ndarray, log_probs_b: np.ndarray, weight: float
) -> np.ndarray:
    """Mix two models, token by token.

    P(t) = weight P_a(t) + (1 - weight) P_b(t)

    Args:
        log_probs_a: Natural log P of some tokens under model a.
        log_probs_b: The same tokens under model b, the same shape.
        weight: The share of model a, in [0, 1].

    Returns:
        Natural log P under the mixture, float64.

    Raises:
        ArgumentError: If the weight is out of its range.
        ShapeError: If the shapes differ.

    Example:
        >>> np.exp(interpolate(np.log([0.5, 0.1]), np.log([0.1, 0.5]), 0.25)).round(3)
        array([0.2, 0.4])
    """
    if not 0 <= weight <= 1:
        raise ArgumentError(
            f"interpolate: weight must be in [0, 1], got {weight}. Choose it with "
            "fit_weight."
        )
    log_probs_a, log_probs_b = _read(log_probs_a, log_probs_b)
    with np.errstate(divide="ignore"):
        log_weight, log_rest = np.log([weight, 1 - weight])
    return np.logaddexp(log_weight + log_probs_a, log_rest + log_probs_b)


def fit_weight(
    log_probs_a: np.ndarray, log_probs_b: np.ndarray, *, tolerance: float = 1e-8
) -> float:
    """Choose the weight that makes held-out text likeliest, by EM.

    weight <- mean over the tokens of weight P_a / (weight P_a + (1 - weight) P_b)

    from 1/2 until a step moves it by less than the tolerance. No step lowers the
    likelihood, which has one maximum. Fit the weight on other text than the one that
    the mixture is judged by.

    Args:
        log_probs_a: Natural log P of the held-out tokens under model a; finite.
        log_probs_b: The same tokens under model b, the same shape; finite.
        tolerance: The step that ends the search, over 0.

    Returns:
        The weight of model a, in [0, 1].

    Raises:
        DataError: If there is no token, or a log P is not finite.
        ShapeError: If the shapes differ.

    Example:
        >>> round(fit_weight(np.log([0.8, 0.1]), np.log([0.4, 0.3])), 6)
        0.25

    References:
        Jelinek and Mercer (1980), Interpolated estimation of Markov source parameters
        from sparse data.
    """
    log_probs_a, log_probs_b = _read(log_probs_a, log_probs_b)
    if not log_probs_a.size or not np.isfinite([log_probs_a, log_probs_b]).all():
        raise DataError(
            "fit_weight: needs the finite log-probabilities of at least one token, got "
            "none or others. Hold out some text, and smooth both models."
        )
    ratio = np.exp(np.clip(log_probs_b - log_probs_a, -700, 700))
    weight = 0.5
    for _ in range(_STEPS):
        previous = weight
        weight = float(np.mean(weight / (weight + (1 - weight) * ratio)))
        if abs(weight - previous) < tolerance:
            break
    return weight


def _read(
    log_probs_a: np.ndarray, log_probs_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(log_probs_a) != np.shape(log_probs_b):
        raise ShapeError(
            "interpolate: both models must score the same tokens, got shapes "
            f"{np.shape(log_probs_a)} and {np.shape(log_probs_b)}. Score one text with "
            "both."
        )
    return np.asarray(log_probs_a, np.float64), np.asarray(log_probs_b, np.float64)
