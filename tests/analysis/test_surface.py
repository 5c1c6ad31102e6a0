"""Error surfaces: their values, their cliffs, and paths with and without clipping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.analysis import (
    axis,
    descend,
    error_surface,
    pascanu_unit,
    random_axis,
)
from recurro.errors import ArgumentError


def end(w: float, b: float) -> float:
    """Pascanu's unit by hand."""
    shown = 0.5
    for _ in range(50):
        shown = 1 / (1 + np.exp(-(w * shown + b)))
    return (shown - 0.7) ** 2


MODULE, LOSS = pascanu_unit(5.0, -2.0)
AXES = axis(MODULE, "U_r_l0"), axis(MODULE, "b_r_l0")


def test_the_surface_of_pascanu():
    a, b = np.array([-1.0, 0.0, 1.5]), np.array([-0.8, 0.0])
    surface = error_surface(MODULE, LOSS, AXES, a, b)
    truth = [[end(5 + da, -2 + db) for da in a] for db in b]
    np.testing.assert_allclose(surface.error, truth, atol=1e-12)
    assert MODULE.U_r_l0.item() == 5.0  # left as it was


def test_there_is_a_cliff():
    fine = error_surface(MODULE, LOSS, AXES, [0.0], np.linspace(-0.6, -0.4, 11))
    flat = np.abs(np.diff(fine.error[:, 0]))
    assert flat.max() > 20 * np.median(flat)


def test_descent_follows_the_gradient():
    path = descend(MODULE, LOSS, AXES, steps=1, learning_rate=0.1)
    eps = 1e-5
    slope = np.array(
        [
            (end(5 + eps, -2) - end(5 - eps, -2)) / (2 * eps),
            (end(5, -2 + eps) - end(5, -2 - eps)) / (2 * eps),
        ]
    )
    np.testing.assert_allclose(path.places[1], -0.1 * slope, rtol=1e-6)
    assert path.gradient[0] == pytest.approx(np.linalg.norm(slope), rel=1e-6)
    assert path.error[0] == pytest.approx(end(5, -2)) and not path.clipped[0]


def test_clipping_bounds_the_step():
    path = descend(MODULE, LOSS, AXES, steps=2, learning_rate=0.5, clip_norm=1e-3)
    lengths = np.linalg.norm(np.diff(path.places, axis=0), axis=1)
    np.testing.assert_allclose(lengths, 0.5e-3, rtol=1e-9)
    assert path.clipped.all()


def test_random_axes_are_as_long_as_the_parameters():
    direction = random_axis(MODULE, seed=1)
    for name, parameter in MODULE.named_parameters():
        assert direction[name].norm().item() == pytest.approx(parameter.norm().item())
    again = random_axis(MODULE, seed=1)
    assert all(torch.equal(direction[name], again[name]) for name in direction)


def test_bad_input_is_refused():
    with pytest.raises(ArgumentError, match=r"name must be one of .*U_r_l0.*'nope'"):
        axis(MODULE, "nope")
    with pytest.raises(ArgumentError, match=r"index must be within \(1, 1\)"):
        axis(MODULE, "U_r_l0", (0, 3))
    with pytest.raises(ArgumentError, match="b must be a row of rising steps"):
        error_surface(MODULE, LOSS, AXES, [0.0], [1.0, 0.0])
    with pytest.raises(ArgumentError, match="learning_rate and clip_norm > 0"):
        descend(MODULE, LOSS, AXES, steps=1, learning_rate=0.1, clip_norm=0)
    with pytest.raises(ArgumentError, match="steps must be >= 1, got 0"):
        pascanu_unit(steps=0)
