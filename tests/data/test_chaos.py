"""Series of Mackey and Glass, and of Lorenz."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data import lorenz, mackey_glass
from recurro.errors import ArgumentError


def test_mackey_glass_is_eulers_method():
    fine = mackey_glass(500, every=1, transient=0, tau=1.7)
    late, now = fine[:-18], fine[17:-1]
    wanted = now + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * now)
    np.testing.assert_allclose(fine[18:], wanted, rtol=1e-12)
    np.testing.assert_array_equal(
        mackey_glass(40, every=10, transient=3, tau=1.7), fine[30::10][:40]
    )


def test_mackey_glass_without_delay_effects_rests_where_it_should():
    # y = 1 is a fixed point: 0.2 / (1 + 1) = 0.1
    assert mackey_glass(10, tau=2.0, transient=3000)[-1] == pytest.approx(1, abs=1e-6)


def test_seeds_give_other_paths():
    assert np.abs(mackey_glass(300, seed=1) - mackey_glass(300, seed=2)).max() > 0.1
    assert np.abs(lorenz(10, seed=1) - lorenz(10, seed=2)).max() > 0.1


def test_lorenz_follows_its_equations():
    x, y, z = lorenz(2001, dt=0.001, transient=5.0).T
    for series, flow in (
        (x, 10 * (y - x)),
        (y, x * (28 - z) - y),
        (z, x * y - 8 / 3 * z),
    ):
        slope = (series[2:] - series[:-2]) / 0.002
        np.testing.assert_allclose(slope, flow[1:-1], atol=2e-2)


def test_lorenz_is_as_exact_as_asked():
    rough, fine = (lorenz(200, transient=0.0, tolerance=t) for t in (1e-8, 1e-12))
    assert np.abs(rough - fine).max() < 1e-3


def test_what_cannot_be_is_refused():
    with pytest.raises(ArgumentError, match="tau must be a positive multiple"):
        mackey_glass(10, tau=0.05)
    with pytest.raises(ArgumentError, match="steps and every must be >= 1"):
        mackey_glass(0)
    with pytest.raises(ArgumentError, match="steps must be >= 1, dt > 0"):
        lorenz(5, dt=0.0)
