"""Each primitive against numpy, each function made of them against PyTorch."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from recurro.cells import ops

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.3, -2.7, 40.0, -90.0, 1e-30, math.inf, math.nan]
A = np.array(SPECIAL)
B = np.array([2.0, 0.5, -1.5, math.nan, 0.3, 3.0, -math.inf, 2.0, 1e-30, 0.0, 1.0])

UNARY = {
    "neg": lambda a: -a,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "exp": np.exp,
    "log": np.log,
    "softplus": lambda a: np.logaddexp(a, 0),
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "sum": np.sum,
    "amax": np.max,
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def numpy_says(function, *values):
    with np.errstate(all="ignore"):
        return function(*values)


def same(got, wanted):
    # PyTorch's softplus is the identity beyond 20
    np.testing.assert_allclose(got, wanted, rtol=3e-9, atol=0)


def test_every_primitive_is_here():
    assert {*UNARY, *BINARY, "where"} == set(ops.PRIMITIVES)
    assert set(UNARY) == {n for n, (arity, _) in ops.PRIMITIVES.items() if arity == 1}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    got = ops.apply(name, torch.from_numpy(A))
    same(got.numpy().squeeze(), numpy_says(UNARY[name], A))
    if name in ops.REDUCTIONS:
        assert ops.apply(name, torch.ones(4, 5, 6)).shape == (4, 5, 1)
    number = ops.apply(name, 0.3)
    assert isinstance(number, float)
    same(number, UNARY[name](np.float64(0.3)))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    a, b = torch.from_numpy(A), torch.from_numpy(B)
    same(ops.apply(name, a, b).numpy(), numpy_says(BINARY[name], A, B))
    same(ops.apply(name, a, 0.3).numpy(), numpy_says(BINARY[name], A, 0.3))
    same(ops.apply(name, 0.3, b).numpy(), numpy_says(BINARY[name], 0.3, B))
    same(ops.apply(name, 0.3, 2), BINARY[name](0.3, 2.0))


def test_where():
    a, b = torch.from_numpy(A), torch.from_numpy(B)
    same(ops.where(a > b, a, b).numpy(), np.where(A > B, A, B))
    for got in (ops.where(a > b, a, 0.1), ops.where(a <= b, 0.1, a)):
        same(got.numpy()[A <= B], 0.1)
    assert ops.where(a > 0, a, 0.1).dtype == torch.float64


def test_functions_have_the_names_of_primitives():
    named = {n for n, (_, f) in ops.PRIMITIVES.items() if hasattr(ops, n)}
    assert named == set(ops.PRIMITIVES) - {
        "neg", "add", "sub", "mul", "div", "pow", "lt", "le", "gt", "ge",
    }  # fmt: skip
    for name in named & set(UNARY):
        same(
            getattr(ops, name)(torch.from_numpy(A)).squeeze(),
            numpy_says(UNARY[name], A),
        )
    assert (
        ops.minimum(torch.tensor(1.0), 2.0) == ops.maximum(1.0, torch.tensor(0.5)) == 1
    )


LONG = torch.tensor([[1.0, -2.0, 0.5, 800.0], [-900.0, -901.0, -902.0, -900.0]])


def test_sums_of_exponentials_do_not_overflow():
    torch.testing.assert_close(ops.logsumexp(LONG), LONG.logsumexp(-1, keepdim=True))
    torch.testing.assert_close(ops.softmax(LONG), LONG.softmax(-1))
    never = torch.tensor([[-math.inf, -math.inf], [-math.inf, 3.0]])
    torch.testing.assert_close(ops.logsumexp(never), never.logsumexp(-1, keepdim=True))


def test_mean_and_layer_norm():
    a, gain, shift = torch.randn(3, 5, 7), torch.randn(7), torch.randn(7)
    torch.testing.assert_close(ops.mean(a), a.mean(-1, keepdim=True))
    wanted = torch.nn.functional.layer_norm(a, [7], gain, shift, eps=1e-3)
    torch.testing.assert_close(ops.layer_norm(a, gain, shift, eps=1e-3), wanted)
    wanted = torch.nn.functional.layer_norm(a, [7])
    torch.testing.assert_close(ops.layer_norm(a, 1.0), wanted)


def test_an_unknown_primitive():
    with pytest.raises(KeyError, match="gelu"):
        ops.apply("gelu", torch.ones(2))


def test_the_type_of_the_tensors_is_kept():
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        a = torch.ones(2, dtype=dtype)
        with warnings.catch_warnings():
            results = [ops.apply(name, a) for name in UNARY]
            results += [ops.apply(name, a, 0.5) for name in BINARY]
            results += [ops.maximum(0.5, a), ops.where(a > 0, 0.1, a), ops.softmax(a)]
        assert {r.dtype for r in results} == {dtype, torch.bool}
