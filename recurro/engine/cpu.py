"""Runs over time by rendered C, forward and backward, as one step of autograd.

Products with the inputs are made before the loop and those that give weight gradients
after it, each by one large product of PyTorch's; the kernel does what is between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from pathlib import Path
from struct import pack
from threading import local

import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine import team
from recurro.engine.adjoint import Adjoint, adjoint
from recurro.engine.build import build, lanes
from recurro.engine.gradients import Storage, pieces
from recurro.engine.ir import Program
from recurro.engine.layout import SparseMatrix, place_bits, sparse_matrix
from recurro.engine.lower import lower
from recurro.engine.plan import Plan, backward_plan, forward_plan, kept
from recurro.engine.reference import HiddenClip, Request, draw_masks, run_reference
from recurro.engine.render_cpu import Kernel, Place, render
from recurro.engine.scan import obstacle as scan_obstacle
from recurro.engine.scan import run_scan
from recurro.engine.structure import Sparse
from recurro.engine.vendor import is_functional

_PRELUDE = Path(__file__).with_name("kernel.h")
_STRUCTURES = Path(__file__).with_name("structure.h")


@dataclass(frozen=True, eq=False)
class Compiled:
    """A plan, its rendered text and the function made of it.

    Attributes:
        plan: What a step does.
        kernel: The text.
        lanes: Numbers in a vector.
        function: The function.
        sparse: Of each sparse matrix its array, and the number of its stored tensor.
    """

    plan: Plan
    kernel: Kernel
    dtype: torch.dtype
    lanes: int
    function: Value
    sparse: tuple[tuple[int, int], ...]

    @cached_property
    def names(self) -> tuple[str | None, ...]:
        """What each array is called; ``None`` where the kernel has its own memory."""
        return tuple(
            a.name if a.kind in ("sequence", "row") else None for a in self.plan.arrays
        )

    @cached_property
    def saved(self) -> int:
        """Columns of what a forward step keeps."""
        return sum(a.width for a in self.plan.arrays if a.name == "saved")

    @cached_property
    def by_input(self) -> dict[str, int]:
        """Columns of the gradient of each input that the kernel can make."""
        return {
            a.name.removeprefix("by_"): a.columns
            for a in self.plan.arrays
            if a.name.startswith("by_")
        }

    @cached_property
    def each_step(self) -> frozenset[str]:
        """The inputs whose gradients it always writes."""
        stored = (self.plan.arrays[array].name for _, array in self.plan.stores)
        return frozenset(n.removeprefix("by_") for n in stored if n.startswith("by_"))


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
    program = lower(program)
    back, keep = adjoint_of(program)
    found = ()
    if part == "backward":
        plan, found = backward_plan(program, back), pieces(program, storage)
    else:
        plan = forward_plan(program, keep if part == "train" else ())
    single = dtype == torch.float32
    real, width = ("float", lanes()) if single else ("double", lanes() // 2)
    places = _places(program, storage)
    sizes = tuple(
        sum(prod(program.shapes[part]) for part in parts) for _, parts in storage
    )
    kernel = render(plan, width, places, sizes, found)
    macros = f"#define REAL {real}\n#define LANES {width}\n"
    prelude = _PRELUDE.read_text()
    if shaped := [array for array in plan.arrays if array.structure]:
        bits = place_bits(max(array.width for array in shaped))
        prelude += f"#define PLACE_BITS {bits}\n" + _STRUCTURES.read_text()
    function = build(macros + prelude + kernel.text).run
    function.restype = None
    sparse = tuple(
        (number, places[array.name.removesuffix(".T")][0][0])
        for number, array in enumerate(plan.arrays)
        if array.kind == "sparse"
    )
    return Compiled(plan, kernel, dtype, width, function, sparse)


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
    tensors: Mapping[str, Tensor | None],
    stored: Sequence[Tensor],
    first: Sequence[Tensor | None],
    last: Sequence[Tensor | None],
    trail: Sequence[Tensor | None],
    *,
    start: Sequence[Tensor | None] = (),
    gradients: Sequence[Tensor | None] = (),
    lengths: Tensor | None = None,
    down: bool = False,
    clip: HiddenClip | None = None,
    time: int,
    batch: int,
) -> None:
    """Run a kernel.

    Args:
        made: The kernel.
        tensors: Each array of the plan by name.
        stored: The parameters.
        first: The carried variables at the start, ``(batch, width)``; ``None`` for
            zeros.
        last: Where they are written at the end, if they are wanted.
        trail: For each, what is written (forward) or added (backward) at each step.
        start: For each, the state before all steps, where the steps need it.
        gradients: Where those of the parameters are written, for each thread.
        lengths: Steps that count in each row.
        down: Whether time runs from the last step to the first.
        clip: A bound on the carried gradients.
        time: Steps.
        batch: Rows.
    """
    kernel = made.kernel
    threads, members = split_of(made, time, batch, lengths, clip)
    arrays = [None if n is None else tensors.get(n) for n in made.names]
    held = (*arrays, *stored, *first, *last, *trail, *(start or [None] * len(last)))
    pointers = [0 if t is None else t.data_ptr() for t in (*held, *gradients)]
    sparse = [_sparse(made, array, stored[number]) for array, number in made.sparse]
    for (array, _), matrix in zip(made.sparse, sparse, strict=True):
        pointers[array] = ctypes.addressof(matrix.struct)
    work = _workspace(made.dtype, kernel.shared + threads * kernel.own)
    shared, size = work.data_ptr(), work.element_size()
    rows = _rows(lengths, threads)
    order = team.Order(
        *(time, batch, 0, batch, down, True),
        *((rows.lengths.data_ptr(), rows.order.data_ptr()) if rows else (0, 0)),
        *(shared, shared + kernel.shared * size),
        *((clip.value or 0.0, clip.norm or 0.0) if clip else (0.0, 0.0)),
    )
    form = f"{len(pointers)}P"
    tables = [pack(form, *pointers)]
    for i in range(1, threads):  # each thread adds to gradients of its own
        own = [0 if g is None else g[i].data_ptr() for g in gradients]
        tables.append(pack(form, *pointers[: len(held)], *own))
    team.run(made.function, tables, order, kernel.own * size, members)


class _Work(local):
    """What each Python thread keeps: working memory by type."""

    def __init__(self) -> None:
        self.kept: dict[torch.dtype, Tensor] = {}


_WORK = _Work()
KEPT = 2**22
"""Numbers of working memory at most that a thread keeps from call to call: memory that
comes anew costs more than what is done in it."""


def _workspace(dtype: torch.dtype, size: int) -> Tensor:
    """Working memory of a call, of this Python thread alone."""
    if size > KEPT:
        return torch.empty(size, dtype=dtype, device="cpu")
    work = _WORK.kept.get(dtype)
    if work is None or work.shape[0] < size:
        work = _WORK.kept[dtype] = torch.empty(size, dtype=dtype, device="cpu")
    return work


def split_of(
    made: Compiled,
    time: int,
    batch: int,
    lengths: Tensor | None,
    clip: HiddenClip | None,
) -> tuple[int, int]:
    """Into how many parts the rows of a run are cut, and the units."""
    whole = lengths is None and clip is None  # only then units need no one else
    return team.split(time, batch, made.kernel.shared, made.kernel.team and whole)


def _sparse(made: Compiled, number: int, elements: Tensor) -> SparseMatrix:
    """A sparse matrix as the kernel reads it."""
    array = made.plan.arrays[number]
    assert isinstance(array.structure, Sparse)
    back = array.name.endswith(".T")
    return sparse_matrix(array.structure, made.lanes, back, elements)


# -- one step of autograd ----------------------------------------------------------


def obstacle(request: Request) -> str | None:
    """Why the rendered kernels cannot run this, or ``None`` if they can."""
    if is_functional() or torch.compiler.is_exporting():
        return "torch.func and torch.export cannot look into it"
    dtype = request.state[0].dtype
    for tensor in (*request.inputs, *request.state, *request.stored.values()):
        if not tensor.is_cpu or tensor.dtype != dtype:
            return "all tensors must be on the CPU and of one type"
    if dtype not in (torch.float32, torch.float64):
        return f"it has no arithmetic for {dtype}"
    return None


def storage_of(request: Request) -> Storage:
    """The stored tensors of a request, each with the parameters stacked in it."""
    return request.storage or tuple((name, (name,)) for name in request.stored)


def run_cpu(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run the step over time by rendered C; arguments and results as the reference."""
    if request.masks is None:
        request = request._replace(masks=draw_masks(request))
    stored = [request.stored[name] for name, _ in storage_of(request)]
    tensors = (*request.inputs, *request.state, *stored)
    count = len(request.state)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        results = _Loop.apply(request, *tensors)
        return results[:count], results[count:]
    trail, final, _ = run_forward(request, tensors, "infer")
    return tuple(trail), tuple(final)


def _split(
    request: Request, tensors: Sequence[Tensor]
) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """Inputs and masks by name, states, and stored tensors; all contiguous."""
    tensors = [t.contiguous() for t in tensors]
    start, end = len(request.inputs), len(request.inputs) + len(request.state)
    named = dict(zip(request.cell.inputs, tensors[:start], strict=True))
    return {**named, **(request.masks or {})}, tensors[start:end], tensors[end:]


def run_forward(
    request: Request, tensors: Sequence[Tensor], part: str
) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
    """The states at every step, the final ones, and what a backward pass needs.

    Args:
        request: The run, with its masks.
        tensors: Its inputs, states and stored tensors, in place of those in it.
        part: ``infer``, or ``train`` to keep what a backward pass needs.
    """
    named, state, stored = _split(request, tensors)
    time, batch, _ = tensors[0].shape
    made = compiled(request.program, state[0].dtype, storage_of(request), part)
    trail = [s.new_empty((time, *s.shape)) for s in state]
    final = [s.new_empty(s.shape) for s in state]
    saved = None
    if made.saved:
        saved = named["saved"] = state[0].new_empty((time, batch, made.saved))
    call(
        made,
        named,
        stored,
        state,
        final,
        trail,
        lengths=request.lengths,
        down=request.reverse,
        time=time,
        batch=batch,
    )
    return trail, final, saved


def run_backward(
    request: Request,
    given: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """The gradients by the tensors of a run.

    Args:
        request: The run, with its masks.
        given: Its tensors, its states at every step, and what it kept.
        grads: The gradients by the states at every step and by the final ones.
        wanted: For each tensor whether its gradient is.
    """
    half = len(request.state)
    kept = half + 1
    read, state, stored = _split(request, given[:-kept])
    *trail, saved = given[-kept:]
    made = compiled(request.program, saved.dtype, storage_of(request), "backward")
    time, batch, _ = trail[0].shape
    inputs = request.cell.inputs
    named: dict[str, Tensor | None] = {**read, "saved": saved}
    for (name, _), value in zip(request.program.state, trail, strict=True):
        named[f"old_{name}"] = value
    by_input = [
        _by_input(request, made, name, want, time, batch)
        for name, want in zip(inputs, wanted, strict=False)
    ]
    named |= {f"by_{n}": g for n, g in zip(inputs, by_input, strict=True)}
    threads, _ = split_of(made, time, batch, request.lengths, request.clip)
    each = (threads,) if threads > 1 else ()
    memory = torch.empty if batch else torch.zeros  # without rows no kernel writes it
    by_stored = [
        memory((*each, *tensor.shape), dtype=tensor.dtype, device="cpu")
        if want
        else None
        for tensor, want in zip(stored, wanted[-len(stored) :], strict=True)
    ]
    by_state = [
        torch.empty_like(s) if want else None
        for s, want in zip(state, wanted[len(inputs) :], strict=False)
    ]
    from_trail, from_last = grads[:half], grads[half:]
    call(
        made,
        named,
        stored,
        [None if g is None else g.contiguous() for g in from_last],
        by_state,
        [None if g is None else g.contiguous() for g in from_trail],
        start=state,
        gradients=by_stored,
        lengths=request.lengths,
        down=not request.reverse,
        clip=request.clip,
        time=time,
        batch=batch,
    )
    if threads > 1:
        by_stored = [None if g is None else g.sum(0) for g in by_stored]
    return (*by_input, *by_state, *by_stored)


class _Loop(torch.autograd.Function):
    """The loop over time: inputs, states and parameters to the states at every step."""

    @staticmethod
    def forward(ctx: Value, request: Request, *tensors: Tensor) -> tuple[Tensor, ...]:
        trail, final, saved = run_forward(request, tensors, "train")
        ctx.request = request
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *trail, trail[0] if saved is None else saved)
        return (*trail, *final)

    @staticmethod
    def backward(ctx: Value, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        request: Request = ctx.request
        given, kept = ctx.saved_tensors, len(request.state) + 1
        if torch.is_grad_enabled():
            return (None, *_differentiable(request, given[:-kept], grads))
        wanted = ctx.needs_input_grad[1:]
        return (None, *run_backward(request, given, grads, wanted))


def _by_input(
    request: Request, made: Compiled, name: str, want: bool, time: int, batch: int
) -> Tensor | None:
    """Memory for the gradient of an input; zero where rows may end early."""
    if name not in made.by_input or not (want or name in made.each_step):
        return None
    like, shape = request.state[0], (time, batch, made.by_input[name])
    return like.new_empty(shape) if request.lengths is None else like.new_zeros(shape)


def _differentiable(
    request: Request, tensors: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The same gradients by the scan or the reference, to be differentiated again."""
    start, end = len(request.inputs), len(request.inputs) + len(request.state)
    stored = zip(storage_of(request), tensors[end:], strict=True)
    again = request._replace(
        inputs=tuple(tensors[:start]),
        state=tuple(tensors[start:end]),
        stored={name: tensor for (name, _), tensor in stored},
    )
    runner = run_scan if scan_obstacle(again) is None else run_reference
    states, final = runner(again)
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
