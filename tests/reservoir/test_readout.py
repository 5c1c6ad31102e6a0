"""The readout against scikit-learn, brute force and the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model

from recurro.errors import ArgumentError, DataError, ShapeError
from recurro.reservoir import EchoStateNetwork, Ridge


def rows(steps: int, features: int, outputs: int = 2, seed: int = 0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(steps, features))
    y = z @ rng.normal(size=(features, outputs)) + rng.normal(size=(steps, outputs))
    return z, y


def fitted(z, y, ridge, chunk=17):
    readout = Ridge(ridge).begin(z.shape[1], y.shape[1])
    for start in range(0, len(z), chunk):
        readout.add(z[start : start + chunk], y[start : start + chunk])
    return readout.solve()


def leave_one_out(z, y, ridge):
    """The mean squared error of each step by the map learnt from all others."""
    errors = []
    for t in range(len(z)):
        rest = np.arange(len(z)) != t
        square = z[rest].T @ z[rest] + ridge * np.eye(z.shape[1])
        errors.append(y[t] - np.linalg.solve(square, z[rest].T @ y[rest]).T @ z[t])
    return np.mean(np.square(errors))


SIZES = [(100, 7), (40, 40), (41, 40), (20, 60), (1, 3)]


@pytest.mark.parametrize(("steps", "features"), SIZES)
@pytest.mark.parametrize("ridge", [1e-6, 0.3, 10.0])
def test_as_scikit_learn(steps, features, ridge):
    z, y = rows(steps, features)
    model = linear_model.Ridge(ridge, fit_intercept=False).fit(z, y)
    found = fitted(z, y, ridge)
    np.testing.assert_allclose(found.coef_, model.coef_.reshape(2, -1), rtol=1e-6)
    assert found.ridge_ == ridge
    assert found.path_.shape == (0, 2)
    assert found.steps_ == steps


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.floats(1e-3, 1e3))
def test_chunks_do_not_matter(steps, features, chunk, ridge):
    z, y = rows(steps, features)
    whole = np.linalg.solve(z.T @ z + ridge * np.eye(features), z.T @ y).T
    np.testing.assert_allclose(fitted(z, y, ridge, chunk).coef_, whole, atol=1e-9)


@pytest.mark.parametrize(("steps", "features"), [(30, 5), (12, 30), (20, 20)])
def test_leave_one_out_is_brute_force(steps, features):
    z, y = rows(steps, features)
    found = fitted(z, y, "loo", chunk=7)
    some = found.path_[8:]
    expected = [leave_one_out(z, y, ridge) for ridge, _ in some]
    np.testing.assert_allclose(some[:, 1], expected, rtol=1e-5)
    assert found.ridge_ == found.path_[np.argmin(found.path_[:, 1]), 0]
    model = linear_model.Ridge(found.ridge_, fit_intercept=False).fit(z, y)
    np.testing.assert_allclose(found.coef_, model.coef_, rtol=1e-6)


@pytest.mark.parametrize(("steps", "features"), [(60, 5), (30, 50)])
def test_the_choice_is_that_of_scikit_learn(steps, features):
    z, y = rows(steps, features, outputs=1)
    path = fitted(z, y, "loo").path_
    model = linear_model.RidgeCV(path[:, 0], fit_intercept=False, store_cv_results=True)
    model.fit(z, y)
    assert fitted(z, y, "loo").ridge_ == pytest.approx(model.alpha_)
    scores = model.cv_results_.reshape(steps, -1).mean(0)
    np.testing.assert_allclose(path[8:, 1], scores[8:], rtol=1e-5)


@pytest.mark.parametrize(("steps", "features"), [(30, 5), (12, 30), (20, 20)])
def test_generalised_cross_validation_by_its_definition(steps, features):
    z, y = rows(steps, features)
    values = [1e-3, 0.1, 1.0, 30.0]
    found = fitted(z, y, values)
    for (ridge, score), value in zip(found.path_, values, strict=True):
        assert ridge == value
        hat = z @ np.linalg.solve(z.T @ z + ridge * np.eye(features), z.T)
        left = np.eye(steps) - hat
        gcv = steps * np.sum((left @ y) ** 2) / np.trace(left) ** 2 / y.shape[1]
        assert score == pytest.approx(gcv, rel=1e-6)
    assert found.ridge_ == values[np.argmin(found.path_[:, 1])]
    named = fitted(z, y, "gcv")
    assert named.path_.shape == (31, 2)
    assert named.ridge_ in named.path_[:, 0]


@pytest.mark.parametrize(("steps", "features"), [(30, 5), (12, 30)])
def test_many_values_from_one_factorisation(steps, features):
    z, y = rows(steps, features)
    many = fitted(z, y, 1.0).coefs([1e-4, 1.0, 50.0])
    for ridge, coef in zip([1e-4, 1.0, 50.0], many, strict=True):
        np.testing.assert_allclose(coef, fitted(z, y, ridge).coef_, atol=1e-8)


def test_more_may_be_added_after_solving():
    z, y = rows(60, 20)
    readout = Ridge(0.1).begin(20, 2)
    for start in range(0, 60, 10):
        end = start + 10
        found = readout.add(z[start:end], y[start:end]).solve().coef_
        model = linear_model.Ridge(0.1, fit_intercept=False).fit(z[:end], y[:end])
        np.testing.assert_allclose(found, model.coef_, rtol=1e-7)
    assert readout.begin(20, 2).steps_ == 0


def test_float32_and_tensors_are_summed_in_float64():
    z, y = rows(300, 4)
    z[:, 1] = z[:, 0] + 1e-3 * z[:, 1]  # needs more than float32 has
    narrow, target = z.astype(np.float32), y.astype(np.float32)
    exact = np.linalg.lstsq(narrow.astype(float), target.astype(float), rcond=None)[0]
    for form in (narrow, torch.from_numpy(narrow)):
        readout = Ridge(0.0).begin(4, 2).add(form, target).solve()
        np.testing.assert_allclose(readout.coef_, exact.T, rtol=1e-6)
    half = torch.from_numpy(narrow).bfloat16()
    readout = Ridge(1.0).begin(4, 2).add(half, torch.from_numpy(y)).solve()
    plain = fitted(half.double().numpy(), y, 1.0)
    np.testing.assert_allclose(readout.coef_, plain.coef_)


def test_rows_are_copied():
    z, y = rows(5, 9)
    kept = fitted(z, y, 0.1, chunk=5).coef_
    readout = Ridge(0.1).begin(9, 2).add(z, y)
    z[:] = 0.0
    np.testing.assert_array_equal(readout.solve().coef_, kept)


def test_rounding_does_not_spoil_a_small_ridge():
    z, y = rows(50, 3)
    z = np.hstack([z, z[:, :1]])  # singular: no Cholesky factor worth its name
    found = fitted(z, y, 1e-14).coef_
    assert np.abs(z @ found.T - z @ np.linalg.lstsq(z, y, rcond=None)[0]).max() < 1e-6


def test_singular_equations_without_a_ridge():
    z, y = rows(50, 3)
    with pytest.raises(
        ArgumentError, match=r"singular.*4 features over 50 steps.*0, s"
    ):
        fitted(np.hstack([z, z[:, :1]]), y, 0)
    with pytest.raises(ArgumentError, match="singular"):
        fitted(np.zeros((5, 8)), np.ones((5, 1)), 0.0)
    z, y = rows(4, 9)  # fewer steps than features: the smallest weights that fit
    smallest = np.linalg.lstsq(z, y, rcond=None)[0]
    np.testing.assert_allclose(fitted(z, y, 0).coef_, smallest.T, atol=1e-10)


def test_one_block_at_a_time(monkeypatch):
    monkeypatch.setattr("recurro.reservoir.readout._BLOCK", 64)
    for size in ((90, 7), (20, 60)):
        z, y = rows(*size)
        model = linear_model.Ridge(0.3, fit_intercept=False).fit(z, y)
        np.testing.assert_allclose(fitted(z, y, 0.3, 50).coef_, model.coef_, rtol=1e-7)


@pytest.mark.parametrize(
    "ridge", [-1.0, np.nan, np.inf, "cv", [], [0.0, 1.0], [[1.0]], None]
)
def test_a_wrong_ridge(ridge):
    with pytest.raises(ArgumentError, match=r"Ridge: .*must be"):
        readout = Ridge()
        readout.ridge = ridge  # as a program without types might
        readout.begin(3, 1)


def test_wrong_rows():
    readout = Ridge().begin(3, 1)
    with pytest.raises(ArgumentError, match=r"none\. Call add"):
        readout.solve()
    with pytest.raises(ShapeError, match=r"Z must be \(steps, 3\), got \(5, 4\)"):
        readout.add(np.ones((5, 4)), np.ones((5, 1)))
    with pytest.raises(ShapeError, match="as many steps, got 5 and 4"):
        readout.add(np.ones((5, 3)), np.ones((4, 1)))
    with pytest.raises(ArgumentError, match="outputs must be at least 1, got 0"):
        Ridge().begin(3, 0)
    readout.add(np.ones((2, 3)), np.ones((2, 1)))
    broken = np.ones((5, 3))
    broken[1, 2] = np.nan
    with pytest.raises(DataError, match="got nan at step 3, column 2"):
        readout.add(broken, np.ones((5, 1)))
    assert readout.steps_ == 2


def test_states_beyond_all_bounds_say_what_to_do():
    network = EchoStateNetwork(
        20, activation="identity", spectral_radius=9.0, random_state=0
    )
    wave = np.sin(np.arange(500.0))
    with pytest.raises(
        DataError, match=r"got (-?inf|nan) at step .* lower its spectral_rad"
    ):
        network.fit(wave, wave)
