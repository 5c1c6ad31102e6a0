"""Several reservoirs, one after another or side by side, as one feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from recurro.cells.reservoir import Activation
from recurro.errors import ArgumentError
from recurro.reservoir.pool import DType, Noise, Pool, draw_pool

__all__ = ["Arrangement", "Bank", "States", "draw_bank"]

Arrangement = Literal["deep", "parallel"]

States: TypeAlias = tuple[Tensor, ...]
"""h of each reservoir ``(batch, units)``."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Reservoirs, and what a readout reads of them: z_t = [b; x_t; h_t; h_t^2].

    Attributes:
        pools: The reservoirs.
        arrangement: Whether each reads the one before it (``deep``) or the inputs.
        bias: b, the constant input; 0 for none.
        squares: Whether z_t holds squares.
        inputs: Width of x_t.
        outputs: Width of the feedback y_{t-1}, 0 without.
    """

    pools: tuple[Pool, ...]
    arrangement: Arrangement
    bias: float
    squares: bool
    inputs: int
    outputs: int

    @property
    def units(self) -> int:
        """Units of all reservoirs."""
        return sum(pool.units for pool in self.pools)

    @property
    def features(self) -> int:
        """Width of z_t."""
        return (self.bias != 0) + self.inputs + self.units * (1 + self.squares)

    def __call__(
        self,
        x: np.ndarray,
        feedback: np.ndarray | None = None,
        states: States | None = None,
        *,
        lengths: np.ndarray | None = None,
        noise: Noise = None,
    ) -> tuple[np.ndarray, States]:
        """Run over time.

        Args:
            x: Inputs ``(time, batch, inputs)``.
            feedback: y_{t-1} at each step ``(time, batch, outputs)``.
            states: What an earlier call gave; zeros if not given.
            lengths: Steps that count in each row ``(batch,)``.
            noise: Largest noise, and where it is drawn from.

        Returns:
            z_t ``(time, batch, features)``, and the states after the last steps.
        """
        one = np.full((*x.shape[:2], int(self.bias != 0)), self.bias, x.dtype)
        outside = [one, x] if feedback is None else [one, x, feedback]
        left = None if lengths is None else torch.from_numpy(lengths)
        z = np.empty((*x.shape[:2], self.features), x.dtype)
        first = at = int(self.bias != 0) + self.inputs
        z[:, :, :at] = np.concatenate([one, x], 2)
        h, final = x, []
        for number, pool in enumerate(self.pools):
            deep = number > 0 and self.arrangement == "deep"
            u = np.concatenate([one, h] if deep else outside, 2)
            before = states[number] if states else None
            h, last = pool(u, before, lengths=left, noise=noise)
            z[:, :, at : at + pool.units] = h
            final.append(last)
            at += pool.units
        if self.squares:
            np.square(z[:, :, first:at], out=z[:, :, at:])
        return z, tuple(final)


def draw_bank(
    inputs: int,
    outputs: int,
    *,
    units: int | Sequence[int],
    spectral_radius: float | Sequence[float],
    leak_rate: float | Sequence[float],
    input_scaling: float | Sequence[float],
    activation: Activation,
    bias: float,
    connectivity: float,
    feedback: float,
    squares: bool,
    arrangement: Arrangement,
    dtype: DType,
    random_state: int | None,
) -> Bank:
    """Draw reservoirs; the arguments are those of ``EchoStateNetwork``.

    Args:
        inputs: Width of x_t.
        outputs: Width of y_t where it is fed back, else 0.
        units: Units of each reservoir.
        spectral_radius: Of each W_rec.
        leak_rate: The a of each.
        input_scaling: Largest weight of each W_in.
        activation: f.
        bias: b.
        connectivity: Entries in each row of W_rec.
        feedback: Largest weight of y_{t-1}.
        squares: Whether z_t holds squares.
        arrangement: ``deep`` or ``parallel``.
        dtype: Type of the numbers.
        random_state: Seed.

    Raises:
        ArgumentError: If one is out of its range.
    """
    if arrangement not in ("deep", "parallel"):
        raise ArgumentError(
            f"EchoStateNetwork: arrangement must be 'deep' or 'parallel', got "
            f"{arrangement!r}."
        )
    given = {
        "units": units,
        "spectral_radius": spectral_radius,
        "leak_rate": leak_rate,
        "input_scaling": input_scaling,
    }
    count = max((len(v) for v in given.values() if isinstance(v, Sequence)), default=1)
    each = {name: _each(name, value, count) for name, value in given.items()}
    width = int(bias != 0)
    pools: list[Pool] = []
    rng = np.random.default_rng(random_state)
    for number in range(count):
        size = each["units"][number]
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise ArgumentError(
                f"EchoStateNetwork: units must be an int >= 1, got {size!r}."
            )
        scaling = each["input_scaling"][number]
        deep = number > 0 and arrangement == "deep"
        scalings = [scaling] * (width if deep else width + inputs)
        scalings += [] if deep else [feedback] * outputs
        pools.append(
            draw_pool(
                int(size),
                np.array(scalings),
                pools[-1].units if deep else 0,
                connectivity=connectivity,
                spectral_radius=each["spectral_radius"][number],
                leak_rate=each["leak_rate"][number],
                input_scaling=scaling,
                activation=activation,
                dtype=dtype,
                rng=rng,
            )
        )
    return Bank(tuple(pools), arrangement, bias, squares, inputs, outputs)


def _each(name: str, value: float | Sequence[float], count: int) -> Sequence[float]:
    """A value for each reservoir."""
    if not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(
            f"EchoStateNetwork: {name} must have a value for each of {count} "
            f"reservoirs, got {len(value)}. Pass one number for all, or {count}."
        )
    return value
