"""One reservoir: what it is made of, and how it runs over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array, hstack
from torch import Tensor

from recurro.cells.reservoir import Activation, DrivenLeaky, Leaky
from recurro.engine import Sparse, recurrence, run
from recurro.engine.run import Recurrence
from recurro.reservoir.matrix import draw_matrix, entries_per_row, radius_of

__all__ = ["DType", "Noise", "Pool", "draw_pool"]

DType = Literal["float32", "float64"]

Noise: TypeAlias = tuple[float, np.random.Generator] | None
"""The largest noise, and where it is drawn from."""


@dataclass(frozen=True, eq=False)
class Pool:
    """A reservoir with fixed weights.

    h'_t = f(W_in u_t + W_rec h_{t-1} + noise)
    h_t = (1 - a) h_{t-1} + a h'_t

    Attributes:
        w_in: W_in ``(units, inputs)``, sparse where it reads another reservoir.
        w_rec: W_rec ``(units, units)``.
        leak_rate: a, in (0, 1].
        activation: f, ``tanh`` or ``identity``.

    References:
        Jaeger et al. (2007), doi:10.1016/j.neunet.2007.04.016, equation 3.
    """

    w_in: np.ndarray | csr_array
    w_rec: csr_array
    leak_rate: float
    activation: Activation

    @property
    def units(self) -> int:
        """Units, the width of the state."""
        return len(self.w_rec.indptr) - 1

    @cached_property
    def radius(self) -> float:
        """The spectral radius of W_rec as it was reached."""
        return radius_of(self.w_rec)

    def __call__(
        self,
        u: np.ndarray,
        state: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        noise: Noise = None,
    ) -> tuple[np.ndarray, Tensor]:
        """Run over time.

        Args:
            u: Inputs ``(time, batch, inputs)``.
            state: h before the first step ``(batch, units)``; zeros if not given.
            lengths: Steps that count in each row ``(batch,)``.
            noise: Largest noise, and where it is drawn from.

        Returns:
            h at every step ``(time, batch, units)``, and after the last one.
        """
        if noise is None and isinstance(self.w_in, np.ndarray):
            part, inputs = self._leaky, torch.from_numpy(u)
            stored = {"W_h": torch.from_numpy(self.w_in)}
        else:
            part, inputs, stored = self._driven, self._drive(u, noise), {}
        with torch.no_grad():
            result = run(
                part,
                {**stored, "U_h": torch.from_numpy(self.w_rec.data)},
                inputs,
                None if state is None else (state,),
                lengths=lengths,
            )
        return result.output.numpy(), result.state[0]

    def _drive(self, u: np.ndarray, noise: Noise) -> Tensor:
        """W_in u of each step and row, and the noise."""
        drive = (self.w_in @ u.reshape(-1, u.shape[2]).T).T
        drive = drive.reshape(*u.shape[:2], self.units)
        if noise is not None:
            drive += noise[1].uniform(-noise[0], noise[0], drive.shape)
        return torch.from_numpy(np.ascontiguousarray(drive))

    @cached_property
    def _pattern(self) -> Sparse:
        return Sparse(self.w_rec.indptr, self.w_rec.indices)

    @cached_property
    def _leaky(self) -> Recurrence:
        cell, inputs = Leaky(self.leak_rate, self.activation), len(self.w_in.T)
        return recurrence(cell, inputs, self.units, bias=False, recurrent=self._pattern)

    @cached_property
    def _driven(self) -> Recurrence:
        cell = DrivenLeaky(self.leak_rate, self.activation)
        sizes = {"drive": self.units}
        return recurrence(cell, sizes, self.units, recurrent=self._pattern)


def draw_pool(
    units: int,
    scalings: np.ndarray,
    below: int,
    *,
    connectivity: float,
    spectral_radius: float,
    leak_rate: float,
    input_scaling: float,
    activation: Activation,
    dtype: DType,
    rng: np.random.Generator,
) -> Pool:
    """Draw the weights of a reservoir.

    Args:
        units: Its units.
        scalings: For each input of the network that it reads, the largest weight.
        below: Units of the reservoir whose state it reads beside them, or 0. Each unit
            draws as many of those, some maybe twice, as it reads of its own reservoir.
        connectivity: See ``draw_matrix``.
        spectral_radius: See ``draw_matrix``.
        leak_rate: a, in (0, 1].
        input_scaling: The largest weight of the units below.
        activation: f.
        dtype: Type of the numbers.
        rng: Where all is drawn from.
    """
    w_rec = draw_matrix(units, connectivity, spectral_radius, rng).astype(dtype)
    w_in: np.ndarray | csr_array = (
        rng.uniform(-1, 1, (units, len(scalings))) * scalings
    ).astype(dtype)
    if below:
        per_row = entries_per_row(units, connectivity)
        columns = rng.integers(below, size=(units, per_row))
        weights = rng.uniform(-input_scaling, input_scaling, columns.shape)
        triple = weights.ravel(), columns.ravel(), np.arange(units + 1) * per_row
        read = csr_array(triple, shape=(units, below))
        w_in = csr_array(hstack([csr_array(w_in), read]), dtype=dtype)
    return Pool(w_in, csr_array(w_rec), leak_rate, activation)
