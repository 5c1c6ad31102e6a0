"""The layers of a recurrent network as they ran over a sequence."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurro.engine import Recurrence
from recurro.engine.reference import active_steps
from recurro.errors import ArgumentError
from recurro.nn.stack import LayerState, Options, Stack, run_stack, stored

__all__ = ["Trajectory", "is_recurrent", "trajectories"]


@dataclass(frozen=True)
class Trajectory:
    """What one layer read and what became of its state, in one direction.

    All tensors are in the order of the sequence; a layer that reads backward has in
    ``old`` the states of the step after.

    Attributes:
        name: ``layer 0``, ``layer 0 backward``, ...
        part: The cell at its sizes.
        stored: Its tensors.
        inputs: What it read, ``(time, batch, width)`` for each input of the cell.
        old: The state variables before each step, ``(time, batch, width)`` each.
        new: The state variables after it.
        reverse: Whether it reads backward.
        active: Which steps count ``(time, batch, 1)``, or ``None`` where all do.
    """

    name: str
    part: Recurrence
    stored: Mapping[str, Tensor]
    inputs: tuple[Tensor, ...]
    old: tuple[Tensor, ...]
    new: tuple[Tensor, ...]
    reverse: bool = False
    active: Tensor | None = None


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module is a stack of cells: ``Recurrent`` or a drop-in of PyTorch's."""
    return isinstance(getattr(module, "_stack", None), Stack)


@torch.no_grad()
def trajectories(
    layer: nn.Module,
    x: Tensor,
    state: tuple[LayerState, ...] | None = None,
    lengths: Tensor | None = None,
    readings: Mapping[str, Tensor] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[Trajectory, ...]:
    """Run a network's layers in evaluation mode and keep what each read and held.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.
        x: Input ``(time, batch, input)``.
        state: As the layer takes it; zeros if not given.
        lengths: Steps that count in each row.
        readings: The cell's further inputs by name.
        dtype: Compute in this type, such as ``torch.float64``; the layer's if not
            given.

    Returns:
        One for each layer and direction, bottom layer first.

    Raises:
        ArgumentError: If that is no stack of cells.
        ShapeError: If a tensor does not fit.

    Example:
        >>> from recurro.cells import GRU
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(GRU(), input_size=3, hidden_size=4, num_layers=2)
        >>> [t.name for t in trajectories(layer, torch.zeros(5, 1, 3))]
        ['layer 0', 'layer 1']
    """
    if not is_recurrent(layer):
        raise ArgumentError(
            f"trajectories: the layer must be Recurrent, LSTM, GRU or RNN of recurro, "
            f"got {type(layer).__name__}."
        )
    given = getattr(layer, "_options", Options())
    options = Options(residual=given.residual, backend=given.backend)
    if dtype is not None:
        layer, x = copy.deepcopy(layer).to(dtype), x.to(dtype)
        state = state and tuple(tuple(s.to(dtype) for s in part) for part in state)
        readings = {n: r.to(dtype) for n, r in (readings or {}).items()}
    training = layer.training
    trail: list[LayerState] = []
    stack: Stack = layer.eval()._stack  # pyright: ignore[reportAssignmentType]
    try:
        run_stack(layer, stack, x, state, lengths, options, readings, trail)
    finally:
        layer.train(training)
    active = None if lengths is None else active_steps(lengths, len(x))
    found: list[Trajectory] = []
    for number, parts in enumerate(stack.layers):
        sides = []
        for backward, part in enumerate(parts):
            start: LayerState | None = state[len(found)] if state else None
            inputs = tuple(
                x if name == "x" else (readings or {})[name]
                for name in part.cell.inputs
            )
            tensors = stored(layer, part, f"_l{number}{'_reverse' * backward}")
            name = f"layer {number}" + " backward" * backward
            new, reverse = trail[len(found)], bool(backward)
            old = _before(new, start, reverse)
            found.append(
                Trajectory(name, part, tensors, inputs, old, new, reverse, active)
            )
            sides.append(_shown(found[-1]))
        y = torch.cat(sides, -1)
        x = y + x if options.residual and number else y
    return tuple(found)


def _before(
    new: LayerState, start: LayerState | None, reverse: bool
) -> tuple[Tensor, ...]:
    """The states before each step, from those after it."""
    start = start or tuple(torch.zeros_like(s[0]) for s in new)
    pairs = [(s, first.unsqueeze(0)) for s, first in zip(new, start, strict=True)]
    if reverse:
        return tuple(torch.cat([s[1:], first]) for s, first in pairs)
    return tuple(torch.cat([first, s[:-1]]) for s, first in pairs)


def _shown(run: Trajectory) -> Tensor:
    """What the layer above reads; zero where a row's steps do not count."""
    output = run.part.cell.output(*run.new)
    return output if run.active is None else output * run.active
