"""Flows: differential equations as cells, whose step is one of an explicit method."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recurro.cells.cell import Cell
from recurro.cells.ops import Value
from recurro.errors import ArgumentError

Method = Literal["euler", "midpoint", "heun", "rk4"]

METHODS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "euler": ((0.0,), (1.0,)),
    "midpoint": ((0.0, 1 / 2), (0.0, 1.0)),
    "heun": ((0.0, 1.0), (1 / 2, 1 / 2)),
    "rk4": ((0.0, 1 / 2, 1 / 2, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}
"""Of each method its nodes c and weights b; a stage reads the slope before it alone.

k_i = f(s + c_i dt k_{i-1}),  s_t = s + dt sum_i b_i k_i  (Hairer, Norsett and Wanner
1993, Solving Ordinary Differential Equations I, tables II.1.1 and II.1.2)
"""


@dataclass(frozen=True)
class Flow(Cell):
    """A cell written as a differential equation, ds/dt = f(x, s).

    A subclass names its state and writes f. Inputs stand still within a step.

    Attributes:
        dt: The step in the equation's unit of time, > 0.
        method: ``euler``, ``midpoint``, ``heun`` or ``rk4``; of order 1, 2, 2 and 4.

    Example:
        >>> import torch
        >>> from recurro.engine import recurrence, run
        >>> class Decay(Flow):
        ...     state = ("s",)
        ...     def derivative(self, x, s):
        ...         return -s
        >>> decay = recurrence(Decay(dt=0.1, method="rk4"), 1, 1)
        >>> steps = torch.zeros(10, 1, 1)
        >>> round(run(decay, {}, steps, (torch.ones(1, 1),)).output[-1].item(), 5)
        0.36788
    """

    dt: float = 0.01
    method: Method = "euler"

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise ArgumentError(f"{name}: dt must be > 0, got {self.dt}.")
        if self.method not in METHODS:
            raise ArgumentError(
                f"{name}: method must be one of {', '.join(METHODS)}, got "
                f"{self.method!r}."
            )

    @abc.abstractmethod
    def derivative(self, *values: Value, **named: Value) -> Value:
        """f: inputs, then states; returns the derivative of each state."""

    def step(self, *values: Value) -> tuple[Value, ...]:
        """One step of the method."""
        inputs, old = values[: len(self.inputs)], values[len(self.inputs) :]
        nodes, weights = METHODS[self.method]
        slopes: tuple[Value, ...] = ()
        new = old
        for c, b in zip(nodes, weights, strict=True):
            at = _along(old, c * self.dt, slopes) if c else old
            slopes = self.derivative(*inputs, *at)
            slopes = slopes if isinstance(slopes, tuple) else (slopes,)
            new = _along(new, b * self.dt, slopes) if b else new
        return new


def _along(
    state: Sequence[Value], distance: float, slopes: Sequence[Value]
) -> tuple[Value, ...]:
    return tuple(s + distance * k for s, k in zip(state, slopes, strict=True))
