"""Cells that normalise their units within the step."""

from __future__ import annotations

from collections.abc import Mapping

from recurro.cells import init
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, layer_norm, sigmoid, tanh


class LayerNormLSTM(Cell):
    """LSTM with layer normalisation of its products and of the memory it shows.

    a_k = LN(U_k h; u_k) + LN(W_k x; w_k) + b_k    for each gate k
    c = sigmoid(a_f) c + sigmoid(a_i) tanh(a_g)
    h = sigmoid(a_o) tanh(LN(c; u_c, b_c))

    Gains start at 1, the forget bias at 1. Each gate is normalised over its own units.

    References:
        Ba, Kiros and Hinton (2016), arXiv 1607.06450, equations 20 to 22.
    """

    state = ("h", "c")

    def _gate(self, k: str, x: Value, h: Value) -> Value:
        from_x = layer_norm(self.affine(k, x, bias=False), self.vector(f"w_{k}"))
        from_h = layer_norm(self.affine(f"h{k}", h, bias=False), self.vector(f"u_{k}"))
        return from_x + from_h + self.vector(f"b_{k}")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        i = sigmoid(self._gate("i", x, h))
        f = sigmoid(self._gate("f", x, h))
        g = tanh(self._gate("g", x, h))
        o = sigmoid(self._gate("o", x, h))
        c = f * c + i * g
        return o * tanh(layer_norm(c, self.vector("u_c"), self.vector("b_c"))), c

    def initial(self) -> Mapping[str, init.Initializer]:
        gains = [f"{letter}_{k}" for letter in "wu" for k in "ifgo"] + ["u_c", "b_f"]
        return dict.fromkeys(gains, init.constant(1.0))
