"""Cells whose new state is affine in the old one, unit by unit."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from recurro.cells import init
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, cos, exp, relu, sigmoid, sin, softplus, where


def _positive(a: Value) -> Value:
    """g(a) = a + 1/2 where a >= 0, sigmoid(a) elsewhere: positive and continuous."""
    return where(a >= 0, relu(a) + 0.5, sigmoid(a))


class MinGRU(Cell):
    """A GRU whose gates do not see the state.

    z = sigmoid(W_z x + b_z)
    n = g(W_n x + b_n)
    h = (1 - z) h + z n

    References:
        Feng et al. (2024), arXiv 2410.01201, section 3.1 and appendix B.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        z = sigmoid(self.affine("z", x))
        n = _positive(self.affine("n", x))
        return (1 - z) * h + z * n


class MinLSTM(Cell):
    """An LSTM whose gates do not see the state and sum to one.

    f' = f / (f + i), i' = i / (f + i), with f, i = sigmoid(W x + b)
    n = g(W_n x + b_n)
    h = f' h + i' n

    The forget bias starts at 1.

    References:
        Feng et al. (2024), arXiv 2410.01201, section 3.2 and appendix B.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        f = sigmoid(self.affine("f", x))
        i = sigmoid(self.affine("i", x))
        n = _positive(self.affine("n", x))
        return f / (f + i) * h + i / (f + i) * n

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"b_f": init.constant(1.0)}


class DiagonalLinear(Cell):
    """A diagonal linear unit with a learnt decay for each unit.

    h = a h + sqrt(1 - a^2) (W x + b), with a = exp(-softplus(p))

    The decay starts at a = 0.98, a memory of about fifty steps; the factor keeps the
    state's variance that of the input.

    References:
        Orvieto et al. (2023), arXiv 2303.06349, equations 2 and 7, with real decays.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        a = exp(-softplus(self.vector("p")))
        return a * h + (1 - a * a) ** 0.5 * self.affine("h", x)

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"p": init.constant(-3.89)}


class ComplexDiagonal(Cell):
    """A complex diagonal linear unit, written with two real states.

    h_t = l h_{t-1} + sqrt(1 - |l|^2) (W x_t + b), with l = exp(-exp(v) + i exp(w))

    The layer above reads the real part.

    References:
        Orvieto et al. (2023), arXiv 2303.06349, equations 2, 5 and 7.
    """

    state = ("re", "im")

    def step(self, x: Value, re: Value, im: Value) -> tuple[Value, Value]:
        modulus, angle = exp(-exp(self.vector("v"))), exp(self.vector("w"))
        a, b = modulus * cos(angle), modulus * sin(angle)
        gain = (1 - modulus * modulus) ** 0.5
        return (
            a * re - b * im + gain * self.affine("re", x),
            a * im + b * re + gain * self.affine("im", x),
        )

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"v": init.constant(-3.0), "w": _log_angles}


def _log_angles(tensor: Tensor, generator: Generator | None = None) -> None:
    """Logarithms of angles uniform in [0.001, 0.1] pi: slow turns, as advised."""
    with torch.no_grad():
        tensor.uniform_(1e-3, 0.1, generator=generator).mul_(math.pi).log_()
