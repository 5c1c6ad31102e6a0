"""Drop-ins for PyTorch's recurrent layers: same arguments, names, shapes, results."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurro import cells
from recurro.engine import Stream
from recurro.engine.run import Backend
from recurro.engine.stream import StateForm, Weights
from recurro.errors import ArgumentError, ShapeError
from recurro.nn.stack import (
    LayerState,
    Options,
    Stack,
    build_stack,
    register,
    run_stack,
    stream_stack,
)


class _DropIn(nn.Module):
    """What the three drop-ins share: all but the cell."""

    _stack: Stack

    def __init__(
        self,
        cell: cells.Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        backend: Backend,
    ) -> None:
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ArgumentError(
                f"{type(self).__name__}: dropout must be in [0, 1], got {dropout}."
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{type(self).__name__}: dropout acts between layers, and there is "
                "only one. Use num_layers >= 2 or dropout=0.",
                stacklevel=3,
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        self.assemble(cell, backend)
        register(self, self._stack, device, dtype)
        self.reset_parameters()

    def assemble(self, cell: cells.Cell, backend: Backend) -> None:
        """Trace the cell at the module's own sizes."""
        self.backend: Backend = backend
        sizes = (self.input_size, self.hidden_size, self.num_layers)
        self._stack = build_stack(cell, *sizes, self.bidirectional, self.bias)

    def reset_parameters(self) -> None:
        """Fill every parameter as PyTorch does: uniform in +-1 / sqrt(hidden_size)."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing; PyTorch's layers have it for the sake of cuDNN."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        return [
            [getattr(self, name + suffix) for name in part.storage]
            for suffix, part in self._stack.named()
        ]

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | tuple[Tensor, ...] | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, ...]]:
        """Run over time, as the layer of the same name in ``torch.nn``.

        Args:
            input: ``(time, batch, input)``, ``(batch, time, input)`` with
                ``batch_first``, ``(time, input)`` without a batch, or packed.
            hx: The initial state ``(layers * directions, batch, width)`` (for LSTM a
                pair), or ``None`` for zeros.

        Returns:
            The output in the form of the input, and the final state.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        name = type(self).__name__
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            first = "batch, time" if self.batch_first else "time, batch"
            raise ShapeError(
                f"{name}: input must be ({first}, input_size={self.input_size}), got "
                f"{tuple(input.shape)}. Build it with input_size={input.shape[-1]} or "
                "project the input."
            )
        batched = input.ndim == 3
        x = input if batched else input.unsqueeze(1)
        x = x.transpose(0, 1) if batched and self.batch_first else x
        y, final = self._run(x, self._split(hx, batched), None)
        if not batched:
            return y.squeeze(1), self._joined(tuple(s.squeeze(1) for s in final))
        return (y.transpose(0, 1) if self.batch_first else y), self._joined(final)

    def stream(self, batch_size: int = 1, *, weights: Weights | None = None) -> Stream:
        """The layers as something that is stepped: input in, output out, state inside.

        It holds a copy of the weights and is always in evaluation mode. Its states have
        the form of ``hx``; a step reads ``(batch, input)``.

        Args:
            batch_size: Rows that are stepped together.
            weights: ``bfloat16`` to hold the matrices in half the memory.

        Raises:
            ArgumentError: If the layer is bidirectional, or an argument is out of its
                range.
        """
        options = Options(backend=self.backend)
        form = StateForm(
            lambda state: self._joined(_stacked(state)),
            lambda state: self._split(state, True) or (),
        )
        return stream_stack(self, self._stack, batch_size, weights, options, form)

    def _forward_packed(
        self, input: PackedSequence, hx: Tensor | tuple[Tensor, ...] | None
    ) -> tuple[PackedSequence, Tensor | tuple[Tensor, ...]]:
        numbers, places, lengths = _packing(input)
        x = input.data.index_select(0, numbers.flatten()).unflatten(0, numbers.shape)
        y, final = self._run(x, self._split(hx, True), lengths)
        data = y.flatten(0, 1).index_select(0, places)
        return input._replace(data=data), self._joined(final)

    def _run(
        self, x: Tensor, state: tuple[LayerState, ...] | None, lengths: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        options = Options(backend=self.backend)
        y, final = run_stack(
            self, self._stack, x, state, lengths, options, between=self._between
        )
        return y, _stacked(final)

    def _between(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, self.dropout, self.training)

    def _split(
        self, hx: Tensor | tuple[Tensor, ...] | None, batched: bool
    ) -> tuple[LayerState, ...] | None:
        """PyTorch's state, a tensor for each variable, as a tuple for each layer."""
        if hx is None:
            return None
        variables = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        count = sum(len(parts) for parts in self._stack.layers)
        widths = self._stack.layers[0][0].program.state
        if len(variables) != len(widths):
            raise ShapeError(
                f"{type(self).__name__}: hx must hold {len(widths)} tensors, got "
                f"{len(variables)}."
            )
        batch = "batch, " if batched else ""
        for tensor, (label, width) in zip(variables, widths, strict=True):
            shape = tuple(tensor.shape)
            if len(shape) != 2 + batched or (shape[0], shape[-1]) != (count, width):
                raise ShapeError(
                    f"{type(self).__name__}: {label}_0 must be "
                    f"({count}, {batch}{width}), got {shape}."
                )
        if not batched:
            variables = tuple(v.unsqueeze(1) for v in variables)
        return tuple(zip(*(v.unbind(0) for v in variables), strict=True))

    def _joined(self, final: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        return final[0] if len(final) == 1 else final

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, as PyTorch shows them."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"num_layers": 1, "bias": True, "batch_first": False}
        defaults |= {"dropout": 0.0, "bidirectional": False, "proj_size": 0}
        defaults |= {"nonlinearity": "tanh", "backend": "auto", "accelerated": False}
        changed = {k: v for k, d in defaults.items() if (v := getattr(self, k, d)) != d}
        return text + "".join(f", {key}={value}" for key, value in changed.items())


def _stacked(state: tuple[LayerState, ...]) -> tuple[Tensor, ...]:
    """A tuple for each layer as a tensor for each variable."""
    return tuple(torch.stack(variable) for variable in zip(*state, strict=True))


def _packing(packed: PackedSequence) -> tuple[Tensor, Tensor, Tensor]:
    """Where packed rows stand in padded ones, and the other way round.

    Args:
        packed: Rows of different length.

    Returns:
        The number ``(time, batch)`` in the packed data of each step (any where there
        is none), the place in ``time * batch`` of each item, and the lengths.
    """
    data, sizes, order, back = packed
    device, batch = data.device, int(sizes[0])
    counts = torch.arange(batch) < sizes[:, None]  # longest row first
    numbers = counts.flatten().cumsum(0).view_as(counts).to(device) - 1
    lengths = counts.sum(0).to(device)
    rows = torch.arange(batch, device=device) if order is None else order
    steps = torch.arange(len(sizes), device=device)[:, None]
    places = (steps * batch + rows)[counts.to(device)]
    if back is not None:
        numbers, lengths = numbers[:, back], lengths[back]
    return numbers, places, lengths


class LSTM(_DropIn):
    """Long short-term memory layers in place of ``torch.nn.LSTM``.

    Args:
        input_size: Width of the input.
        hidden_size: Units of each layer and direction.
        num_layers: Layers upon each other.
        bias: Whether there are biases.
        batch_first: Whether batch comes before time.
        dropout: Probability of dropping an element between layers.
        bidirectional: Whether each layer also reads backward.
        proj_size: Units of h after a projection; 0 means none.
        device: Where the parameters are made.
        dtype: Their type.
        backend: ``auto``, ``reference``, ``vendor`` or ``cpu``.

    Example:
        >>> y, (h, c) = LSTM(3, 4, num_layers=2)(torch.zeros(5, 2, 3))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        self_args = (input_size, hidden_size, num_layers, bias, batch_first, dropout)
        cell = cells.LSTM(proj_size=proj_size)
        super().__init__(cell, *self_args, bidirectional, device, dtype, backend)
        self.proj_size = proj_size


class GRU(_DropIn):
    """Gated recurrent units, reset after the product, in place of ``torch.nn.GRU``.

    The arguments are those of ``LSTM`` without ``proj_size``.

    Example:
        >>> y, h = GRU(3, 4, bidirectional=True)(torch.zeros(5, 2, 3))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 8]), torch.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        self_args = (input_size, hidden_size, num_layers, bias, batch_first, dropout)
        cell = cells.GRU()
        super().__init__(cell, *self_args, bidirectional, device, dtype, backend)


class RNN(_DropIn):
    """Simple recurrent layers in place of ``torch.nn.RNN``.

    The arguments are those of ``GRU``, with ``nonlinearity`` (``tanh`` or ``relu``)
    after ``num_layers``.

    Example:
        >>> y, h = RNN(3, 4, nonlinearity="relu")(torch.zeros(5, 2, 3))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(
                f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}."
            )
        self_args = (input_size, hidden_size, num_layers, bias, batch_first, dropout)
        cell = cells.Elman(nonlinearity)
        super().__init__(cell, *self_args, bidirectional, device, dtype, backend)
        self.nonlinearity = nonlinearity
