"""The plain loop over time in PyTorch, the judge of every other interpretation.

It runs the step itself, not the program; from the program it takes only which products
can be made together: those of the inputs for all steps before the loop, those of one
value within a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import linear

from recurro.cells.cell import Cell, Per
from recurro.cells.ops import Value
from recurro.engine.ir import Program


@dataclass(frozen=True)
class HiddenClip:
    """A bound on the gradient of the loss by the state, as it passes a step backward.

    Attributes:
        value: Each element is held in [-value, value].
        norm: The gradient of each row is scaled to at most this Euclidean norm.
    """

    value: float | None = None
    norm: float | None = None

    def __call__(self, gradient: Tensor) -> Tensor:
        """The clipped gradient ``(batch, units)``; differentiable."""
        if self.value is not None:
            gradient = gradient.clamp(-self.value, self.value)
        if self.norm is not None:
            size = gradient.norm(dim=-1, keepdim=True).clamp_min(self.norm)
            gradient = gradient * (self.norm / size)
        return gradient


Memory = Literal["high", "low"]
"""Whether all that the way back needs is kept, or only the states at some steps."""


class Request(NamedTuple):
    """One run over time, after its arguments were checked.

    Attributes:
        cell: The cell, and ``program`` its trace.
        stored: Learnt tensors by the names under which they are stored.
        inputs: Each ``(time, batch, width)``, in the cell's order.
        state: Initial state variables, each ``(batch, width)``.
        lengths: Steps that count in each row ``(batch,)``, or ``None``.
        reverse: Whether each row is read from its end to its start.
        clip: Bound on the gradient by the state, or ``None``.
        training: Whether masks are random.
        generator: Where the masks are drawn from; torch's own if ``None``.
        storage: For each stored tensor its name and the parameters stacked in it;
            ``None`` where each parameter is stored alone.
        memory: ``low`` where only some states may be kept for the way back.
        masks: Masks that were drawn before, as ``draw_masks`` gives them.
    """

    cell: Cell
    program: Program
    stored: Mapping[str, Tensor]
    inputs: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    lengths: Tensor | None = None
    reverse: bool = False
    clip: HiddenClip | None = None
    training: bool = False
    generator: Generator | None = None
    storage: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    memory: Memory = "high"
    masks: Mapping[str, Tensor] | None = None

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """Learnt tensors by their names in the program."""
        if self.storage is None:
            return self.stored
        return unpack(self.program, dict(self.storage), self.stored)


def unpack(
    program: Program,
    storage: Mapping[str, tuple[str, ...]],
    stored: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Parameters from stored tensors; one that is stored twice is the sum."""
    shapes, parameters = program.shapes, {}
    for name, parts in storage.items():
        pieces = (
            stored[name].split([shapes[p][0] for p in parts])
            if len(parts) > 1
            else (stored[name],)
        )
        for part, piece in zip(parts, pieces, strict=True):
            known = parameters.get(part)
            parameters[part] = piece if known is None else known + piece
    return parameters


class _Products:
    """Which products of the affine maps share their operand, and so one GEMM.

    The affine maps are numbered in the order of the step's calls. ``groups`` maps the
    index of an operand to the (map, place) pairs that read it through a dense matrix;
    matrices with a structure make their products alone.
    """

    def __init__(self, program: Program, parameters: Mapping[str, Tensor]) -> None:
        self.program, self.parameters = program, parameters
        self.affines = program.affines()
        groups: dict[int, list[tuple[int, int]]] = {}
        for i, affine in enumerate(self.affines):
            for place, operand in enumerate(affine.args):
                if program.structure(affine["matrices"][place]) is None:
                    groups.setdefault(operand, []).append((i, place))
        self.groups = groups
        self.weights: dict[int, tuple[Tensor, Tensor | None, list[int]]] = {}
        for operand, members in groups.items():
            maps = [(self.affines[i], place) for i, place in members]
            matrices = [parameters[m["matrices"][place]] for m, place in maps]
            biases = [
                parameters[m["bias"]] if place == 0 and m["bias"] else None
                for m, place in maps
            ]
            widths = [len(matrix) for matrix in matrices]
            bias = _join_biases(biases, matrices)
            self.weights[operand] = (_join(matrices), bias, widths)

    def of(self, operand: int, value: Tensor) -> dict[tuple[int, int], Tensor]:
        """All products of one value, by (map, place)."""
        weight, bias, widths = self.weights[operand]
        parts = linear(value, weight, bias)
        if len(widths) == 1:
            return {self.groups[operand][0]: parts}
        return dict(zip(self.groups[operand], parts.split(widths, -1), strict=True))

    def structured(self, i: int, place: int, value: Tensor) -> Tensor | None:
        """The product of a matrix with a structure; ``None`` for a dense one."""
        affine = self.affines[i]
        name = affine["matrices"][place]
        structure = self.program.structure(name)
        if structure is None:
            return None
        product = structure.multiply(self.parameters[name], value)
        biased = place == 0 and affine["bias"]
        return product + self.parameters[affine["bias"]] if biased else product


def _join(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _join_biases(biases: list[Tensor | None], like: list[Tensor]) -> Tensor | None:
    if all(bias is None for bias in biases):
        return None
    pairs = zip(biases, like, strict=True)
    return _join([m.new_zeros(len(m)) if b is None else b for b, m in pairs])


class _Eager:
    """The context of the reference loop: affine maps are products of tensors."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.program = request.program
        self.parameters = request.parameters
        self.products = _Products(request.program, self.parameters)
        inputs = dict(zip(request.cell.inputs, request.inputs, strict=True))
        self.hoisted: dict[tuple[int, int], tuple[Tensor, ...]] = {}
        for operand in self.products.groups:
            op = self.program.ops[operand]
            if op.name == "input":
                parts = self.products.of(operand, inputs[op["name"]])
                self.hoisted |= {key: part.unbind(0) for key, part in parts.items()}
        self.per_sequence: dict[str, Value] = {}

    def start(self, t: int) -> None:
        """Begin step t: nothing of the last one is kept."""
        self.t = t
        self.calls = 0
        self.made: dict[tuple[int, int], Tensor] = {}
        self.per_step: dict[str, Value] = {}

    def affine(
        self, name: str, operands: tuple[Value, ...], width: int | None, bias: bool
    ) -> Value:
        i, affines = self.calls, self.products.affines
        if i == len(affines) or affines[i]["name"] != name:
            return self.request.state[0].new_zeros(1)  # no operand and no bias
        self.calls += 1
        if not operands:
            return self.parameters[affines[i]["bias"]]
        total = self._product(i, 0, operands[0])
        for place in range(1, len(operands)):
            total = total + self._product(i, place, operands[place])
        return total

    def _product(self, i: int, place: int, value: Value) -> Tensor:
        key = (i, place)
        if key in self.hoisted:
            return self.hoisted[key][self.t]
        if key not in self.made:
            alone = self.products.structured(i, place, value)
            if alone is not None:
                return alone
            self.made |= self.products.of(self.products.affines[i].args[place], value)
        return self.made[key]

    def vector(self, name: str, width: int | None) -> Tensor:
        return self.parameters[name]

    def bernoulli(self, name: str, p: float, per: Per, width: int | None) -> Value:
        training, like = self.request.training, self.request.state[0]
        if self.request.masks is not None:
            mask = self.request.masks[name]
            return mask[self.t] if per == "step" else mask
        per_step = training and per == "step"
        drawn = self.per_step if per_step else self.per_sequence
        if name not in drawn:
            ops = self.program.ops
            op = next(o for o in ops if o.name == "bernoulli" and o["name"] == name)
            mask = like.new_full((like.shape[0], op.width), p)
            if training:
                mask.bernoulli_(p, generator=self.request.generator)
            drawn[name] = mask
        return drawn[name]


def run_reference(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run the step over time.

    Args:
        request: What to run.

    Returns:
        Every state variable at every step, each ``(time, batch, width)``, and the final
        states. A row's state stands still where its steps do not count.
    """
    steps, active = len(request.inputs[0]), None
    if request.lengths is not None:
        active = active_steps(request.lengths, steps)
        read = tuple(tensor.masked_fill(~active, 0) for tensor in request.inputs)
        request = request._replace(inputs=read)
    context = _Eager(request)
    cell = request.cell.bind(context)
    inputs = [tensor.unbind(0) for tensor in request.inputs]
    state = request.state
    trail: list[tuple[Tensor, ...]] = []
    for t in reversed(range(steps)) if request.reverse else range(steps):
        context.start(t)
        old = state if request.clip is None else clip_gradient(state, request.clip)
        new = cell.step(*(tensor[t] for tensor in inputs), *old)
        new = new if isinstance(new, tuple) else (new,)
        new = tuple(_spread(n, o) for n, o in zip(new, old, strict=True))
        if active is not None:  # what stands still passes no step, so no clip
            keep = zip(new, state, strict=True)
            new = tuple(torch.where(active[t], n, s) for n, s in keep)
        state = new
        trail.append(state)
    if request.reverse:
        trail.reverse()
    if not trail:
        return tuple(s.new_empty(0, *s.shape) for s in state), state
    return tuple(torch.stack(variable) for variable in zip(*trail, strict=True)), state


def _spread(new: Value, old: Tensor) -> Tensor:
    """A new state of width 1, or a plain number, spread over all rows and units."""
    if isinstance(new, Tensor) and new.shape == old.shape:
        return new
    return torch.zeros_like(old) + new


def active_steps(lengths: Tensor, steps: int) -> Tensor:
    """Which steps of each row count, ``(time, batch, 1)`` of bool."""
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths)[..., None]


def draw_masks(request: Request) -> dict[str, Tensor]:
    """The masks of all steps ``(time, batch, width)``, of sequences without time."""
    if request.masks is not None:
        return dict(request.masks)
    time, batch = request.inputs[0].shape[:2]
    masks = {}
    for op in request.program.ops:
        if op.name == "bernoulli":
            shape = (
                (batch, op.width)
                if op["per"] == "sequence"
                else (time, batch, op.width)
            )
            mask = request.state[0].new_empty(shape)
            if request.training:
                mask.bernoulli_(op["p"], generator=request.generator)
            else:
                mask.fill_(op["p"])
            masks[op["name"]] = mask
    return masks


class _ClippedBackward(torch.autograd.Function):
    """The same state, whose gradient is clipped on its way back."""

    generate_vmap_rule = True

    @staticmethod
    def forward(state: Tensor, clip: HiddenClip) -> Tensor:
        return state.view_as(state)

    @staticmethod
    def setup_context(
        ctx: Value, inputs: tuple[Tensor, HiddenClip], output: Value
    ) -> None:
        ctx.clip = inputs[1]

    @staticmethod
    def backward(ctx: Value, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.clip(gradients[0]), None


def clip_gradient(state: tuple[Tensor, ...], clip: HiddenClip) -> tuple[Tensor, ...]:
    """The same states, whose gradients are clipped on their way back."""
    return tuple(_ClippedBackward.apply(variable, clip) for variable in state)
