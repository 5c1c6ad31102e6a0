"""Layers of one cell, upon each other and in both directions, as data and functions.

``Recurrent`` and PyTorch's drop-ins share it: the tensors are parameters of the module
itself, named as PyTorch names them (``weight_ih_l0``, ``weight_ih_l0_reverse``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurro.cells import Cell, init
from recurro.engine import HiddenClip, Recurrence, Stream, recurrence, run
from recurro.engine.reference import Memory
from recurro.engine.run import Backend
from recurro.engine.stream import StateForm, Weights
from recurro.engine.structure import Structure
from recurro.errors import ArgumentError, ShapeError

LayerState = tuple[Tensor, ...]
"""The state variables of one layer in one direction, each ``(batch, width)``."""


@dataclass(frozen=True)
class Stack:
    """Recurrences by layer and, within a layer, by direction."""

    layers: tuple[tuple[Recurrence, ...], ...]

    def named(self) -> list[tuple[str, Recurrence]]:
        """Each recurrence with the suffix of its parameters, bottom layer first."""
        return [
            (f"_l{layer}{'_reverse' if backward else ''}", part)
            for layer, parts in enumerate(self.layers)
            for backward, part in enumerate(parts)
        ]


@dataclass(frozen=True)
class Options:
    """How a stack is run; see ``Recurrent`` for their meaning."""

    residual: bool = False
    weight_drop: float = 0.0
    clip: HiddenClip | None = None
    backend: Backend = "auto"
    memory: Memory = "high"


def build_stack(
    cell: Cell,
    input_size: int | Mapping[str, int],
    hidden_size: int,
    num_layers: int,
    bidirectional: bool,
    bias: bool,
    recurrent: Structure | None = None,
) -> Stack:
    """Trace the cell for each layer: the upper ones read the output of the lower."""
    if num_layers < 1:
        raise ArgumentError(f"num_layers must be >= 1, got {num_layers}.")
    sizes = input_size if isinstance(input_size, Mapping) else {"x": input_size}
    layers = []
    for _ in range(num_layers):
        part = recurrence(cell, sizes, hidden_size, bias, recurrent)
        layers.append((part,) * (2 if bidirectional else 1))
        sizes = {**sizes, "x": part.program.output_width * len(layers[-1])}
    return Stack(tuple(layers))


def register(
    module: nn.Module,
    stack: Stack,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Give the module the stack's tensors as parameters, not yet filled."""
    for suffix, part in stack.named():
        for name, shape in part.shapes().items():
            empty = torch.empty(shape, device=device, dtype=dtype)
            module.register_parameter(name + suffix, nn.Parameter(empty))


def stored(module: nn.Module, part: Recurrence, suffix: str) -> dict[str, Tensor]:
    """The tensors of one layer in one direction, by their names without suffix."""
    known = module._parameters  # a parametrised tensor is not among them
    return {
        name: getattr(module, name + suffix)
        if (tensor := known.get(name + suffix)) is None
        else tensor
        for name in part.storage
    }


def initialise(
    module: nn.Module, stack: Stack, overrides: Mapping[str, init.Initializer]
) -> None:
    """Fill the module's parameters: overrides, then the cell's choice, then ours.

    An initialiser is looked up by the parameter's name, then by its letter (``W``,
    ``U``, ``b``) or by ``vector``. Diagonal blocks are filled one by one.
    """
    rest: dict[str, init.Initializer] = {
        "W": init.glorot,
        "U": init.orthogonal,
        "b": init.constant(0.0),
        "vector": init.constant(0.0),
    }
    known = set(rest).union(*(part.program.shapes for _, part in stack.named()))
    if unknown := set(overrides) - known:
        raise ArgumentError(
            f"{type(module).__name__}: initial must name parameters of "
            f"{stack.layers[0][0].cell}, got {sorted(unknown)}. They are "
            f"{', '.join(sorted(known))}."
        )
    for suffix, part in stack.named():
        chosen = {**rest, **part.cell.initial(), **overrides}
        parameters = {}
        for name, shape in part.program.shapes.items():
            structure = part.program.structure(name)
            lettered = structure or len(shape) > 1 or name.startswith("b_")
            fill = chosen.get(name, chosen[name[0] if lettered else "vector"])
            parameters[name] = torch.empty(shape)
            if structure is None:
                fill(parameters[name], None)
                continue
            matrices = structure.matrices(parameters[name])
            for matrix in [matrices] if matrices.ndim == 2 else matrices.unbind(0):
                fill(matrix, None)
        with torch.no_grad():
            for name, tensor in part.pack(parameters).items():
                getattr(module, name + suffix).copy_(tensor)


def recurrent_matrices(module: nn.Module, stack: Stack) -> list[tuple[str, Tensor]]:
    """Each matrix ``U_name`` with its full name: views into the parameters.

    One that is not dense comes as it is stored.
    """
    return [
        (matrix + suffix, piece)
        for suffix, part in stack.named()
        for name, parts in part.storage.items()
        if parts[0].startswith("U")
        for matrix, piece in zip(
            parts,
            getattr(module, name + suffix).split(
                [part.program.shapes[p][0] for p in parts]
            ),
            strict=True,
        )
    ]


def bound_radii(module: nn.Module, stack: Stack, bound: float) -> None:
    """Bring every square recurrent matrix under a spectral radius."""
    structures = {
        name + suffix: structure
        for suffix, part in stack.named()
        for name, structure in part.program.structures
    }
    for name, matrix in recurrent_matrices(module, stack):
        if structure := structures.get(name):
            matrix = structure.matrices(matrix.detach())
        if matrix.shape[-1] == matrix.shape[-2]:
            init.bound_spectral_radius(matrix, bound)


def run_stack(
    module: nn.Module,
    stack: Stack,
    x: Tensor,
    state: tuple[LayerState, ...] | None,
    lengths: Tensor | None,
    options: Options,
    readings: Mapping[str, Tensor] | None = None,
    trail: list[tuple[Tensor, ...]] | None = None,
    between: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, tuple[LayerState, ...]]:
    """Run all layers over time.

    Args:
        module: Where the parameters are.
        stack: The recurrences.
        x: Input ``(time, batch, input)``.
        state: One ``LayerState`` for each of ``stack.named()``, or ``None`` for zeros.
        lengths: Steps that count in each row, or ``None``.
        options: How to run.
        readings: The further inputs of the cell by name.
        trail: If a list, the states of every step are appended to it.
        between: What is done to the output of a layer before the next one reads it.

    Returns:
        The output ``(time, batch, width * directions)`` and the final states.
    """
    count = sum(len(parts) for parts in stack.layers)
    if state is not None and len(state) != count:
        raise ShapeError(
            f"{type(module).__name__}: the state must have one tuple for each of the "
            f"{count} layers and directions, got {len(state)}."
        )
    final: list[LayerState] = []
    for layer, parts in enumerate(stack.layers):
        outputs = []
        for backward, part in enumerate(parts):
            suffix = f"_l{layer}{'_reverse' if backward else ''}"
            result = run(
                part,
                _dropped(stored(module, part, suffix), part, options, module.training),
                _inputs(module, part, x, readings or {}),
                None if state is None else state[len(final)],
                lengths=lengths,
                reverse=bool(backward),
                return_states=trail is not None,
                clip=options.clip,
                training=module.training,
                backend=options.backend,
                memory=options.memory,
            )
            outputs.append(result.output)
            final.append(result.state)
            if trail is not None and result.states is not None:
                trail.append(result.states)
        y = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        if options.residual and layer > 0:
            y = y + x
        last = layer == len(stack.layers) - 1
        x = y if last or between is None else between(y)
    return x, tuple(final)


def stream_stack(
    module: nn.Module,
    stack: Stack,
    batch_size: int,
    weights: Weights | None,
    options: Options,
    form: StateForm | None = None,
) -> Stream:
    """The stack as something that is stepped.

    Args:
        module: Where the parameters are.
        stack: The recurrences.
        batch_size: Rows that are stepped together.
        weights: How the matrices are held; see ``Stream``.
        options: How to run.
        form: How states look outside.

    Raises:
        ArgumentError: If a layer reads backward.
    """
    if any(len(parts) > 1 for parts in stack.layers):
        raise ArgumentError(
            f"{type(module).__name__}: a stream must read forward only, got a "
            "bidirectional layer, which needs the end of the sequence first. Build it "
            "with bidirectional=False."
        )
    return Stream(
        [(part, stored(module, part, suffix)) for suffix, part in stack.named()],
        batch_size,
        residual=options.residual,
        weights=weights,
        backend=options.backend,
        form=form,
    )


def _inputs(
    module: nn.Module, part: Recurrence, x: Tensor, readings: Mapping[str, Tensor]
) -> tuple[Tensor, ...]:
    """The cell's inputs in its order: x, and the readings by their names."""
    if not readings and part.cell.inputs == ("x",):
        return (x,)
    wanted = set(part.cell.inputs) - {"x"}
    if set(readings) != wanted:
        raise ShapeError(
            f"{type(module).__name__}: readings must be {sorted(wanted)}, got "
            f"{sorted(readings)}."
        )
    return tuple(x if name == "x" else readings[name] for name in part.cell.inputs)


def _dropped(
    tensors: dict[str, Tensor], part: Recurrence, options: Options, training: bool
) -> dict[str, Tensor]:
    """The tensors with each recurrent weight zeroed at random, once for the run."""
    if not training or options.weight_drop == 0:
        return tensors
    return {
        name: nn.functional.dropout(tensor, options.weight_drop)
        if part.storage[name][0].startswith("U")
        else tensor
        for name, tensor in tensors.items()
    }
