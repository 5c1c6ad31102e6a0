"""The Jacobian of a step, for any cell, from its program.

A step maps all state variables at t - 1, side by side in one vector s of n numbers, to
those at t. Its derivative J_t = d s_t / d s_{t-1} is read off the traced program: where
the states are known, every operation has its derivative at all steps at once, and these
are chained through the program as few matrices as there are. An elementwise operation
of a state stays a diagonal; it becomes a matrix only behind a product or a reduction.

References:
    Griewank and Walther (2008), Evaluating Derivatives, sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from recurro.analysis.trajectory import trajectories
from recurro.cells.ops import REDUCTIONS, Value
from recurro.engine import Diagonal, Program, Recurrence
from recurro.engine.adjoint import Adjoint, adjoint, partials
from recurro.engine.evaluate import evaluate, multiply, multiply_back
from recurro.engine.ir import Op
from recurro.engine.reference import Request, draw_masks
from recurro.errors import ArgumentError, ShapeError
from recurro.nn.stack import LayerState
from recurro.types import Float

__all__ = ["LIMIT", "Linearised", "Pulled", "jacobians", "linearise", "linearise_step"]

LIMIT = 2**32
"""Bytes that full Jacobians may take in one call."""
CACHED = 2**17
"""Numbers of a value that are worked on at a time."""

_adjoint = cache(adjoint)
_partials = cache(partials)


@dataclass(frozen=True)
class Pulled:
    """Gradients before a step, from those after it.

    Attributes:
        state: By each state variable at t - 1, ``(time, batch, k, width)``.
        affine: By the value of each affine map in the order of its calls, or ``None``
            where nothing reads it.
        inputs: By each input.
    """

    state: tuple[Tensor, ...]
    affine: tuple[Tensor | None, ...]
    inputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Linearised:
    """The derivatives of a step at every step and row of a run.

    Indexing picks steps: ``linearised[3:5]``, ``linearised[7]``.

    Attributes:
        part: The cell at its sizes.
        parameters: Learnt tensors by their names in the program.
        values: The value of each operation of the step, ``(time, batch, width)`` or
            less where it is the same for all.
        slopes: The value of each operation of its partial derivatives.
        steps: Steps.
        rows: Rows of the batch.
    """

    part: Recurrence
    parameters: Mapping[str, Tensor]
    values: tuple[Tensor, ...]
    slopes: tuple[Tensor, ...]
    steps: int
    rows: int

    @property
    def program(self) -> Program:
        """The traced step."""
        return self.part.program

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each state variable; n is their sum."""
        return tuple(width for _, width in self.program.state)

    @property
    def size(self) -> int:
        """n, the numbers in a state."""
        return sum(self.widths)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, at: int | slice) -> Linearised:
        steps = range(self.steps)[at]
        if isinstance(steps, int):
            at, steps = slice(steps, steps + 1), range(steps, steps + 1)

        def pick(value: Tensor) -> Tensor:
            return value[at] if value.ndim == 3 and len(value) == self.steps else value

        return replace(
            self,
            values=tuple(map(pick, self.values)),
            slopes=tuple(map(pick, self.slopes)),
            steps=len(steps),
        )

    def jacobians(self) -> Float[Tensor, "time batch n n"]:
        """J_t of every step: entry i, j is d s_t[i] / d s_{t-1}[j].

        Raises:
            ArgumentError: If they would take more than ``LIMIT`` bytes.
        """
        like, n = self._like, self.size
        need = self.steps * self.rows * n * n * like.element_size()
        if need > LIMIT:
            raise ArgumentError(
                f"jacobians: {self.steps} x {self.rows} matrices of {n} by {n} numbers "
                f"must fit into {LIMIT >> 20} MiB, got {need >> 20} MiB. Take fewer "
                "steps at a time, or products with k columns: push and pull."
            )
        blocks = []
        for name, width in self.program.state:
            columns = self._push({name: _Diagonal(like.new_ones(width))})
            blocks.append(torch.cat(self._wide(columns, width), -1))
        return torch.cat(blocks, -2).transpose(-1, -2)

    def push(
        self, columns: Float[Tensor, "... n k"]
    ) -> Float[Tensor, "time batch n k"]:
        """J_t V at every step, for k columns V.

        Args:
            columns: ``(time, batch, n, k)``, or without the first axes where it is the
                same V for all.

        Raises:
            ShapeError: If it has not n rows.
        """
        if columns.ndim < 2 or columns.shape[-2] != self.size:
            raise ShapeError(
                f"push: columns must be (..., n={self.size}, k), got "
                f"{tuple(columns.shape)}."
            )
        if spans := self._spans(columns.shape[-1]):
            return torch.cat([self[at].push(_at(columns, at)) for at in spans])
        parts = columns.transpose(-1, -2).split(self.widths, -1)
        seeds = dict(zip((n for n, _ in self.program.state), parts, strict=True))
        pushed = self._push(seeds)
        return torch.cat(self._wide(pushed, columns.shape[-1]), -1).transpose(-1, -2)

    def pull(self, rows: Float[Tensor, "... k n"]) -> Float[Tensor, "time batch k n"]:
        """U J_t at every step, for k rows U: gradients carried back over a step.

        Args:
            rows: ``(time, batch, k, n)``, or without the first axes.

        Raises:
            ShapeError: If it has not n columns.
        """
        if rows.ndim < 2 or rows.shape[-1] != self.size:
            raise ShapeError(
                f"pull: rows must be (..., k, n={self.size}), got {tuple(rows.shape)}."
            )
        if spans := self._spans(rows.shape[-2]):
            return torch.cat([self[at].pull(_at(rows, at)) for at in spans])
        return torch.cat(self.pull_parts(rows.split(self.widths, -1)).state, -1)

    def pull_parts(self, gradients: Sequence[Tensor]) -> Pulled:
        """The same for each variable, and on to the affine maps and the inputs.

        Args:
            gradients: For each state variable k gradients by its value at t,
                ``(..., k, width)``.
        """
        back = _adjoint(self.program)
        names = [name for name, _ in self.program.state]
        leaves: dict[str, Mapping[Value, Tensor]] = {
            "saved": {i: _above(self.values[i]) for i in back.saved},
            "grad": dict(zip(names, gradients, strict=True)),
        }
        for kind in ("input", "state", "bernoulli"):
            leaves[kind] = {
                op["name"]: _above(value)
                for op, value in zip(self.program.ops, self.values, strict=True)
                if op.name == kind
            }
        ops = evaluate(self.program, back.ops, leaves, self.parameters, self._like)
        return self._pulled(back, ops, gradients[0].shape[-2])

    def _spans(self, k: int) -> list[slice]:
        """Steps whose values a cache holds, in turn; empty where that is all steps."""
        span = max(1, CACHED // max(1, self.rows * k * max(self.widths)))
        if span >= self.steps:
            return []
        return [slice(at, at + span) for at in range(0, self.steps, span)]

    def _pulled(self, back: Adjoint, ops: list[Tensor], k: int) -> Pulled:
        """The results of a backward step, with the products that go to inputs."""
        program = self.program
        inputs = {name: self._spread(None, k, width) for name, width in program.inputs}
        for name, index in back.inputs:
            inputs[name] = inputs[name] + ops[index]
        affine: list[Tensor | None] = []
        for op, index in zip(program.affines(), back.affine, strict=True):
            g = None if index is None else self._spread(ops[index], k, op.width)
            affine.append(g)
            for matrix, a in zip(op["matrices"], op.args, strict=True):
                leaf = program.ops[a]
                if leaf.name == "input" and g is not None:
                    part = multiply_back(program, matrix, self.parameters, g)
                    inputs[leaf["name"]] = inputs[leaf["name"]] + part
        state = tuple(
            self._spread(None if index is None else ops[index], k, width)
            for index, width in zip(back.state, self.widths, strict=True)
        )
        return Pulled(state, tuple(affine), tuple(inputs.values()))

    @property
    def _like(self) -> Tensor:
        return self.values[len(self.program.inputs)]  # the first state at t - 1

    def _spread(self, value: Tensor | None, k: int, width: int) -> Tensor:
        """A value for every step, row, direction and unit; zero if there is none."""
        value = self._like.new_zeros(1) if value is None else value
        return value.expand(self.steps, self.rows, k, width)

    def _wide(self, tangents: Sequence[_Tangent], k: int) -> list[Tensor]:
        return [
            self._spread(None if tangent is None else _rows(tangent), k, width)
            for tangent, width in zip(tangents, self.widths, strict=True)
        ]

    def _push(self, seeds: Mapping[str, _Tangent]) -> list[_Tangent]:
        """The derivative of each new state along the directions of the seeds."""
        tangents: list[_Tangent] = []
        of = _partials(self.program).of
        for op, slopes in zip(self.program.ops, of, strict=True):
            if op.name == "state":
                tangents.append(seeds.get(op["name"]))
                continue
            total: _Tangent = None
            for place, a in enumerate(op.args):
                tangent, slope = tangents[a], slopes[place]
                if tangent is None or (slope is None and op.name != "affine"):
                    continue
                if op.name == "affine":
                    part = self._product(op["matrices"][place], tangent)
                else:
                    part = self._scaled(op, a, self.slopes[slope or 0], tangent)
                total = part if total is None else _sum(total, part)
            tangents.append(total)
        return [tangents[result] for result in self.program.results]

    def _scaled(self, op: Op, a: int, slope: Tensor, tangent: _Tangent) -> _Tangent:
        """A tangent of an argument times the derivative by it, unit by unit."""
        if op.name in REDUCTIONS:
            return (_above(slope) * _rows(tangent)).sum(-1, keepdim=True)
        if isinstance(tangent, _Diagonal) and op.width == self.program.ops[a].width:
            return _Diagonal(slope * tangent.values)
        return _above(slope) * _rows(tangent)

    def _product(self, matrix: str, tangent: _Tangent) -> _Tangent:
        """A matrix times a tangent."""
        if not isinstance(tangent, _Diagonal):
            assert tangent is not None
            return multiply(self.program, matrix, self.parameters, tangent)
        elements = self.parameters[matrix]
        structure = self.program.structure(matrix)
        if isinstance(structure, Diagonal):
            return _Diagonal(elements * tangent.values)
        dense = elements if structure is None else structure.dense(elements)
        return dense.T * tangent.values.unsqueeze(-1)


@dataclass(frozen=True)
class _Diagonal:
    """A derivative that moves no unit but its own: its diagonal ``(..., width)``."""

    values: Tensor


_Tangent = _Diagonal | Tensor | None
"""The derivative of a value by k directions: rows ``(..., k, width)``, a diagonal, or
``None`` for zero."""


def _rows(tangent: _Tangent) -> Tensor:
    """A tangent as rows, one for each direction."""
    assert tangent is not None
    return (
        torch.diag_embed(tangent.values) if isinstance(tangent, _Diagonal) else tangent
    )


def _sum(a: _Tangent, b: _Tangent) -> _Tangent:
    if isinstance(a, _Diagonal) and isinstance(b, _Diagonal):
        return _Diagonal(a.values + b.values)
    return _rows(a) + _rows(b)


def _at(value: Tensor, steps: slice) -> Tensor:
    """The steps of what differs from step to step."""
    return value[steps] if value.ndim == 4 and len(value) > 1 else value


def _above(value: Tensor) -> Tensor:
    """A value of each row, to be the same for all directions."""
    return value.unsqueeze(-2) if value.ndim > 1 else value


def linearise_step(
    part: Recurrence,
    stored: Mapping[str, Tensor],
    inputs: tuple[Tensor, ...],
    old: tuple[Tensor, ...],
) -> Linearised:
    """The derivatives of a step where its inputs and old states are known.

    Args:
        part: The cell at its sizes.
        stored: Its tensors, by the names and shapes of ``part.shapes()``.
        inputs: ``(time, batch, width)`` for each input.
        old: The state variables before each step, ``(time, batch, width)`` each. Steps
            need not follow each other.

    Raises:
        ShapeError: If a tensor does not fit.

    Example:
        >>> from recurro.cells import Elman
        >>> from recurro.engine import recurrence
        >>> part = recurrence(Elman(), input_size=1, hidden_size=2)
        >>> stored = {n: torch.ones(s) for n, s in part.shapes().items()}
        >>> at = linearise_step(part, stored, (torch.zeros(1, 1, 1),),
        ...                     (torch.full((1, 1, 2), -1.0),))
        >>> at.jacobians()[0, 0]  # the biases bring the sum to 0, where tanh has 1
        tensor([[1., 1.],
                [1., 1.]])
    """
    _check(part, inputs, old)
    stored = {name: tensor.detach() for name, tensor in stored.items()}
    inputs, old = (tuple(t.detach() for t in group) for group in (inputs, old))
    request = Request(
        *(part.cell, part.program, stored, inputs, old),
        storage=tuple(part.storage.items()),
    )
    parameters, like = part.unpack(stored), old[0]
    masks = draw_masks(request._replace(state=tuple(s[0] for s in old)))
    given = {
        "input": dict(zip((n for n, _ in part.program.inputs), inputs, strict=True)),
        "state": dict(zip((n for n, _ in part.program.state), old, strict=True)),
        "bernoulli": masks,
    }
    values = evaluate(part.program, part.program.ops, given, parameters, like)
    of = _partials(part.program)
    saved = {"saved": {i: values[i] for i in of.saved}}
    slopes = evaluate(part.program, of.ops, {**given, **saved}, parameters, like)
    return Linearised(part, parameters, tuple(values), tuple(slopes), *like.shape[:2])


def _check(
    part: Recurrence, inputs: tuple[Tensor, ...], old: tuple[Tensor, ...]
) -> None:
    sizes = (*part.program.inputs, *part.program.state)
    given = (*inputs, *old)
    if len(given) != len(sizes):
        raise ShapeError(
            f"linearise_step: {type(part.cell).__name__} must have "
            f"{len(part.program.inputs)} inputs and {len(part.program.state)} states, "
            f"got {len(inputs)} and {len(old)}."
        )
    for (name, width), tensor in zip(sizes, given, strict=True):
        wanted = (*given[-1].shape[:2], width)
        if tensor.ndim != 3 or tuple(tensor.shape) != wanted:
            raise ShapeError(
                f"linearise_step: {name} must be (time, batch, {width}) with the same "
                f"time and batch as all others, got {tuple(tensor.shape)}."
            )


def linearise(
    layer: nn.Module,
    x: Float[Tensor, "time batch input"],
    state: tuple[LayerState, ...] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[Linearised, ...]:
    """The derivatives of each layer's step along a run over a sequence.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.
        x: Input ``(time, batch, input)``.
        state: Initial state as the layer takes it; zeros if not given.
        dtype: Compute in this type, such as ``torch.float64``; the layer's if not
            given.

    Returns:
        One for each layer and direction, bottom layer first.

    Raises:
        ArgumentError: If that is no stack of cells.
        ShapeError: If a tensor does not fit.

    Example:
        >>> from recurro.cells import LSTM
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(LSTM(), input_size=3, hidden_size=4)
        >>> (step,) = linearise(layer, torch.randn(10, 2, 3), dtype=torch.float64)
        >>> step.jacobians().shape  # h and c: n = 8
        torch.Size([10, 2, 8, 8])
        >>> columns = torch.randn(8, 1, dtype=torch.float64)
        >>> torch.allclose(step.push(columns), step.jacobians() @ columns)
        True
    """
    return tuple(
        linearise_step(run.part, run.stored, run.inputs, run.old)
        for run in trajectories(layer, x, state, dtype=dtype)
    )


def jacobians(
    layer: nn.Module,
    x: Float[Tensor, "time batch input"],
    state: tuple[LayerState, ...] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[Float[Tensor, "time batch n n"], ...]:
    """J_t = d s_t / d s_{t-1} of every step, for each layer; see ``linearise``.

    Example:
        >>> from recurro.cells import Linear
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(Linear(), input_size=1, hidden_size=2)
        >>> (found,) = jacobians(layer, torch.randn(3, 1, 1))
        >>> torch.equal(found[2, 0], layer.U_h_l0)
        True
    """
    return tuple(each.jacobians() for each in linearise(layer, x, state, dtype=dtype))
