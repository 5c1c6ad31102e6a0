"""Readouts that learn step by step, against batch solutions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.errors import ArgumentError, DataError, DivergenceError, ShapeError
from recurro.reservoir import (
    EchoStateNetwork,
    LeastMeanSquares,
    RecursiveLeastSquares,
    Ridge,
)


def rows(steps: int, features: int, outputs: int = 2, noise: float = 1.0):
    rng = np.random.default_rng(3)
    z = rng.normal(size=(steps, features))
    y = z @ rng.normal(size=(features, outputs))
    return z, y + noise * rng.normal(size=(steps, outputs))


@pytest.mark.parametrize(("steps", "features"), [(150, 9), (20, 40)])
def test_recursive_least_squares_is_batch_ridge_after_each_step(steps, features):
    z, y = rows(steps, features)
    readout = RecursiveLeastSquares(ridge=0.1).begin(features, 2)
    batch = Ridge(0.1).begin(features, 2)
    for t in range(steps):
        expected = y[t] - readout.coef_ @ z[t]
        np.testing.assert_allclose(readout.step(z[t], y[t]), expected)
        found = batch.add(z[t : t + 1], y[t : t + 1]).solve().coef_
        np.testing.assert_allclose(readout.coef_, found, rtol=1e-8, atol=1e-10)
    assert readout.steps_ == steps


@pytest.mark.parametrize("forgetting", [1.0, 0.97])
def test_chunks_are_as_single_steps(forgetting):
    z, y = rows(200, 9)
    single = RecursiveLeastSquares(0.1, forgetting).begin(9, 2)
    for row, target in zip(z, y, strict=True):
        single.step(torch.from_numpy(row), torch.from_numpy(target))
    many = RecursiveLeastSquares(0.1, forgetting).begin(9, 2)
    many.add(z[:150], y[:150]).add(z[150:], y[150:])
    np.testing.assert_allclose(many.solve().coef_, single.coef_, rtol=1e-9)


def test_forgetting_weighs_the_steps():
    z, y = rows(60, 5)
    found = RecursiveLeastSquares(0.5, forgetting=0.9).begin(5, 2).add(z, y).coef_
    weight = 0.9 ** np.arange(59, -1, -1.0)[:, None]
    square = z.T @ (weight * z) + 0.5 * 0.9**60 * np.eye(5)
    expected = np.linalg.solve(square, z.T @ (weight * y)).T
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_map_that_changes_is_followed_by_forgetting():
    z, y = rows(400, 5, noise=0.0)
    y[200:] *= -1
    kept = RecursiveLeastSquares(0.1).begin(5, 2).add(z, y)
    fading = RecursiveLeastSquares(0.1, forgetting=0.9).begin(5, 2).add(z, y)
    last = Ridge(0.1).begin(5, 2).add(z[200:], y[200:]).solve()
    assert np.abs(fading.coef_ - last.coef_).max() < 1e-2
    assert np.abs(kept.coef_ - last.coef_).max() > 0.5


@pytest.mark.parametrize(("rate", "normalised"), [(0.5, True), (0.05, False)])
def test_lms_finds_what_least_squares_finds(rate, normalised):
    z, y = rows(2000, 5, noise=0.0)
    readout = LeastMeanSquares(rate, normalised).begin(5, 2).add(z, y)
    expected = np.linalg.lstsq(z, y, rcond=None)[0].T
    np.testing.assert_allclose(readout.coef_, expected, atol=1e-8)


def test_lms_by_hand():
    readout = LeastMeanSquares(0.5).begin(2, 1)
    assert readout.step(np.array([3.0, 4.0]), np.array([50.0])) == 50.0
    np.testing.assert_allclose(readout.coef_, [[3.0, 4.0]])
    readout = LeastMeanSquares(0.01, normalised=False).begin(2, 1)
    readout.add(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[50.0], [7.0]]))
    np.testing.assert_allclose(readout.coef_, [[1.5, 2.0]])
    kept = LeastMeanSquares().begin(2, 1).add(np.zeros((3, 2)), np.ones((3, 1)))
    np.testing.assert_array_equal(kept.coef_, 0)


def test_what_diverges_says_so():
    z, y = rows(2000, 5)
    with pytest.raises(DivergenceError, match=r"rate below 0\.\d+, or normalised"):
        LeastMeanSquares(5.0, normalised=False).begin(5, 2).add(z, y)
    constant = np.ones((3000, 5))
    with pytest.raises(DivergenceError, match="P must stay positive, at step"):
        RecursiveLeastSquares(1e-12, 0.9).begin(5, 1).add(constant, constant[:, :1])


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        (RecursiveLeastSquares(0.0), "ridge must be above 0, got 0"),
        (RecursiveLeastSquares(1.0, 1.1), "forgetting must be in"),
        (LeastMeanSquares(2.0), r"rate must be in \(0, 2\), got 2"),
        (LeastMeanSquares(-1.0, normalised=False), "rate must be above 0, got -1"),
    ],
)
def test_wrong_settings(readout, message):
    with pytest.raises(ArgumentError, match=message):
        readout.begin(3, 1)


def test_wrong_rows():
    readout = RecursiveLeastSquares().begin(3, 1)
    with pytest.raises(ShapeError, match=r"Z must be \(steps, 3\)"):
        readout.add(np.ones((5, 4)), np.ones((5, 1)))
    with pytest.raises(ShapeError, match="got 5 and 4"):
        readout.add(np.ones((5, 3)), np.ones((4, 1)))
    with pytest.raises(ArgumentError, match="features must be at least 1"):
        RecursiveLeastSquares().begin(0, 1)
    with pytest.raises(DataError, match="Y must be finite, got nan at step 0"):
        readout.step(np.ones(3), np.array([np.nan]))
    assert readout.steps_ == 0
    np.testing.assert_array_equal(readout.coef_, 0)


def test_force_learns_with_its_own_errors_fed_back():
    wave = np.sin(0.2 * np.arange(800.0))
    network = EchoStateNetwork(
        60,
        spectral_radius=1.2,
        leak_rate=0.5,
        bias=0.2,
        feedback=1.0,
        teacher_forcing=False,
        readout=RecursiveLeastSquares(0.01),
        random_state=0,
    )
    network.fit(None, wave[:700])
    assert network.readout_.steps_ == 700
    free = network.generate(100, wave[:700])
    assert np.abs(free - wave[700:]).max() < 0.1


def test_force_by_hand():
    x, y = np.random.default_rng(0).normal(size=(2, 9, 1))
    network = EchoStateNetwork(
        5,
        connectivity=2,
        feedback=0.5,
        teacher_forcing=False,
        readout=RecursiveLeastSquares(0.5),
        washout=2,
        random_state=0,
    ).fit(x, y)
    pool, plain = network.bank_.pools[0], RecursiveLeastSquares(0.5).begin(7, 1)
    h, told = np.zeros(5), np.zeros(1)
    for t in range(9):
        h = np.tanh(pool.w_in @ [1.0, *x[t], *told] + pool.w_rec @ h)
        z = np.array([1.0, *x[t], *h])
        told = plain.coef_ @ z
        if t >= 2:
            plain.step(z, y[t])
        else:
            told = y[t]
    np.testing.assert_allclose(network.coef_, plain.coef_)


def test_force_needs_feedback_and_a_readout_of_steps():
    wave = np.sin(np.arange(50.0))
    for settings in ({"feedback": 1.0}, {"readout": RecursiveLeastSquares()}):
        network = EchoStateNetwork(20, teacher_forcing=False, **settings)
        with pytest.raises(ArgumentError, match="there must be feedback and a readout"):
            network.fit(wave, wave)
