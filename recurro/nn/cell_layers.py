"""Drop-ins for PyTorch's LSTMCell, GRUCell and RNNCell: one step at each call."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from recurro import cells
from recurro.engine import Recurrence, recurrence, run
from recurro.engine.run import Backend
from recurro.engine.vendor import is_transformed, step_vendor
from recurro.errors import ArgumentError, ShapeError


class _DropInCell(nn.Module):
    """What the three drop-ins share: all but the cell."""

    _part: Recurrence

    def __init__(
        self,
        cell: cells.Cell,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        backend: Backend,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.assemble(cell, backend)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            shape = self._part.shapes().get(name)
            empty = None if shape is None else torch.empty(shape, device=device)
            parameter = None if empty is None else nn.Parameter(empty.to(dtype))
            self.register_parameter(name, parameter)
        self.reset_parameters()

    def assemble(self, cell: cells.Cell, backend: Backend) -> None:
        """Trace the cell at the module's own sizes."""
        self.backend: Backend = backend
        self._part = recurrence(cell, self.input_size, self.hidden_size, self.bias)

    def reset_parameters(self) -> None:
        """Fill every parameter as PyTorch does: uniform in +-1 / sqrt(hidden_size)."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, input: Tensor, hx: Tensor | tuple[Tensor, ...] | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """Take one step, as the layer of the same name in ``torch.nn``.

        Args:
            input: ``(batch, input)``, or ``(input,)`` without a batch.
            hx: The state before it, ``(batch, hidden)`` (for LSTM a pair), or ``None``
                for zeros.

        Returns:
            The state after it: a tensor, for LSTM the pair of h and c.
        """
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input must be (batch, input_size={self.input_size}), got "
                f"{tuple(input.shape)}. Build it with input_size="
                f"{input.shape[-1] if input.ndim else 1} or project the input."
            )
        batched = input.ndim == 2
        x = input if batched else input.unsqueeze(0)
        state = self._split(hx, x, batched)
        stored = {n: getattr(self, n) for n in self._part.storage}
        if self.backend in ("auto", "vendor") and not is_transformed():
            final = step_vendor(self._part.kernel, x, state, stored)
        else:
            inputs = x.unsqueeze(0)
            final = run(self._part, stored, inputs, state, backend=self.backend).state
        if not batched:
            final = tuple(variable.squeeze(0) for variable in final)
        return final[0] if len(final) == 1 else final

    def _split(
        self, hx: Tensor | tuple[Tensor, ...] | None, x: Tensor, batched: bool
    ) -> tuple[Tensor, ...]:
        """The state variables, each ``(batch, hidden)``."""
        names = [label for label, _ in self._part.program.state]
        shape = (x.shape[0], self.hidden_size)
        if hx is None:
            return tuple(x.new_zeros(shape) for _ in names)
        variables = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if len(variables) != len(names):
            raise ShapeError(
                f"{type(self).__name__}: hx must hold {len(names)} tensors, got "
                f"{len(variables)}."
            )
        wanted = shape if batched else shape[1:]
        for label, tensor in zip(names, variables, strict=True):
            if tuple(tensor.shape) != wanted:
                raise ShapeError(
                    f"{type(self).__name__}: {label}_0 must be {wanted}, got "
                    f"{tuple(tensor.shape)}."
                )
        return variables if batched else tuple(v.unsqueeze(0) for v in variables)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, as PyTorch shows them."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"bias": True, "nonlinearity": "tanh", "backend": "auto"}
        defaults["accelerated"] = False
        changed = {k: v for k, d in defaults.items() if (v := getattr(self, k, d)) != d}
        return text + "".join(f", {key}={value}" for key, value in changed.items())


class LSTMCell(_DropInCell):
    """One step of an LSTM in place of ``torch.nn.LSTMCell``.

    A step alone has no loop over time to make faster: ``auto`` takes PyTorch's own.

    Args:
        input_size: Width of the input.
        hidden_size: Units.
        bias: Whether there are biases.
        device: Where the parameters are made.
        dtype: Their type.
        backend: ``auto``, ``reference``, ``vendor`` or ``cpu``.

    Example:
        >>> h, c = LSTMCell(3, 4)(torch.zeros(2, 3))
        >>> h.shape, c.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        sizes = (input_size, hidden_size, bias)
        super().__init__(cells.LSTM(), *sizes, device, dtype, backend)


class GRUCell(_DropInCell):
    """One step of a GRU in place of ``torch.nn.GRUCell``.

    The arguments are those of ``LSTMCell``.

    Example:
        >>> GRUCell(3, 4)(torch.zeros(2, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        sizes = (input_size, hidden_size, bias)
        super().__init__(cells.GRU(), *sizes, device, dtype, backend)


class RNNCell(_DropInCell):
    """One step of a simple recurrence in place of ``torch.nn.RNNCell``.

    The arguments are those of ``LSTMCell``, with ``nonlinearity`` (``tanh`` or
    ``relu``) after ``bias``.

    Example:
        >>> RNNCell(3, 4, nonlinearity="relu")(torch.zeros(3)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(
                f"RNNCell: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}."
            )
        sizes = (input_size, hidden_size, bias)
        cell = cells.Elman(nonlinearity)
        super().__init__(cell, *sizes, device, dtype, backend)
        self.nonlinearity = nonlinearity
