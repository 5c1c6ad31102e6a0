"""One step at a time, with the state inside: for control, decoding, live signals.

All that a step needs is made beforehand (``stream_call``): kernels, packed weights, the
table of pointers. A step is then one call of C for all layers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine.backends import BACKENDS, Backend, warn_once
from recurro.engine.ir import Program
from recurro.engine.run import Recurrence, run
from recurro.engine.stream_call import Call, Part, prepare
from recurro.engine.structure import Sparse
from recurro.errors import ArgumentError, BackendError, ShapeError
from recurro.types import Float, State

Weights = Literal["bfloat16"]
LayerState = tuple[Tensor, ...]


@dataclass(frozen=True)
class StateForm:
    """How the state of a stream looks outside.

    Attributes:
        outward: From a tuple for each layer.
        inward: Back to it; raises ``ShapeError`` for what does not fit.
    """

    outward: Callable[[tuple[LayerState, ...]], State]
    inward: Callable[[State], tuple[LayerState, ...]]


class Stream:
    """Layers that are stepped through time, one call for each step.

    A stream is in evaluation mode and outside of autograd: masks are at their mean,
    nothing is kept for a backward pass. It holds a copy of the weights, so a layer that
    is trained further needs a new stream. Two threads must not step the same stream.

    Args:
        layers: Recurrences from the bottom up, each with its stored tensors.
        batch_size: Rows that are stepped together.
        residual: Whether each layer's input is added to its output, from the second
            layer on.
        weights: ``bfloat16`` holds the matrices in half the memory, for twice the speed
            where reading them is the work; the arithmetic stays float32. ``None`` holds
            them as they are.
        backend: ``cpu`` steps by rendered C, ``reference`` and ``vendor`` by a run of
            one step; ``auto`` by C wherever it can, else on a CPU by the reference.
        form: How states look outside; as a tuple for each layer if not given.

    Raises:
        ArgumentError: If an argument is out of its range.
        BackendError: If the named backend cannot run this.

    Example:
        >>> from recurro.nn import GRU
        >>> stream = GRU(3, 4).stream()
        >>> stream.step(torch.zeros(1, 3)).shape
        torch.Size([1, 4])
    """

    def __init__(
        self,
        layers: Sequence[tuple[Recurrence, Mapping[str, Tensor]]],
        batch_size: int = 1,
        *,
        residual: bool = False,
        weights: Weights | None = None,
        backend: Backend = "auto",
        form: StateForm | None = None,
    ) -> None:
        _check_arguments(batch_size, weights, backend)
        first = layers[0][0].program
        like = next(
            (t for _, stored in layers for t in stored.values()), torch.zeros(())
        )
        like = like.detach()
        if weights is not None and like.dtype != torch.float32:
            raise ArgumentError(
                f"stream: weights={weights!r} must come from float32 parameters, got "
                f"{like.dtype}. Call .float() on the layer."
            )
        self.batch_size, self._form = batch_size, form
        self._x = like.new_zeros(batch_size, dict(first.inputs).get("x", 0))
        self._readings = {
            name: like.new_zeros(batch_size, width)
            for name, width in first.inputs
            if name != "x"
        }
        self._parts = _parts(layers, self._x, self._readings, residual, weights)
        self._y = self._parts[-1].output
        self._shape, self._dtype = self._x.shape, self._x.dtype
        self._is_cpu = self._x.is_cpu
        self._backend: Backend = backend
        if backend == "auto" and self._is_cpu:
            self._backend = "reference"
        self._call = _prepared(self._parts, weights is not None, backend, self._x)
        if self._is_cpu and self._dtype in (torch.float32, torch.float64):
            self._arrays = self._x.numpy(), self._y.numpy()

    @property
    def backend(self) -> str:
        """What takes the steps: ``cpu`` is rendered C, others are runs of one step."""
        return self._backend if self._call is None else "cpu"

    @overload
    def step(
        self, x: Tensor, readings: Mapping[str, Tensor] | None = None
    ) -> Tensor: ...

    @overload
    def step(
        self, x: np.ndarray, readings: Mapping[str, Tensor] | None = None
    ) -> np.ndarray: ...

    def step(
        self, x: Tensor | np.ndarray, readings: Mapping[str, Tensor] | None = None
    ) -> Tensor | np.ndarray:
        """Read the input of one step and give its output.

        Args:
            x: ``(batch, input)``, a tensor or a NumPy array of the layers' type.
            readings: The cell's further inputs by name, each ``(batch, width)``.

        Returns:
            The top layer's output ``(batch, output)``, of the kind of ``x``. It is the
            same memory at every step: copy what is to be kept.

        Raises:
            ShapeError: If a tensor does not fit.
        """
        if readings is not None or self._readings:
            self._read(readings or {})
        if isinstance(x, np.ndarray):
            return self._step_array(x)
        if x is not self._x:
            if (
                not isinstance(x, Tensor)
                or x.shape != self._shape
                or x.dtype is not self._dtype
                or x.is_cpu is not self._is_cpu
            ):
                raise _misfit("input x", x, self._x)
            if not x.is_contiguous():
                x = x.contiguous()
        call = self._call
        if call is None:
            self._by_run(x)
        else:
            call.table[call.place] = x.data_ptr()
            call.function(call.argument)
        return self._y

    def _step_array(self, x: np.ndarray) -> np.ndarray:
        mine, y = self._arrays
        if x.shape != mine.shape or x.dtype != mine.dtype:
            raise _misfit("input x", x, self._x)
        mine[...] = x
        self.step(self._x)
        return y

    @property
    def input(self) -> Float[Tensor, "batch input"]:
        """Memory for the input: ``step(stream.input)`` reads it without any check."""
        return self._x

    def state(self) -> State:
        """A copy of the state, in the form in which the layer itself returns it."""
        state = tuple(tuple(s.clone() for s in part.state) for part in self._parts)
        return state if self._form is None else self._form.outward(state)

    def restore(self, state: State | None) -> None:
        """Go on from a state that ``state`` or a whole run gave, or from zeros.

        Args:
            state: The state, or ``None`` for zeros.

        Raises:
            ShapeError: If it does not fit.
        """
        if state is None:
            for part in self._parts:
                for mine in part.state:
                    mine.zero_()
            return
        layers = state if self._form is None else self._form.inward(state)
        widths = [[w for _, w in p.recurrence.program.state] for p in self._parts]
        if [len(layer) for layer in layers] != [len(layer) for layer in widths]:
            raise ShapeError(
                f"stream: the state must hold {len(widths)} layers of {len(widths[0])} "
                f"variables, got {[len(layer) for layer in layers]}."
            )
        pairs = [
            (f"state {name}", new, mine)
            for part, layer in zip(self._parts, layers, strict=True)
            for (name, _), new, mine in zip(
                part.recurrence.program.state, layer, part.state, strict=True
            )
        ]
        for pair in pairs:
            _check_fit(*pair)
        for _, new, mine in pairs:
            mine.copy_(new.detach())

    def first(self, rows: int) -> Stream:
        """Its first rows as a stream: the same weights, and the same memory.

        Args:
            rows: How many, from 1 to ``batch_size``.

        Raises:
            ArgumentError: If there are not so many.
        """
        if not 1 <= rows <= self.batch_size:
            raise ArgumentError(
                f"stream: rows must be in 1 to {self.batch_size}, got {rows}. A stream "
                "keeps the batch_size that it was made with."
            )
        fewer = copy(self)
        fewer.batch_size = rows
        fewer._x, fewer._y = self._x[:rows], self._y[:rows]
        fewer._shape = fewer._x.shape
        fewer._readings = {name: x[:rows] for name, x in self._readings.items()}
        fewer._parts = [part.first(rows) for part in self._parts]
        fewer._call = None if self._call is None else self._call.over(rows)
        if hasattr(self, "_arrays"):
            fewer._arrays = fewer._x.numpy(), fewer._y.numpy()
        return fewer

    def _read(self, readings: Mapping[str, Tensor]) -> None:
        if set(readings) != set(self._readings):
            raise ShapeError(
                f"stream: readings must be {sorted(self._readings)}, got "
                f"{sorted(readings)}."
            )
        for name, mine in self._readings.items():
            _check_fit(f"reading {name}", readings[name], mine)
            mine.copy_(readings[name].detach())

    @torch.no_grad()
    def _by_run(self, x: Tensor) -> None:
        """The same step as a run over one step."""
        for part in self._parts:
            cell = part.recurrence.cell
            inputs = {**part.inputs, "x": x}
            result = run(
                part.recurrence,
                part.stored,
                tuple(inputs[name][None] for name in cell.inputs),
                part.state,
                backend=self._backend,
            )
            for mine, new in zip(part.state, result.state, strict=True):
                mine.copy_(new)
            y = result.output[0]
            part.output.copy_(y + x if part.residual else y)
            x = part.output


def _check_fit(what: str, got: Value, wanted: Tensor) -> None:
    if (
        not isinstance(got, Tensor)
        or got.shape != wanted.shape
        or got.dtype != wanted.dtype
        or got.device != wanted.device
    ):
        raise _misfit(what, got, wanted)


def _misfit(what: str, got: Value, wanted: Tensor) -> ShapeError:
    came = type(got).__name__
    if isinstance(got, (Tensor, np.ndarray)):
        device = f" on {got.device}" if isinstance(got, Tensor) else ""
        came = f"{tuple(got.shape)} of {got.dtype}{device}"
    return ShapeError(
        f"stream: {what} must be {tuple(wanted.shape)} of {wanted.dtype} on "
        f"{wanted.device}, got {came}. A stream keeps the batch_size that it was made "
        "with."
    )


def _check_arguments(
    batch_size: int, weights: Weights | None, backend: Backend
) -> None:
    if (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, int)
        or batch_size < 1
    ):
        raise ArgumentError(
            f"stream: batch_size must be an int >= 1, got {batch_size!r}."
        )
    if weights not in (None, "bfloat16"):
        raise ArgumentError(
            f"stream: weights must be None or 'bfloat16', got {weights!r}."
        )
    if backend not in BACKENDS:
        raise ArgumentError(
            f"stream: backend must be one of {', '.join(BACKENDS)}, got {backend!r}."
        )


def _parts(
    layers: Sequence[tuple[Recurrence, Mapping[str, Tensor]]],
    x: Tensor,
    readings: dict[str, Tensor],
    residual: bool,
    weights: Weights | None,
) -> list[Part]:
    """The layers with memory of their own, each reading what the one below gives."""
    parts = []
    for number, (recurrence, stored) in enumerate(layers):
        parameters = {}
        for name, tensor in recurrence.unpack(stored).items():
            tensor = tensor.detach()
            if weights is not None and tensor.ndim > 1:
                tensor = tensor.bfloat16().float()
            parameters[name] = tensor.clone(memory_format=torch.contiguous_format)
        program = recurrence.program
        state = tuple(x.new_zeros(len(x), width) for _, width in program.state)
        output = x.new_zeros(len(x), program.output_width)
        below = {"x": x, **readings}
        packed = recurrence.pack(parameters)
        adds = residual and number > 0
        parts.append(Part(recurrence, parameters, packed, state, below, output, adds))
        x = output
    return parts


def _is_sparse(program: Program) -> bool:
    return any(isinstance(structure, Sparse) for _, structure in program.structures)


def _prepared(
    parts: list[Part], half: bool, backend: Backend, x: Tensor
) -> Call | None:
    """The layers in C; ``None`` where a run over one step does their work."""
    if backend in ("reference", "vendor"):
        return None
    obstacle = None
    if x.device.type != "cpu":
        obstacle = "the parameters must be on the CPU"
    elif x.dtype not in (torch.float32, torch.float64):
        obstacle = f"it has no arithmetic for {x.dtype}"
    elif any(_is_sparse(part.recurrence.program) for part in parts):
        obstacle = "it steps through no sparse matrices"
    if backend == "cpu":
        if obstacle is not None:
            raise BackendError(
                f"stream: backend='cpu' must fit the layers, but {obstacle}. Use "
                "backend='auto'."
            )
        return prepare(parts, half)
    if obstacle is not None or os.environ.get("RECURRO_COMPILE") == "0":
        return None
    try:
        return prepare(parts, half)
    except BackendError as error:
        warn_once(str(error))
        return None
