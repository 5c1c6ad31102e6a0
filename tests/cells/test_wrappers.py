"""The wrappers against the equations of the cells that they make."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recurro.cells import (
    GRU,
    LSTM,
    ChoGRU,
    ComplexDiagonal,
    DeepTransition,
    DiagonalLinear,
    Elman,
    LayerNormLSTM,
    MinGRU,
    RecurrentDropout,
    Zoneout,
)
from recurro.engine import recurrence, trace
from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from tests.cells.transcribed import Parameters, assert_follows, sigmoid


def gate(p, k, x, h):
    return p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]


def lstm(p, x, h, c):
    i, f, o = (sigmoid(gate(p, k, x, h)) for k in "ifo")
    c = f * c + i * np.tanh(gate(p, "g", x, h))
    return o * np.tanh(c), c


def test_zoneout_mixes_old_and_new_in_evaluation():
    def equations(p, x, h, c):
        new_h, new_c = lstm(p, x, h, c)
        return 0.2 * h + 0.8 * new_h, 0.2 * c + 0.8 * new_c

    assert_follows(Zoneout(LSTM(), 0.2), equations)


def test_recurrent_dropout_changes_nothing_in_evaluation():
    assert_follows(RecurrentDropout(LSTM(), 0.4), lstm)


def test_deep_transition_of_a_simple_network():
    def equations(p, x, h):
        h = np.tanh(p.W_h @ x + p.U_h @ h + p.b_h)
        h = np.tanh(p.U_t1_h @ h + p.b_t1_h)
        return np.tanh(p.U_t2_h @ h + p.b_t2_h)

    assert_follows(DeepTransition(Elman(), 3), equations)


def test_deep_transition_of_a_gru():
    def equations(p, x, h):
        r, z = (sigmoid(gate(p, k, x, h)) for k in "rz")
        h = (1 - z) * np.tanh(p.W_n @ x + p.b_n + r * (p.U_hn @ h + p.b_hn)) + z * h
        r, z = (sigmoid(p[f"U_t1_{k}"] @ h + p[f"b_t1_{k}"]) for k in "rz")
        return (1 - z) * np.tanh(p.b_t1_n + r * (p.U_t1_hn @ h + p.b_t1_hn)) + z * h

    assert_follows(DeepTransition(GRU()), equations)


def test_wrappers_of_wrappers():
    def equations(p, x, h, c):
        new_h, new_c = lstm(p, x, h, c)
        deep = {k.replace("t1_", ""): v for k, v in p.items() if "t1_" in k}
        deep |= {f"W_{k}": np.zeros_like(p[f"W_{k}"]) for k in "ifgo"}
        new_h, new_c = lstm(Parameters(deep), x, new_h, new_c)
        return 0.1 * h + 0.9 * new_h, 0.1 * c + 0.9 * new_c

    assert_follows(Zoneout(RecurrentDropout(DeepTransition(LSTM())), 0.1), equations)


def test_recurrent_dropout_masks_all_but_inputs():
    program = trace(RecurrentDropout(ChoGRU(), 0.5), 4, 3)
    masks = [i for i, op in enumerate(program.ops) if op.name == "bernoulli"]
    assert len(masks) == 1  # h and r h share it
    for affine in program.affines():
        for a in affine.args:
            op = program.ops[a]
            if op.name != "input":
                assert op.name == "div"  # operand times mask over 1 - p
                assert masks[0] in program.ops[op.args[0]].args


def test_what_reads_no_state_is_not_dropped():
    program = trace(RecurrentDropout(MinGRU(), 0.5), 4, 3)
    assert "bernoulli" not in {op.name for op in program.ops}


def test_each_transition_starts_as_the_cell_does():
    layer = Recurrent(DeepTransition(LSTM(), 3), 2, 4)
    for name in ("bias_ih_l0", "b_t1_f_l0", "b_t2_f_l0"):
        bias = getattr(layer, name)
        assert (bias[4:8] if len(bias) == 16 else bias).tolist() == [1.0] * 4
    relu = Recurrent(DeepTransition(Elman("relu")), 2, 4)
    assert (relu.U_t1_h_l0.detach().numpy() == np.eye(4)).all()


def test_the_vectors_of_each_transition_start_as_those_of_the_cell():
    torch.manual_seed(1)
    for cell in (LayerNormLSTM(), DiagonalLinear(), ComplexDiagonal()):
        layer = Recurrent(DeepTransition(cell), 2, 4)
        vectors = [n for n, p in layer.named_parameters() if p.ndim == 1]
        for name in vectors:
            deep = getattr(layer, f"t1_{name}", None)
            if deep is not None and name != "w_l0":  # drawn at random
                assert torch.equal(getattr(layer, name), deep), name
        assert any(name.startswith("t1_") for name in vectors)
    assert layer.t1_w_l0.exp().min() / math.pi >= 1e-3
    assert layer.t1_w_l0.exp().max() / math.pi <= 0.1


@pytest.mark.parametrize("wrapper", [Zoneout, RecurrentDropout])
@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_probability_outside_its_range_is_refused(wrapper, p):
    message = rf"{wrapper.__name__}: p must be in \[0, 1\), got {p}\."
    with pytest.raises(ArgumentError, match=message):
        wrapper(LSTM(), p)


def test_a_depth_below_one_is_refused():
    with pytest.raises(ArgumentError, match=r"depth must be >= 1, got 0\."):
        DeepTransition(LSTM(), 0)


def test_a_wrapper_keeps_what_the_inner_cell_says():
    inner = LSTM(proj_size=2)
    for cell in (Zoneout(inner), RecurrentDropout(inner), DeepTransition(inner)):
        assert cell.state == inner.state
        assert cell.inputs == inner.inputs
        assert cell.widths(3) == (2, 3)
        assert recurrence(cell, 4, 3).storage["weight_hr"] == ("U_p",)
