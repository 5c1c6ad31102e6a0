"""A linear differential equation as a recurrence, by Euler and exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from recurro.analysis import from_linear_system
from recurro.errors import ArgumentError, ShapeError

A = np.array([[-0.5, -2.0, 0.0], [2.0, -0.5, 0.0], [0.3, 0.0, -1.0]])
START = np.array([1.0, 0.0, -1.0])


def test_euler_and_exact_matrices():
    system = from_linear_system(A, dt=0.1)
    np.testing.assert_array_equal(system.euler, np.eye(3) + 0.1 * A)
    truth = solve_ivp(lambda _, r: A @ r, (0, 0.1), START, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(system.exact @ START, truth.y[:, -1], atol=1e-9)


def test_the_error_of_each_against_the_true_flow():
    coarse, fine = (
        from_linear_system(A, dt).error(START, int(2 / dt))[-1] for dt in (0.02, 0.01)
    )
    assert coarse / fine == pytest.approx(2, rel=0.05)  # Euler is of order 1
    exact = from_linear_system(A, 0.02).error(START, 100, "exact")
    assert exact.shape == (100,) and exact.max() < 1e-12


def test_the_layer_runs_and_reads_an_input_that_stands_still_within_a_step():
    B = np.array([[1.0], [0.0], [-2.0]])
    layer = from_linear_system(A, 0.1, B).layer("exact")
    x = torch.randn(4, 1, 1, generator=torch.Generator().manual_seed(0)).double()
    y, _ = layer(x, ((torch.from_numpy(START)[None],),))
    r = START
    for t in range(4):
        u = x[t, 0].numpy()
        flow = solve_ivp(
            lambda _, s, u=u: A @ s + B @ u, (0, 0.1), r, rtol=1e-11, atol=1e-12
        )
        r = flow.y[:, -1]
        np.testing.assert_allclose(y[t, 0].detach().numpy(), r, atol=1e-9)
    np.testing.assert_array_equal(from_linear_system(A, 0.1, B).euler_input, 0.1 * B)


def test_a_rotation_grows_under_euler_and_not_under_the_exact_step():
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    system = from_linear_system(rotation, 0.1)
    assert not system.stable() and system.stable("exact")
    assert system.largest_stable_dt() == 0


def test_the_largest_stable_step():
    bound = from_linear_system(A, 1.0).largest_stable_dt()
    assert from_linear_system(A, bound * 0.999).stable()
    assert not from_linear_system(A, bound * 1.001).stable()
    assert from_linear_system(np.zeros((2, 2)), 1.0).largest_stable_dt() == np.inf


@pytest.mark.parametrize(
    ("matrix", "dt", "error", "message"),
    [
        (A[:2], 0.1, ShapeError, r"A must be square, got \(2, 3\)"),
        (A * np.nan, 0.1, ArgumentError, "A must be finite, got NaN"),
        (A, 0.0, ArgumentError, "dt must be > 0, got 0"),
        (A + 0j, 0.1, ShapeError, "a matrix of real numbers, got complex128"),
        (np.zeros((0, 0)), 0.1, ShapeError, "a matrix of real numbers"),
    ],
)
def test_what_is_no_system_is_refused(matrix, dt, error, message):
    with pytest.raises(error, match=message):
        from_linear_system(matrix, dt)


def test_other_misfits_are_refused():
    with pytest.raises(ShapeError, match=r"B must be \(3, inputs\), got \(2, 1\)"):
        from_linear_system(A, 0.1, np.ones((2, 1)))
    with pytest.raises(ShapeError, match=r"start must be \(3,\)"):
        from_linear_system(A, 0.1).error(np.ones(2), 5)
