"""PyTorch's own kernels (oneDNN, cuDNN), for cells whose program is one of theirs."""

from __future__ import annotations

import torch
from torch import _VF, Tensor
from torch.autograd import forward_ad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurro.cells.cell import Cell
from recurro.cells.gated import GRU, LSTM
from recurro.cells.simple import Elman
from recurro.engine.constant import constant
from recurro.engine.ir import Program
from recurro.engine.reference import Request
from recurro.engine.trace import trace

TWINS: tuple[tuple[Cell, str], ...] = (
    (LSTM(), "lstm"),
    (GRU(), "gru"),
    (Elman(), "rnn_tanh"),
    (Elman(activation="relu"), "rnn_relu"),
)
"""Cells and the name of PyTorch's kernel for the same equations."""


def twin(cell: Cell, program: Program) -> str | None:
    """The name of PyTorch's kernel for this very program and layout, or ``None``.

    Example:
        >>> twin(LSTM(), trace(LSTM(), 2, 3))
        'lstm'
    """
    if [name for name, _ in program.inputs] != ["x"]:
        return None
    hidden_size = program.state[-1][1]
    bias = any(name.startswith("b_") for name, _ in program.parameters)
    candidates = list(TWINS)
    if len(program.state) == 2 and program.state[0][1] != hidden_size:
        candidates = [(LSTM(proj_size=program.state[0][1]), "lstm")]
    for candidate, kernel in candidates:
        if list(candidate.layout().items()) != list(cell.layout().items()):
            continue
        if program == trace(candidate, program.inputs[0][1], hidden_size, bias=bias):
            return kernel
    return None


def is_transformed() -> bool:
    """Whether torch.compile or torch.func is at work, so that no value can be read."""
    return torch.compiler.is_compiling() or is_functional()


@constant
def is_functional() -> bool:
    """Whether torch.func (grad, vmap, jvp) or forward differentiation is at work."""
    functorch = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    stacked = functorch.peek_interpreter_stack() is not None
    return stacked or forward_ad._current_level >= 0


def obstacle(request: Request, kernel: str | None, return_states: bool) -> str | None:
    """Why PyTorch's kernels cannot run this, or ``None`` if they can."""
    if kernel is None:
        return f"PyTorch has no kernel for {type(request.cell).__name__}"
    if is_transformed():
        return "torch.compile and torch.func cannot look into PyTorch's kernels"
    mixed = request.state[0].is_cpu and torch.is_autocast_enabled("cpu")
    if mixed and torch.get_autocast_dtype("cpu") == torch.float16:
        return "PyTorch's kernels do not run in float16 on every CPU"
    if return_states:
        return "PyTorch's kernels do not give the states of every step"
    if request.memory == "low":
        return "PyTorch's kernels keep every step"
    if request.clip is not None:
        return "PyTorch's kernels cannot clip the gradient by the state"
    if 0 in request.inputs[0].shape or 0 in request.state[0].shape:
        return "PyTorch's kernels refuse empty inputs"
    if request.lengths is not None and int(request.lengths.min()) == 0:
        return "PyTorch's kernels refuse rows of length 0"
    return None


def mixed_type(kernel: str | None, lengths: Tensor | None) -> torch.dtype | None:
    """The type that PyTorch's layer gives under autocast on the CPU.

    ``nn.RNN`` and ``nn.LSTM`` give the type of autocast; ``None`` stands for that of
    the input, as ``nn.GRU`` and ``nn.LSTM`` of packed rows give it.
    """
    if kernel in (None, "gru") or (kernel == "lstm" and lengths is not None):
        return None
    return torch.get_autocast_dtype("cpu")


def run_vendor(
    request: Request, kernel: str | None, stored: dict[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction by PyTorch's kernel.

    Args:
        request: What to run.
        kernel: The kernel's name, from ``twin``.
        stored: The tensors of the cell's layout, in PyTorch's order.

    Returns:
        The first state variable at every step, zero where steps do not count, and the
        final states.
    """
    assert kernel is not None
    run = getattr(_VF, kernel)
    x, weights = request.inputs[0], list(stored.values())
    hidden = [s.unsqueeze(0) for s in request.state]
    options = (len(weights) not in (2, 3), 1, 0.0, request.training, False)
    lengths = request.lengths
    if lengths is not None and int(lengths.min()) == len(x):
        lengths = None  # all steps count: nothing to pack
    if request.reverse:
        x = flip(x, lengths)
    if lengths is None:
        hx = hidden if kernel == "lstm" else hidden[0]
        y, *state = run(x, hx, weights, *options, False)
    else:
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        assert order is not None
        assert back is not None
        hidden = [h[:, order] for h in hidden]
        hx = hidden if kernel == "lstm" else hidden[0]
        data, *state = run(packed.data, packed.batch_sizes, hx, weights, *options)
        y, _ = pad_packed_sequence(packed._replace(data=data), total_length=len(x))
        state = [s[:, back] for s in state]
    if request.reverse:
        y = flip(y, lengths)
    return y, tuple(s.squeeze(0) for s in state)


def flip(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse each row of ``(time, batch, width)`` within its own length.

    Example:
        >>> x = torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]).unsqueeze(-1)
        >>> flip(x, torch.tensor([3, 2])).squeeze(-1)
        tensor([[3., 5.],
                [2., 4.],
                [1., 6.]])
    """
    if lengths is None:
        return x.flip(0)
    t = torch.arange(len(x), device=x.device)[:, None]
    source = torch.where(t < lengths, lengths - 1 - t, t)
    return x.gather(0, source.unsqueeze(-1).expand_as(x))


def step_vendor(
    kernel: str | None,
    x: Tensor,
    state: tuple[Tensor, ...],
    stored: dict[str, Tensor],
) -> tuple[Tensor, ...]:
    """Take one step by PyTorch's own cell.

    Args:
        kernel: The kernel's name, from ``twin``.
        x: What is read, ``(batch, input)``.
        state: The state variables before it, each ``(batch, width)``.
        stored: The tensors of the cell's layout, in PyTorch's order.

    Returns:
        The state variables after it.
    """
    assert kernel is not None
    step = getattr(_VF, f"{kernel}_cell")
    weights = [*stored.values(), None, None][:4]
    if kernel == "lstm":
        return tuple(step(x, state, *weights))
    return (step(x, state[0], *weights),)
