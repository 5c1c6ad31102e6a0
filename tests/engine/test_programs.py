"""Programs made at random: the traced program means what the step does.

A step is made from a plan, a list of instructions that hypothesis draws. It is traced,
and the program is evaluated operation by operation in numpy by an interpreter that
knows nothing of PyTorch; the reference loop runs the step itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.cells import Cell, ops
from recurro.cells.ops import (
    abs,
    amax,
    cos,
    exp,
    floor,
    log,
    logsumexp,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    sin,
    softmax,
    softplus,
    sqrt,
    sum,
    tanh,
    where,
)
from recurro.engine import recurrence, run, trace, verify

TIME, BATCH, INPUT, HIDDEN = 3, 2, 2, 3
WIDTHS = (HIDDEN, HIDDEN, 1, 2)

# Each is kept in a range where rounding does not grow, and jumps stand at odd places.
UNARY = [
    lambda a: -a,
    sigmoid,
    tanh,
    relu,
    lambda a: exp(tanh(a)),
    lambda a: log(softplus(a) + 0.1),
    lambda a: sqrt(abs(a) + 0.1),
    sin,
    cos,
    lambda a: floor(1.7 * a + 0.3137),
    sum,
    amax,
    mean,
    softmax,
    logsumexp,
    lambda a: tanh(a) ** 2,
    lambda a: 2 ** tanh(a),
    lambda a: 1 - a,
    lambda a: 1 / (1.5 + a * a),
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: tanh(a) * b,
    lambda a, b: a / (abs(b) + 0.5),
    lambda a, b: (abs(tanh(a)) + 0.5) ** tanh(b),
    minimum,
    maximum,
    lambda a, b: where(a < b + 0.1234, a, b),
    lambda a, b: where(a <= 0.4321, b, 0.5),
    lambda a, b: where(b - a > 0.777, b, a),
    lambda a, b: where(a >= b * 0.613, 1 - a, -b),
]
AFFINE = len(UNARY) + len(BINARY)
VECTOR, MASK = AFFINE + 1, AFFINE + 2


@dataclass(frozen=True)
class Planned(Cell):
    """A cell whose step carries out a plan: (what, two operands, a width) each."""

    plan: tuple[tuple[int, int, int, int], ...] = ()
    results: tuple[int, int, int] = (0, 0, 0)
    state = ("h", "c", "d")

    def widths(self, hidden_size):
        return HIDDEN, HIDDEN, 2

    def step(self, x, h, c, d):
        values = [x, h, c, d]
        for number, (what, i, j, width) in enumerate(self.plan):
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(self.do(str(number), what, a, b, width))
        return tuple(
            tanh(self.fitted(f"end{k}", values[r % len(values)], width))
            for k, (r, width) in enumerate(
                zip(self.results, self.widths(HIDDEN), strict=True)
            )
        )

    def do(self, name, what, a, b, width):
        if what < len(UNARY):
            return UNARY[what](a)
        if what < AFFINE:
            wide = max(a.shape[-1], b.shape[-1])
            a, b = self.fitted(f"{name}a", a, wide), self.fitted(f"{name}b", b, wide)
            return BINARY[what - len(UNARY)](a, b)
        if what == AFFINE:
            return self.affine(name, a, b, width=width, bias=width != 2)
        if what == VECTOR:
            return self.vector(f"v{name}", width) * self.fitted(name, a, width)
        return self.bernoulli(f"m{name}", 0.3, width=width)

    def fitted(self, name, a, width):
        return (
            a if a.shape[-1] in (1, width) else self.affine(f"f{name}", a, width=width)
        )

    def output(self, h, c, d):
        return h * c + sum(d)


@st.composite
def planned(draw):
    index = st.integers(0, 30)
    instruction = st.tuples(st.integers(0, MASK), index, index, st.sampled_from(WIDTHS))
    plan = draw(st.lists(instruction, min_size=1, max_size=14))
    ends = st.integers(3, 3 + len(plan))
    return Planned(tuple(plan), tuple(draw(st.tuples(ends, ends, ends))))


NUMPY = {
    "neg": np.negative,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
    "relu": lambda a: np.where(a > 0, a, 0),
    "exp": np.exp,
    "log": np.log,
    "softplus": lambda a: np.where(a > 20, a, np.log1p(np.exp(np.minimum(a, 20)))),
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "sum": lambda a: np.array([a.sum()]),
    "amax": lambda a: np.array([a.max()]),
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
    "where": np.where,
}


def interpret(operations, inputs, state, parameters):
    """The value of each operation for one row, none of it wider than it says."""
    values = []
    for op in operations:
        arguments = [values[a] for a in op.args]
        attrs = dict(op.attrs)
        if op.name in NUMPY:
            value = NUMPY[op.name](*arguments)
        elif op.name == "const":
            value = np.array([attrs["value"]])
        elif op.name == "bernoulli":
            value = np.full(op.width, attrs["p"])
        elif op.name == "affine":
            value = 0 if attrs["bias"] is None else parameters[attrs["bias"]]
            for matrix, argument in zip(attrs["matrices"], arguments, strict=True):
                value = value + parameters[matrix] @ argument
        else:
            source = {"input": inputs, "state": state, "vector": parameters}[op.name]
            value = source[attrs["name"]]
        assert value.shape == (op.width,)
        values.append(value)
    return values


@settings(max_examples=250, deadline=None, derandomize=True)
@given(cell=planned(), bias=st.booleans(), seed=st.integers(0, 1000))
def test_the_program_means_what_the_step_does(cell, bias, seed):
    part = recurrence(cell, INPUT, HIDDEN, bias)
    program = part.program
    rng = np.random.default_rng(seed)
    parameters = {n: rng.normal(size=s) for n, s in program.shapes.items()}
    x = rng.normal(size=(TIME, BATCH, INPUT))
    start = [rng.normal(size=(BATCH, width)) for _, width in program.state]
    result = run(
        part,
        {name: torch.from_numpy(value) for name, value in parameters.items()},
        torch.from_numpy(x),
        tuple(map(torch.from_numpy, start)),
        return_states=True,
    )
    assert result.output.shape[-1] == program.output_width
    names = [name for name, _ in program.state]
    for row in range(BATCH):
        state = {n: s[row] for n, s in zip(names, start, strict=True)}
        for t in range(TIME):
            values = interpret(program.ops, {"x": x[t, row]}, state, parameters)
            new = [values[r] for r in program.results]
            state = {
                n: np.broadcast_to(v, width)
                for (n, width), v in zip(program.state, new, strict=True)
            }
            shown = interpret(program.output_ops, {}, state, parameters)[-1]
            close(result.output[t, row], shown)
            for name, got in zip(names, result.states, strict=True):
                close(got[t, row], state[name])


def close(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cell=planned(), bias=st.booleans())
def test_a_trace_is_verified_repeatable_and_printed(cell, bias):
    program = trace(cell, INPUT, HIDDEN, bias=bias)
    assert verify(program) == trace(cell, INPUT, HIDDEN, bias=bias)
    lines = len(program.ops) + len(program.output_ops) + 1
    assert len(str(program).splitlines()) == lines
    used = {m for op in program.affines() for m in (*op["matrices"], op["bias"]) if m}
    used |= {op["name"] for op in program.ops if op.name == "vector"}
    assert used == set(program.shapes)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cell=planned(), seed=st.integers(0, 1000))
def test_steps_and_lengths_of_a_random_cell(cell, seed):
    part = recurrence(cell, INPUT, HIDDEN)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    stored = {name: draw(*shape) for name, shape in part.shapes().items()}
    x, state = draw(TIME, BATCH, INPUT), tuple(draw(BATCH, w) for w in (3, 3, 2))
    lengths = torch.tensor([2, 3])
    whole = run(part, stored, x, state, lengths=lengths)
    now = state
    for t in range(TIME):
        now = run(part, stored, x[t : t + 1], now).state
        row = {1: 0, 2: 1}.get(t)
        if row is not None:  # this row ends here
            for got, wanted in zip(whole.state, now, strict=True):
                close(got[row], wanted[row])


def test_every_primitive_is_drawn():
    class Everything(Cell):
        state = ("h",)

        def step(self, x, h):
            for function in UNARY:
                x = x + function(h)
            for function in BINARY:
                x = x + function(x, h)
            return x

    names = {op.name for op in trace(Everything(), HIDDEN, HIDDEN).ops}
    assert names - {"input", "state", "const"} == set(ops.PRIMITIVES) == set(NUMPY)
