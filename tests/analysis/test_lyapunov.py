"""Lyapunov exponents beside those that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recurro.analysis import lyapunov_of_flow, lyapunov_spectrum
from recurro.cells import LSTM, Cell, Elman, Leaky, Linear, Lorenz, Memoryless
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent


def lorenz_starts(rows: int) -> torch.Tensor:
    drawn = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0))
    return (drawn + torch.tensor([1.0, 1.0, 20.0])).double()


@pytest.mark.usefixtures("compiled")
def test_lorenz():
    layer = Recurrent(Lorenz(0.02, "rk4"), 1, 1)
    state = (tuple(lorenz_starts(64).split(1, 1)),)
    (found,) = lyapunov_spectrum(layer, 3500, state=state, washout=500)
    first, middle, last = found.exponents
    assert first == pytest.approx(0.906, rel=0.02)
    assert abs(middle) < 0.01
    assert last == pytest.approx(-14.57, rel=0.02)
    assert found.dimension() == pytest.approx(2.062, abs=0.005)
    assert found.error[0] < 0.01 and found.history.shape == (3000, 3)


def test_lorenz_as_a_function():
    def f(s):
        return torch.stack(
            [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]
        )

    start = lorenz_starts(4)
    found = lyapunov_of_flow(f, start, dt=0.02, steps=400)
    layer = Recurrent(Lorenz(0.02, "rk4"), 1, 1)
    (cell,) = lyapunov_spectrum(layer, 400, state=(tuple(start.split(1, 1)),))
    np.testing.assert_allclose(found.exponents, cell.exponents, atol=1e-6)


class Logistic(Cell):
    """s_t = 4 s (1 - s), whose exponent is log 2."""

    state = ("s",)

    def step(self, x, s):
        return 4 * s * (1 - s)


def test_the_logistic_map():
    state = ((torch.linspace(0.11, 0.47, 50)[:, None].double(),),)
    (found,) = lyapunov_spectrum(Recurrent(Logistic(), 1, 1), 400, state=state)
    assert found.exponents[0] == pytest.approx(math.log(2), abs=0.01)
    assert found.dimension() == 1  # one dimension, which it fills
    assert found.memory == math.inf


def test_a_linear_recurrence_has_the_logarithms_of_its_eigenvalues():
    layer = Recurrent(Linear(), 2, 5).double()
    eigenvalues = torch.linalg.eigvals(layer.U_h_l0).abs().log().sort(descending=True)
    x = torch.randn(1000, 1, 2)
    (found,) = lyapunov_spectrum(layer, x, washout=300)
    truth = eigenvalues.values.detach().numpy()
    np.testing.assert_allclose(found.exponents, truth, atol=5e-3)
    assert found.memory == pytest.approx(-1 / truth[0], rel=1e-2)


@pytest.mark.parametrize("cell", [LSTM(), Elman(), Leaky(0.3)], ids=str)
def test_a_few_columns_are_the_first_of_all(cell):
    layer = Recurrent(cell, 3, 16)
    x = torch.randn(300, 2, 3, generator=torch.Generator().manual_seed(1))
    (whole,) = lyapunov_spectrum(layer, x, washout=200)
    (few,) = lyapunov_spectrum(layer, x, 2, washout=200)
    np.testing.assert_allclose(few.exponents, whole.exponents[:2], atol=0.02)
    total = lyapunov_spectrum(layer, x)[0].exponents.sum()
    from recurro.analysis import jacobians

    (steps,) = jacobians(layer, x, dtype=torch.float64)
    volume = torch.linalg.slogdet(steps).logabsdet.mean().item()
    assert total == pytest.approx(volume, rel=1e-9)  # of the box, by all directions


def test_each_layer_and_each_direction_has_its_own():
    layer = Recurrent(Elman(), 2, 4, num_layers=2, bidirectional=True)
    found = lyapunov_spectrum(layer, torch.randn(30, 2, 2), 1)
    assert len(found) == 4


def test_a_layer_that_reads_backward_is_followed_backward():
    layer = Recurrent(Elman(), 2, 4, bidirectional=True)
    x = torch.randn(40, 1, 2, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0"):
            other = layer.get_parameter(f"{name}_reverse")
            other.copy_(layer.get_parameter(name))
    _, backward = lyapunov_spectrum(layer, x)
    forward, _ = lyapunov_spectrum(layer, x.flip(0))
    np.testing.assert_allclose(backward.exponents, forward.exponents, atol=1e-12)


def test_without_memory_all_is_forgotten_at_once():
    (found,) = lyapunov_spectrum(Recurrent(Memoryless(), 1, 3), 10)
    assert (found.exponents == -np.inf).all()
    assert found.dimension() == 0 and found.memory == 0


def test_bad_input_is_refused():
    layer = Recurrent(Elman(), 2, 4)
    x = torch.zeros(5, 1, 2)
    for k in (0, 5):
        with pytest.raises(ArgumentError, match=rf"k must be in \[1, 4\], .* got {k}"):
            lyapunov_spectrum(layer, x, k)
    with pytest.raises(ArgumentError, match=r"washout must be in \[0, 5 steps\)"):
        lyapunov_spectrum(layer, x, washout=5)
    with pytest.raises(ArgumentError, match="steps must be >= 1, got 0"):
        lyapunov_spectrum(layer, 0)
    with pytest.raises(ArgumentError, match="layer 0: states must stay finite"):
        lyapunov_spectrum(layer, x * torch.nan)
    with pytest.raises(ArgumentError, match="must be Recurrent, LSTM, GRU or RNN"):
        lyapunov_spectrum(torch.nn.Linear(2, 2), x)
    with pytest.raises(ShapeError, match=r"start must be \(batch, n\)"):
        lyapunov_of_flow(lambda s: s[:1], torch.ones(1, 2), dt=0.1, steps=2)
    with pytest.raises(ArgumentError, match="dt must be > 0"):
        lyapunov_of_flow(lambda s: s, torch.ones(1, 2), dt=0, steps=2)
    with pytest.raises(ArgumentError, match="Take a larger k"):
        grows = lyapunov_of_flow(lambda s: s, torch.ones(1, 2), dt=0.1, steps=9, k=1)
        grows.dimension()
