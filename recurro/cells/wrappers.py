"""Cells made from cells: zoneout, recurrent dropout, deep transition.

Each is a cell in its own right, so it works with every cell and every interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from recurro.cells import init
from recurro.cells.cell import Cell, Context, Per
from recurro.cells.ops import Value
from recurro.errors import ArgumentError


@dataclass(frozen=True)
class Wrapper(Cell):
    """A cell that changes how another one steps; all else is the inner cell's."""

    inner: Cell
    state: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self.inner.state)
        object.__setattr__(self, "inputs", self.inner.inputs)

    def output(self, *state: Value) -> Value:
        return self.inner.output(*state)

    def widths(self, hidden_size: int) -> tuple[int, ...]:
        return self.inner.widths(hidden_size)

    def layout(self) -> Mapping[str, tuple[str, ...]]:
        return self.inner.layout()

    def initial(self) -> Mapping[str, init.Initializer]:
        return self.inner.initial()

    def _split(self, values: tuple[Value, ...]) -> tuple[Value, Value]:
        return values[: len(self.inputs)], values[len(self.inputs) :]


def _probability(p: float, owner: str) -> None:
    if not 0 <= p < 1:
        raise ArgumentError(f"{owner}: p must be in [0, 1), got {p}.")


def _as_tuple(values: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return values if isinstance(values, tuple) else (values,)


@dataclass(frozen=True)
class Zoneout(Wrapper):
    """Each unit of each state keeps its old value with probability p, at each step.

    s_t = d s_{t-1} + (1 - d) s'_t, with d ~ Bernoulli(p), and d = p in evaluation

    Attributes:
        p: The probability, in [0, 1), for every state variable.

    References:
        Krueger et al. (2017), arXiv 1606.01305, equations 3 and 5.
    """

    p: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _probability(self.p, "Zoneout")

    def step(self, *values: Value) -> tuple[Value, ...]:
        _, old = self._split(values)
        new = _as_tuple(self.inner.bind(self._context).step(*values))
        mixed = []
        for name, s_old, s_new in zip(self.state, old, new, strict=True):
            d = self.bernoulli(f"zoneout_{name}", self.p, width=s_old.shape[-1])
            mixed.append(d * s_old + (1 - d) * s_new)
        return tuple(mixed)


@dataclass(frozen=True)
class RecurrentDropout(Wrapper):
    """The state is dropped out where affine maps read it, one mask per sequence.

    The old state on its own way (c in an LSTM, z h in a GRU) is left whole.

    Attributes:
        p: The probability of dropping a unit, in [0, 1).

    References:
        Gal and Ghahramani (2016), arXiv 1512.05287, equation 7, with the mask of h
        shared by the gates.
    """

    p: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _probability(self.p, "RecurrentDropout")

    def step(self, *values: Value) -> Value | tuple[Value, ...]:
        inputs, _ = self._split(values)
        return self.inner.bind(_Masked(self._context, inputs, self.p)).step(*values)


class _Masked:
    """A context whose affine maps see every operand but the inputs through a mask."""

    def __init__(self, context: Context, inputs: tuple[Value, ...], p: float) -> None:
        self.context, self.inputs, self.p = context, inputs, p
        self.masked: list[tuple[Value, Value]] = []

    def _mask(self, operand: Value) -> Value:
        if any(operand is x for x in self.inputs):
            return operand
        for seen, masked in self.masked:  # the same value is masked once
            if seen is operand:
                return masked
        width = operand.shape[-1]
        kept = self.context.bernoulli(f"keep_{width}", 1 - self.p, "sequence", width)
        self.masked.append((operand, operand * kept / (1 - self.p)))
        return self.masked[-1][1]

    def affine(
        self, name: str, operands: tuple[Value, ...], width: int | None, bias: bool
    ) -> Value:
        masked = tuple(self._mask(operand) for operand in operands)
        return self.context.affine(name, masked, width, bias)

    def vector(self, name: str, width: int | None) -> Value:
        return self.context.vector(name, width)

    def bernoulli(self, name: str, p: float, per: Per, width: int | None) -> Value:
        return self.context.bernoulli(name, p, per, width)


@dataclass(frozen=True)
class DeepTransition(Wrapper):
    """Several steps of a cell for each input: the first reads it, the others do not.

    Attributes:
        depth: Steps in all, >= 1. Each has parameters of its own.

    References:
        Pascanu et al. (2014), arXiv 1312.6026, section 3.3; for gated cells Miceli
        Barone et al. (2017), arXiv 1707.07631, equations 9 and 10.
    """

    depth: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth < 1:
            raise ArgumentError(
                f"DeepTransition: depth must be >= 1, got {self.depth}."
            )

    def step(self, *values: Value) -> Value | tuple[Value, ...]:
        inputs, state = self._split(values)
        state = _as_tuple(self.inner.bind(self._context).step(*values))
        for k in range(1, self.depth):
            deeper = self.inner.bind(_Inputless(self._context, inputs, f"t{k}_"))
            state = _as_tuple(deeper.step(*inputs, *state))
        return state

    def initial(self) -> Mapping[str, init.Initializer]:
        initial = dict(self.inner.initial())
        for name, initializer in self.inner.initial().items():
            if name in ("W", "U", "b", "vector"):
                continue
            letter, _, rest = name.partition("_")
            for k in range(1, self.depth):
                initial[f"{letter}_t{k}_{rest}"] = initializer  # of an affine map
                initial[f"t{k}_{name}"] = initializer  # of a vector
        return initial


class _Inputless:
    """A context whose affine maps leave the inputs out and have names of their own."""

    def __init__(
        self, context: Context, inputs: tuple[Value, ...], prefix: str
    ) -> None:
        self.context, self.inputs, self.prefix = context, inputs, prefix

    def affine(
        self, name: str, operands: tuple[Value, ...], width: int | None, bias: bool
    ) -> Value:
        rest = tuple(o for o in operands if not any(o is x for x in self.inputs))
        return self.context.affine(self.prefix + name, rest, width, bias)

    def vector(self, name: str, width: int | None) -> Value:
        return self.context.vector(self.prefix + name, width)

    def bernoulli(self, name: str, p: float, per: Per, width: int | None) -> Value:
        return self.context.bernoulli(self.prefix + name, p, per, width)
