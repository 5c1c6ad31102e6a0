"""The pointwise functions and reductions of which a cell's equations are made.

Each works on tensors, numbers and the symbols of a trace alike, so that one step
function serves every interpretation. A primitive is one row of ``PRIMITIVES``; mean,
log-sum-exp, softmax and layer normalisation are made of primitives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

Value: TypeAlias = Any
"""A tensor ``(..., width)``, a number, or the symbol of one in a traced program."""


def _binary(function: Callable[..., Tensor]) -> Callable[[Value, Value], Value]:
    """A torch function of two tensors, made to take numbers too."""

    def with_numbers(a: Value, b: Value) -> Value:
        like = a if isinstance(a, Tensor) else b
        a, b = (v if isinstance(v, Tensor) else like.new_tensor(v) for v in (a, b))
        return function(a, b)

    return with_numbers


def _where(condition: Tensor, a: Value, b: Value) -> Tensor:
    return torch.where(condition.bool(), a, b)


PRIMITIVES: dict[str, tuple[int, Callable[..., Any]]] = {
    "neg": (1, operator.neg),
    "sigmoid": (1, torch.sigmoid),
    "tanh": (1, torch.tanh),
    "relu": (1, torch.relu),
    "exp": (1, torch.exp),
    "log": (1, torch.log),
    "softplus": (1, torch.nn.functional.softplus),
    "sqrt": (1, torch.sqrt),
    "abs": (1, torch.abs),
    "sin": (1, torch.sin),
    "cos": (1, torch.cos),
    "floor": (1, torch.floor),
    "sum": (1, lambda a: a.sum(-1, keepdim=True)),
    "amax": (1, lambda a: a.amax(-1, keepdim=True)),
    "add": (2, operator.add),
    "sub": (2, operator.sub),
    "mul": (2, operator.mul),
    "div": (2, operator.truediv),
    "pow": (2, operator.pow),
    "minimum": (2, _binary(torch.minimum)),
    "maximum": (2, _binary(torch.maximum)),
    "lt": (2, operator.lt),
    "le": (2, operator.le),
    "gt": (2, operator.gt),
    "ge": (2, operator.ge),
    "where": (3, _where),
}
"""Each primitive's number of operands and its meaning on tensors."""

REDUCTIONS = ("sum", "amax")
"""The primitives that join the units of a row into one number, width 1."""

COMPARISONS = ("lt", "le", "gt", "ge")
"""The primitives whose value is true or false; only ``where`` reads it."""


def apply(name: str, *operands: Value) -> Value:
    """Apply a primitive to tensors or numbers, or record it if a symbol is among them.

    Args:
        name: A key of ``PRIMITIVES``.
        operands: As many values as the primitive takes.

    Example:
        >>> apply("add", torch.ones(2), 1.0)
        tensor([2., 2.])
    """
    for operand in operands:
        if not isinstance(operand, (Tensor, int, float)):
            return operand.record(name, *operands)
    function = PRIMITIVES[name][1]
    if any(isinstance(operand, Tensor) for operand in operands):
        return function(*operands)
    return function(*(torch.tensor(o, dtype=torch.float64) for o in operands)).item()


def sigmoid(a: Value) -> Value:
    """Logistic function, 1 / (1 + exp(-a))."""
    return apply("sigmoid", a)


def tanh(a: Value) -> Value:
    """Hyperbolic tangent."""
    return apply("tanh", a)


def relu(a: Value) -> Value:
    """The larger of a and 0."""
    return apply("relu", a)


def exp(a: Value) -> Value:
    """Exponential."""
    return apply("exp", a)


def log(a: Value) -> Value:
    """Natural logarithm."""
    return apply("log", a)


def softplus(a: Value) -> Value:
    """A smooth relu, log(1 + exp(a))."""
    return apply("softplus", a)


def sqrt(a: Value) -> Value:
    """Square root."""
    return apply("sqrt", a)


def abs(a: Value) -> Value:
    """Absolute value."""
    return apply("abs", a)


def sin(a: Value) -> Value:
    """Sine, radians."""
    return apply("sin", a)


def cos(a: Value) -> Value:
    """Cosine, radians."""
    return apply("cos", a)


def floor(a: Value) -> Value:
    """The largest integer not above a; its gradient is zero."""
    return apply("floor", a)


def minimum(a: Value, b: Value) -> Value:
    """The smaller of two, unit by unit; either may be a number."""
    return apply("minimum", a, b)


def maximum(a: Value, b: Value) -> Value:
    """The larger of two, unit by unit; either may be a number."""
    return apply("maximum", a, b)


def where(condition: Value, a: Value, b: Value) -> Value:
    """Take a where the condition (a comparison of values) holds, b elsewhere."""
    return apply("where", condition, a, b)


def sum(a: Value) -> Value:
    """Sum over the units of a row, width 1."""
    return apply("sum", a)


def amax(a: Value) -> Value:
    """Largest of the units of a row, width 1."""
    return apply("amax", a)


def mean(a: Value) -> Value:
    """Mean over the units of a row, width 1."""
    return sum(a) / a.shape[-1]


def logsumexp(a: Value) -> Value:
    """Logarithm of the sum of exp over a row's units, width 1, without overflow."""
    top = maximum(amax(a), -1e30)  # a row of -inf alone gives -inf
    return top + log(sum(exp(a - top)))


def softmax(a: Value) -> Value:
    """Positive shares of the units of a row that sum to one."""
    share = exp(a - amax(a))
    return share / sum(share)


def layer_norm(a: Value, gain: Value, shift: Value = 0.0, eps: float = 1e-5) -> Value:
    """Normalise the units of a row to mean 0 and variance 1, then scale and shift.

    Args:
        a: The row's units, ``(..., width)``.
        gain: Factor per unit.
        shift: Summand per unit.
        eps: Added to the variance.

    Example:
        >>> layer_norm(torch.tensor([[1.0, 3.0]]), gain=2.0)
        tensor([[-2.0000,  2.0000]])

    References:
        Ba, Kiros and Hinton (2016), arXiv 1607.06450, equation 4.
    """
    centred = a - mean(a)
    return gain * centred / sqrt(mean(centred * centred) + eps) + shift
