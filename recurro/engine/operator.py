"""The loop in C as an operator of PyTorch's, so that torch.compile takes it whole.

Eager calls go to ``recurro.engine.cpu``, which costs less at each call. A graph holds
the operator instead, once for a run over time of whatever length: it knows the shapes
of its results, for symbolic sizes too, and its own gradient. A graph names the program
by a key made from its contents.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from recurro.cells.cell import Cell
from recurro.cells.ops import Value
from recurro.engine.constant import constant
from recurro.engine.cpu import (
    compiled,
    run_backward,
    run_forward,
    storage_of,
)
from recurro.engine.gradients import Storage
from recurro.engine.ir import Program
from recurro.engine.reference import HiddenClip, Request, draw_masks
from recurro.errors import BackendError

_KNOWN: dict[str, tuple[Cell, Program, Storage]] = {}


@constant
def known(cell: Cell, program: Program, storage: Storage) -> str:
    """The key of a program; torch.compile asks for it as it makes its graph."""
    bare = replace(program, ops=tuple(replace(op, line="") for op in program.ops))
    key = hashlib.sha256(pickle.dumps((bare, storage))).hexdigest()
    _KNOWN[key] = (cell, program, storage)
    return key


def run_operator(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run the step over time within a graph; arguments and results as the reference."""
    storage, clip = storage_of(request), request.clip or HiddenClip()
    stored = [request.stored[name] for name, _ in storage]
    tensors = [*request.inputs, *request.state, *stored]
    results = torch.ops.recurro.loop(
        known(request.cell, request.program, storage),
        tensors,
        list(draw_masks(request).values()),
        request.lengths,
        request.reverse,
        clip.value,
        clip.norm,
        torch.is_grad_enabled() and any(t.requires_grad for t in tensors),
    )
    count = len(request.state)
    return tuple(results[:count]), tuple(results[count : 2 * count])


# -- the operators -----------------------------------------------------------------

_ARGUMENTS = (
    "str key, Tensor[] tensors, Tensor[] masks, Tensor? lengths, bool reverse, "
    "float? value, float? norm"
)
torch.library.define("recurro::loop", f"({_ARGUMENTS}, bool keep) -> Tensor[]")
torch.library.define(
    "recurro::loop_backward",
    f"({_ARGUMENTS}, Tensor[] kept, Tensor?[] grads, bool[] wanted) -> Tensor[]",
)
"""``tensors`` are inputs, states and parameters. ``loop`` gives the states at every
step, the final ones and, if asked to ``keep``, what its gradient needs besides;
``loop_backward`` the gradients of the tensors, empty for an input without any."""


def _request(
    key: str,
    tensors: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    value: float | None,
    norm: float | None,
) -> Request:
    if key not in _KNOWN:
        raise BackendError(
            "loop: the process that runs a graph must have made it, got the unknown "
            f"program {key[:8]}. Compile the model anew."
        )
    cell, program, storage = _KNOWN[key]
    first, second = len(program.inputs), len(program.inputs) + len(program.state)
    drawn = [op["name"] for op in program.ops if op.name == "bernoulli"]
    return Request(
        cell,
        program,
        {n: t for (n, _), t in zip(storage, tensors[second:], strict=True)},
        tuple(tensors[:first]),
        tuple(tensors[first:second]),
        lengths,
        reverse,
        None if value is None and norm is None else HiddenClip(value, norm),
        storage=storage,
        masks=dict(zip(drawn, masks, strict=True)),
    )


@torch.library.impl("recurro::loop", "cpu")
@torch.no_grad()
def _loop(
    key: str,
    tensors: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    value: float | None,
    norm: float | None,
    keep: bool,
) -> list[Tensor]:
    request = _request(key, tensors, masks, lengths, reverse, value, norm)
    trail, final, saved = run_forward(request, tensors, "train" if keep else "infer")
    if not keep:
        return [*trail, *final]
    return [*trail, *final, final[0].new_empty(0) if saved is None else saved]


@torch.library.register_fake("recurro::loop")
def _loop_shapes(
    key: str,
    tensors: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    value: float | None,
    norm: float | None,
    keep: bool,
) -> list[Tensor]:
    request = _request(key, tensors, masks, lengths, reverse, value, norm)
    (time, batch), state = tensors[0].shape[:2], request.state
    shapes = [(time, *s.shape) for s in state] + [tuple(s.shape) for s in state]
    if keep:
        made = compiled(request.program, state[0].dtype, storage_of(request), "train")
        shapes.append((time, batch, made.saved) if made.saved else (0,))
    return [state[0].new_empty(shape) for shape in shapes]


@torch.library.impl("recurro::loop_backward", "cpu")
@torch.no_grad()
def _loop_backward(
    key: str,
    tensors: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    value: float | None,
    norm: float | None,
    kept: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    request = _request(key, tensors, masks, lengths, reverse, value, norm)
    found = run_backward(request, [*tensors, *kept], grads, wanted)
    return [
        _own(t, g) if want else t.new_empty(0)
        for t, g, want in zip(tensors, found, wanted, strict=True)
    ]


def _own(tensor: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient in memory of its own, as the results of operators must be."""
    if gradient is None:
        return torch.zeros_like(tensor, memory_format=torch.contiguous_format)
    return gradient.clone() if gradient._is_view() else gradient


@torch.library.register_fake("recurro::loop_backward")
def _loop_backward_shapes(
    key: str,
    tensors: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    value: float | None,
    norm: float | None,
    kept: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    return [
        t.new_empty(t.shape if want else 0)
        for t, want in zip(tensors, wanted, strict=True)
    ]


def _keep(ctx: Value, inputs: tuple[Value, ...], output: Sequence[Tensor]) -> None:
    key, tensors, masks, lengths, *options, keep = inputs
    if not keep:
        raise BackendError(
            "loop: keep must be true where gradients are wanted, got false."
        )
    half = len(_KNOWN[key][1].state)
    ctx.key, ctx.options, ctx.counts = key, options, (len(tensors), len(masks))
    ctx.half = half
    kept = [*output[:half], output[-1]]
    ctx.save_for_backward(*tensors, *masks, *kept, lengths)


def _differentiate(ctx: Value, grads: Sequence[Tensor | None]) -> tuple[Value, ...]:
    *saved, lengths = ctx.saved_tensors
    first, second = ctx.counts
    tensors, masks = saved[:first], saved[first : first + second]
    wanted = list(ctx.needs_input_grad[1])
    found = torch.ops.recurro.loop_backward(
        ctx.key,
        tensors,
        masks,
        lengths,
        *ctx.options,
        saved[first + second :],
        list(grads[: 2 * ctx.half]),
        wanted,
    )
    by = [g if want else None for g, want in zip(found, wanted, strict=True)]
    return (None, by, [None] * second, None, None, None, None, None)


torch.library.register_autograd("recurro::loop", _differentiate, setup_context=_keep)
