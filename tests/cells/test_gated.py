"""The gated cells against the equations of their papers."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.cells import GRU, LSTM, ChoGRU, MinimalGatedUnit, PeepholeLSTM
from recurro.engine import recurrence
from recurro.errors import ArgumentError
from tests.cells.transcribed import assert_follows, sigmoid


def gate(p, k, x, h):
    return p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]


def test_lstm():
    def equations(p, x, h, c):
        i, f, o = (sigmoid(gate(p, k, x, h)) for k in "ifo")
        c = f * c + i * np.tanh(gate(p, "g", x, h))
        return o * np.tanh(c), c

    assert_follows(LSTM(), equations)


def test_lstm_with_a_projection():
    def equations(p, x, h, c):
        i, f, o = (sigmoid(gate(p, k, x, h)) for k in "ifo")
        c = f * c + i * np.tanh(gate(p, "g", x, h))
        return p.U_p @ (o * np.tanh(c)), c

    assert_follows(LSTM(proj_size=2), equations)


def test_lstm_with_peepholes():
    def equations(p, x, h, c):
        i = sigmoid(gate(p, "i", x, h) + p.p_i * c)
        f = sigmoid(gate(p, "f", x, h) + p.p_f * c)
        c = f * c + i * np.tanh(gate(p, "g", x, h))
        o = sigmoid(gate(p, "o", x, h) + p.p_o * c)  # sees the new memory
        return o * np.tanh(c), c

    assert_follows(PeepholeLSTM(), equations)


def test_gru_with_the_reset_after_the_product():
    def equations(p, x, h):
        r, z = (sigmoid(gate(p, k, x, h)) for k in "rz")
        n = np.tanh(p.W_n @ x + p.b_n + r * (p.U_hn @ h + p.b_hn))
        return (1 - z) * n + z * h

    assert_follows(GRU(), equations)


def test_gru_with_the_reset_before_the_product():
    def equations(p, x, h):
        r, z = (sigmoid(gate(p, k, x, h)) for k in "rz")
        n = np.tanh(p.W_n @ x + p.U_n @ (r * h) + p.b_n)
        return z * h + (1 - z) * n

    assert_follows(ChoGRU(), equations)


def test_minimal_gated_unit():
    def equations(p, x, h):
        f = sigmoid(gate(p, "f", x, h))
        n = np.tanh(p.W_n @ x + p.U_n @ (f * h) + p.b_n)
        return (1 - f) * h + f * n

    assert_follows(MinimalGatedUnit(), equations)


def test_sizes_of_a_projection():
    with pytest.raises(ArgumentError, match=r"proj_size must be >= 0, got -1\."):
        LSTM(proj_size=-1)
    with pytest.raises(ArgumentError, match=r"smaller than hidden_size=3, got 3\."):
        recurrence(LSTM(proj_size=3), 2, 3)
