"""The cells that are affine in their state, against their equations."""

from __future__ import annotations

import numpy as np

from recurro.cells import ComplexDiagonal, DiagonalLinear, MinGRU, MinLSTM
from recurro.engine import trace
from recurro.engine.ir import depends_on_state
from recurro.nn import Recurrent
from tests.cells.transcribed import assert_follows, sigmoid


def g(a):
    return np.array([u + 0.5 if u >= 0 else sigmoid(u) for u in a])


def test_min_gru():
    def equations(p, x, h):
        z = sigmoid(p.W_z @ x + p.b_z)
        return (1 - z) * h + z * g(p.W_n @ x + p.b_n)

    assert_follows(MinGRU(), equations)


def test_min_lstm():
    def equations(p, x, h):
        f, i = sigmoid(p.W_f @ x + p.b_f), sigmoid(p.W_i @ x + p.b_i)
        return (f * h + i * g(p.W_n @ x + p.b_n)) / (f + i)

    assert_follows(MinLSTM(), equations)


def test_diagonal_linear():
    def equations(p, x, h):
        a = np.exp(-np.log1p(np.exp(p.p)))
        return a * h + np.sqrt(1 - a**2) * (p.W_h @ x + p.b_h)

    assert_follows(DiagonalLinear(), equations)


def test_complex_diagonal():
    def equations(p, x, re, im):
        eigenvalue = np.exp(-np.exp(p.v) + 1j * np.exp(p.w))
        drive = p.W_re @ x + p.b_re + 1j * (p.W_im @ x + p.b_im)
        h = eigenvalue * (re + 1j * im) + np.sqrt(1 - abs(eigenvalue) ** 2) * drive
        return h.real, h.imag

    assert_follows(ComplexDiagonal(), equations)


def test_no_gate_sees_the_state():
    for cell in (MinGRU(), MinLSTM(), DiagonalLinear(), ComplexDiagonal()):
        program = trace(cell, 2, 3)
        depends = depends_on_state(program.ops)
        pairs = zip(program.ops, depends, strict=True)
        assert {op.name for op, d in pairs if d} <= {"state", "mul", "add", "sub"}


def test_decays_start_as_documented():
    p = Recurrent(DiagonalLinear(), 2, 3).p_l0.detach().numpy()
    np.testing.assert_allclose(np.exp(-np.log1p(np.exp(p))), 0.98, atol=1e-3)
    layer = Recurrent(ComplexDiagonal(), 2, 500)
    angles = np.exp(layer.w_l0.detach().numpy()) / np.pi
    assert 1e-3 <= angles.min() < 0.005
    assert 0.095 < angles.max() <= 0.1
    modulus = np.exp(-np.exp(layer.v_l0.detach().numpy()))
    np.testing.assert_allclose(modulus, np.exp(-np.exp(-3.0)), rtol=1e-6)
