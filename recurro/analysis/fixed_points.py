"""Fixed points of a recurrence under a constant input, and which of them hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurro.analysis.jacobian import LIMIT, Linearised, linearise_step
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.errors import ArgumentError, ShapeError

__all__ = ["FixedPoints", "fixed_points"]

CHUNK = 1 << 27
"""Bytes of Jacobians that are held at a time."""

WALK = 8
"""Steps that a random state goes at most before its search begins."""

ROUNDS = 8
"""How often searches are repeated at most."""


@dataclass(frozen=True)
class FixedPoints:
    """States that a step leaves as they are.

    Attributes:
        points: All state variables side by side ``(points, n)``, stable ones first.
        residual: ||F(s) - s|| of each ``(points,)``.
        eigenvalues: Of the Jacobian at each, by falling modulus ``(points, n)``.
        starts: How many searches were made, and
        found: how many of them ended in a fixed point.
    """

    points: np.ndarray
    residual: np.ndarray
    eigenvalues: np.ndarray
    starts: int
    found: int

    @property
    def unstable_directions(self) -> np.ndarray:
        """Eigenvalues outside of the unit circle ``(points,)``.

        None at a stable point, some at a saddle, n at a repeller.
        """
        return (np.abs(self.eigenvalues) > 1).sum(1)

    @property
    def stable(self) -> np.ndarray:
        """Whether neighbours are drawn in ``(points,)``."""
        return self.unstable_directions == 0

    def __len__(self) -> int:
        return len(self.points)


@torch.no_grad()
def fixed_points(
    layer: nn.Module,
    x: Tensor | None = None,
    *,
    starts: int | Tensor = 256,
    spread: float = 1.0,
    iterations: int = 100,
    tolerance: float = 1e-9,
    apart: float = 1e-4,
    seed: int = 0,
) -> FixedPoints:
    """Find the fixed points of one layer by Newton's method, from many states at once.

    s <- s - a (J(s) - I)^-1 (F(s) - s), where a is halved until the residual falls

    Searches begin at random states, half of them after some steps of the network, by
    which they come near to where it lives; they are repeated with others as long as
    they find new points, eight times at most. Saddles and repellers are found as well
    as stable points. What no search reaches is not found: with more starts, more may
    be.

    Args:
        layer: ``Recurrent`` or a drop-in, one layer of one direction.
        x: The input ``(input,)`` that stands still; zeros if not given.
        starts: How many random states to begin at each time, or the states themselves,
            all variables side by side ``(starts, n)``, such as those that a run visits.
        spread: Random states are uniform in [-spread, spread].
        iterations: Newton steps at most.
        tolerance: The largest residual ||F(s) - s|| of a fixed point.
        apart: Points nearer to each other than this are one.
        seed: Of the random states.

    Raises:
        ArgumentError: If a number is out of its range, there are several layers, or a
            single Jacobian is too large to be made.
        ShapeError: If ``x`` or ``starts`` does not fit.

    Example:
        >>> from recurro.cells import Elman, init
        >>> from recurro.nn import Recurrent
        >>> bit = Recurrent(Elman(), 1, 1, initial={"U": init.constant(2.0)})
        >>> found = fixed_points(bit)
        >>> sorted(zip(found.points[:, 0].round(3).tolist(), found.stable.tolist()))
        [(-0.958, True), (0.0, False), (0.958, True)]

    References:
        Sussillo and Barak (2013), Neural Computation 25, doi:10.1162/NECO_a_00409;
        Golub and Sussillo (2018), Journal of Open Source Software 3, 1003.
    """
    if iterations < 1 or not tolerance > 0 or not apart > 0 or spread < 0:
        raise ArgumentError(
            "fixed_points: iterations must be >= 1, tolerance and apart > 0, spread >= "
            f"0, got {iterations}, {tolerance}, {apart} and {spread}."
        )
    step = _Step(layer, x)
    if 8 * step.size**2 > LIMIT // 8:  # a Jacobian, what solves it, and its like
        raise ArgumentError(
            f"fixed_points: a state must have at most {math.isqrt(LIMIT // 64)} "
            f"numbers, got {step.size}. Take Lyapunov exponents with a few columns."
        )
    rows = max(1, CHUNK // (8 * step.size**2))
    points, residual = torch.zeros(0, step.size).double(), torch.zeros(0).double()
    searches = found = 0
    for turn in range(ROUNDS):
        s, known = _begin(step, starts, spread, seed + turn), len(points)
        ends = [_newton(step, part, iterations, tolerance) for part in s.split(rows)]
        far = [step.residual(part).norm(dim=1) for part in ends]
        good = torch.cat(far) <= tolerance
        searches, found = searches + len(s), found + int(good.sum())
        points = torch.cat([points, torch.cat(ends)[good]])
        residual = torch.cat([residual, torch.cat(far)[good]])
        kept = _apart(points, residual, apart)
        points, residual = points[kept], residual[kept]
        if isinstance(starts, Tensor) or len(points) == known:
            break
    eigenvalues = _eigenvalues(step, points, rows)
    order = np.argsort((np.abs(eigenvalues) > 1).sum(1), kind="stable")
    points, residual = points.numpy()[order], residual.numpy()[order]
    return FixedPoints(points, residual, eigenvalues[order], searches, found)


class _Step:
    """One step of a layer as a function of its states side by side."""

    def __init__(self, layer: nn.Module, x: Tensor | None) -> None:
        size = getattr(layer, "input_size", 1)
        if x is None and isinstance(size, int):
            x = torch.zeros(size)
        if x is None or x.ndim != 1 or x.shape != (size,):
            raise ShapeError(
                f"fixed_points: x must be the input of one step ({size},), got "
                f"{None if x is None else tuple(x.shape)}."
            )
        runs = trajectories(layer, x[None, None], dtype=torch.float64)
        if len(runs) != 1:
            raise ArgumentError(
                f"fixed_points: the network must be one layer of one direction, got "
                f"{len(runs)}. Take its layers one by one."
            )
        self.run: Trajectory = runs[0]
        self.widths = [width for _, width in self.run.part.program.state]
        self.size = sum(self.widths)

    def at(self, s: Tensor) -> Linearised:
        """The derivatives at each of some states ``(rows, n)``."""
        inputs = tuple(value.expand(1, len(s), -1) for value in self.run.inputs)
        old = tuple(part.unsqueeze(0) for part in s.split(self.widths, 1))
        return linearise_step(self.run.part, self.run.stored, inputs, old)

    def residual(self, s: Tensor, linear: Linearised | None = None) -> Tensor:
        """F(s) - s of each state ``(rows, n)``."""
        linear = linear or self.at(s)
        results = self.run.part.program.results
        parts = [
            linear.values[index].expand(1, len(s), width)[0]
            for index, width in zip(results, self.widths, strict=True)
        ]
        return torch.cat(parts, 1) - s


def _begin(step: _Step, starts: int | Tensor, spread: float, seed: int) -> Tensor:
    """Where searches begin ``(starts, n)``."""
    n = step.size
    if isinstance(starts, Tensor):
        if starts.ndim != 2 or starts.shape[1] != n or not len(starts):
            raise ShapeError(
                f"fixed_points: starts must be (starts, n={n}), got "
                f"{tuple(starts.shape)}."
            )
        if not torch.isfinite(starts).all():
            raise ArgumentError("fixed_points: starts must be finite, got NaN.")
        return starts.detach().double()
    if starts < 1:
        raise ArgumentError(f"fixed_points: starts must be >= 1, got {starts}.")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(starts, n, dtype=torch.float64, generator=generator)
    s = spread * (2 * drawn - 1)
    for later in range(1, WALK + 1):
        moved = s[WALK - 1 + later :: 2 * WALK]
        for _ in range(later):
            moved = moved + step.residual(moved)
        there = s[WALK - 1 + later :: 2 * WALK]
        there.copy_(torch.where(moved.isfinite(), moved, there))
    return s


def _newton(step: _Step, s: Tensor, iterations: int, tolerance: float) -> Tensor:
    """Where Newton's method ends from each of some states, fixed point or not."""
    ends, moving = s.clone(), torch.arange(len(s))
    unit = torch.eye(step.size, dtype=s.dtype)
    for _ in range(iterations):
        linear = step.at(ends[moving])
        gap = step.residual(ends[moving], linear)
        size = gap.norm(dim=1)
        going = (size > tolerance * 1e-3) & torch.isfinite(size)
        if not going.any():
            break
        jacobian = linear.jacobians()[0][going] - unit
        gap, size, moving = gap[going], size[going], moving[going]
        direction = torch.linalg.lstsq(jacobian, gap[..., None]).solution[..., 0]
        moved, better = _halved(step, ends[moving], direction, size)
        ends[moving] = moved
        moving = moving[better]  # one that can fall no further has come to its end
        if not len(moving):
            break
    return ends


def _halved(
    step: _Step, s: Tensor, direction: Tensor, size: Tensor
) -> tuple[Tensor, Tensor]:
    """Go along a direction as far as the residual falls, at most the whole way."""
    best, better = s.clone(), torch.zeros(len(s), dtype=torch.bool)
    share = 1.0
    for _ in range(12):
        left = ~better
        tried = s[left] - share * direction[left]
        falls = step.residual(tried).norm(dim=1) < size[left]
        best[left.nonzero()[:, 0][falls]] = tried[falls]
        better[left.nonzero()[:, 0][falls]] = True
        if better.all():
            break
        share /= 2
    return best, better


def _apart(points: Tensor, residual: Tensor, apart: float) -> list[int]:
    """Of points near to each other the one with the least residual."""
    kept: list[int] = []
    for index in residual.argsort().tolist():
        near = (
            (points[kept] - points[index]).norm(dim=1) if kept else points.new_ones(1)
        )
        if float(near.min()) > apart or not kept:
            kept.append(index)
    return kept


def _eigenvalues(step: _Step, points: Tensor, rows: int) -> np.ndarray:
    found = [
        torch.linalg.eigvals(step.at(part).jacobians()[0])
        for part in points.split(rows)
    ]
    if not len(points):
        return np.zeros((0, step.size), dtype=complex)
    values = torch.cat(found)
    order = values.abs().argsort(dim=1, descending=True)
    return values.gather(1, order).numpy()
