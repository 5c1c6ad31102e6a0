"""Linear recurrences in plain PyTorch, parallel over time and over units.

What does not depend on the state is computed for all steps at once. The rest,
s(t) = A(t) s(t-1) + b(t), is scanned in about sqrt(T) chunks of sqrt(T) steps, and all
chunks take a step together: first each finds its own map from the state before it to
the state after it, then these few maps are applied in turn, and then each chunk walks
from its true first state. So a state is reached by the same sums of products as in the
plain loop; there is no logarithm and no division, and products of A may underflow.

References:
    Blelloch (1990), Prefix Sums and Their Applications, sections 1.2 and 1.4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine.evaluate import evaluate
from recurro.engine.linear import LinearForm, linear_form
from recurro.engine.lower import lower
from recurro.engine.reference import Request, active_steps, draw_masks

Matrix = Sequence[Sequence[Tensor]]
"""A small matrix for each step and unit: rows of ``(time, batch, width)``."""


def obstacle(request: Request) -> str | None:
    """Why a scan cannot run this, or ``None`` if it can."""
    if torch.compiler.is_compiling():
        return "torch.compile cannot look into it"
    if linear_form(lower(request.program)) is None:
        return "the new state is not linear in the old one, unit by unit"
    if request.clip is not None:
        return "a clipped gradient needs the steps one after the other"
    return None


def run_scan(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run a linear step over time; arguments and results as the reference.

    Args:
        request: What to run; ``obstacle`` must be ``None``.
    """
    steps, active = len(request.inputs[0]), None
    if steps == 0:
        return tuple(s.new_empty(0, *s.shape) for s in request.state), request.state
    if request.lengths is not None:
        active = active_steps(request.lengths, steps)
        read = tuple(tensor.masked_fill(~active, 0) for tensor in request.inputs)
        request = request._replace(inputs=read)
    form = linear_form(lower(request.program))
    assert form is not None
    matrix, offsets = _coefficients(request, form, active)
    trail = _scan(matrix, offsets, request.state, request.reverse)
    return trail, tuple(value[0 if request.reverse else -1] for value in trail)


def _coefficients(
    request: Request, form: LinearForm, active: Tensor | None
) -> tuple[list[list[Tensor]], list[Tensor]]:
    """A and b of every step; where steps do not count, 1 and 0."""
    values = _evaluate(request, form)
    shape = (len(request.inputs[0]), *request.state[0].shape)
    like = request.state[0]

    def spread(index: int | None, otherwise: float) -> Tensor:
        value = 0.0 if index is None else values[index]
        if not isinstance(value, Tensor):
            value = like.new_full((), value)
        value = value.to(torch.promote_types(value.dtype, like.dtype))
        if active is not None:
            value = torch.where(active, value, otherwise)
        return value.expand(shape)

    matrix = [
        [spread(index, float(i == j)) for j, index in enumerate(row)]
        for i, row in enumerate(form.factors)
    ]
    return matrix, [spread(index, 0.0) for index in form.offsets]


def _evaluate(request: Request, form: LinearForm) -> list[Tensor]:
    """The operations that do not depend on the state, for all steps at once."""
    inputs = dict(zip(request.cell.inputs, request.inputs, strict=True))
    leaves = {"input": inputs, "bernoulli": draw_masks(request)}
    like = request.state[0]
    return evaluate(request.program, form.ops, leaves, request.parameters, like)


WIDER = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float64,
}
"""The type in which the maps of chunks are made."""


# -- the scan ----------------------------------------------------------------------


def _scan(
    matrix: Matrix, offsets: Sequence[Tensor], state: Sequence[Tensor], reverse: bool
) -> tuple[Tensor, ...]:
    """All states of s(t) = A(t) s(t-1) + b(t), each ``(time, batch, width)``."""
    flat = [entry for row in matrix for entry in row]
    return _Scan.apply(reverse, len(state), *flat, *offsets, *state)


class _Scan(torch.autograd.Function):
    """The scan as one step of autograd; its derivatives are scans again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(reverse: bool, size: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(_chunked(*_split(size, tensors), reverse))

    @staticmethod
    def setup_context(
        ctx: Value, inputs: tuple[Value, ...], output: tuple[Tensor, ...]
    ) -> None:
        ctx.reverse, ctx.size, *tensors = inputs
        matrix, _, state = _split(ctx.size, tensors)
        kept = [entry for row in matrix for entry in row]
        ctx.save_for_backward(*kept, *state, *output)
        ctx.save_for_forward(*kept, *state, *output)

    @staticmethod
    def backward(ctx: Value, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With m the gradient by the states: m(t) = g(t) + A(t+1)^T m(t+1).

        By b it is m(t), by A it is m(t) s(t-1)^T, by the first state A(1)^T m(1).
        """
        matrix, state, trail = _split(ctx.size, ctx.saved_tensors)
        first, last = (-1, 0) if ctx.reverse else (0, -1)
        early, late = slice(None, -1), slice(1, None)
        if ctx.reverse:
            early, late = late, early
        turned = list(zip(*matrix, strict=True))
        later = _scan(
            [[entry[late] for entry in row] for row in turned],
            [g[early] for g in grads],
            [g[last] for g in grads],
            not ctx.reverse,
        )
        by = [
            _follow(g[last], m, not ctx.reverse)
            for g, m in zip(grads, later, strict=True)
        ]
        old = _old(state, trail, ctx.reverse)
        by_state = _times(
            [[entry[first] for entry in row] for row in turned], [m[first] for m in by]
        )
        return (None, None, *(m * s for m in by for s in old), *by, *by_state)

    @staticmethod
    def jvp(ctx: Value, *tangents: Value) -> tuple[Tensor, ...]:
        """The change obeys the same recurrence, with dA s(t-1) + db in place of b."""
        matrix, state, trail = _split(ctx.size, ctx.saved_tensors)
        by_matrix, by_offsets, by_state = _split(ctx.size, tangents[2:])
        drive = _times(by_matrix, _old(state, trail, ctx.reverse), by_offsets)
        return _scan(matrix, drive, by_state, ctx.reverse)


def _split(
    size: int, tensors: Sequence[Tensor]
) -> tuple[list[Sequence[Tensor]], Sequence[Tensor], Sequence[Tensor]]:
    """The rows of a matrix, and two vectors."""
    rows = [tensors[size * i : size * (i + 1)] for i in range(size + 2)]
    return rows[:size], rows[size], rows[size + 1]


def _follow(first: Tensor, rest: Tensor, reverse: bool) -> Tensor:
    """One step and those that come after it in the direction of the run."""
    parts = (rest, first[None]) if reverse else (first[None], rest)
    return torch.cat(parts)


def _old(
    state: Sequence[Tensor], trail: Sequence[Tensor], reverse: bool
) -> list[Tensor]:
    """The states before each step."""
    rest = slice(1, None) if reverse else slice(None, -1)
    pairs = zip(state, trail, strict=True)
    return [_follow(first, later[rest], reverse) for first, later in pairs]


def _times(
    matrix: Matrix, vector: Sequence[Tensor], offset: Sequence[Tensor] | None = None
) -> list[Tensor]:
    """A s + b for each unit, or A s."""
    found = []
    for i, row in enumerate(matrix):
        parts = list(zip(row, vector, strict=True))
        if offset is None:
            value, parts = row[0] * vector[0], parts[1:]
        else:
            value = offset[i]
        for entry, s in parts:
            value = torch.addcmul(value, entry, s)
        found.append(value)
    return found


def _chunked(
    matrix: Matrix, offsets: Sequence[Tensor], state: Sequence[Tensor], reverse: bool
) -> list[Tensor]:
    """The states after each step; see the head of this file."""
    steps = len(offsets[0])
    if steps == 0:
        return [s.new_empty(0, *s.shape) for s in state]
    length = isqrt(steps)
    chunks = steps // length
    whole = chunks * length
    body = slice(steps - whole, None) if reverse else slice(0, whole)
    order = range(length)[::-1] if reverse else range(length)

    def cut(value: Tensor) -> Tensor:
        return value[body].unflatten(0, (chunks, length))

    a, b = [[cut(e) for e in row] for row in matrix], [cut(o) for o in offsets]
    before = _starts(a, b, state, order, reverse)
    rows = _walk(a, b, before, order, dim=1)
    trail = [torch.stack(row, 1).flatten(0, 1) for row in rows]
    rest = range(steps - whole)[::-1] if reverse else range(whole, steps)
    if rest:
        end = [value[0 if reverse else -1] for value in trail]
        rows = _walk(matrix, offsets, end, rest, dim=0)
        pairs = zip(trail, (torch.stack(row) for row in rows), strict=True)
        trail = [torch.cat((t, r)[:: -1 if reverse else 1]) for t, r in pairs]
    return trail


def _walk(
    matrix: Matrix,
    offsets: Sequence[Tensor],
    state: Sequence[Tensor],
    order: range,
    dim: int,
) -> list[list[Tensor]]:
    """Step after step; the states after each, in the order of their places."""
    trail = []
    for t in order:
        at = [[entry.select(dim, t) for entry in row] for row in matrix]
        state = _times(at, state, [offset.select(dim, t) for offset in offsets])
        trail.append(state)
    if order.step < 0:
        trail.reverse()
    return [list(variable) for variable in zip(*trail, strict=True)]


def _starts(
    a: Matrix, b: Sequence[Tensor], state: Sequence[Tensor], order: range, reverse: bool
) -> list[Tensor]:
    """The states before each chunk, ``(chunks, batch, width)``.

    The maps of whole chunks are products of many factors, whose rounding would be felt
    by every later chunk; they are made in the next wider type.
    """
    kind = state[0].dtype
    wide = WIDER.get(kind, kind) if state[0].device.type != "mps" else kind

    def at_step(t: int) -> tuple[list[list[Tensor]], list[Tensor]]:
        rows = [[entry[:, t].to(wide) for entry in row] for row in a]
        return rows, [offset[:, t].to(wide) for offset in b]

    total, ends = at_step(order[0])
    for t in order[1:]:
        at, drive = at_step(t)
        ends = _times(at, ends, drive)
        columns = [_times(at, column) for column in zip(*total, strict=True)]
        total = list(zip(*columns, strict=True))
    chunks = range(len(ends[0]))[:: -1 if reverse else 1]
    found = [state]
    for k in chunks[:-1]:
        at = [[entry[k] for entry in row] for row in total]
        found.append(_times(at, found[-1], [end[k] for end in ends]))
    if reverse:
        found.reverse()
    return [torch.stack(variable).to(kind) for variable in zip(*found, strict=True)]
