"""The backward step equals PyTorch's autograd, for every cell and random programs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro import cells
from recurro.cells import Cell, ops
from recurro.cells.ops import PRIMITIVES
from recurro.engine.adjoint import adjoint
from recurro.engine.trace import trace

BATCH, INPUT, HIDDEN = 3, 2, 4


def forward(program, leaves, parameters):
    """All values of the forward step, by PyTorch."""
    values = []
    for op in program.ops:
        args = [values[a] for a in op.args]
        if op.name in ("input", "state", "bernoulli"):
            values.append(leaves[op["name"]])
        elif op.name == "const":
            values.append(torch.full((1,), op["value"], dtype=torch.float64))
        elif op.name == "vector":
            values.append(parameters[op["name"]])
        elif op.name == "affine":
            parts = [
                a @ parameters[m].T for a, m in zip(args, op["matrices"], strict=True)
            ]
            bias = [parameters[op["bias"]]] if op["bias"] else []
            values.append(sum(parts + bias))
        else:
            values.append(PRIMITIVES[op.name][1](*args))
    return values


def backward(program, leaves, parameters, values, grads):
    """All values of the backward step, by PyTorch without autograd."""
    back, results = adjoint(program), []
    saved = {i: values[i].detach() for i in back.saved}
    for op in back.ops:
        args = [results[a] for a in op.args]
        if op.name == "saved":
            results.append(saved[op["index"]])
        elif op.name == "grad":
            results.append(grads[op["name"]])
        elif op.name == "product":
            results.append(args[0] @ parameters[op["matrix"]])
        elif op.name == "spread":
            results.append(args[0].expand(BATCH, op.width))
        elif op.name in ("input", "state", "bernoulli"):
            results.append(leaves[op["name"]])
        elif op.name == "vector":
            results.append(parameters[op["name"]])
        elif op.name == "const":
            results.append(torch.full((1,), op["value"], dtype=torch.float64))
        else:
            results.append(PRIMITIVES[op.name][1](*args))
    return back, results


def assert_adjoint_is_autograd(cell, hidden=HIDDEN):  # noqa: C901, PLR0912 (one story)
    program = trace(cell, INPUT, hidden)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) * 1.6 - 0.8

    sizes = {**dict(program.inputs), **dict(program.state)}
    leaves = {name: draw(BATCH, width) for name, width in sizes.items()}
    for op in program.ops:
        if op.name == "bernoulli":
            leaves[op["name"]] = draw(BATCH, op.width).gt(0).double()
    parameters = {name: draw(*shape) for name, shape in program.parameters}
    tracked = {**leaves, **parameters}
    for tensor in tracked.values():
        tensor.requires_grad_()
    values = forward(program, leaves, parameters)
    new = {
        name: values[r].expand(BATCH, width)
        for (name, width), r in zip(program.state, program.results, strict=True)
    }
    grads = {name: draw(BATCH, width) for name, width in program.state}
    loss = sum((new[name] * grads[name]).sum() for name in new)
    wanted = dict(
        zip(
            tracked,
            torch.autograd.grad(
                loss,
                list(tracked.values()),
                allow_unused=True,
                materialize_grads=True,
            ),
            strict=True,
        )
    )
    with torch.no_grad():
        back, results = backward(program, leaves, parameters, values, grads)
        got = {name: torch.zeros_like(tensor) for name, tensor in tracked.items()}
        for (name, _), index in zip(program.state, back.state, strict=True):
            if index is not None:
                got[name] += results[index]
        for name, index in back.inputs:
            got[name] += results[index]
        for name, index in back.vectors:
            got[name] += results[index].expand(BATCH, len(got[name])).sum(0)
        for op, index in zip(program.affines(), back.affine, strict=True):
            if index is None:
                continue
            delta = results[index].expand(BATCH, op.width)
            if op["bias"]:
                got[op["bias"]] += delta.sum(0)
            for matrix, a in zip(op["matrices"], op.args, strict=True):
                got[matrix] += delta.T @ values[a].expand(BATCH, program.ops[a].width)
                if program.ops[a].name == "input":
                    got[program.ops[a]["name"]] += delta @ parameters[matrix]
    masks = {op["name"] for op in program.ops if op.name == "bernoulli"}
    for name in tracked.keys() - masks:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-9, atol=1e-11)


PLAIN = [
    cells.Elman(),
    cells.Elman("relu"),
    cells.Rate("sigmoid"),
    cells.Linear(),
    cells.Residual(),
    cells.ForgetUpdate(),
    cells.LSTM(),
    cells.LSTM(proj_size=2),
    cells.PeepholeLSTM(),
    cells.GRU(),
    cells.ChoGRU(),
    cells.MinimalGatedUnit(),
    cells.LayerNormLSTM(),
    cells.MinGRU(),
    cells.MinLSTM(),
    cells.DiagonalLinear(),
    cells.ComplexDiagonal(),
    cells.Leaky(0.3),
]


@pytest.mark.parametrize("cell", PLAIN, ids=repr)
def test_every_cell(cell):
    assert_adjoint_is_autograd(cell)


@pytest.mark.parametrize(
    "cell", [cells.LSTM(), cells.ChoGRU(), cells.MinGRU()], ids=repr
)
def test_wrapped_cells(cell):
    deep = cells.DeepTransition(cell, 3)
    assert_adjoint_is_autograd(cells.Zoneout(cells.RecurrentDropout(deep, 0.3), 0.2))


def test_an_lstm_stores_its_gates_and_evaluates_nothing_transcendental():
    back = adjoint(trace(cells.LSTM(), INPUT, HIDDEN))
    assert len(back.saved) == 5
    assert {"sigmoid", "tanh", "exp"}.isdisjoint(op.name for op in back.ops)


LEAVES = st.sampled_from(["x", "h", "c", "one", "p", "affine x", "affine h"])
UNARY = ["neg", "sigmoid", "tanh", "relu", "exp", "softplus", "abs", "sin", "cos"]
BINARY = ["add", "sub", "mul", "minimum", "maximum"]
TREES = st.recursive(
    LEAVES,
    lambda sub: st.one_of(
        st.tuples(
            st.sampled_from([*UNARY, "sum", "amax", "safe log", "safe sqrt"]), sub
        ),
        st.tuples(st.sampled_from([*BINARY, "safe div", "safe pow"]), sub, sub),
        st.tuples(st.sampled_from(["where", "affine"]), sub, sub, sub),
        st.tuples(st.sampled_from(["mean", "softmax", "logsumexp", "norm"]), sub),
    ),
    max_leaves=8,
)


class Grown(Cell):
    """A cell whose equations are two random expressions."""

    state = ("h", "c")

    def __init__(self, first, second):
        object.__setattr__(self, "trees", (first, second))

    def step(self, x, h, c):
        self_counter = [0]
        here = {"x": self.affine("in", x), "h": h, "c": c}
        grown = (self.grow(tree, here, self_counter) for tree in self.trees)
        return tuple(ops.tanh(value) for value in grown)

    def grow(self, tree, here, counter):  # noqa: C901 (a table of cases)
        counter[0] += 1
        name = f"k{counter[0]}"
        if tree == "one":
            return self.vector(name) * 0 + 1.0
        if tree == "p":
            return self.vector(name)
        if isinstance(tree, str) and tree.startswith("affine"):
            return self.affine(name, here[tree[-1]])
        if isinstance(tree, str):
            return here[tree]
        op, *branches = tree
        args = [self.grow(branch, here, counter) for branch in branches]
        if op == "exp":
            args = [ops.tanh(args[0])]
        if op == "affine":
            return self.affine(name, *args)
        if op == "where":
            return ops.where(args[0] > args[1], args[1], args[2])
        if op == "norm":
            return ops.layer_norm(args[0], 1.5, 0.1, eps=0.1)
        if op.startswith("safe"):
            args[-1] = ops.sigmoid(args[-1]) + 0.5
            if op == "safe pow":
                return args[1] ** ops.tanh(args[0])
            op = op.removeprefix("safe ")
        if op in ("mean", "softmax", "logsumexp"):
            return getattr(ops, op)(args[0])
        return ops.apply(op, *args)


@settings(max_examples=200, deadline=None)
@given(TREES, TREES)
def test_random_programs(first, second):
    assert_adjoint_is_autograd(Grown(first, second))


def test_units_of_a_layer_of_one_unit():
    assert_adjoint_is_autograd(cells.LayerNormLSTM(), hidden=1)
