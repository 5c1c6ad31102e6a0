"""Gates found in programs, and what they do when they are stuck."""

import pytest
import torch

from recurro import nn as recurro_nn
from recurro.analysis import SITUATIONS, Gate, gates, hand_set_lstm
from recurro.analysis.gates import gate_names
from recurro.cells import (
    GRU,
    LSTM,
    Cell,
    ChoGRU,
    ComplexDiagonal,
    DeepTransition,
    DiagonalLinear,
    Elman,
    ForgetUpdate,
    LayerNormLSTM,
    Leaky,
    MinGRU,
    MinimalGatedUnit,
    MinLSTM,
    PeepholeLSTM,
    Rate,
    RecurrentDropout,
    Residual,
    Zoneout,
)
from recurro.cells.ops import sigmoid, tanh
from recurro.engine import trace
from recurro.errors import ArgumentError
from recurro.nn import Recurrent


class Blend(Cell):
    """A cell of one's own, with a gate whose name nobody knows beforehand."""

    state = ("h",)

    def step(self, x, h):
        blend = sigmoid(self.affine("blend", x, h))
        return blend * h + (1 - blend) * tanh(self.affine("n", x))


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (LSTM(), "ifo"),
        (LSTM(proj_size=2), "ifo"),
        (PeepholeLSTM(), "ifo"),
        (LayerNormLSTM(), "ifo"),
        (GRU(), "rz"),
        (ChoGRU(), "zr"),
        (MinimalGatedUnit(), "f"),
        (ForgetUpdate(), "f"),
        (MinGRU(), "z"),
        (MinLSTM(), "fi"),
        (Zoneout(LSTM()), "ifo"),
        (RecurrentDropout(GRU()), "rz"),
        (DeepTransition(GRU()), ("r", "z", "t1_r", "t1_z")),
        (Elman("sigmoid"), ""),
        (Zoneout(Elman("sigmoid")), ""),
        (RecurrentDropout(Rate("sigmoid")), ""),
        (Residual(), ""),
        (Leaky(0.5), ""),
        (DiagonalLinear(), ""),
        (ComplexDiagonal(), ""),
        (Blend(), ("blend",)),
    ],
    ids=str,
)
def test_gates_are_found_in_the_program(cell, names):
    found = gate_names(trace(cell, 2, 4)).values()
    assert sorted(found) == sorted(names)


def test_values_are_those_of_the_equations():
    layer, x = recurro_nn.LSTM(2, 3), torch.randn(4, 2, 2)
    found = {gate.name: gate.values for gate in gates(layer, x)}
    h = c = torch.zeros(2, 3)
    for t in range(4):
        a = (
            x[t] @ layer.weight_ih_l0.T
            + h @ layer.weight_hh_l0.T
            + layer.bias_ih_l0
            + layer.bias_hh_l0
        )
        i, f, g, o = a.chunk(4, 1)
        for name, value in (("i", i), ("f", f), ("o", o)):
            torch.testing.assert_close(found[name][t], value.sigmoid().detach())
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()


def test_saturation_is_counted_by_unit():
    values = torch.tensor([0.05, 0.05, 0.5, 0.95]).view(4, 1, 1)
    gate = Gate("layer 0", "f", values.expand(4, 2, 3))
    assert gate.left.tolist() == [0.5] * 3
    assert gate.right.tolist() == [0.25] * 3
    assert gate.saturated == 0.75
    torch.testing.assert_close(gate.mean, values.flatten())


def test_steps_that_do_not_count_are_left_out():
    layer = Recurrent(GRU(), 2, 3)
    x, lengths = torch.randn(4, 2, 2), torch.tensor([4, 1])
    for gate in gates(layer, x, lengths=lengths):
        assert gate.values[1:, 1].isnan().all()
        assert gate.values[:, 0].isfinite().all() and gate.mean.isfinite().all()
        short = next(g for g in gates(layer, x[:1, 1:]) if g.name == gate.name)
        torch.testing.assert_close(gate.values[:1, 1:], short.values)


# -- the five situations ---------------------------------------------------------------

C0 = 0.6


def after(name, x=0.7, steps=1):
    """h and c after some steps in a situation, from c = 0.6, with inputs x."""
    cell = hand_set_lstm(**SITUATIONS[name])
    inputs = torch.zeros(steps, 1, 2)
    inputs[..., 0] = x
    state = (torch.zeros(1, 1), torch.full((1, 1), C0))
    _, ((h, c),) = cell(inputs, (state,))
    return float(h), float(c)


def tanh_of(x):
    return float(torch.tanh(torch.tensor(x)))


def test_output_off():
    assert after("output off", steps=5)[0] == pytest.approx(0, abs=1e-12)


def test_output_on():
    h, c = after("output on")
    assert h == pytest.approx(tanh_of(c))
    assert h != 0


def test_memory_reset():
    assert after("memory reset") == pytest.approx((0, 0), abs=1e-12)


def test_memory_kept():
    assert after("memory kept", steps=50)[1] == pytest.approx(C0, abs=1e-6)


def test_memory_written():
    h, c = after("memory written", x=0.7)
    assert c == pytest.approx(tanh_of(0.35))
    assert h == pytest.approx(tanh_of(c))


@pytest.mark.parametrize("bit", [-1.0, 1.0])
def test_a_bit_is_stored_for_a_thousand_steps(bit):
    cell = hand_set_lstm({"i": 1.0, "f": 0.0}, i=0.0, f=1.0)
    x = torch.randn(1001, 1, 2)
    x[:, 0, 1] = 0.0
    x[0, 0] = torch.tensor([20 * bit, 1.0])
    y, ((_, c),) = cell(x)
    assert float(c) == pytest.approx(bit, abs=1e-4)
    assert y[:, 0, 0].sign().eq(bit).all()
    x[500, 0] = torch.tensor([-20 * bit, 1.0])  # and is written over when it is told to
    y, _ = cell(x)
    assert y[499, 0, 0].sign() == bit and y[500:, 0, 0].sign().eq(-bit).all()


def test_hand_set_gates_are_saturated():
    cell = hand_set_lstm(i=0.0, f=1.0, o=1.0)
    found = {gate.name: gate for gate in gates(cell, torch.randn(9, 1, 2))}
    assert found["i"].left == 1 and found["f"].right == 1 and found["o"].right == 1


def test_bad_gates():
    with pytest.raises(ArgumentError, match=r"at 0 or 1, got f=0\.5"):
        hand_set_lstm(f=0.5)
    with pytest.raises(ArgumentError, match="must be i, f or o at 0 or 1, got z"):
        hand_set_lstm(z=1.0)
