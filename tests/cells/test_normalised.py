"""The LayerNorm-LSTM against its equations."""

from __future__ import annotations

import numpy as np

from recurro.cells import LayerNormLSTM
from tests.cells.transcribed import assert_follows, sigmoid


def test_layer_norm_lstm():
    def norm(a, gain, shift=0.0):
        return gain * (a - a.mean()) / np.sqrt(a.var() + 1e-5) + shift

    def gate(p, k, x, h):
        from_x = norm(p[f"W_{k}"] @ x, p[f"w_{k}"])
        from_h = norm(p[f"U_h{k}"] @ h, p[f"u_{k}"])
        return from_x + from_h + p[f"b_{k}"]

    def equations(p, x, h, c):
        i, f, o = (sigmoid(gate(p, k, x, h)) for k in "ifo")
        c = f * c + i * np.tanh(gate(p, "g", x, h))
        return o * np.tanh(norm(c, p.u_c, p.b_c)), c

    assert_follows(LayerNormLSTM(), equations)
