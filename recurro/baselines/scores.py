"""How good a forecast is: of a point, of a distribution, of an interval.

All take arrays of any one shape (time first) and give the mean over all elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy.special import ndtr

from recurro.errors import ArgumentError, ShapeError

__all__ = [
    "coverage",
    "crps_gaussian",
    "crps_quantiles",
    "crps_samples",
    "hit_rate",
    "mae",
    "mase",
    "mse",
]

Numbers: TypeAlias = np.ndarray | Sequence[Any] | float
"""An array, or what makes one."""


def mse(truth: Numbers, found: Numbers) -> float:
    """The mean of (y - f)^2.

    Raises:
        ShapeError: If the shapes differ or nothing is in them.
        ArgumentError: If a number is not finite.

    Example:
        >>> mse([1.0, 2.0], [1.0, 4.0])
        2.0
    """
    y, f = _pair("mse", truth, found)
    return float(np.mean((y - f) ** 2))


def mae(truth: Numbers, found: Numbers) -> float:
    """The mean of |y - f|.

    Raises:
        ShapeError: If the shapes differ or nothing is in them.
        ArgumentError: If a number is not finite.

    Example:
        >>> mae([1.0, 2.0], [1.0, 4.0])
        1.0
    """
    y, f = _pair("mae", truth, found)
    return float(np.mean(np.abs(y - f)))


def mase(
    truth: Numbers, found: Numbers, history: Numbers, season_length: int = 1
) -> float:
    """The absolute error on the scale of the seasonal naive forecast in the history.

        mean_t |y_t - f_t| / mean_t |h_t - h_{t-m}|

    Series in columns are scaled each by its own history.

    Args:
        truth: What came ``(horizon,)`` or ``(horizon, series)``.
        found: What was forecast, the same shape.
        history: The training part ``(time,)`` or ``(time, series)``.
        season_length: Steps m in a season; 1 is the naive forecast.

    Raises:
        ShapeError: If the shapes do not fit, or the history is no longer than a season.
        ArgumentError: If a number is not finite, or a history repeats itself exactly,
            so that it has no scale.

    Example:
        >>> mase([5.0, 7.0], [4.0, 5.0], history=[1.0, 2.0, 4.0])
        1.0

    References:
        Hyndman and Koehler (2006), doi:10.1016/j.ijforecast.2006.03.001, section 3.
    """
    y, f = _pair("mase", truth, found)
    h = np.asarray(history, np.float64)
    if season_length < 1 or len(h) <= season_length or h.shape[1:] != y.shape[1:]:
        raise ShapeError(
            f"mase: history must be longer than season_length={season_length} (>= 1) "
            f"and have the series of the truth {y.shape}, got {h.shape}. Give the "
            "training part."
        )
    scale = np.mean(np.abs(h[season_length:] - h[:-season_length]), 0)
    if not (scale > 0).all():  # NaN is refused too
        raise ArgumentError(
            "mase: the seasonal differences of the history must be finite and not all "
            f"0, got a mean of {scale}. Use mae for a series that repeats itself."
        )
    return float(np.mean(np.mean(np.abs(y - f), 0) / scale))


def crps_samples(truth: Numbers, samples: Numbers) -> float:
    """The continuous ranked probability score of the distribution of samples.

        CRPS(F, y) = E|X - y| - E|X - X'| / 2,  X and X' drawn from the samples

    Args:
        truth: What came, of any shape.
        samples: Draws ``(samples, *shape of truth)``.

    Raises:
        ShapeError: If the shapes do not fit.
        ArgumentError: If a number is not finite.

    Example:
        >>> crps_samples([0.0], [[-1.0], [1.0]])
        0.5

    References:
        Gneiting and Raftery (2007), doi:10.1198/016214506000001437, equation 21.
    """
    x = np.sort(np.asarray(samples, np.float64), 0)
    y, x = _rows("crps_samples", truth, x)
    count = len(x)
    # The sum of |x_i - x_j| over pairs, from the ranks of the sorted draws.
    ranks = (2 * np.arange(1, count + 1) - count - 1).reshape(-1, *[1] * y.ndim)
    spread = 2 * np.sum(ranks * x, 0) / count**2
    return float(np.mean(np.mean(np.abs(x - y), 0) - spread / 2))


def crps_quantiles(truth: Numbers, quantiles: Numbers, levels: Numbers) -> float:
    """The continuous ranked probability score from some quantiles.

        CRPS(F, y) = 2 int_0^1 (1[y < q_p] - p) (q_p - y) dp

    by the midpoint rule: each level stands for the levels nearer to it than to another.
    Levels (k - 1/2) / K weigh alike.

    Args:
        truth: What came, of any shape.
        quantiles: Forecast quantiles ``(levels, *shape of truth)``.
        levels: Their levels p ``(levels,)``, rising, in (0, 1).

    Raises:
        ShapeError: If the shapes do not fit.
        ArgumentError: If a number is not finite, or levels do not rise within (0, 1).

    Example:
        >>> crps_quantiles([3.0], [[1.0]], [0.5])  # the median alone: |y - q|
        2.0

    References:
        Gneiting and Ranjan (2011), doi:10.1198/jbes.2010.08110, equation 13.
    """
    y, q = _rows("crps_quantiles", truth, quantiles)
    p = np.asarray(levels, np.float64)
    inside = p.ndim == 1 and len(p) == len(q) and (p > 0).all() and (p < 1).all()
    if not inside or not (np.diff(p) > 0).all():
        raise ArgumentError(
            f"crps_quantiles: levels must rise within (0, 1), one for each of {len(q)} "
            f"quantiles, got {p}. Use for instance 0.1, 0.2, ..., 0.9."
        )
    weights = np.diff(np.concatenate([[0], (p[1:] + p[:-1]) / 2, [1]]))
    p, weights = (a.reshape(-1, *[1] * y.ndim) for a in (p, weights))
    loss = 2 * ((y < q) - p) * (q - y)
    return float(np.mean(np.sum(weights * loss, 0)))


def crps_gaussian(truth: Numbers, mean: Numbers, std: Numbers) -> float:
    """The continuous ranked probability score of normal distributions.

        CRPS = s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)),  z = (y - m) / s

    Args:
        truth: What came, of any shape.
        mean: The means m, the same shape.
        std: The standard deviations s, over 0, the same shape or a number.

    Raises:
        ShapeError: If the shapes differ.
        ArgumentError: If a number is not finite, or a deviation not over 0.

    Example:
        >>> round(crps_gaussian([0.0], [0.0], 1.0), 4)
        0.2337

    References:
        Gneiting et al. (2005), doi:10.1175/MWR2904.1, equation 5.
    """
    y, m = _pair("crps_gaussian", truth, mean)
    y, s = _pair("crps_gaussian", y, np.broadcast_to(np.asarray(std), y.shape))
    if not (s > 0).all():
        raise ArgumentError(
            f"crps_gaussian: std must be over 0, got {s.min()}. Give the model a floor."
        )
    z = (y - m) / s
    phi = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.mean(s * (z * (2 * ndtr(z) - 1) + 2 * phi - 1 / np.sqrt(np.pi))))


def coverage(truth: Numbers, lower: Numbers, upper: Numbers) -> float:
    """The share of what came that lay in its interval, ends included.

    Raises:
        ShapeError: If the shapes differ.
        ArgumentError: If a number is not finite, or a lower end over the upper one.

    Example:
        >>> coverage([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0], [1, 2, 3, 3])
        0.75
    """
    y, a = _pair("coverage", truth, lower)
    y, b = _pair("coverage", y, upper)
    if (a > b).any():
        raise ArgumentError(
            "coverage: each lower end must be at most the upper one, got "
            f"{a[a > b][0]} and {b[a > b][0]}. Sort the quantiles."
        )
    return float(np.mean((a <= y) & (y <= b)))


def hit_rate(returns: Numbers, value_at_risk: Numbers) -> float:
    """The share of returns that fell below minus the value at risk.

    A loss greater than the value at risk of level p should come with a share of 1 - p.

    Args:
        returns: What came, for instance log returns.
        value_at_risk: The losses that were not to be passed, the same shape; 0.02 is
            a return of -0.02.

    Raises:
        ShapeError: If the shapes differ.
        ArgumentError: If a number is not finite.

    Example:
        >>> hit_rate([-0.03, 0.01, -0.01, 0.02], [0.02] * 4)
        0.25
    """
    r, v = _pair("hit_rate", returns, value_at_risk)
    return float(np.mean(r < -v))


def _pair(where: str, truth: Numbers, found: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Two finite arrays of one shape."""
    y, f = np.asarray(truth, np.float64), np.asarray(found, np.float64)
    if y.shape != f.shape or y.size == 0:
        raise ShapeError(
            f"{where}: truth and forecast must have one shape and a number in it, got "
            f"{y.shape} and {f.shape}. Cut both to the same steps."
        )
    _finite(where, y, f)
    return y, f


def _rows(where: str, truth: Numbers, many: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """A finite array, and several of its shape in one."""
    y, x = np.asarray(truth, np.float64), np.asarray(many, np.float64)
    if y.size == 0 or x.shape[1:] != y.shape or len(x) == 0:
        raise ShapeError(
            f"{where}: beside a truth {y.shape} the forecast must be (count, "
            f"{', '.join(map(str, y.shape))}), got {x.shape}. Put samples or levels "
            "first."
        )
    _finite(where, y, x)
    return y, x


def _finite(where: str, *arrays: np.ndarray) -> None:
    for name, values in zip(("truth", "forecast"), arrays, strict=True):
        if not np.isfinite(values).all():
            wrong = values[~np.isfinite(values)]
            raise ArgumentError(
                f"{where}: all numbers must be finite, got {wrong[0]} in the {name} "
                f"and {len(wrong)} such in all. Leave those steps out of both."
            )
