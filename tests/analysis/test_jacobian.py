"""Jacobians and their products are those of autograd, for every cell."""

import pytest
import torch
from hypothesis import given, settings

from recurro import nn as recurro_nn
from recurro.analysis import jacobian, jacobians, linearise, linearise_step
from recurro.cells import GRU, LSTM, Elman, Linear, Rate, Zoneout
from recurro.engine import BlockDiagonal, Diagonal, Sparse, recurrence, run
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent
from tests.cells.test_contract import SUBJECTS
from tests.engine.test_adjoint import TREES, Grown
from tests.engine.test_language import Forward, Oscillators, Partition

TIME, BATCH, INPUT, HIDDEN = 3, 2, 2, 4


def draw(*shape, low=-0.8):
    return torch.rand(shape, dtype=torch.float64) * (0.8 - low) + low


def by_autograd(part, stored, inputs, old):
    """Each step's Jacobian, a call of autograd for each unit."""
    flat = tuple(s.flatten(0, 1).requires_grad_() for s in old)
    steps = tuple(x.flatten(0, 1)[None] for x in inputs)
    new = run(part, stored, steps, flat, backend="reference").state
    nothing = sum(0 * s.sum() for s in flat)  # a cell need not read its state
    rows = []
    for unit in torch.cat(new, -1).sum(0) + nothing:
        found = torch.autograd.grad(unit, flat, retain_graph=True)
        rows.append(torch.cat(found, -1))
    return torch.stack(rows, 1).unflatten(0, old[0].shape[:2])


def assert_is_autograd(cell, structure=None, hidden=HIDDEN, low=-0.8):
    sizes = dict.fromkeys(cell.inputs, hidden if low > 0 else INPUT)
    part = recurrence(cell, sizes, hidden, recurrent=structure)
    stored = {name: draw(*shape, low=low) for name, shape in part.shapes().items()}
    inputs = tuple(draw(TIME, BATCH, w, low=low) for _, w in part.program.inputs)
    old = tuple(draw(TIME, BATCH, w, low=low) for _, w in part.program.state)
    step = linearise_step(part, stored, inputs, old)
    found, wanted = step.jacobians(), by_autograd(part, stored, inputs, old)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    columns, rows = draw(TIME, BATCH, step.size, 3), draw(5, step.size)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(step.push(columns), wanted @ columns, **close)
    torch.testing.assert_close(step.pull(rows), rows @ wanted, **close)
    torch.testing.assert_close(step[1].jacobians(), wanted[1:2], **close)
    torch.testing.assert_close(step[1:].pull(rows), rows @ wanted[1:], **close)


CELLS = list(dict.fromkeys(subject.cell for subject in SUBJECTS))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell(cell):
    assert_is_autograd(cell)


@pytest.mark.parametrize("cell", [Elman(), Rate(), LSTM(), GRU(), Zoneout(GRU())])
@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(2), Sparse.random(HIDDEN, 2)], ids=str
)
def test_every_structure(cell, structure):
    assert_is_autograd(cell, structure)


@pytest.mark.parametrize("cell", [Forward(), Partition(), Oscillators()], ids=str)
def test_equations_that_are_no_networks(cell):
    assert_is_autograd(cell, low=0.1)


@pytest.mark.parametrize("cached", [1, 2 * BATCH * HIDDEN])
def test_long_runs_are_worked_on_in_spans(cached, monkeypatch):
    monkeypatch.setattr(jacobian, "CACHED", cached)
    assert_is_autograd(LSTM(), hidden=HIDDEN)


@pytest.mark.parametrize("hidden", [1, HIDDEN])
def test_layers_of_one_unit(hidden):
    assert_is_autograd(LSTM(), hidden=hidden)


@settings(max_examples=20)
@given(TREES, TREES)
def test_random_programs(first, second):
    assert_is_autograd(Grown(first, second))


def test_a_linear_recurrence_has_its_matrix():
    layer = Recurrent(Linear(), 2, 3)
    (found,) = jacobians(layer, torch.randn(4, 2, 2))
    torch.testing.assert_close(found, layer.U_h_l0.detach().expand(4, 2, 3, 3))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_drop_ins_and_deep_ones(kind):
    """The product of all Jacobians is the derivative of the last state by the first."""
    layer = getattr(recurro_nn, kind)(2, 3, num_layers=2, bidirectional=True)
    layer, x = layer.double(), draw(5, 2, 2)
    forward = linearise(layer, x)
    assert len(forward) == 4
    start = torch.zeros(4, 2, 3, dtype=torch.float64, requires_grad=True)
    state = (start, start) if kind == "LSTM" else start
    _, final = layer(x, state)
    final = final[0] if kind == "LSTM" else final
    for place, order in ((0, range(5)), (1, reversed(range(5)))):
        chain = torch.eye(forward[place].size, dtype=torch.float64)
        for t in order:
            chain = forward[place][t].push(chain)[0]
        h = chain[:, :3, :3] + (chain[:, :3, 3:] if kind == "LSTM" else 0)
        for unit in range(3):
            (wanted,) = torch.autograd.grad(
                final[place, :, unit].sum(), start, retain_graph=True
            )
            torch.testing.assert_close(h[:, unit], wanted[place])


def test_the_type_asked_for():
    layer = Recurrent(GRU(), 2, 3)
    (found,) = jacobians(layer, torch.randn(4, 1, 2), dtype=torch.float64)
    assert found.dtype == torch.float64
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert not found.requires_grad


def test_too_large_for_a_full_jacobian(monkeypatch):
    monkeypatch.setattr(jacobian, "LIMIT", 1000)
    (step,) = linearise(Recurrent(LSTM(), 2, 8), torch.randn(9, 1, 2))
    with pytest.raises(ArgumentError, match="Take fewer steps at a time"):
        step.jacobians()
    assert step.push(torch.randn(16, 2)).shape == (9, 1, 16, 2)


def test_wrong_shapes(unchecked):
    (step,) = linearise(Recurrent(LSTM(), 2, 3), torch.randn(4, 1, 2))
    with pytest.raises(ShapeError, match=r"columns must be \(..., n=6, k\)"):
        step.push(torch.randn(5, 2))
    with pytest.raises(ShapeError, match=r"rows must be \(..., k, n=6\)"):
        step.pull(torch.randn(2, 5))
    part = recurrence(LSTM(), 2, 3)
    with pytest.raises(ShapeError, match="must have 1 inputs and 2 states"):
        linearise_step(part, {}, (torch.zeros(1, 1, 2),), (torch.zeros(1, 1, 3),))
    with pytest.raises(ShapeError, match=r"c must be \(time, batch, 3\)"):
        old = torch.zeros(1, 1, 3), torch.zeros(1, 1, 4)
        linearise_step(part, {}, (torch.zeros(1, 1, 2),), old)
    with pytest.raises(ArgumentError, match="must be Recurrent, LSTM, GRU or RNN"):
        linearise(torch.nn.Linear(2, 2), torch.zeros(1, 1, 2))
