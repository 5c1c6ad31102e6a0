"""The gradient's way back is autograd's, and the parts of steps make the whole."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurro import nn as recurro_nn
from recurro.analysis import LayerFlow, gradient_flow
from recurro.cells import (
    GRU,
    LSTM,
    DeepTransition,
    Elman,
    Linear,
    MinLSTM,
    RecurrentDropout,
    Zoneout,
)
from recurro.engine import BlockDiagonal, Diagonal, Sparse
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent
from tests.cells.test_contract import PLAIN

TIME, BATCH, INPUT, HIDDEN = 5, 3, 2, 4
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
CELLS = [*PLAIN, DeepTransition(GRU()), RecurrentDropout(LSTM()), Zoneout(LSTM())]


def assert_norms_are_autograds(layer, x, weight, found):
    """One call of autograd for each step: what the rest of L makes of its state."""
    (states,) = layer.states(x)
    for t in range(TIME):
        state = tuple(s[t].detach().requires_grad_() for s in states)
        loss = (layer.cell.output(*state) * weight[t]).sum() + 0 * sum(
            s.sum() for s in state
        )
        if t + 1 < TIME:
            y, _ = layer(x[t + 1 :], (state,))
            loss = loss + (y * weight[t + 1 :]).sum()
        wanted = [g.norm(dim=1).mean() for g in torch.autograd.grad(loss, state)]
        torch.testing.assert_close(found.norms[t], torch.stack(wanted), **CLOSE)


def assert_is_autograd(layer, lengths=None):
    layer = layer.double().eval()
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(TIME, BATCH, layer.output_size, dtype=torch.float64)
    ((layer(x, lengths=lengths)[0] * weight).sum() + 0 * x.sum()).backward()
    flow = gradient_flow(layer, x.detach(), weight, lengths=lengths)
    torch.testing.assert_close(flow.inputs, x.grad, **CLOSE)
    for found, (suffix, part) in zip(flow.layers, layer._stack.named(), strict=True):
        stored = {n: getattr(layer, n + suffix) for n in part.storage}
        by_part = part.unpack(
            {n: torch.zeros_like(p) if p.grad is None else p.grad
             for n, p in stored.items()}
        )  # fmt: skip
        for name, gradient in found.gradient.items():
            torch.testing.assert_close(gradient, by_part[name], **CLOSE)
        assert set(found.gradient) == {n for n in by_part if n.startswith("U")}
        if found.gradient:
            assert found.shares.sum() == pytest.approx(1, abs=1e-9)
    if len(flow.layers) == 1 and lengths is None:
        assert_norms_are_autograds(layer, x.detach(), weight, flow.layers[0])
    return flow


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell(cell):
    assert_is_autograd(Recurrent(cell, INPUT, HIDDEN, backend="reference"))


@pytest.mark.parametrize("options", [{}, {"residual": True}], ids=str)
@pytest.mark.parametrize("cell", [LSTM(), Elman()], ids=str)
def test_layers_upon_each_other(cell, options):
    assert_is_autograd(Recurrent(cell, INPUT, HIDDEN, 3, **options))


@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(2), Sparse.random(HIDDEN, 2)], ids=str
)
def test_every_structure(structure):
    assert_is_autograd(Recurrent(GRU(), INPUT, HIDDEN, recurrent=structure))


def test_rows_of_unequal_length():
    layer = Recurrent(LSTM(), INPUT, HIDDEN, 2)
    flow = assert_is_autograd(layer, torch.tensor([5, 2, 3]))
    assert flow.layers[0].norms.shape == (TIME, 2)


def test_rows_end_together():
    """A short row's steps count from its end: three equal rows make one."""
    layer = Recurrent(GRU(), INPUT, HIDDEN).double()
    x, last = torch.zeros(5, 1, INPUT).double(), torch.zeros(5, 1, HIDDEN).double()
    short = x[:3].normal_()
    last[2] = 1.0
    alone = gradient_flow(layer, short, last[:3]).layers[0]
    padded = gradient_flow(layer, x, last, lengths=torch.tensor([3])).layers[0]
    torch.testing.assert_close(padded.norms[2:], alone.norms)
    torch.testing.assert_close(padded.contributions[2:], alone.contributions)
    assert padded.contributions[:2].sum() == 0


def test_contributions_are_the_norms_of_what_steps_add():
    """Of one matrix and one row: |delta| |h|, and they add up as vectors."""
    layer = Recurrent(Linear(), INPUT, HIDDEN).double()
    x = torch.randn(TIME, 1, INPUT, dtype=torch.float64)
    last = torch.zeros(TIME, 1, HIDDEN, dtype=torch.float64)
    last[-1] = 1.0
    (flow,) = gradient_flow(layer, x, last).layers
    delta, states = torch.ones(HIDDEN).double(), layer.states(x)[0][0].detach()
    for t in reversed(range(1, TIME)):
        part = torch.outer(delta, states[t - 1, 0])
        assert flow.contributions[t] == pytest.approx(part.norm())
        share = (part * flow.gradient["U_h"]).sum() / flow.gradient[
            "U_h"
        ].square().sum()
        assert flow.shares[t] == pytest.approx(share)
        delta = layer.U_h_l0.detach().T @ delta
    assert flow.contributions[0] == 0


def test_both_directions():
    layer = Recurrent(LSTM(), INPUT, HIDDEN, 2, bidirectional=True)
    flow = assert_is_autograd(layer, torch.tensor([5, 2, 3]))
    assert [f.name for f in flow.layers] == [
        *("layer 0", "layer 0 backward"),
        *("layer 1", "layer 1 backward"),
    ]


def test_the_final_state_may_be_what_is_read():
    layer = Recurrent(LSTM(), INPUT, HIDDEN).double()
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    _, (state,) = layer(x)
    state[1].sum().backward()
    nothing = torch.zeros(TIME, BATCH, HIDDEN, dtype=torch.float64)
    ones = torch.ones(BATCH, HIDDEN, dtype=torch.float64)
    final = ((torch.zeros_like(ones), ones),)
    flow = gradient_flow(layer, x.detach(), nothing, state_gradient=final)
    torch.testing.assert_close(flow.inputs, x.grad, **CLOSE)


def test_drop_ins():
    layer = recurro_nn.LSTM(INPUT, HIDDEN, 2).double()
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    layer(x)[0].sum().backward()
    ones = torch.ones(TIME, BATCH, HIDDEN, dtype=torch.float64)
    flow = gradient_flow(layer, x.detach(), ones)
    torch.testing.assert_close(flow.inputs, x.grad, **CLOSE)


def test_a_matrix_that_scales_has_the_horizon_of_its_powers():
    """With U = a I the parts fall like a^k: all but 1 % within log 0.01 / log a."""
    layer = Recurrent(Linear(), 1, 2, bias=False).double()
    layer.U_h_l0.data.copy_(0.9 * torch.eye(2))
    x = torch.zeros(300, 1, 1, dtype=torch.float64)
    x[:, 0, 0] = 1.0  # so that h stands still after a while
    last = torch.zeros(300, 1, 2, dtype=torch.float64)
    last[-1] = 1.0
    (flow,) = gradient_flow(layer, x, last).layers
    assert flow.horizon == 44  # 0.9^44 < 0.01 < 0.9^43
    assert flow.growth == pytest.approx(0.9)
    assert flow.sentence == (
        "layer 0: this network cannot learn dependencies longer than about 44 steps."
    )


def flow_of(contributions):
    values = torch.tensor(contributions, dtype=torch.float64)
    return LayerFlow("layer 0", ("h",), values[:, None], values, values, {})


def test_a_gradient_that_does_not_fade_has_no_horizon():
    assert flow_of([1.0] * 50).horizon is None
    assert "has not faded within the 50 steps" in flow_of([1.0] * 50).sentence
    assert flow_of([0.0] * 50).horizon is None
    assert "no gradient" in flow_of([0.0] * 50).sentence
    assert flow_of([0.0] * 49 + [1.0]).horizon == 1


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60))
def test_horizon_leaves_less_than_a_hundredth(parts):
    flow = flow_of(parts)
    if flow.horizon is not None:
        assert sum(parts[: -flow.horizon]) <= 0.0100001 * sum(parts)
        assert sum(parts[: -flow.horizon + 1 or None]) >= 0.0099999 * sum(parts)


def test_cells_without_recurrent_matrices():
    layer = Recurrent(MinLSTM(), INPUT, HIDDEN)
    ones = torch.ones(TIME, BATCH, HIDDEN)
    (flow,) = gradient_flow(layer, torch.randn(TIME, BATCH, INPUT), ones).layers
    assert flow.gradient == {} and flow.horizon is None
    assert flow.norms[-1] == pytest.approx(HIDDEN**0.5)


def test_bad_input():
    layer, x = Recurrent(GRU(), INPUT, HIDDEN), torch.randn(TIME, BATCH, INPUT)
    with pytest.raises(ShapeError, match=r"output_gradient must be \(5, 3, 4\)"):
        gradient_flow(layer, x, torch.zeros(TIME, BATCH, 5))
    with pytest.raises(ArgumentError, match="one entry for each of the 1 layers"):
        ones = torch.ones(TIME, BATCH, HIDDEN)
        gradient_flow(layer, x, ones, state_gradient=(None, None))
