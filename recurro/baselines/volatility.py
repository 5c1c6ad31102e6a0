"""Volatility without a network: how much returns will scatter, from their past."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter

from recurro.baselines.scores import Numbers
from recurro.errors import ArgumentError, DataError

__all__ = ["ConstantVolatility", "Ewma", "Garch", "VolatilityModel"]


class VolatilityModel(ABC):
    """A normal distribution of the next returns whose variance follows the past ones.

    Attributes:
        mean_: The mean of the returns in training.
    """

    def fit(self, returns: Numbers) -> Self:
        """Learn from the returns of the training part ``(time,)``.

        Raises:
            DataError: If there are fewer than ten, one is not finite, or all are equal.
        """
        r = np.asarray(returns, np.float64)
        if r.ndim != 1 or len(r) < 10 or not np.isfinite(r).all() or np.ptp(r) == 0:
            raise DataError(
                f"{type(self).__name__}: returns must be at least ten finite numbers "
                f"that differ, got {r.shape}. Give a longer series."
            )
        self.mean_ = float(r.mean())
        self._learn(r - self.mean_)
        return self

    @abstractmethod
    def _learn(self, errors: np.ndarray) -> None:
        """Learn from returns less their mean."""

    @abstractmethod
    def _next(self, errors: np.ndarray) -> np.ndarray:
        """The variance of each return and the one behind all ``(time + 1,)``."""

    @abstractmethod
    def _ahead(self, variances: np.ndarray, horizon: int) -> np.ndarray:
        """From the variances of the next step to those of the horizon behind them."""

    def volatility(self, returns: Numbers, horizon: int = 1) -> np.ndarray:
        """Standard deviations forecast before each return, and behind the last one.

        Args:
            returns: Returns ``(time,)``, from the first one of the training part on.
            horizon: Steps ahead, at least 1.

        Returns:
            Row t is forecast from the returns before t alone: ``(time + 1, horizon)``.

        Raises:
            ArgumentError: If the model is not fitted, or the horizon is under 1.
        """
        if not hasattr(self, "mean_") or horizon < 1:
            raise ArgumentError(
                f"{type(self).__name__}: the model must be fitted and the horizon at "
                f"least 1, got {horizon}. Call fit first."
            )
        errors = np.asarray(returns, np.float64) - self.mean_
        return np.sqrt(self._ahead(self._next(errors), horizon))


class ConstantVolatility(VolatilityModel):
    """The variance of the training part goes on."""

    def _learn(self, errors: np.ndarray) -> None:
        self.variance_ = float(np.mean(errors**2))

    def _next(self, errors: np.ndarray) -> np.ndarray:
        return np.full(len(errors) + 1, self.variance_)

    def _ahead(self, variances: np.ndarray, horizon: int) -> np.ndarray:
        return np.repeat(variances[:, None], horizon, 1)


class Ewma(ConstantVolatility):
    """A variance that forgets: s_{t+1}^2 = k s_t^2 + (1 - k) e_t^2, flat ahead.

    Args:
        decay: k, in (0, 1).

    References:
        J. P. Morgan (1996), RiskMetrics - Technical Document, 4th edition, section
        5.2.1 (with k = 0.94 for days).
    """

    def __init__(self, decay: float = 0.94) -> None:
        self.decay = decay

    def _next(self, errors: np.ndarray) -> np.ndarray:
        return _filter(errors, self.variance_, 0.0, 1 - self.decay, self.decay)


class Garch(VolatilityModel):
    """GARCH(1,1), fitted by the likelihood of normal errors.

        s_{t+1}^2 = w + a e_t^2 + b s_t^2
        s_{t+h}^2 = v + (a + b)^{h-1} (s_{t+1}^2 - v),   v = w / (1 - a - b)

    The first variance is that of the training part.

    Attributes:
        omega_, alpha_, beta_: w, a and b.

    Example:
        >>> from recurro.data import garch_prices, log_returns
        >>> table, _ = garch_prices(4000, alpha=0.1, beta=0.85)
        >>> model = Garch().fit(log_returns(table).series[0].target[:, 0])
        >>> bool(abs(model.alpha_ - 0.1) < 0.03 and abs(model.beta_ - 0.85) < 0.05)
        True

    References:
        Bollerslev (1986), doi:10.1016/0304-4076(86)90063-1, equations 1 and 21.
    """

    def _learn(self, errors: np.ndarray) -> None:
        self._first = float(np.mean(errors**2))

        def loss(rates: np.ndarray) -> float:
            variances = _filter(errors, self._first, *_rates(rates, self._first))[:-1]
            return float(np.mean(np.log(variances) + errors**2 / variances))

        # (log of v over the sample's variance, logit of a + b, logit of a's share)
        starts = [np.array([0.0, p, s]) for p in (2.0, 4.0) for s in (-3.0, -1.5)]
        found = [minimize(loss, start, method="Nelder-Mead") for start in starts]
        best = min(found, key=lambda one: one.fun)
        self.omega_, self.alpha_, self.beta_ = _rates(best.x, self._first)

    def _next(self, errors: np.ndarray) -> np.ndarray:
        return _filter(errors, self._first, self.omega_, self.alpha_, self.beta_)

    def _ahead(self, variances: np.ndarray, horizon: int) -> np.ndarray:
        kept = self.alpha_ + self.beta_
        level = self.omega_ / (1 - kept)
        return level + kept ** np.arange(horizon) * (variances[:, None] - level)


def _rates(free: np.ndarray, variance: float) -> tuple[float, float, float]:
    """w, a and b from numbers without bounds."""
    level = variance * np.exp(np.clip(free[0], -3, 3))
    kept, share = 1 / (1 + np.exp(-np.clip(free[1:], -12, 12)))
    return float(level * (1 - kept)), float(kept * share), float(kept * (1 - share))


def _filter(
    errors: np.ndarray, first: float, w: float, a: float, b: float
) -> np.ndarray:
    """s_{t+1}^2 = w + a e_t^2 + b s_t^2 from the first, ``(time + 1,)``."""
    rest, _ = lfilter([1.0], [1.0, -b], w + a * errors**2, zi=np.array([b * first]))
    return np.concatenate([[first], rest])
