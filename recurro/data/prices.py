"""Prices: their log returns, and made ones whose true volatility is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recurro.data.series import Series, SeriesTable
from recurro.errors import ArgumentError, DataError

__all__ = ["garch_prices", "log_returns"]

_REACH = (1, 5, 22)
"""Steps over which variance is realised: a day, a week and a month of trading."""


def log_returns(table: SeriesTable) -> SeriesTable:
    """A table of log returns in place of prices.

        r_t = 100 ln(p_t / p_{t-1}),   RV_t(k) = mean of r_{t-k+1}^2 ... r_t^2

    The targets become returns in percent; the roots of their realised variances RV
    over 1, 5 and 22 steps, or over as many as there are, join the past covariates. The
    first row goes, as it has no return.

    Args:
        table: Series whose targets are prices.

    Raises:
        DataError: If a price is not over 0, or a series has a single one.

    Example:
        >>> table, _ = garch_prices(10)
        >>> found = log_returns(table)
        >>> len(found.series[0]), found.past[:2]
        (9, ('realised 1 of price', 'realised 5 of price'))

    References:
        Andersen et al. (2003), doi:10.1111/1468-0262.00418 (realised variance); Corsi
        (2009), doi:10.1093/jjfinec/nbp001, equation 9 (over a day, a week and a month).
    """
    names = tuple(f"realised {k} of {name}" for name in table.targets for k in _REACH)
    series = tuple(_returns(one, table) for one in table.series)
    return replace(table, series=series, past=(*table.past, *names))


def _returns(series: Series, table: SeriesTable) -> Series:
    wrong = np.argwhere(series.target <= 0)
    if len(wrong) or len(series) < 2:
        step, column = wrong[0].tolist() if len(wrong) else (0, 0)
        raise DataError(
            f"log_returns: {table.called(series)} must have two prices and all over "
            f"0, got {series.target[step, column]:g} at step {step} of "
            f"{table.targets[column]!r} and {len(series)} in all. Mend it."
        )
    r = 100 * np.diff(np.log(series.target.astype(np.float64)), axis=0)
    sums = np.concatenate([np.zeros_like(r[:1]), np.cumsum(r**2, 0)])
    ends = np.arange(1, len(r) + 1)
    realised = []
    for column in range(r.shape[1]):
        for reach in _REACH:
            begins = np.maximum(ends - reach, 0)
            total = sums[ends, column] - sums[begins, column]
            realised.append(np.sqrt(total / (ends - begins)))
    past = np.concatenate([series.past[1:], np.stack(realised, 1)], 1)
    return replace(
        series,
        times=series.times[1:],
        target=r.astype(np.float32),
        known=series.known[1:],
        past=past.astype(np.float32),
    )


def garch_prices(
    steps: int,
    *,
    omega: float = 0.05,
    alpha: float = 0.1,
    beta: float = 0.85,
    seed: int = 0,
) -> tuple[SeriesTable, np.ndarray]:
    """Prices whose returns are a GARCH(1,1) process.

        r_t = s_t z_t,  z_t ~ N(0, 1),  s_{t+1}^2 = w + a r_t^2 + b s_t^2

    in percent a day, begun at the mean variance w / (1 - a - b); p_0 = 100.

    Args:
        steps: Prices, at least 2.
        omega: w, over 0.
        alpha: a, at least 0.
        beta: b, at least 0, and a + b under 1.
        seed: Equal seeds give equal prices.

    Returns:
        A table with the target ``price``; and the true volatility s of the returns, in
        percent ``(steps - 1,)``.

    Raises:
        ArgumentError: If a parameter is out of its range.

    Example:
        >>> table, volatility = garch_prices(1000)
        >>> bool(abs(np.mean(volatility**2) - 1.0) < 0.3)  # 0.05 / (1 - 0.1 - 0.85)
        True

    References:
        Bollerslev (1986), doi:10.1016/0304-4076(86)90063-1, equation 1 and theorem 1.
    """
    if steps < 2 or omega <= 0 or min(alpha, beta) < 0 or alpha + beta >= 1:
        raise ArgumentError(
            "garch_prices: steps must be at least 2, omega over 0, alpha and beta at "
            f"least 0 and their sum under 1, got {steps}, {omega}, {alpha}, {beta}."
        )
    z = np.random.default_rng(seed).normal(size=steps - 1)
    r, s = np.empty(steps - 1), np.empty(steps - 1)
    variance = omega / (1 - alpha - beta)
    for t in range(steps - 1):
        s[t] = np.sqrt(variance)
        r[t] = s[t] * z[t]
        variance = omega + alpha * r[t] ** 2 + beta * variance
    prices = 100 * np.exp(np.concatenate([[0.0], np.cumsum(r / 100)]))
    none = np.zeros((steps, 0), np.float32)
    one = Series("", np.arange(steps), prices[:, None], none, none, none[0])
    return SeriesTable((one,), ("price",)), s
