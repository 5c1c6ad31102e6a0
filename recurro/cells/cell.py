"""What a cell is: state variables, affine maps and pointwise equations.

A cell holds no tensors. Its ``step`` is read by interpreters: each binds the cell to a
*context* that says what an affine map, a per-unit parameter or a random mask is (a
tensor product in the reference loop, a recorded operation in a trace).
"""

from __future__ import annotations

import abc
import copy
import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal, Protocol, Self

from recurro.cells import init
from recurro.cells.ops import Value
from recurro.errors import ArgumentError

Per = Literal["step", "sequence"]


class Context(Protocol):
    """What an interpreter gives to the step that it runs."""

    def affine(
        self, name: str, operands: tuple[Value, ...], width: int | None, bias: bool
    ) -> Value:
        """The sum of each operand's product with its own matrix, and a bias."""
        ...

    def vector(self, name: str, width: int | None) -> Value:
        """A learnt number for each unit."""
        ...

    def bernoulli(self, name: str, p: float, per: Per, width: int | None) -> Value:
        """Zeros and ones when training, their mean p otherwise."""
        ...


@dataclasses.dataclass(frozen=True)
class Cell(abc.ABC):
    """One step of a recurrence, in the letters of its paper.

    A subclass names its state variables and writes its equations; hyperparameters are
    the fields of a frozen dataclass. Matrices take their names from the affine map they
    belong to: an operand made of inputs alone has the matrix ``W_name``, one that
    depends on the state has ``U_name`` (a second one of its kind ``W2_name``,
    ``U2_name``), the bias is ``b_name``. The same affine name means the same matrices.

    Attributes:
        state: Names of the state variables, in the order of ``step``.
        inputs: Names of what is read at each step, before the states.

    Example:
        >>> from recurro.cells.ops import sigmoid, tanh
        >>> class Blend(Cell):
        ...     state = ("h",)
        ...     def step(self, x, h):
        ...         z = sigmoid(self.affine("z", x, h))
        ...         return z * h + (1 - z) * tanh(self.affine("n", x))
        >>> Blend().config()
        {}
    """

    state: ClassVar[tuple[str, ...]]
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    @abc.abstractmethod
    def step(self, *values: Value, **named: Value) -> Value:
        """The equations: inputs, then states at t - 1; returns the states at t."""

    def output(self, *state: Value) -> Value:
        """What the layer above reads, from the states at t; computed after the loop."""
        return state[0]

    def widths(self, hidden_size: int) -> tuple[int, ...]:
        """Units of each state variable in a layer of this hidden size."""
        return (hidden_size,) * len(self.state)

    def layout(self) -> Mapping[str, tuple[str, ...]]:
        """Stored tensors made of several parameters stacked row upon row.

        A parameter that stands in several stored tensors is the sum of its parts, as
        PyTorch's two biases are.
        """
        return {}

    def initial(self) -> Mapping[str, init.Initializer]:
        """Initial values by parameter name, or by its letter (W, U, b), or ``vector``.

        The default: Glorot for W, orthogonal for U, zero biases and vectors.
        """
        return {}

    def config(self) -> dict[str, Value]:
        """The hyperparameters, enough to build an equal cell: ``Class(**config)``."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    # -- what a step may call ---------------------------------------------------------

    def affine(
        self, name: str, *operands: Value, width: int | None = None, bias: bool = True
    ) -> Value:
        """An affine map of the operands: sum of M_k operand_k, plus b.

        Args:
            name: Its name; the same name is the same map.
            operands: Inputs, states, or values computed in the step.
            width: Units that come out; the layer's hidden size if not given.
            bias: Whether a bias is added.
        """
        return self._context.affine(name, operands, width, bias)

    def vector(self, name: str, width: int | None = None) -> Value:
        """A learnt number for each unit, as in peepholes and learnt decays."""
        return self._context.vector(name, width)

    def bernoulli(
        self, name: str, p: float, per: Per = "step", width: int | None = None
    ) -> Value:
        """A mask that is 1 with probability p in training, and p in evaluation.

        Args:
            name: Its name; the same name within a step is the same mask.
            p: Probability of a one, in [0, 1].
            per: Whether it is drawn anew at each step or once for the sequence.
            width: Units of the mask; the layer's hidden size if not given.
        """
        if not 0 <= p <= 1:
            raise ArgumentError(f"bernoulli: p must be in [0, 1], got {p}.")
        return self._context.bernoulli(name, p, per, width)

    def bind(self, context: Context) -> Self:
        """This cell with its affine maps, vectors and masks taken from a context."""
        bound = copy.copy(self)
        object.__setattr__(bound, "_bound", context)
        return bound

    @property
    def _context(self) -> Context:
        try:
            return self.__dict__["_bound"]
        except KeyError:
            raise ArgumentError(
                f"{type(self).__name__}: a step is run by an interpreter, got a direct "
                "call. Use recurro.nn.Recurrent or recurro.engine.run."
            ) from None
