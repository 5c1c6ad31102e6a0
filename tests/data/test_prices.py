"""Returns of prices, and prices with a known volatility."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data import Series, SeriesTable, garch_prices, log_returns
from recurro.errors import ArgumentError, DataError


def prices(*values: float) -> SeriesTable:
    target = np.array(values, np.float32)[:, None]
    none = np.zeros((len(values), 0), np.float32)
    known = np.arange(len(values) + 2, dtype=np.float32)[:, None]
    one = Series("s", np.arange(len(values)), target, known, none, none[0])
    return SeriesTable((one,), ("close",), ("k",))


def test_returns_by_hand() -> None:
    table = log_returns(prices(100, 110, 99, 99))
    (one,) = table.series
    r = 100 * np.log([1.1, 0.9, 1.0])
    np.testing.assert_allclose(one.target[:, 0], r, rtol=1e-4, atol=1e-4)
    realised = [abs(r[0]), np.hypot(*r[:2]) / 2**0.5, (r @ r / 3) ** 0.5]
    np.testing.assert_allclose(one.past[:, 1], realised, rtol=1e-4)
    np.testing.assert_allclose(one.past[:, 0], np.abs(r), rtol=1e-4, atol=1e-4)
    assert one.times.tolist() == [1, 2, 3]
    assert one.known[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert len(table.past) == one.past.shape[1] == 3


def test_realised_variance_forgets() -> None:
    table, _ = garch_prices(60, seed=1)
    (one,) = log_returns(table).series
    r = one.target[:, 0].astype(float)
    for column, reach in enumerate((1, 5, 22)):
        expected = [
            np.sqrt(np.mean(r[max(0, t - reach + 1) : t + 1] ** 2)) for t in range(59)
        ]
        np.testing.assert_allclose(one.past[:, column], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("values", [(100, 0, 3), (100, -1, 2), (100,)])
def test_prices_that_have_no_return(values) -> None:
    with pytest.raises(DataError, match="two prices and all over 0"):
        log_returns(prices(*values))


def test_garch_prices_have_the_volatility_they_say() -> None:
    table, volatility = garch_prices(20_000, omega=0.1, alpha=0.1, beta=0.8, seed=2)
    r = 100 * np.diff(np.log(table.series[0].target[:, 0].astype(float)))
    assert (r / volatility).std() == pytest.approx(1.0, abs=0.02)
    following = 0.1 + 0.1 * r**2 + 0.8 * volatility**2
    np.testing.assert_allclose(following[:-1], volatility[1:] ** 2, rtol=1e-6)
    assert np.mean(volatility**2) == pytest.approx(1.0, rel=0.1)
    with pytest.raises(ArgumentError, match="their sum under 1"):
        garch_prices(10, alpha=0.5, beta=0.5)
