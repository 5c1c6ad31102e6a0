"""A linear map from the last values to the next."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from recurro.baselines.autoregression import AutoRegression
from recurro.errors import ArgumentError, DataError


def test_it_is_the_ridge_regression_of_scikit_learn() -> None:
    values = np.random.default_rng(0).normal(size=200).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(values, 6)
    last = windows[:, 4:5]
    x, y = windows[:, :4] - last, windows[:, 5] - last[:, 0]
    judge = Ridge(1e-3 * (x**2).sum() / 4).fit(x, y)
    model = AutoRegression(5).fit(values)
    np.testing.assert_allclose(model.rates_[0][1:], judge.coef_, rtol=1e-6)
    expected = values[-1] + judge.predict(values[None, -5:-1] - values[-1])
    np.testing.assert_allclose(model.predict(1), expected, rtol=1e-9)


def test_steps_ahead_read_what_was_expected() -> None:
    values = np.sin(np.arange(80) / 2)
    model = AutoRegression(4).fit(values)
    first = model.predict(1)
    model.observe(first)
    np.testing.assert_allclose(AutoRegression(4).fit(values).predict(2)[1],
                               model.predict(1)[0])  # fmt: skip


def test_of_the_last_value_alone_it_is_the_mean_change() -> None:
    np.testing.assert_allclose(
        AutoRegression(1).fit([1.0, 3.0, 5.0, 7.0]).predict(2), [9.0, 11.0], rtol=1e-6
    )


def test_bad_orders() -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        AutoRegression(0)
    with pytest.raises(DataError, match="at least 5 values"):
        AutoRegression(3).fit([1.0, 2.0, 3.0])
