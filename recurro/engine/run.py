"""Run a recurrence over time: check the arguments, choose a backend, join the parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from recurro.cells.cell import Cell
from recurro.engine.backends import Backend, choose
from recurro.engine.cpu import run_cpu
from recurro.engine.ir import Program
from recurro.engine.memory import run_in_spans
from recurro.engine.operator import run_operator
from recurro.engine.reference import (
    HiddenClip,
    Memory,
    Request,
    active_steps,
    run_reference,
    unpack,
)
from recurro.engine.scan import run_scan
from recurro.engine.structure import Structure
from recurro.engine.trace import trace
from recurro.engine.vendor import is_transformed, mixed_type, run_vendor, twin
from recurro.errors import ArgumentError, ShapeError


class Result(NamedTuple):
    """What a run over time gives.

    Attributes:
        output: ``(time, batch, width)``; zero where a row's steps do not count.
        state: The final state variables, each ``(batch, width)``.
        states: Every state variable at every step, ``(time, batch, width)`` each, if
            asked for.
    """

    output: Tensor
    state: tuple[Tensor, ...]
    states: tuple[Tensor, ...] | None


@dataclass(frozen=True)
class Recurrence:
    """A cell at given sizes, with its program and the tensors that it needs.

    Attributes:
        cell: The cell.
        program: Its trace.
        storage: For each stored tensor the parameters stacked in it.
        kernel: PyTorch's kernel for the same program, or ``None``.
    """

    cell: Cell
    program: Program
    storage: Mapping[str, tuple[str, ...]]
    kernel: str | None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each stored tensor."""
        shapes = self.program.shapes
        return {
            stored: (sum(shapes[name][0] for name in names), *shapes[names[0]][1:])
            for stored, names in self.storage.items()
        }

    def pack(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Stored tensors from parameters; of summed ones the first holds the value."""
        stored, seen = {}, set()
        for name, parts in self.storage.items():
            tensors = [
                torch.zeros_like(parameters[p]) if p in seen else parameters[p]
                for p in parts
            ]
            stored[name] = torch.cat(tensors)
            seen.update(parts)
        return stored

    def unpack(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters from stored tensors."""
        return unpack(self.program, self.storage, stored)


def recurrence(
    cell: Cell,
    input_size: int | Mapping[str, int],
    hidden_size: int,
    bias: bool = True,
    recurrent: Structure | None = None,
) -> Recurrence:
    """Trace a cell at given sizes and lay out its tensors.

    Args:
        cell: The cell.
        input_size: Width of the input, or of each input by name.
        hidden_size: Units of the layer.
        bias: Whether affine maps may have biases.
        recurrent: The structure of the recurrent matrices. With one, each parameter is
            stored under its own name: PyTorch has no such layer.

    Example:
        >>> from recurro.cells import LSTM
        >>> recurrence(LSTM(), input_size=3, hidden_size=2).shapes()["weight_ih"]
        (8, 3)
    """
    program = trace(cell, input_size, hidden_size, bias=bias, recurrent=recurrent)
    rest, storage = dict(program.shapes), {}
    layout = cell.layout() if recurrent is None else {}
    for stored, names in layout.items():
        if present := tuple(name for name in names if name in program.shapes):
            storage[stored] = present
            for name in present:
                rest.pop(name, None)
    storage |= {name: (name,) for name in rest}
    return Recurrence(cell, program, storage, twin(cell, program))


def run(
    recurrence: Recurrence,
    stored: Mapping[str, Tensor],
    inputs: Tensor | tuple[Tensor, ...],
    state: tuple[Tensor, ...] | None = None,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
    return_states: bool = False,
    clip: HiddenClip | None = None,
    training: bool = False,
    backend: Backend = "auto",
    memory: Memory = "high",
    generator: Generator | None = None,
) -> Result:
    """Run a recurrence over time.

    ``auto`` takes C rendered from the equations, PyTorch's kernel where the C cannot
    run or is not worth it, a scan for linear cells, or the reference
    (``recurro.engine.backends`` has the rule). Results do not depend on the backend
    beyond rounding. Second derivatives of rendered C, and what runs under torch.func,
    come from the scan or reference; a graph of torch.compile holds the C as one
    operator. Under autocast on the CPU it computes in the parameters' type, and the
    results have the type that PyTorch's layer gives there (for a cell without a twin
    the input's).

    Args:
        recurrence: The cell at its sizes.
        stored: Its tensors, by the names and shapes of ``recurrence.shapes()``.
        inputs: ``(time, batch, input)``, or one such tensor for each input.
        state: Initial state variables, each ``(batch, width)``; zeros if not given.
        lengths: Steps that count in each row ``(batch,)``, each in [0, time]. After
            them the state stands still and the output is zero.
        reverse: Whether each row is read from its last step to its first.
        return_states: Whether the state variables at every step are given too.
        clip: Bound on the gradient of the loss by the state at each step backward.
        training: Whether the cell's masks are random.
        backend: ``auto``, ``reference``, ``vendor``, ``cpu`` or ``scan``.
        memory: ``low`` keeps the states at about every sqrt(time)-th step alone and
            makes the rest again on the way back.
        generator: Where the masks are drawn from; torch's own if not given.

    Raises:
        ArgumentError: If ``memory`` or ``backend`` is unknown.
        ShapeError: If a tensor does not fit.
        BackendError: If the named backend cannot run this.

    Example:
        >>> from recurro.cells import Leaky
        >>> leaky = recurrence(Leaky(leak_rate=0.5), input_size=1, hidden_size=2)
        >>> stored = {n: torch.ones(s) for n, s in leaky.shapes().items()}
        >>> run(leaky, stored, torch.zeros(3, 1, 1)).output.shape
        torch.Size([3, 1, 2])
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    _check_inputs(recurrence, inputs, lengths)
    state = _initial_state(recurrence, inputs[0], state)
    _check_types(recurrence, stored, (*inputs, *state))
    like = next(iter(stored.values()), inputs[0])
    mixed = like.is_cpu and torch.is_autocast_enabled("cpu")
    given = inputs[0].dtype
    if mixed:
        inputs = tuple(tensor.to(like.dtype) for tensor in inputs)
        state = tuple(tensor.to(like.dtype) for tensor in state)
    request = Request(
        recurrence.cell,
        recurrence.program,
        stored,
        inputs,
        state,
        lengths,
        reverse,
        clip,
        training,
        generator,
        tuple(recurrence.storage.items()),
        memory,
    )
    if memory not in ("high", "low"):
        raise ArgumentError(f"run: memory must be 'high' or 'low', got {memory!r}.")
    chosen = choose(request, recurrence.kernel, backend, return_states)
    kernel = recurrence.kernel
    if not mixed:
        return _run_by(chosen, request, kernel, return_states)
    with torch.autocast("cpu", enabled=chosen in ("vendor", "reference")):
        result = _run_by(chosen, request, kernel, return_states)
    return _typed(result, mixed_type(kernel, lengths) or given)


def _run_by(
    chosen: str, request: Request, kernel: str | None, return_states: bool
) -> Result:
    if chosen == "vendor":
        output, final = run_vendor(request, kernel, dict(request.stored))
        return Result(output, final, None)
    runner = _RUNNERS[chosen]
    states, final = (
        run_in_spans(runner, request) if request.memory == "low" else runner(request)
    )
    output = request.cell.output(*states)
    if request.lengths is not None:
        output = output * active_steps(request.lengths, len(output))
    return Result(output, final, states if return_states else None)


def _run_c(request: Request) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Rendered C; in a graph of torch.compile as an operator."""
    return (run_operator if torch.compiler.is_compiling() else run_cpu)(request)


_RUNNERS = {"cpu": _run_c, "scan": run_scan, "reference": run_reference}


def _typed(result: Result, dtype: torch.dtype) -> Result:
    """The same in another type."""
    states = result.states and tuple(s.to(dtype) for s in result.states)
    final = tuple(s.to(dtype) for s in result.state)
    return Result(result.output.to(dtype), final, states)


def _check_inputs(
    recurrence: Recurrence, inputs: tuple[Tensor, ...], lengths: Tensor | None
) -> None:
    name = type(recurrence.cell).__name__
    sizes = recurrence.program.inputs
    if len(inputs) != len(sizes):
        raise ShapeError(
            f"{name}: there must be {len(sizes)} inputs, got {len(inputs)}."
        )
    first = inputs[0]
    for tensor, (label, size) in zip(inputs, sizes, strict=True):
        if tensor.ndim != 3 or tensor.shape[2] != size:
            raise ShapeError(
                f"{name}: input {label} must be (time, batch, {size}), got "
                f"{tuple(tensor.shape)}. Build it with input_size="
                f"{tensor.shape[-1] if tensor.ndim else 1} or project the input."
            )
        if tensor.shape[:2] != first.shape[:2]:
            raise ShapeError(
                f"{name}: all inputs must share time and batch "
                f"{tuple(first.shape[:2])}, got {tuple(tensor.shape[:2])} for {label}."
            )
    if lengths is None:
        return
    time, batch = first.shape[:2]
    if lengths.shape != (batch,) or lengths.is_floating_point():
        raise ShapeError(
            f"{name}: lengths must be whole numbers ({batch},), got "
            f"{tuple(lengths.shape)} of {lengths.dtype}."
        )
    if is_transformed() or batch == 0:
        return
    if not 0 <= int(lengths.min()) <= int(lengths.max()) <= time:
        raise ShapeError(
            f"{name}: each length must be in [0, {time}], got "
            f"{int(lengths.min())} to {int(lengths.max())}."
        )


def _check_types(
    recurrence: Recurrence, stored: Mapping[str, Tensor], tensors: tuple[Tensor, ...]
) -> None:
    like = next(iter(stored.values()), tensors[0])
    device, dtype = like.device, like.dtype
    for number, tensor in enumerate(tensors):
        if tensor.device == device and (
            tensor.dtype == dtype or torch.is_autocast_enabled(device.type)
        ):  # autocast brings types together
            continue
        program = recurrence.program
        names = [f"input {n}" for n, _ in program.inputs]
        names += [f"state {n}" for n, _ in program.state]
        raise ShapeError(
            f"{type(recurrence.cell).__name__}: {names[number]} must be {dtype} on "
            f"{device} as the parameters, got {tensor.dtype} on {tensor.device}. Use "
            ".to()."
        )


def _initial_state(
    recurrence: Recurrence, x: Tensor, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, ...]:
    variables, batch = recurrence.program.state, x.shape[1]
    if state is None:
        return tuple(x.new_zeros(batch, width) for _, width in variables)
    name = type(recurrence.cell).__name__
    if len(state) != len(variables):
        raise ShapeError(
            f"{name}: the state must be a tuple of {len(variables)} "
            f"({', '.join(n for n, _ in variables)}), got {len(state)}."
        )
    for tensor, (label, width) in zip(state, variables, strict=True):
        if tuple(tensor.shape) != (batch, width):
            raise ShapeError(
                f"{name}: state {label} must be ({batch}, {width}), got "
                f"{tuple(tensor.shape)}."
            )
    return state
