"""Fixed points of networks in which all are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from recurro.analysis import fixed_points
from recurro.cells import GRU, LSTM, Elman, Linear, Rate
from recurro.engine import Sparse
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent

BIT = brentq(lambda h: np.tanh(2 * h) - h, 0.5, 1)
"""Where h = tanh(2 h) holds, beside 0 and -BIT."""


def flip_flop(units: int, bits: int = 3) -> Recurrent:
    """Groups of like units, each of which stores a bit; a pulse of 1 or -1 sets it."""
    each = units // bits
    layer = Recurrent(Elman(), bits, units)
    block = torch.full((each, each), 2.0 / each)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.block_diag(*[block] * bits))
        layer.weight_ih_l0.copy_(4 * torch.eye(bits).repeat_interleave(each, 0))
    return layer


@pytest.mark.parametrize("units", [3, 12])
def test_all_of_a_flip_flop_are_found(units):
    found = fixed_points(flip_flop(units))
    truth = np.array(list(itertools.product((-BIT, 0, BIT), repeat=3)))
    truth = truth.repeat(units // 3, axis=1)
    assert len(found) == 27
    for point in truth:
        assert np.abs(found.points - point).max(1).min() < 1e-8
    zeros = (np.abs(found.points).reshape(27, 3, -1) < 1e-6).all(2).sum(1)
    np.testing.assert_array_equal(found.unstable_directions, zeros)
    assert found.stable.sum() == 8 and found.stable[:8].all()
    assert np.bincount(zeros).tolist() == [8, 12, 6, 1]  # edges, faces, the middle
    assert found.residual.max() < 1e-9


def test_the_flip_flop_keeps_what_it_was_told():
    layer, x = flip_flop(12), torch.zeros(60, 1, 3)
    x[0, 0], x[30, 0, 1] = torch.tensor([1.0, -1.0, 1.0]), 1.0
    y, _ = layer(x)
    signs = y[:, 0].reshape(60, 3, 4).mean(2).sign()
    assert signs[29].tolist() == [1, -1, 1] and signs[59].tolist() == [1, 1, 1]


@pytest.mark.parametrize("cell", [GRU(), LSTM(), Rate()], ids=str)
def test_a_step_leaves_them_as_they_are(cell):
    torch.manual_seed(2)
    layer = Recurrent(cell, 2, 5).double()
    x = torch.tensor([0.5, -1.0]).double()
    found = fixed_points(layer, x, starts=16)
    assert len(found) >= 1 and found.found <= found.starts
    state = torch.from_numpy(found.points)
    parts = state.split(5, dim=1)
    _, (after,) = layer(x.expand(1, len(found), 2), (parts,))
    torch.testing.assert_close(torch.cat(after, 1), state, atol=1e-8, rtol=0)


def test_the_one_of_a_linear_recurrence():
    layer = Recurrent(Linear(), 1, 4).double()
    with torch.no_grad():
        layer.b_h_l0.uniform_(-1, 1)
    found = fixed_points(layer, starts=4)
    truth = torch.linalg.solve(torch.eye(4).double() - layer.U_h_l0, layer.b_h_l0)
    np.testing.assert_allclose(found.points, truth.detach()[None].numpy(), atol=1e-9)


def test_a_recurrence_without_any_gives_none():
    layer = Recurrent(Linear(), 1, 2)
    with torch.no_grad():
        layer.U_h_l0.copy_(torch.eye(2))
        layer.b_h_l0.fill_(1.0)
    found = fixed_points(layer, starts=8)
    assert len(found) == 0 and found.eigenvalues.shape == (0, 2)


def test_bad_input_is_refused():
    layer = Recurrent(Elman(), 2, 3)
    with pytest.raises(ShapeError, match=r"x must be the input of one step \(2,\)"):
        fixed_points(layer, torch.zeros(3))
    with pytest.raises(ShapeError, match=r"starts must be \(starts, n=3\)"):
        fixed_points(layer, starts=torch.zeros(2, 4))
    with pytest.raises(ArgumentError, match="starts must be finite"):
        fixed_points(layer, starts=torch.full((2, 3), torch.nan))
    with pytest.raises(ArgumentError, match="starts must be >= 1, got 0"):
        fixed_points(layer, starts=0)
    with pytest.raises(ArgumentError, match="tolerance and apart > 0"):
        fixed_points(layer, tolerance=0)
    with pytest.raises(ArgumentError, match="one layer of one direction, got 2"):
        fixed_points(Recurrent(Elman(), 2, 3, num_layers=2))
    sparse = Sparse.random(9000, 1)
    with pytest.raises(ArgumentError, match="at most 8192 numbers, got 9000"):
        fixed_points(Recurrent(Elman(), 1, 9000, recurrent=sparse))
