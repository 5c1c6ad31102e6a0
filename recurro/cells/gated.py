"""Cells whose memory is guarded by gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from recurro.cells import init
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, sigmoid, tanh
from recurro.errors import ArgumentError


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory with a forget gate.

    i = sigmoid(W_i x + U_i h + b_i)
    f = sigmoid(W_f x + U_f h + b_f)
    g = tanh(W_g x + U_g h + b_g)
    o = sigmoid(W_o x + U_o h + b_o)
    c = f c + i g
    h = o tanh(c), and with a projection h = U_p (o tanh(c))

    The forget bias starts at 1. Names, shapes and gate order are PyTorch's.

    Attributes:
        proj_size: Units of h after a projection; 0 means none.

    References:
        Gers, Schmidhuber and Cummins (2000), Neural Computation 12, equations 1 to 8;
        projection: Sak, Senior and Beaufays (2014), arXiv 1402.1128, equation 6.
    """

    state: ClassVar[tuple[str, ...]] = ("h", "c")
    proj_size: int = 0

    def __post_init__(self) -> None:
        if self.proj_size < 0:
            raise ArgumentError(f"LSTM: proj_size must be >= 0, got {self.proj_size}.")

    def widths(self, hidden_size: int) -> tuple[int, ...]:
        if self.proj_size >= hidden_size:
            raise ArgumentError(
                f"LSTM: proj_size must be smaller than hidden_size={hidden_size}, got "
                f"{self.proj_size}."
            )
        return (self.proj_size or hidden_size, hidden_size)

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        i = sigmoid(self.affine("i", x, h))
        f = sigmoid(self.affine("f", x, h))
        g = tanh(self.affine("g", x, h))
        o = sigmoid(self.affine("o", x, h))
        c = f * c + i * g
        h = o * tanh(c)
        if self.proj_size:
            h = self.affine("p", h, width=self.proj_size, bias=False)
        return h, c

    def layout(self) -> Mapping[str, tuple[str, ...]]:
        gates = {
            letter: tuple(f"{letter}_{gate}" for gate in "ifgo") for letter in "WUb"
        }
        return {
            "weight_ih": gates["W"],
            "weight_hh": gates["U"],
            "bias_ih": gates["b"],
            "bias_hh": gates["b"],
            "weight_hr": ("U_p",),
        }

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"b_f": init.constant(1.0)}


class PeepholeLSTM(Cell):
    """LSTM whose gates see the memory through peepholes.

    i = sigmoid(W_i x + U_i h + p_i c_{t-1} + b_i)
    f = sigmoid(W_f x + U_f h + p_f c_{t-1} + b_f)
    g = tanh(W_g x + U_g h + b_g)
    c = f c_{t-1} + i g
    o = sigmoid(W_o x + U_o h + p_o c + b_o)
    h = o tanh(c)

    Peepholes start at 0 and the forget bias at 1.

    References:
        Gers, Schraudolph and Schmidhuber (2002), JMLR 3, equations 3 to 10.
    """

    state = ("h", "c")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        i = sigmoid(self.affine("i", x, h) + self.vector("p_i") * c)
        f = sigmoid(self.affine("f", x, h) + self.vector("p_f") * c)
        g = tanh(self.affine("g", x, h))
        c = f * c + i * g
        o = sigmoid(self.affine("o", x, h) + self.vector("p_o") * c)
        return o * tanh(c), c

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"b_f": init.constant(1.0)}


class GRU(Cell):
    """Gated recurrent unit with the reset after the product, as PyTorch and cuDNN.

    r = sigmoid(W_r x + U_r h + b_r)
    z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + b_n + r (U_hn h + b_hn))
    h = (1 - z) n + z h

    Names, shapes and gate order are PyTorch's.

    References:
        Cho et al. (2014), arXiv 1406.1078v1, as in the documentation of ``nn.GRU``.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        r = sigmoid(self.affine("r", x, h))
        z = sigmoid(self.affine("z", x, h))
        n = tanh(self.affine("n", x) + r * self.affine("hn", h))
        return (1 - z) * n + z * h

    def layout(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "weight_ih": ("W_r", "W_z", "W_n"),
            "weight_hh": ("U_r", "U_z", "U_hn"),
            "bias_ih": ("b_r", "b_z", "b_n"),
            "bias_hh": ("b_r", "b_z", "b_hn"),
        }


class ChoGRU(Cell):
    """Gated recurrent unit with the reset before the product.

    r = sigmoid(W_r x + U_r h + b_r)
    z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + U_n (r h) + b_n)
    h = z h + (1 - z) n

    Some lectures and Chung et al. (2014) let 1 - z keep the old state instead; z and
    1 - z change places by the sign of its weights, so the two are one family.

    References:
        Cho et al. (2014), arXiv 1406.1078v3, equations 5 to 8.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        r = sigmoid(self.affine("r", x, h))
        z = sigmoid(self.affine("z", x, h))
        n = tanh(self.affine("n", x, r * h))
        return z * h + (1 - z) * n


class MinimalGatedUnit(Cell):
    """A GRU with one gate for reset and update.

    f = sigmoid(W_f x + U_f h + b_f)
    n = tanh(W_n x + U_n (f h) + b_n)
    h = (1 - f) h + f n

    References:
        Zhou et al. (2016), arXiv 1603.09420, equations 6 to 8.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        f = sigmoid(self.affine("f", x, h))
        n = tanh(self.affine("n", x, f * h))
        return (1 - f) * h + f * n
