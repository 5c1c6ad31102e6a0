"""Cells of reservoirs, whose weights are drawn and not learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from recurro.cells import init
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, tanh
from recurro.errors import ArgumentError

Activation = Literal["tanh", "identity"]


@dataclass(frozen=True)
class _Reservoir(Cell):
    """What both cells below share: the new value, and the leak."""

    state: ClassVar[tuple[str, ...]] = ("h",)
    leak_rate: float = 1.0
    activation: Activation = "tanh"

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not 0 < self.leak_rate <= 1:
            raise ArgumentError(
                f"{name}: leak_rate must be in (0, 1], got {self.leak_rate}."
            )
        if self.activation not in ("tanh", "identity"):
            raise ArgumentError(
                f"{name}: activation must be 'tanh' or 'identity', got "
                f"{self.activation!r}."
            )

    def _leak(self, drive: Value, h: Value) -> Value:
        new = tanh(drive) if self.activation == "tanh" else drive
        return (1 - self.leak_rate) * h + self.leak_rate * new

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"W": init.uniform(1.0), "U": init.with_spectral_radius(0.9)}


@dataclass(frozen=True)
class Leaky(_Reservoir):
    """The leaky tanh cell of echo state networks.

    h'_t = tanh(W x_t + U h_{t-1} + b)
    h_t = (1 - a) h_{t-1} + a h'_t

    W starts uniform in [-1, 1], U as a Gaussian matrix of spectral radius 0.9.

    Attributes:
        leak_rate: a, the share of the new value at each step, in (0, 1].
        activation: ``tanh``, or ``identity`` for a linear reservoir.

    References:
        Jaeger et al. (2007), doi:10.1016/j.neunet.2007.04.016, equation 3.
    """

    def step(self, x: Value, h: Value) -> Value:
        return self._leak(self.affine("h", x, h), h)


@dataclass(frozen=True)
class DrivenLeaky(_Reservoir):
    """The leaky cell, reading what its inputs come to instead of the inputs.

    h'_t = tanh(d_t + U h_{t-1})
    h_t = (1 - a) h_{t-1} + a h'_t

    The drive d_t, a number for each unit, may hold more than W x_t + b: noise, or what
    comes through a sparse matrix.

    Attributes:
        leak_rate: a, the share of the new value at each step, in (0, 1].
        activation: ``tanh``, or ``identity`` for a linear reservoir.
    """

    inputs: ClassVar[tuple[str, ...]] = ("drive",)

    def step(self, drive: Value, h: Value) -> Value:
        return self._leak(drive + self.affine("h", h, bias=False), h)
