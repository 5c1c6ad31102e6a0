"""How the gradient of a loss fades or grows on its way back through time.

The gradient by a state is carried from each step to the one before it by the step's
Jacobian, dL/ds_{t-1} = dL/ds_t J_t, and what it leaves in the recurrent matrices at
each step is that step's part of their gradient, dL/dU = sum_t delta_t h_{t-1}'.

References:
    Bengio, Simard and Frasconi (1994), IEEE Transactions on Neural Networks 5;
    Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, equations 3 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurro.analysis.jacobian import Linearised, linearise_step
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.engine import Program
from recurro.engine.evaluate import multiply
from recurro.engine.ir import depends_on_state
from recurro.errors import ArgumentError, ShapeError
from recurro.nn.stack import LayerState
from recurro.types import Float, Int

__all__ = ["GradientFlow", "LayerFlow", "gradient_flow"]

FADED = 0.01
"""The share of a gradient under which it teaches nothing."""


@dataclass(frozen=True)
class LayerFlow:
    """The gradient's way back through one layer, in one direction.

    Steps are in the order in which the layer reads; where rows differ in length, the
    last entry is the last step of each.

    Attributes:
        name: The layer.
        variables: Names of the state variables.
        norms: ||dL/ds_t||, the mean over rows, for each step and variable
            ``(time, variables)``.
        contributions: ||G_t||, where G_t is the part of the gradient of all recurrent
            matrices that step t contributes ``(time,)``.
        shares: <G_t, G> / <G, G>, where G is the whole gradient: they sum to one
            ``(time,)``. Zeros where the gradient is zero.
        gradient: G, by matrix; one with a structure as it is stored.
    """

    name: str
    variables: tuple[str, ...]
    norms: Float[Tensor, "time variables"]
    contributions: Float[Tensor, " time"]
    shares: Float[Tensor, " time"]
    gradient: Mapping[str, Tensor]

    @property
    def horizon(self) -> int | None:
        """Last steps that make up all but 1 % of the gradient of the matrices.

        The parts are weighed by their norms. ``None`` where less than a tenth of the
        steps looked at, or fewer than five, lie before them, so that nobody can say
        that the gradient has faded; and where there is no gradient.
        """
        back = self.contributions.flip(0).cumsum(0)
        if not len(back) or not back[-1] > 0:
            return None
        steps = int((back < (1 - FADED) * back[-1]).sum()) + 1
        before = len(back) - steps
        return steps if before >= max(5, 0.1 * len(back)) else None

    @property
    def growth(self) -> float:
        """Mean factor by which the gradient by the whole state changes per step back.

        Over the steps down to where it passes under 1e-12 of where it began.
        """
        size = self.norms.norm(dim=1).flip(0)
        kept = size[size > 1e-12 * size[:1]]
        if len(kept) < 2:
            return 0.0
        return float((kept[-1] / kept[0]) ** (1 / (len(kept) - 1)))

    @property
    def sentence(self) -> str:
        """What that means, for a person."""
        steps = len(self.contributions)
        if not self.contributions.sum() > 0:
            return f"{self.name}: no gradient reaches its recurrent matrices."
        if self.horizon is None:
            return (
                f"{self.name}: the gradient has not faded within the {steps} steps "
                "that were looked at."
            )
        unit = "step" if self.horizon == 1 else "steps"
        return (
            f"{self.name}: this network cannot learn dependencies longer than about "
            f"{self.horizon} {unit}."
        )


@dataclass(frozen=True)
class GradientFlow:
    """The same for all layers.

    Attributes:
        layers: One for each layer and direction, bottom layer first.
        inputs: The gradient by what the bottom layer reads ``(time, batch, input)``.
    """

    layers: tuple[LayerFlow, ...]
    inputs: Float[Tensor, "time batch input"]

    @property
    def horizon(self) -> int | None:
        """The longest of the layers' horizons; ``None`` where one has not faded."""
        known = [layer.horizon for layer in self.layers]
        longest = [h for h in known if h is not None]
        return max(longest) if len(longest) == len(known) else None


@torch.no_grad()
def gradient_flow(
    layer: nn.Module,
    x: Float[Tensor, "time batch input"],
    output_gradient: Float[Tensor, "time batch output"],
    state: tuple[LayerState, ...] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
    readings: Mapping[str, Tensor] | None = None,
    *,
    state_gradient: tuple[LayerState | None, ...] | None = None,
    dtype: torch.dtype | None = None,
) -> GradientFlow:
    """Carry the gradient of a loss back through every layer and step.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.
        x: What it reads.
        output_gradient: dL/dy by its output, such as that of the loss of the last step:
            zero but there.
        state: Its initial state; zeros if not given.
        lengths: Steps that count in each row.
        readings: The cell's further inputs by name.
        state_gradient: dL/ds by the final states, where the loss reads them.
        dtype: Compute in this type, such as ``torch.float64``; the layer's if not
            given.

    Raises:
        ArgumentError: If that is no stack of cells.
        ShapeError: If a tensor does not fit.

    Example:
        >>> from recurro.cells import Elman
        >>> from recurro.nn import Recurrent
        >>> layer, x = Recurrent(Elman(), 3, 8), torch.randn(50, 4, 3)
        >>> last = torch.zeros(50, 4, 8)
        >>> last[-1] = 1.0  # L is the sum of what the last step shows
        >>> (flow,) = gradient_flow(layer, x, last).layers
        >>> flow.norms.shape, round(float(flow.shares.sum()), 4)
        (torch.Size([50, 1]), 1.0)
    """
    runs = trajectories(layer, x, state, lengths, readings, dtype=dtype)
    like = runs[-1].new[0]
    gradient = output_gradient.to(like.dtype)
    wanted = (*like.shape[:2], _width(runs))
    if tuple(gradient.shape) != wanted:
        raise ShapeError(
            f"gradient_flow: output_gradient must be {wanted} as the output, got "
            f"{tuple(gradient.shape)}."
        )
    final = state_gradient or (None,) * len(runs)
    if len(final) != len(runs):
        raise ArgumentError(
            f"gradient_flow: state_gradient must have one entry for each of the "
            f"{len(runs)} layers and directions, got {len(final)}."
        )
    residual = getattr(getattr(layer, "_options", None), "residual", False)
    sides = 1 + runs[-1].reverse
    flows: list[LayerFlow] = []
    for bottom in range(len(runs) - sides, -1, -sides):
        found = [
            _through(runs[bottom + side], part, final[bottom + side])
            for side, part in enumerate(gradient.chunk(sides, -1))
        ]
        flows = [flow for flow, _ in found] + flows
        below = torch.stack([by_input for _, by_input in found]).sum(0)
        gradient = below + gradient if residual and bottom else below
    return GradientFlow(tuple(flows), gradient)


def _width(runs: tuple[Trajectory, ...]) -> int:
    """Units of the top layer's output, in all directions."""
    return runs[-1].part.program.output_width * (1 + runs[-1].reverse)


def _through(
    run: Trajectory, gradient: Tensor, final: LayerState | None
) -> tuple[LayerFlow, Tensor]:
    """The flow through one layer, and the gradient by its input x."""
    step = linearise_step(run.part, run.stored, run.inputs, run.old)
    direct = _by_states(run, gradient)
    carried = final or tuple(torch.zeros_like(s[0]) for s in run.new)
    trail: list[_Passed] = []
    for t in range(len(step)) if run.reverse else reversed(range(len(step))):
        passed = _back(run, step, t, [d[t] for d in direct], carried)
        carried = passed.carried
        trail.append(passed)
    if not run.reverse:
        trail.reverse()
    return _flow(run, step, trail), torch.stack([passed.by_x for passed in trail])


class _Passed(NamedTuple):
    """What a step leaves: gradients by its new states, and by all that it read."""

    by_new: tuple[Tensor, ...]
    carried: tuple[Tensor, ...]
    deltas: list[Tensor | None]
    by_x: Tensor


def _back(
    run: Trajectory,
    step: Linearised,
    t: int,
    direct: list[Tensor],
    carried: tuple[Tensor, ...],
) -> _Passed:
    """Carry the gradient back over step t; rows whose step does not count stand."""
    now = tuple(d + c for d, c in zip(direct, carried, strict=True))
    back = step[t].pull_parts([g[None, :, None] for g in now])
    by_old = tuple(g[0, :, 0] for g in back.state)
    deltas = [None if g is None else g[0, :, 0] for g in back.affine]
    by_x = back.inputs[run.part.cell.inputs.index("x")][0, :, 0]
    if run.active is None:
        return _Passed(now, by_old, deltas, by_x)
    on = run.active[t]
    by_old = tuple(torch.where(on, o, n) for o, n in zip(by_old, now, strict=True))
    deltas = [None if d is None else d * on for d in deltas]
    return _Passed(now, by_old, deltas, by_x * on)


def _by_states(run: Trajectory, gradient: Tensor) -> tuple[Tensor, ...]:
    """The gradient by the new states, from that by what the layer shows of them."""
    if run.active is not None:
        gradient = gradient * run.active
    with torch.enable_grad():
        states = tuple(s.detach().requires_grad_() for s in run.new)
        shown = run.part.cell.output(*states)
        return torch.autograd.grad(
            shown, states, gradient, allow_unused=True, materialize_grads=True
        )


def _flow(run: Trajectory, step: Linearised, trail: list[_Passed]) -> LayerFlow:
    """What is to be told of a layer, in the order in which it reads."""
    sizes = [
        torch.stack([g.norm(dim=1) for g in passed.by_new], -1) for passed in trail
    ]
    norms, counts = torch.stack(sizes), torch.ones_like(run.new[0][..., :1])
    if run.active is not None:
        counts = counts * run.active
    norms, counts = _as_read(run, norms * counts), _as_read(run, counts)
    products = _products(run, step, trail)
    gradient = {
        name: _outer(step.program, name, d.flatten(0, 1), h.flatten(0, 1))
        for name, (d, h) in products.items()
    }
    squares = norms.new_zeros(len(norms))
    along = norms.new_zeros(len(norms))
    for name, (d, h) in products.items():
        squares += _squares(step.program, name, d, h)
        along += (multiply(step.program, name, gradient, h) * d).sum((1, 2))
    whole = sum((g * g).sum() for g in gradient.values())
    return LayerFlow(
        name=run.name,
        variables=tuple(name for name, _ in step.program.state),
        norms=norms.sum(1) / counts.sum(1).clamp_min(1),
        contributions=squares.clamp_min(0).sqrt(),
        shares=along / whole if whole > 0 else along,
        gradient=gradient,
    )


def _as_read(run: Trajectory, values: Tensor) -> Tensor:
    """Values of each step and row in the order of reading, rows ending together."""
    if run.reverse:
        return values.flip(0)
    if run.active is None:
        return values
    late = (~run.active).sum(0)[:, 0]  # steps that a row ends too early
    time = torch.arange(len(values), device=values.device)[:, None] - late
    rows = torch.arange(values.shape[1], device=values.device)
    return values[time.clamp_min(0), rows] * (time >= 0)[..., None]


def _products(
    run: Trajectory, step: Linearised, trail: list[_Passed]
) -> dict[str, tuple[Tensor, Tensor]]:
    """For each recurrent matrix the gradients by its products and what it multiplied.

    Both are ``(time, rows, width)``; of a matrix that is used twice in a step the rows
    of the second use follow those of the first.
    """
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    depends = depends_on_state(step.program.ops)
    for number, op in enumerate(step.program.affines()):
        deltas = [passed.deltas[number] for passed in trail]
        for matrix, a in zip(op["matrices"], op.args, strict=True):
            if depends[a] and deltas[0] is not None:
                d = _as_read(run, torch.stack([d for d in deltas if d is not None]))
                h = _as_read(run, step.values[a])
                found.setdefault(matrix, []).append((d, h))
    return {
        name: (torch.cat([d for d, _ in uses], 1), torch.cat([h for _, h in uses], 1))
        for name, uses in found.items()
    }


def _outer(program: Program, matrix: str, left: Tensor, right: Tensor) -> Tensor:
    """The gradient of a matrix, from rows of those by its products and its operands."""
    structure = program.structure(matrix)
    return left.T @ right if structure is None else structure.outer(left, right)


def _squares(program: Program, matrix: str, d: Tensor, h: Tensor) -> Tensor:
    """The squared norm of what each step adds to the gradient of a matrix."""
    if program.structure(matrix) is None:  # |sum_b d_b h_b'|^2, without the matrix
        return ((d @ d.mT) * (h @ h.mT)).sum((1, 2))
    parts = [_outer(program, matrix, *pair) for pair in zip(d, h, strict=True)]
    return torch.stack([(part * part).sum() for part in parts])
