"""Runs over time by rendered C, forward and backward, as one step of autograd.

Products with the inputs are made before the loop and those that give weight gradients
after it, each by one large product of PyTorch's; the kernel does what is between.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine.adjoint import Adjoint, adjoint
from recurro.engine.build import build, lanes
from recurro.engine.gradients import weight_gradients
from recurro.engine.ir import Program
from recurro.engine.plan import Plan, backward_plan, forward_plan, kept
from recurro.engine.reference import HiddenClip, Request, active_steps, run_reference
from recurro.engine.render_cpu import Kernel, Place, render
from recurro.engine.vendor import is_transformed

_PRELUDE = Path(__file__).with_name("kernel.h")

Storage = tuple[tuple[str, tuple[str, ...]], ...]
"""For each stored tensor its name and the parameters stacked in it."""


class _Run(ctypes.Structure):
    """The kernel's ``struct run``."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("T", "B", "start", "stop")),
        *((name, ctypes.c_long) for name in ("down", "prepare")),
        *((name, ctypes.c_void_p) for name in ("lengths", "order", "shared", "own")),
        ("value", ctypes.c_double),
        ("norm", ctypes.c_double),
    )


@dataclass(frozen=True, eq=False)
class Compiled:
    """A plan, its rendered text and the function made of it."""

    plan: Plan
    kernel: Kernel
    function: Value

    @cached_property
    def names(self) -> tuple[str | None, ...]:
        """What each array is called; ``None`` for parameters."""
        return tuple(
            a.name if a.kind in ("sequence", "row") else None for a in self.plan.arrays
        )


@cache
def adjoint_of(program: Program) -> tuple[Adjoint, tuple[int, ...]]:
    """The backward step, and the forward operations that it needs kept."""
    back = adjoint(program)
    return back, kept(program, back)


@cache
def compiled(
    program: Program, dtype: torch.dtype, storage: Storage, part: str
) -> Compiled:
    """The kernel of a part: ``infer``, ``train`` (forward, keeping), ``backward``."""
    back, keep = adjoint_of(program)
    if part == "backward":
        plan = backward_plan(program, back)
    else:
        plan = forward_plan(program, keep if part == "train" else ())
    single = dtype == torch.float32
    real, width = ("float", lanes()) if single else ("double", lanes() // 2)
    kernel = render(plan, width, _places(program, storage))
    macros = f"#define REAL {real}\n#define LANES {width}\n"
    library = build(macros + _PRELUDE.read_text() + kernel.text)
    function = library.run
    function.restype = None
    return Compiled(plan, kernel, function)


def _places(program: Program, storage: Storage) -> dict[str, tuple[Place, ...]]:
    """Where each parameter is stored; one that is stored twice is the sum."""
    places: dict[str, tuple[Place, ...]] = {}
    for number, (_, parts) in enumerate(storage):
        offset = 0
        for part in parts:
            places[part] = (*places.get(part, ()), (number, offset))
            offset += prod(program.shapes[part])
    return places


@dataclass(frozen=True, eq=False)
class _Rows:
    """Which rows a kernel takes: all, or each as far as it is long, longest first."""

    lengths: Tensor
    order: Tensor


def _rows(lengths: Tensor | None, threads: int) -> _Rows | None:
    if lengths is None:
        return None
    lengths = lengths.long().contiguous()
    order = lengths.argsort(descending=True, stable=True)
    # Each thread gets rows of all lengths.
    return _Rows(lengths, torch.cat([order[i::threads] for i in range(threads)]))


def call(
    made: Compiled,
    tensors: Mapping[str, Tensor],
    stored: Sequence[Tensor],
    first: Sequence[Tensor],
    trail: Sequence[Tensor | None],
    *,
    start: Sequence[Tensor | None] = (),
    lengths: Tensor | None = None,
    down: bool = False,
    clip: HiddenClip | None = None,
    time: int,
) -> list[Tensor]:
    """Run a kernel; the final carried variables come back.

    Args:
        made: The kernel.
        tensors: Each array of the plan by name.
        stored: The parameters.
        first: The carried variables at the start, ``(batch, width)``.
        trail: For each, what is written (forward) or added (backward) at each step.
        start: For each, the state before all steps, where the steps need it.
        lengths: Steps that count in each row.
        down: Whether time runs from the last step to the first.
        clip: A bound on the carried gradients.
        time: Steps.
    """
    kernel, batch = made.kernel, len(first[0])
    threads = _threads(time, batch, kernel.shared)
    last = [torch.empty_like(value) for value in first]
    arrays = [None if n is None else tensors.get(n) for n in made.names]
    held = (*arrays, *stored, *first, *last, *trail, *(start or [None] * len(first)))
    table = (ctypes.c_void_p * len(held))(
        *[None if t is None else t.data_ptr() for t in held]
    )
    work = first[0].new_empty(kernel.shared + threads * kernel.own)
    shared, size = work.data_ptr(), work.element_size()
    rows = _rows(lengths, threads)
    order = _Run(
        *(time, batch, 0, batch, down, True),
        *((rows.lengths.data_ptr(), rows.order.data_ptr()) if rows else (None, None)),
        *(shared, shared + kernel.shared * size),
        *((clip.value or 0.0, clip.norm or 0.0) if clip else (0.0, 0.0)),
    )
    if threads == 1:
        made.function(table, ctypes.byref(order))
        return last
    order.stop = 0
    made.function(table, ctypes.byref(order))  # packs the parameters
    orders = []
    counts = [len(range(i, batch, threads)) for i in range(threads)]
    for i, count in enumerate(counts):
        part = _Run.from_buffer_copy(order)
        part.prepare, part.start = False, sum(counts[:i])
        part.stop, part.own = part.start + count, order.own + i * kernel.own * size
        orders.append(part)
    list(_pool(threads).map(lambda o: made.function(table, ctypes.byref(o)), orders))
    return last


WORTH = 2**22
"""Products in a run for which a second thread is worth its start."""


def _threads(time: int, batch: int, weights: int) -> int:
    if time * batch * weights < WORTH:
        return 1
    return max(1, min(torch.get_num_threads(), batch // 6))


_POOLS: dict[int, ThreadPoolExecutor] = {}
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_POOLS.clear)


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads)
    return _POOLS[threads]


# -- one step of autograd ----------------------------------------------------------


def obstacle(request: Request) -> str | None:
    """Why the rendered kernels cannot run this, or ``None`` if they can."""
    tensors = (*request.inputs, *request.state, *request.stored.values())
    if is_transformed():
        return "torch.compile and torch.func cannot look into it"
    if torch.is_autocast_enabled("cpu"):
        return "it has no mixed precision"
    dtype = request.state[0].dtype
    if any(t.device.type != "cpu" or t.dtype != dtype for t in tensors):
        return "all tensors must be on the CPU and of one type"
    if dtype not in (torch.float32, torch.float64):
        return f"it has no arithmetic for {dtype}"
    if 0 in request.inputs[0].shape:
        return "there is nothing to run"
    if _has_single_units(request.program):
        return "maps from or to a single unit are left to the reference"
    return None


def _has_single_units(program: Program) -> bool:
    """Whether a state, a parameter or an operand inside the loop is one number."""
    ops = program.ops
    return any(
        (op.width == 1 and op.name in ("state", "affine", "vector", "bernoulli"))
        or (
            op.name == "affine"
            and any(ops[a].width == 1 and ops[a].name != "input" for a in op.args)
        )
        for op in ops
    )


def run_cpu(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run the step over time by rendered C; arguments and results as the reference."""
    if request.lengths is not None:  # what padding holds must not reach a product
        active = active_steps(request.lengths, len(request.inputs[0]))
        read = tuple(tensor.masked_fill(~active, 0) for tensor in request.inputs)
        request = replace(request, inputs=read)
    storage = request.storage or {name: (name,) for name in request.stored}
    setup = _Setup(request, tuple(storage.items()), _masks(request))
    stored = (request.stored[name] for name in storage)
    results = _Loop.apply(setup, *request.inputs, *request.state, *stored)
    count = len(request.state)
    return results[:count], results[count:]


@dataclass(frozen=True, eq=False)
class _Setup:
    """What a run needs besides the tensors that gradients flow to."""

    request: Request
    storage: Storage
    masks: dict[str, Tensor]

    def split(self, tensors: Sequence[Tensor]) -> _Parts:
        """Inputs by name, states, and stored parameters; all contiguous."""
        tensors = [t.contiguous() for t in tensors]
        names = self.request.cell.inputs
        start, end = len(names), len(names) + len(self.request.state)
        inputs = dict(zip(names, tensors[:start], strict=True))
        return inputs, tensors[start:end], tensors[end:]


_Parts = tuple[dict[str, Tensor], list[Tensor], list[Tensor]]


def _masks(request: Request) -> dict[str, Tensor]:
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


class _Loop(torch.autograd.Function):
    """The loop over time: inputs, states and parameters to the states at every step."""

    @staticmethod
    def forward(ctx: Value, setup: _Setup, *tensors: Tensor) -> tuple[Tensor, ...]:
        request, program = setup.request, setup.request.program
        inputs, state, stored = setup.split(tensors)
        time, batch = request.inputs[0].shape[:2]
        wanted = any(ctx.needs_input_grad)
        part = "train" if wanted else "infer"
        made = compiled(program, state[0].dtype, setup.storage, part)
        trail = [s.new_empty(time, *s.shape) for s in state]
        named = {**inputs, **setup.masks}
        kept = sum(a.width for a in made.plan.arrays if a.name == "saved")
        if kept:
            named["saved"] = _rows_of(request, time, batch, kept)
        final = call(
            made,
            named,
            stored,
            state,
            trail,
            lengths=request.lengths,
            down=request.reverse,
            time=time,
        )
        if wanted:
            ctx.setup = setup
            ctx.set_materialize_grads(False)
            saved = named.get("saved", state[0])
            ctx.save_for_backward(*inputs.values(), *state, *stored, *trail, saved)
        return (*trail, *final)

    @staticmethod
    def backward(ctx: Value, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        setup: _Setup = ctx.setup
        request, program = setup.request, setup.request.program
        half = len(request.state)
        split = len(request.inputs) + half + len(setup.storage)
        if torch.is_grad_enabled():
            given = ctx.saved_tensors[:split]
            return (None, *_differentiable(setup, given, grads))
        inputs, state, stored = setup.split(ctx.saved_tensors[:split])
        *trail, saved = ctx.saved_tensors[split:]
        made = compiled(program, state[0].dtype, setup.storage, "backward")
        time, batch = trail[0].shape[:2]
        names = [name for name, _ in program.state]
        named = {**inputs, **setup.masks, "saved": saved}
        named |= {f"old_{n}": value for n, value in zip(names, trail, strict=True)}
        for array in made.plan.arrays:
            if array.name == "delta" or array.name in _by(setup, ctx, made):
                named[array.name] = _rows_of(request, time, batch, array.columns)
            if array.name == "sums":
                named["sums"] = state[0].new_zeros(batch, array.columns)
        by_state = call(
            made,
            named,
            stored,
            [
                torch.zeros_like(s) if g is None else g.contiguous()
                for s, g in zip(state, grads[half:], strict=True)
            ],
            [None if g is None else g.contiguous() for g in grads[:half]],
            start=state,
            lengths=request.lengths,
            down=not request.reverse,
            clip=request.clip,
            time=time,
        )
        operands = {**inputs, "saved": saved}
        operands |= {
            f"old_{n}": (s, t) for n, s, t in zip(names, state, trail, strict=True)
        }
        by_stored = weight_gradients(
            program, setup.storage, operands, named, request.reverse, stored
        )
        by_input = (named.get(f"by_{name}") for name in request.cell.inputs)
        return (None, *by_input, *by_state, *by_stored)


def _by(setup: _Setup, ctx: Value, made: Compiled) -> set[str]:
    """The arrays of input gradients that are wanted or that the steps write."""
    names = setup.request.cell.inputs
    wanted = {f"by_{n}" for i, n in enumerate(names) if ctx.needs_input_grad[1 + i]}
    stored = {made.plan.arrays[array].name for _, array in made.plan.stores}
    return {name for name in wanted | stored if name.startswith("by_")}


def _rows_of(request: Request, time: int, batch: int, width: int) -> Tensor:
    """Memory for a value at each step; zero where rows may end early."""
    shape, like = (time, batch, width), request.state[0]
    return like.new_empty(shape) if request.lengths is None else like.new_zeros(shape)


def _differentiable(
    setup: _Setup, tensors: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The same gradients by the reference, so that they can be differentiated again."""
    request, count = setup.request, len(setup.request.inputs)
    split = count + len(request.state)
    again = replace(
        request,
        inputs=tuple(tensors[:count]),
        state=tuple(tensors[count:split]),
        stored={n: t for (n, _), t in zip(setup.storage, tensors[split:], strict=True)},
    )
    states, final = run_reference(again)
    pairs = [
        (y, g)
        for y, g in zip((*states, *final), grads, strict=True)
        if g is not None and y.requires_grad
    ]
    wanted = [t for t in tensors if t.requires_grad]
    found = iter(
        torch.autograd.grad(
            [y for y, _ in pairs],
            wanted,
            [g for _, g in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return tuple(next(found) if t.requires_grad else None for t in tensors)
