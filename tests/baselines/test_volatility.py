"""Volatility by rules and by GARCH."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.baselines import ConstantVolatility, Ewma, Garch
from recurro.data import garch_prices, log_returns
from recurro.errors import ArgumentError, DataError

TRUE = {"omega": 0.05, "alpha": 0.12, "beta": 0.83}


@pytest.fixture(scope="module")
def simulated() -> tuple[np.ndarray, np.ndarray]:
    table, volatility = garch_prices(8000, **TRUE, seed=1)
    return log_returns(table).series[0].target[:, 0].astype(float), volatility


def test_garch_finds_the_parameters_it_was_made_with(simulated) -> None:
    returns, volatility = simulated
    model = Garch().fit(returns[:6000])
    assert model.alpha_ == pytest.approx(TRUE["alpha"], abs=0.03)
    assert model.beta_ == pytest.approx(TRUE["beta"], abs=0.04)
    assert model.omega_ == pytest.approx(TRUE["omega"], abs=0.03)
    later = slice(6000, None)
    errors = {
        type(one).__name__: np.abs(one.volatility(returns)[later, 0][:-1]
                                   - volatility[later]).mean()
        for one in (model, Ewma().fit(returns[:6000]),
                    ConstantVolatility().fit(returns[:6000]))
    }  # fmt: skip
    assert errors["Garch"] < 0.03
    assert errors["Garch"] < 0.5 * errors["Ewma"] < 0.5 * errors["ConstantVolatility"]


def test_the_fit_is_the_most_likely_one(simulated) -> None:
    returns = simulated[0][:1500]
    model = Garch().fit(returns)

    def loss(w: float, a: float, b: float) -> float:
        e = returns - returns.mean()
        s, total = np.mean(e**2), 0.0
        for value in e:
            total += np.log(s) + value**2 / s
            s = w + a * value**2 + b * s
        return total

    best = np.array([model.omega_, model.alpha_, model.beta_])
    for place in range(3):
        for factor in (0.95, 1.05):
            other = best.copy()
            other[place] *= factor
            assert loss(*other) > loss(*best)


def test_equations_by_hand() -> None:
    r = np.array([1.0, -2.0, 0.5] * 5)
    e, first = r - r.mean(), r.var()
    ewma = Ewma(0.9).fit(r)
    expected = [first]
    for value in e:
        expected.append(0.9 * expected[-1] + 0.1 * value**2)
    np.testing.assert_allclose(ewma.volatility(r, 2)[:, 1] ** 2, expected)
    garch = Garch().fit(r)
    w, a, b = garch.omega_, garch.alpha_, garch.beta_
    expected = [first]
    for value in e:
        expected.append(w + a * value**2 + b * expected[-1])
    ahead = garch.volatility(r, 3) ** 2
    np.testing.assert_allclose(ahead[:, 0], expected)
    np.testing.assert_allclose(ahead[:, 1], w + (a + b) * ahead[:, 0])
    np.testing.assert_allclose(ahead[:, 2], w + (a + b) * ahead[:, 1])


def test_nothing_is_known_of_what_comes(simulated) -> None:
    returns = simulated[0][:300].copy()
    for model in (ConstantVolatility(), Ewma(), Garch()):
        before = model.fit(returns[:200]).volatility(returns, 2)
        changed = returns.copy()
        changed[250:] *= 9
        np.testing.assert_array_equal(model.volatility(changed, 2)[:251], before[:251])


@pytest.mark.parametrize("returns", [[1.0] * 20, [1.0, 2.0], [np.nan] * 20])
def test_bad_returns(returns) -> None:
    with pytest.raises(DataError, match="ten finite numbers"):
        Garch().fit(returns)
    with pytest.raises(ArgumentError, match="must be fitted"):
        Garch().volatility([1.0])
