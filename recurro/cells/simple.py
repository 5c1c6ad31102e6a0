"""Cells without gates, and the first gated step: forget and update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from recurro.cells import init, ops
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, sigmoid, tanh
from recurro.errors import ArgumentError

Activation = Literal["tanh", "sigmoid", "relu"]


def activation(name: str, owner: str) -> None:
    """Refuse an activation that is not one of tanh, sigmoid and relu."""
    if name not in ("tanh", "sigmoid", "relu"):
        raise ArgumentError(
            f"{owner}: activation must be 'tanh', 'sigmoid' or 'relu', got {name!r}."
        )


@dataclass(frozen=True)
class Elman(Cell):
    """The simple recurrent network, h_t = s(W x_t + U h_{t-1} + b).

    Starts with Glorot W, orthogonal U (identity for relu, as Le et al. 2015), b = 0.

    Attributes:
        activation: s, one of tanh, sigmoid, relu.

    References:
        Elman (1990), Cognitive Science 14, figure 2. With PyTorch's names: ``nn.RNN``.
    """

    state: ClassVar[tuple[str, ...]] = ("h",)
    activation: Activation = "tanh"

    def __post_init__(self) -> None:
        activation(self.activation, "Elman")

    def step(self, x: Value, h: Value) -> Value:
        return ops.apply(self.activation, self.affine("h", x, h))

    def layout(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "weight_ih": ("W_h",),
            "weight_hh": ("U_h",),
            "bias_ih": ("b_h",),
            "bias_hh": ("b_h",),
        }

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"U": init.identity()} if self.activation == "relu" else {}


@dataclass(frozen=True)
class Memoryless(Cell):
    """A layer that sees one step at a time, h_t = tanh(W x_t + b).

    It is to stand beside a recurrence: what the recurrence does better, it does by
    memory.
    """

    state: ClassVar[tuple[str, ...]] = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.affine("h", x))


@dataclass(frozen=True)
class Rate(Cell):
    """The rate form, r_t = W x_t + U s(r_{t-1}) + b.

    U starts as a Gaussian matrix of spectral radius 0.95, so that signals fade slowly.

    Attributes:
        activation: s, one of tanh, sigmoid, relu.

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, equation 2.
    """

    state: ClassVar[tuple[str, ...]] = ("r",)
    activation: Activation = "tanh"

    def __post_init__(self) -> None:
        activation(self.activation, "Rate")

    def step(self, x: Value, r: Value) -> Value:
        return self.affine("r", x, ops.apply(self.activation, r))

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"U": init.with_spectral_radius(0.95)}


class Linear(Cell):
    """The linear recurrence, h_t = W x_t + U h_{t-1} + b.

    U starts as a Gaussian matrix of spectral radius 0.95.

    References:
        A linear state-space system, e.g. Kailath (1980), Linear Systems, section 2.2.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        return self.affine("h", x, h)

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"U": init.with_spectral_radius(0.95)}


class Residual(Cell):
    """The residual step, h_t = h_{t-1} + tanh(W x_t + U h_{t-1} + b).

    The gradient has a way back through the sum; the state is hard to reset.

    References:
        He et al. (2016), arXiv 1512.03385, equation 1, with time in place of depth.
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        return h + tanh(self.affine("f", x, h))


class ForgetUpdate(Cell):
    """The residual step with a forget gate, h_t = f_t h_{t-1} + tanh(...).

    f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f)
    h_t = f_t h_{t-1} + tanh(W_u x_t + U_u h_{t-1} + b_u)

    The forget bias starts at 1 (Gers, Schmidhuber and Cummins 2000, section 4).
    """

    state = ("h",)

    def step(self, x: Value, h: Value) -> Value:
        f = sigmoid(self.affine("f", x, h))
        u = tanh(self.affine("u", x, h))
        return f * h + u

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"b_f": init.constant(1.0)}
