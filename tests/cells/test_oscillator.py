"""Oscillators hold to their equations, written a second time in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from recurro.cells import ContinuousTime, Lorenz, PhaseOscillator
from recurro.engine import recurrence, run
from recurro.errors import ArgumentError
from tests.cells.transcribed import assert_follows, sigmoid


def test_phase_oscillators():
    dt, a = 0.02, 15.0

    def driven(p, name, d):
        line = p[f"{name}_slope"] * d + p[f"{name}_offset"]
        return np.where((p.low <= d) & (d <= p.high), line, 0)

    def equations(p, x, theta, r, v):
        d = p.W_d @ x
        w = np.hypot(p.U_C, p.U_S)
        phi = np.arctan2(p.U_S, p.U_C)
        pull = r * w * np.sin(theta - theta[:, None] - phi)
        return (
            theta + dt * (2 * np.pi * driven(p, "nu", d) + pull.sum(1)),
            r + dt * v,
            v + dt * a * (a / 4 * (driven(p, "R", d) - r) - v),
        )

    assert_follows(
        PhaseOscillator(dt, gain=a),
        equations,
        lambda theta, r, v: r * (1 + np.cos(theta)),
    )


def test_neurons_in_continuous_time():
    def equations(p, x, m):
        total = p.W_m @ x + p.U_m @ sigmoid(m) + p.b_m
        return m + 0.05 / np.exp(p.log_tau) * (total - m)

    assert_follows(ContinuousTime(0.05), equations, sigmoid)


def test_lorenz_follows_an_adaptive_method():
    def f(_, s):
        return 10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]

    start = np.array([1.0, 2.0, 20.0])
    truth = solve_ivp(f, (0, 1), start, rtol=1e-11, atol=1e-11).y[:, -1]
    part = recurrence(Lorenz(0.001, "rk4"), 1, 1)
    x = torch.zeros(1000, 1, 1, dtype=torch.float64)
    state = tuple(torch.tensor([[value]], dtype=torch.float64) for value in start)
    found = torch.cat(run(part, {}, x, state).state, 1)[0].numpy()
    np.testing.assert_allclose(found, truth, atol=1e-7)


def test_a_gain_must_be_positive():
    with pytest.raises(ArgumentError, match="gain must be > 0, got 0"):
        PhaseOscillator(gain=0)
