"""How a small change of the first state grows: r'_t - r_t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurro.analysis.jacobian import linearise_step
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.errors import ArgumentError
from recurro.nn.stack import LayerState

__all__ = ["Growth", "perturbation_growth"]


@dataclass(frozen=True)
class Growth:
    """What became of changes of the first state.

    Attributes:
        sizes: ||r'_0 - r_0|| of each change ``(changes,)``.
        distance: ||r'_t - r_t|| for t = 0 to T ``(time + 1, changes)``, the mean over
            directions and rows, in all layers together.
        linear: What the Jacobians say of a change without size, ||J_t ... J_1 u|| for
            unit directions u ``(time + 1,)``; ``None`` for several layers.
    """

    sizes: np.ndarray
    distance: np.ndarray
    linear: np.ndarray | None

    def factor(self, t: int = -1) -> np.ndarray:
        """||r'_t - r_t|| / ||r'_0 - r_0|| of each change, at the end if not given."""
        return self.distance[t] / self.sizes


@torch.no_grad()
def perturbation_growth(
    layer: nn.Module,
    x: Tensor,
    sizes: Sequence[float] = (1e-8, 1e-6, 1e-4, 1e-2),
    *,
    state: tuple[LayerState, ...] | None = None,
    directions: int = 4,
    seed: int = 0,
) -> Growth:
    """Run a network from two states that differ by a little, and see how they part.

    d r_T / d r_0 = lim (r'_T - r_T) / (r'_0 - r_0), as r'_0 goes to r_0

    All is in double precision; sizes near 1e-16 drown in rounding.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers, of one direction.
        x: Input ``(time, batch, input)``.
        sizes: How large the changes are, each > 0, over all layers together.
        state: Initial state as the layer takes it; zeros if not given.
        directions: How many random directions are tried, >= 1.
        seed: Of the directions.

    Raises:
        ArgumentError: If a number is out of its range, or the layer is bidirectional.

    Example:
        >>> from recurro.cells import Linear, init
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(Linear(), 1, 3, initial={"U": init.identity(0.5)})
        >>> growth = perturbation_growth(layer, torch.zeros(4, 1, 1), sizes=[1e-3])
        >>> growth.factor().round(6)  # 0.5 ** 4
        array([0.0625])

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, section 2.2.
    """
    wrong = [s for s in sizes if not (np.isfinite(s) and s > 0)]
    if not sizes or wrong or directions < 1:
        raise ArgumentError(
            "perturbation_growth: sizes must be > 0 and directions >= 1, got "
            f"{list(sizes)} and {directions}."
        )
    base = trajectories(layer, x, state, dtype=torch.float64)
    if any(run.reverse for run in base):
        raise ArgumentError(
            "perturbation_growth: the layer must have one direction, got one that is "
            "bidirectional."
        )
    first = [tuple(s[0] for s in run.old) for run in base]
    units = _units(first, directions, seed)
    changed = len(sizes) * directions  # runs beside each row, all in one batch
    start = tuple(
        tuple(
            torch.cat([s + size * u[k] for size in sizes for k in range(directions)])
            for s, u in zip(variables, directions_of, strict=True)
        )
        for variables, directions_of in zip(first, units, strict=True)
    )
    moved = trajectories(layer, x.repeat(1, changed, 1), start, dtype=torch.float64)
    squares = sum(
        (n.unflatten(1, (changed, -1)) - o.unsqueeze(1)).square().sum(-1)
        for there, here in zip(moved, base, strict=True)
        for n, o in zip(there.new, here.new, strict=True)
    )
    assert isinstance(squares, Tensor)
    distance = squares.sqrt().unflatten(1, (len(sizes), directions)).mean((2, 3))
    whole = np.concatenate([[np.asarray(sizes)], distance.numpy()])
    linear = _linear(base[0], units[0]) if len(base) == 1 else None
    return Growth(whole[0], whole, linear)


def _units(
    first: Sequence[LayerState], directions: int, seed: int
) -> list[tuple[Tensor, ...]]:
    """Directions of length 1 over all layers: ``(directions, batch, width)`` each."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [
        tuple(
            torch.randn(directions, *s.shape, dtype=s.dtype, generator=generator)
            for s in variables
        )
        for variables in first
    ]
    flat = torch.cat([d for variables in drawn for d in variables], -1)
    length = flat.norm(dim=-1, keepdim=True)
    return [tuple(d / length for d in variables) for variables in drawn]


def _linear(run: Trajectory, units: LayerState) -> np.ndarray:
    """||J_t ... J_1 u||, the mean over directions and rows."""
    linear = linearise_step(run.part, run.stored, run.inputs, run.old)
    columns = torch.cat(units, -1).permute(1, 2, 0)
    lengths = [columns.norm(dim=1).mean()]
    for t in range(len(linear)):
        columns = linear[t].push(columns)[0]
        lengths.append(columns.norm(dim=1).mean())
    return torch.stack(lengths).numpy()
