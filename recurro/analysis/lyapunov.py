"""Lyapunov exponents: how fast neighbours of a trajectory part or meet.

A small box of k directions is carried along by the Jacobians and made orthogonal again
at each step; the logarithms of what it was stretched by, averaged over time, are the
exponents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recurro.analysis.jacobian import linearise_step
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.cells import Flow
from recurro.errors import ArgumentError, ShapeError
from recurro.nn.stack import LayerState

__all__ = ["LyapunovSpectrum", "lyapunov_of_flow", "lyapunov_spectrum"]

CHUNK = 1 << 26
"""Bytes of Jacobians that are held at a time."""

FULL = 6
"""A whole Jacobian is made where more than a FULLth of its columns are carried."""

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LyapunovSpectrum:
    """The exponents of one layer, or of a flow.

    Attributes:
        exponents: The k largest, per step (of a flow per unit of time) ``(k,)``. One is
            -inf where a step forgets a direction altogether.
        error: Their standard error over rows of the batch; NaN for a single row.
        history: The running mean after each step ``(time, k)``, over all rows.
        whole: Whether k is all there are.
    """

    exponents: np.ndarray
    error: np.ndarray
    history: np.ndarray
    whole: bool

    @property
    def memory(self) -> float:
        """Steps over which a difference fades to 1/e; infinite if none fades."""
        largest = float(self.exponents[0])
        return -1 / largest if largest < 0 else math.inf

    def dimension(self) -> float:
        """The Kaplan-Yorke dimension of the attractor, j + sum_{i<=j} l_i / |l_{j+1}|.

        Raises:
            ArgumentError: If the k exponents do not sum to less than 0, so that more of
                them are needed.

        References:
            Kaplan and Yorke (1979), Lecture Notes in Mathematics 730, page 204.
        """
        sums = np.cumsum(self.exponents)
        below = np.flatnonzero(sums < 0)
        if not len(below):
            if self.whole:
                return float(len(sums))
            raise ArgumentError(
                f"dimension: the exponents must sum to less than 0, got {sums[-1]:.3g} "
                f"for k={len(sums)}. Take a larger k."
            )
        j = int(below[0])
        if j == 0:
            return 0.0
        return j + float(sums[j - 1] / abs(self.exponents[j]))


def lyapunov_spectrum(
    layer: nn.Module,
    x: Tensor | int,
    k: int | None = None,
    *,
    state: tuple[LayerState, ...] | None = None,
    washout: int = 0,
    dt: float | None = None,
    seed: int = 0,
) -> tuple[LyapunovSpectrum, ...]:
    """The exponents of each layer of a network along its run, driven or free.

    J_t Q_{t-1} = Q_t R_t,  l_i = mean of log |R_t[i, i]| / dt

    Driven, they are conditional: they tell whether two states that read the same input
    come together (all below 0) or stay apart. The spectrum of a stack is that of all
    its layers together, since a layer does not act on the one below.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.
        x: Input ``(time, batch, input)``; or a number of steps, without input.
        k: How many exponents; all if not given. With few of them Jacobians are only
            multiplied with k columns and never made, so large layers are no trouble.
        state: Initial state as the layer takes it; zeros if not given. The exponents
            of several rows are averaged.
        washout: First steps that are not counted, in which the state settles and the
            directions turn to where they are stretched most.
        dt: Time of a step; if not given, 1, or that of a cell that is a ``Flow``.
        seed: Of the first directions.

    Returns:
        One for each layer and direction, bottom layer first. All is in double
        precision.

    Raises:
        ArgumentError: If a number is out of its range, or states are not finite.

    Example:
        >>> from recurro.cells import Linear, init
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(Linear(), 1, 3, initial={"U": init.identity(0.5)})
        >>> (found,) = lyapunov_spectrum(layer, 50)
        >>> found.exponents.round(4)  # log 0.5
        array([-0.6931, -0.6931, -0.6931])

    References:
        Benettin et al. (1980), Meccanica 15, section 3; Engelken, Wolf and Abbott
        (2023), doi:10.1103/PhysRevResearch.5.043044, appendix.
    """
    if isinstance(x, int):
        _steps(x, "lyapunov_spectrum")
        rows = len(state[0][0]) if state else 1
        x = torch.zeros(x, rows, _input_width(layer))
    if not 0 <= washout < len(x):
        raise ArgumentError(
            f"lyapunov_spectrum: washout must be in [0, {len(x)} steps), got {washout}."
        )
    runs = trajectories(layer, x, state, dtype=torch.float64)
    return tuple(_of_run(run, k, washout, dt, seed) for run in runs)


def lyapunov_of_flow(
    f: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    dt: float,
    steps: int,
    k: int | None = None,
    washout: int = 0,
    seed: int = 0,
) -> LyapunovSpectrum:
    """The exponents of a differential equation ds/dt = f(s), per unit of time.

    It is integrated by Runge and Kutta's method of order 4, and so is the linearised
    flow, as the exact derivative of its steps.

    Args:
        f: The derivative of states ``(n,)``, in functions of torch.
        start: Initial states ``(batch, n)``.
        dt: The step, > 0.
        steps: How many, >= 1.
        k: How many exponents; all if not given.
        washout: First steps that are not counted.
        seed: Of the first directions.

    Raises:
        ArgumentError: If a number is out of its range, or the flow leaves what is
            finite.
        ShapeError: If ``start`` or what f gives does not fit.

    Example:
        >>> f = lambda s: torch.stack([-s[0], -2 * s[1]])
        >>> start = torch.ones(1, 2)
        >>> found = lyapunov_of_flow(f, start, dt=0.05, steps=300, washout=200)
        >>> found.exponents.round(3)
        array([-1., -2.])
    """
    _steps(steps, "lyapunov_of_flow")
    if not (math.isfinite(dt) and dt > 0) or not 0 <= washout < steps:
        raise ArgumentError(
            f"lyapunov_of_flow: dt must be > 0 and washout in [0, {steps} steps), got "
            f"{dt} and {washout}."
        )
    if start.ndim != 2 or f(start[0].double()).shape != start[0].shape:
        raise ShapeError(
            "lyapunov_of_flow: start must be (batch, n) and f give (n,) for (n,), got "
            f"start {tuple(start.shape)}."
        )

    def step(s: Tensor) -> Tensor:
        a = f(s)
        b = f(s + dt / 2 * a)
        c = f(s + dt / 2 * b)
        return s + dt / 6 * (a + 2 * b + 2 * c + f(s + dt * c))

    derive = torch.func.vmap(torch.func.jacrev(step))
    forward, n = torch.func.vmap(step), start.shape[1]
    span = max(1, CHUNK // (8 * n * n * len(start)))

    def products() -> Iterator[Product]:
        s = start.double()
        for first in range(0, steps, span):
            held = []
            for _ in range(min(span, steps - first)):
                held.append(s)
                s = forward(s)
            _finite(s, "lyapunov_of_flow")
            for jacobian in derive(torch.cat(held)).unflatten(0, (-1, len(start))):
                yield jacobian.matmul

    first = _directions(len(start), n, _count(k, n), seed)
    return _summed(products(), first, washout, dt)


def _of_run(
    run: Trajectory, k: int | None, washout: int, dt: float | None, seed: int
) -> LyapunovSpectrum:
    for variable in run.new:
        _finite(variable, f"lyapunov_spectrum: {run.name}")
    n, rows = sum(width for _, width in run.part.program.state), run.new[0].shape[1]
    k = _count(k, n)
    first, cell = _directions(rows, n, k, seed), run.part.cell
    if dt is None:
        dt = cell.dt if isinstance(cell, Flow) else 1.0
    return _summed(_products(run, n, k), first, washout, dt)


def _products(run: Trajectory, n: int, k: int) -> Iterator[Product]:
    """For each step, in the order in which the state goes, J_t times columns."""
    steps, rows = run.new[0].shape[:2]
    span = max(1, CHUNK // (8 * n * n * rows))
    starts = range(0, steps, span)
    for first in reversed(starts) if run.reverse else starts:
        at = slice(first, min(first + span, steps))
        part = linearise_step(
            run.part,
            run.stored,
            tuple(value[at] for value in run.inputs),
            tuple(value[at] for value in run.old),
        )
        order = range(len(part))
        order = reversed(order) if run.reverse else order
        if k * FULL > n:
            whole = part.jacobians()
            yield from (whole[t].matmul for t in order)
        else:
            yield from (_pushed(part[t].push) for t in order)


def _pushed(push: Product) -> Product:
    return lambda columns: push(columns)[0]


def _summed(
    products: Iterator[Product], q: Tensor, washout: int, dt: float
) -> LyapunovSpectrum:
    """Carry orthogonal columns along and average what they are stretched by."""
    stretched = []
    for step, product in enumerate(products):
        q, r = torch.linalg.qr(product(q))
        if step >= washout:
            stretched.append(r.diagonal(dim1=-2, dim2=-1).abs().log())
    logs = torch.stack(stretched).numpy() / dt
    rows, counts = logs.mean(0), np.arange(1, len(logs) + 1)[:, None]
    exponents = rows.mean(0)
    order = np.argsort(-exponents, kind="stable")
    with np.errstate(invalid="ignore"):
        spread = (
            rows.std(0, ddof=1) if len(rows) > 1 else np.full(len(exponents), np.nan)
        )
        history = np.cumsum(logs.mean(1), axis=0) / counts
    error = spread / math.sqrt(len(rows))
    whole = q.shape[-1] == q.shape[-2]
    return LyapunovSpectrum(exponents[order], error[order], history[:, order], whole)


def _directions(rows: int, n: int, k: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, n, k, dtype=torch.float64, generator=generator)
    return torch.linalg.qr(drawn).Q


def _count(k: int | None, n: int) -> int:
    if k is None:
        return n
    if not 1 <= k <= n:
        raise ArgumentError(
            f"lyapunov: k must be in [1, {n}], the numbers in a state, got {k}."
        )
    return k


def _steps(steps: int, owner: str) -> None:
    if steps < 1:
        raise ArgumentError(f"{owner}: steps must be >= 1, got {steps}.")


def _finite(states: Tensor, owner: str) -> None:
    if not torch.isfinite(states).all():
        raise ArgumentError(
            f"{owner}: states must stay finite, got NaN or infinity. Look at the "
            "input, or scale the recurrent weights down."
        )


def _input_width(layer: nn.Module) -> int:
    size = getattr(layer, "input_size", 1)
    if not isinstance(size, int):
        raise ArgumentError(
            "lyapunov_spectrum: x must be given for a cell with several inputs, got a "
            "number of steps."
        )
    return size
