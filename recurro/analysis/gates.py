"""What the gates of a recurrence do: how open they are, and how often they are stuck.

A gate is a sigmoid that multiplies something the network computes. It is found in the
traced program, not by the name of the cell, and is called after its affine map.

References:
    Karpathy, Johnson and Fei-Fei (2016), arXiv 1506.02078, section 4.2, figure 3: a
    gate is left-saturated below 0.1 and right-saturated above 0.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from recurro.analysis.jacobian import Linearised, linearise_step
from recurro.analysis.trajectory import Trajectory, trajectories
from recurro.cells import LSTM
from recurro.engine import Program
from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from recurro.nn.stack import LayerState
from recurro.types import Float, Int

__all__ = ["SITUATIONS", "Gate", "gate_names", "gates", "gates_of", "hand_set_lstm"]

LEFT, RIGHT = 0.1, 0.9


@dataclass(frozen=True)
class Gate:
    """A gate of one layer over a run.

    Attributes:
        layer: The layer.
        name: The name of its affine map, ``i``, ``f``, ``z``, ...
        values: How open it is at each step, in (0, 1) ``(time, batch, width)``; NaN
            where a row's steps do not count.
    """

    layer: str
    name: str
    values: Float[Tensor, "time batch width"]

    @property
    def left(self) -> Float[Tensor, " width"]:
        """The share of steps at which each unit is under 0.1: closed."""
        return self._share(self.values < LEFT)

    @property
    def right(self) -> Float[Tensor, " width"]:
        """The share of steps at which each unit is over 0.9: open."""
        return self._share(self.values > RIGHT)

    @property
    def mean(self) -> Float[Tensor, " time"]:
        """How open it is at each step, the mean over rows and units."""
        return self.values.nanmean((1, 2))

    @property
    def saturated(self) -> float:
        """The share of all values that are under 0.1 or over 0.9."""
        return float((self.left + self.right).mean())

    def _share(self, holds: Tensor) -> Tensor:
        counted = self.values.isfinite().sum((0, 1)).clamp_min(1)
        return holds.sum((0, 1)) / counted


def gate_names(program: Program) -> Mapping[int, str]:
    """The operations of a step that are gates, and what they are called.

    Args:
        program: The traced step.

    Example:
        >>> from recurro.cells import LSTM, Elman
        >>> from recurro.engine import trace
        >>> list(gate_names(trace(LSTM(), 2, 3)).values())
        ['i', 'f', 'o']
        >>> gate_names(trace(Elman("sigmoid"), 2, 3))  # a sigmoid, but no gate
        {}
    """
    found: dict[int, str] = {}
    ops = program.ops
    live = _computed(program)
    for index, op in enumerate(ops):
        if op.name == "sigmoid" and _gates(program, index, live):
            name = _named(program, index)
            taken = list(found.values()).count(name)
            found[index] = name if not taken else f"{name}{taken + 1}"
    return found


def _computed(program: Program) -> list[bool]:
    """Whether each value is computed from what was read or held."""
    live: list[bool] = []
    for op in program.ops:
        live.append(op.name in ("input", "state") or any(live[a] for a in op.args))
    return live


def _gates(program: Program, index: int, live: list[bool]) -> bool:
    """Whether a value, or a sum or quotient of it, multiplies what is computed."""
    reached = {index}
    for place in range(index + 1, len(program.ops)):
        op = program.ops[place]
        if not reached.intersection(op.args):
            continue
        if op.name == "mul" and all(live[a] for a in op.args):
            return True
        if op.name in ("neg", "add", "sub", "div"):
            reached.add(place)
    return False


def _named(program: Program, index: int) -> str:
    """The name of the affine map that a value comes from first; else of a leaf."""

    def first(place: int, kinds: tuple[str, ...]) -> str:
        op = program.ops[place]
        if op.name in kinds:
            return str(op["name"])
        return next((n for a in op.args if (n := first(a, kinds))), "")

    return first(index, ("affine",)) or first(index, ("vector", "input", "state"))


def gates(
    layer: nn.Module,
    x: Float[Tensor, "time batch input"],
    state: tuple[LayerState, ...] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
    readings: Mapping[str, Tensor] | None = None,
) -> tuple[Gate, ...]:
    """Every gate of every layer over a run.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.
        x: What it reads.
        state: Its initial state; zeros if not given.
        lengths: Steps that count in each row.
        readings: The cell's further inputs by name.

    Raises:
        ArgumentError: If that is no stack of cells.
        ShapeError: If a tensor does not fit.

    Example:
        >>> from recurro.cells import GRU
        >>> layer = Recurrent(GRU(), input_size=3, hidden_size=8)
        >>> [(g.name, g.values.shape) for g in gates(layer, torch.randn(5, 2, 3))]
        [('r', torch.Size([5, 2, 8])), ('z', torch.Size([5, 2, 8]))]
    """
    return tuple(
        gate
        for run in trajectories(layer, x, state, lengths, readings)
        for gate in gates_of(
            run, linearise_step(run.part, run.stored, run.inputs, run.old)
        )
    )


def gates_of(run: Trajectory, step: Linearised) -> tuple[Gate, ...]:
    """The gates of one layer, where its run was linearised already."""
    found = []
    for index, name in gate_names(step.program).items():
        values = step.values[index].expand(len(step), step.rows, -1)
        if run.active is not None:
            values = torch.where(run.active, values, torch.nan)
        found.append(Gate(run.name, name, values))
    return tuple(found)


SITUATIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "output off": {"o": 0.0},
        "output on": {"o": 1.0},
        "memory reset": {"i": 0.0, "f": 0.0},
        "memory kept": {"i": 0.0, "f": 1.0},
        "memory written": {"i": 1.0, "f": 0.0},
    }
)
"""What saturated gates of an LSTM do: the five situations, by the values of gates."""


def hand_set_lstm(
    by_input: Mapping[str, float] = MappingProxyType({}), **held: float
) -> Recurrent:
    """An LSTM of one unit whose gates are set by hand.

    Its candidate is g = tanh(x / 2), where x is the first of its two inputs; the second
    moves gates.

    Args:
        by_input: For each gate (``i``, ``f``, ``o``) how its value moves from what it
            is held at (where the second input is 0) to this (where it is 1).
        held: What each gate is held at, 0 or 1; ``i`` and ``f`` are 1 and ``o`` is 1
            if not given.

    Raises:
        ArgumentError: If a gate is unknown or held at anything but 0 or 1.

    Example:
        A cell that writes a bit when it is told to, and keeps it for 1,000 steps:

        >>> cell = hand_set_lstm({"i": 1.0, "f": 0.0}, i=0.0, f=1.0)
        >>> x = torch.randn(1001, 1, 2)  # noise
        >>> x[:, 0, 1] = 0.0
        >>> x[0, 0] = torch.tensor([-9.0, 1.0])  # write -1, then see noise alone
        >>> round(float(cell(x)[0][-1]), 3)
        -0.761
    """
    layer = Recurrent(LSTM(), input_size=2, hidden_size=1)
    values = {"i": 1.0, "f": 1.0, "o": 1.0, **held}
    for gate, value in [*values.items(), *by_input.items()]:
        if gate not in ("i", "f", "o") or value not in (0.0, 1.0):
            raise ArgumentError(
                f"hand_set_lstm: gates must be i, f or o at 0 or 1, got {gate}={value}."
            )
    far = 40.0  # where a sigmoid is 0 or 1 to the last digit
    (_, part), *_ = layer._stack.named()
    shapes = part.program.shapes
    parameters = {name: torch.zeros(shape) for name, shape in shapes.items()}
    parameters["W_g"][0, 0] = 0.5
    for gate, value in values.items():
        low = far * (2 * value - 1)
        parameters[f"b_{gate}"][0] = low
        parameters[f"W_{gate}"][0, 1] = (
            far * (2 * by_input[gate] - 1) - low if gate in by_input else 0.0
        )
    with torch.no_grad():
        for name, tensor in part.pack(parameters).items():
            layer.get_parameter(f"{name}_l0").copy_(tensor)
    return layer.requires_grad_(False)
