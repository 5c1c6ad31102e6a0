"""Cells of reservoirs, whose weights are drawn and not learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from recurro.cells import init
from recurro.cells.cell import Cell
from recurro.cells.ops import Value, tanh
from recurro.errors import ArgumentError


@dataclass(frozen=True)
class Leaky(Cell):
    """The leaky tanh cell of echo state networks.

    h'_t = tanh(W x_t + U h_{t-1} + b)
    h_t = (1 - a) h_{t-1} + a h'_t

    W starts uniform in [-1, 1], U as a Gaussian matrix of spectral radius 0.9.

    Attributes:
        leak_rate: a, the share of the new value at each step, in (0, 1].

    References:
        Jaeger et al. (2007), doi:10.1016/j.neunet.2007.04.016, equation 3.
    """

    state: ClassVar[tuple[str, ...]] = ("h",)
    leak_rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.leak_rate <= 1:
            raise ArgumentError(
                f"Leaky: leak_rate must be in (0, 1], got {self.leak_rate}."
            )

    def step(self, x: Value, h: Value) -> Value:
        new = tanh(self.affine("h", x, h))
        return (1 - self.leak_rate) * h + self.leak_rate * new

    def initial(self) -> Mapping[str, init.Initializer]:
        return {"W": init.uniform(1.0), "U": init.with_spectral_radius(0.9)}
