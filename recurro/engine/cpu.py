"""Runs over time by rendered C, forward and backward, as one step of autograd.

Products with the inputs are made before the loop and those that give weight gradients
after it, each by one large product of PyTorch's; the kernel does what is between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine.adjoint import Adjoint, adjoint
from recurro.engine.build import build, lanes
from recurro.engine.ir import Op, Program
from recurro.engine.plan import (
    Plan,
    backward_plan,
    columns,
    forward_plan,
    kept,
    saved_array,
)
from recurro.engine.reference import HiddenClip, Request, active_steps, run_reference
from recurro.engine.render_cpu import Kernel, Pack, render
from recurro.engine.vendor import is_transformed

_PRELUDE = Path(__file__).with_name("kernel.h")


class _Run(ctypes.Structure):
    """The kernel's ``struct run``."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("T", "B", "start", "stop", "down")),
        ("lengths", ctypes.c_void_p),
        *(
            (name, ctypes.POINTER(ctypes.c_void_p))
            for name in ("first", "last", "trail")
        ),
        ("value", ctypes.c_double),
        ("norm", ctypes.c_double),
    )


@dataclass(frozen=True, eq=False)
class Compiled:
    """A plan, its rendered text and the function made of it."""

    plan: Plan
    kernel: Kernel
    function: Value


def _compile(plan: Plan, dtype: torch.dtype) -> Compiled:
    single = dtype == torch.float32
    real, width = ("float", lanes()) if single else ("double", lanes() // 2)
    kernel = render(plan, width)
    macros = f"#define REAL {real}\n#define LANES {width}\n"
    library = build(macros + _PRELUDE.read_text() + kernel.text)
    function = library.run
    function.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(_Run))
    function.restype = None
    return Compiled(plan, kernel, function)


@cache
def adjoint_of(program: Program) -> tuple[Adjoint, tuple[int, ...]]:
    """The backward step, and the forward operations that it needs kept."""
    back = adjoint(program)
    return back, kept(program, back)


@cache
def compiled(program: Program, dtype: torch.dtype, part: str) -> Compiled:
    """The kernel of a part: ``infer``, ``train`` (forward, keeping), ``backward``."""
    if part == "infer":
        return _compile(forward_plan(program), dtype)
    back, keep = adjoint_of(program)
    if part == "train":
        return _compile(forward_plan(program, keep), dtype)
    return _compile(backward_plan(program, back), dtype)


def packed(pack: Pack, matrices: list[Tensor]) -> Tensor:
    """Matrices in the order in which the products read them; see ``Pack``."""
    out, inner = matrices[0].shape
    block = pack.vectors * pack.lanes
    blocks = -(-out // block)
    whole = matrices[0].new_zeros(len(matrices), blocks * block, inner)
    for place, matrix in enumerate(matrices):
        whole[place, :out] = matrix
    shape = (len(matrices), blocks, pack.vectors, pack.lanes, inner)
    return whole.view(shape).permute(1, 4, 0, 2, 3).contiguous()


def call(
    made: Compiled,
    tensors: dict[str, Tensor],
    first: list[Tensor],
    trail: list[Tensor | None],
    lengths: Tensor | None,
    down: bool,
    clip: HiddenClip | None,
    time: int,
) -> list[Tensor]:
    """Run a kernel; the final carried variables come back.

    Args:
        made: The kernel.
        tensors: Each array of the plan by name; matrices as they are.
        first: The carried variables at the start, ``(batch, width)``.
        trail: For each, what is written (forward) or added (backward) at each step.
        lengths: Steps that count in each row, int64.
        down: Whether time runs from the last step to the first.
        clip: A bound on the carried gradients.
        time: Steps.
    """
    last = [torch.empty_like(value) for value in first]
    arrays = made.plan.arrays
    packs = [
        packed(pack, [_matrix(tensors, arrays[m].name) for m in pack.matrices])
        for pack in made.kernel.packs
    ]
    pointers = [
        None if a.kind == "matrix" else tensors[a.name].data_ptr() for a in arrays
    ]
    pointers += [pack.data_ptr() for pack in packs]
    table = (ctypes.c_void_p * len(pointers))(*pointers)
    batch = len(first[0])

    def tiles(start: int, stop: int) -> None:
        order = _Run(
            time,
            batch,
            start,
            stop,
            down,
            None if lengths is None else lengths.data_ptr(),
            _pointers(first),
            _pointers(last),
            _pointers(trail),
            (clip.value or 0.0) if clip else 0.0,
            (clip.norm or 0.0) if clip else 0.0,
        )
        made.function(table, ctypes.byref(order))

    threads = min(torch.get_num_threads(), -(-batch // 6))
    if threads == 1:
        tiles(0, batch)
    else:
        bounds = [batch * i // threads for i in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(tiles, bounds[:-1], bounds[1:]))
    return last


def _pointers(tensors: Sequence[Tensor | None]) -> Value:
    values = [None if t is None else t.data_ptr() for t in tensors]
    return (ctypes.c_void_p * len(values))(*values)


def _matrix(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name.endswith(".T"):
        return tensors[name.removesuffix(".T")].t()
    return tensors[name]


# -- one step of autograd ----------------------------------------------------------


def obstacle(request: Request) -> str | None:
    """Why the rendered kernels cannot run this, or ``None`` if they can."""
    tensors = (*request.inputs, *request.state, *request.parameters.values())
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
    names = tuple(request.parameters)
    setup = _Setup(request, names, _masks(request))
    tensors = (*request.inputs, *request.state, *request.parameters.values())
    results = _Loop.apply(setup, *tensors)
    count = len(request.state)
    return results[:count], results[count:]


@dataclass(frozen=True, eq=False)
class _Setup:
    """What a run needs besides the tensors that gradients flow to."""

    request: Request
    names: tuple[str, ...]
    masks: dict[str, Tensor]


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
        inputs, state, parameters = _parts(setup, tensors)
        wanted = any(ctx.needs_input_grad)
        time, batch = request.inputs[0].shape[:2]
        made = compiled(program, state[0].dtype, "train" if wanted else "infer")
        saved = {
            a.name: state[0].new_empty(time, batch, a.columns)
            for a in made.plan.arrays
            if a.name.startswith("saved_")
        }
        whole = [s.new_empty(time + 1, *s.shape) for s in state]
        for trail, s in zip(whole, state, strict=True):
            trail[-1 if request.reverse else 0] = s
        new = [t[:-1] if request.reverse else t[1:] for t in whole]
        drive = _drive(program, inputs, parameters)
        named = {**parameters, **inputs, **setup.masks, **saved, "drive": drive}
        lengths = (
            None if request.lengths is None else request.lengths.long().contiguous()
        )
        final = call(
            made, named, list(state), list(new), lengths, request.reverse, None, time
        )
        ctx.setup = setup
        ctx.lengths = lengths
        ctx.saved_names = tuple(saved)
        ctx.save_for_backward(*tensors, *whole, *saved.values())
        return (*new, *final)

    @staticmethod
    def backward(ctx: Value, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        setup: _Setup = ctx.setup
        program, reverse = setup.request.program, setup.request.reverse
        count = len(setup.request.inputs) + len(program.state) + len(setup.names)
        tensors = ctx.saved_tensors[:count]
        if torch.is_grad_enabled():
            return (None, *_differentiable(setup, tensors, grads))
        whole = ctx.saved_tensors[count : count + len(program.state)]
        saved = dict(
            zip(ctx.saved_names, ctx.saved_tensors[count + len(whole) :], strict=True)
        )
        inputs, state, parameters = _parts(setup, tensors)
        old = {
            name: trail[1:] if reverse else trail[:-1]
            for (name, _), trail in zip(program.state, whole, strict=True)
        }
        made = compiled(program, state[0].dtype, "backward")
        time, batch = old[program.state[0][0]].shape[:2]
        into = {
            a.name: state[0].new_zeros(
                (time, batch, a.columns) if a.kind == "sequence" else (batch, a.columns)
            )
            for a in made.plan.arrays
            if a.name == "delta" or a.name.startswith("by_")
        }
        named = {**parameters, **inputs, **setup.masks, **saved, **into}
        named |= {f"old_{name}": value for name, value in old.items()}
        half = len(program.state)
        first = [
            torch.zeros_like(s) if g is None else g.contiguous()
            for s, g in zip(state, grads[half:], strict=True)
        ]
        trail = [None if g is None else g.contiguous() for g in grads[:half]]
        by_state = call(
            made,
            named,
            first,
            trail,
            ctx.lengths,
            not reverse,
            setup.request.clip,
            time,
        )
        by_input, by_parameter = _gather(program, inputs, parameters, old, saved, into)
        return (
            None,
            *(by_input.get(name) for name in setup.request.cell.inputs),
            *by_state,
            *(by_parameter.get(name) for name in setup.names),
        )


def _parts(
    setup: _Setup, tensors: tuple[Tensor, ...]
) -> tuple[dict[str, Tensor], tuple[Tensor, ...], dict[str, Tensor]]:
    """Inputs by name, states, and parameters by name; all contiguous."""
    tensors = tuple(t.detach().contiguous() for t in tensors)
    names = setup.request.cell.inputs
    split = len(names) + len(setup.request.state)
    return (
        dict(zip(names, tensors, strict=False)),
        tensors[len(names) : split],
        dict(zip(setup.names, tensors[split:], strict=True)),
    )


def _reading(program: Program, name: str, kind: str) -> list[tuple[int, Op, str]]:
    """(number of the map, map, matrix) of each product with a leaf, in order."""
    return [
        (call, op, matrix)
        for call, op in enumerate(program.affines())
        for matrix, a in zip(op["matrices"], op.args, strict=True)
        if program.ops[a].name == kind and program.ops[a]["name"] == name
    ]


def _drive(
    program: Program, inputs: dict[str, Tensor], parameters: dict[str, Tensor]
) -> Tensor:
    """The products with the inputs and the biases, for all steps at once."""
    layout = columns(program, hoisted=True)
    maps = [
        op
        for op, offset in zip(program.affines(), layout.offsets, strict=True)
        if offset >= 0
    ]
    like = next(iter(inputs.values()))
    if not maps:
        return like.new_empty(0)
    bias = torch.cat(
        [parameters[m["bias"]] if m["bias"] else like.new_zeros(m.width) for m in maps]
    )
    drive = None
    for name, x in inputs.items():
        weight = x.new_zeros(layout.total, x.shape[2])
        for call, op, matrix in _reading(program, name, "input"):
            start = layout.offsets[call]
            weight[start : start + op.width] += parameters[matrix]
        flat = x.flatten(0, 1)
        made = torch.addmm(bias if drive is None else drive, flat, weight.t())
        drive = made
    assert drive is not None
    return drive.view(*like.shape[:2], layout.total)


def _gather(
    program: Program,
    inputs: dict[str, Tensor],
    parameters: dict[str, Tensor],
    old: dict[str, Tensor],
    saved: dict[str, Tensor],
    into: dict[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The gradients by inputs and parameters, by one product over all steps each."""
    layout = columns(program, hoisted=False)
    delta = into["delta"].flatten(0, 1) if "delta" in into else None
    by_parameter = {
        name.removeprefix("by_"): value.sum(0)
        for name, value in into.items()
        if name.startswith("by_") and value.ndim == 2
    }
    by_input = {
        name.removeprefix("by_"): value
        for name, value in into.items()
        if name.startswith("by_") and value.ndim == 3
    }
    if delta is None:
        return by_input, by_parameter
    sums = delta.sum(0)
    groups: dict[int, list[tuple[int, str, int]]] = {}
    for call, op in enumerate(program.affines()):
        start = layout.offsets[call]
        if op["bias"]:
            _add(by_parameter, op["bias"], sums[start : start + op.width])
        for matrix, a in zip(op["matrices"], op.args, strict=True):
            groups.setdefault(a, []).append((start, matrix, op.width))
    for a, members in groups.items():
        leaf = program.ops[a]
        if leaf.name == "input":
            value = inputs[leaf["name"]]
        elif leaf.name == "state":
            value = old[leaf["name"]]
        else:
            value = saved[saved_array(program, a).name]
        part = _columns(delta, members)
        product = part.t() @ value.flatten(0, 1).expand(len(delta), leaf.width)
        rows = 0
        for _, matrix, width in members:
            _add(by_parameter, matrix, product[rows : rows + width])
            rows += width
        if leaf.name == "input":
            weight = torch.cat([parameters[matrix] for _, matrix, _ in members])
            _add(by_input, leaf["name"], (part @ weight).view_as(value))
    return by_input, by_parameter


def _columns(delta: Tensor, members: list[tuple[int, str, int]]) -> Tensor:
    """The columns of some maps, a view where they stand side by side."""
    first, end = members[0][0], members[0][0]
    for start, _, width in members:
        if start != end:
            return torch.cat([delta[:, s : s + w] for s, _, w in members], 1)
        end += width
    return delta[:, first:end]


def _add(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    sums[name] = sums[name] + value if name in sums else value


def _differentiable(
    setup: _Setup, tensors: tuple[Tensor, ...], grads: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """The same gradients by the reference, so that they can be differentiated again."""
    request, count = setup.request, len(setup.request.inputs)
    split = count + len(request.state)
    again = replace(
        request,
        inputs=tensors[:count],
        state=tensors[count:split],
        parameters=dict(zip(setup.names, tensors[split:], strict=True)),
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
