"""Which programs are linear in the state, and that their form means what they do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro import cells
from recurro.cells import Cell
from recurro.cells.ops import (
    abs,
    cos,
    exp,
    maximum,
    relu,
    sigmoid,
    sin,
    softmax,
    sum,
    tanh,
    where,
)
from recurro.engine.linear import linear_form
from recurro.engine.reference import run_reference
from recurro.engine.scan import run_scan
from recurro.engine.trace import trace
from tests.engine.test_cpu import request_of, results


def cell_of(function, names=("h",), sizes=None):
    """A cell whose step is a function of the cell, the input and the states."""

    class Written(Cell):
        state = names

        def step(self, x, *states):
            return function(self, x, *states)

        def widths(self, hidden_size):
            return sizes or super().widths(hidden_size)

    return Written()


def gate(cell, x):
    return sigmoid(cell.affine("z", x))


LINEAR = {
    "minGRU": cells.MinGRU(),
    "minLSTM": cells.MinLSTM(),
    "diagonal": cells.DiagonalLinear(),
    "complex": cells.ComplexDiagonal(),
    "zoneout": cells.Zoneout(cells.MinGRU(), 0.3),
    "twice": cells.DeepTransition(cells.DiagonalLinear(), 2),
    "smoothing": cell_of(lambda cell, x, h: h - 0.3 * (h - cell.affine("h", x))),
    "chosen": cell_of(lambda cell, x, h: where(gate(cell, x) > 0.5, h, -h) + 1.0),
    "divided": cell_of(lambda cell, x, h: (h - 2) / (1.5 + gate(cell, x)) - h / 4),
    "counter": cell_of(lambda cell, x, h: h + 1),
    "forgetful": cell_of(lambda cell, x, h: gate(cell, x)),
    "free sums": cell_of(lambda cell, x, h: sum(x) * h + softmax(cell.affine("h", x))),
    "momentum": cell_of(
        lambda cell, x, v, h: (0.9 * v + cell.affine("h", x), h + v * gate(cell, x)),
        ("v", "h"),
    ),
    "three states": cell_of(
        lambda cell, x, a, b, c: (c * gate(cell, x), a - b, b + 0.5 * c),
        ("a", "b", "c"),
    ),
    "turn": cell_of(
        lambda cell, x, a, b: (
            cos(cell.vector("w")) * a - sin(cell.vector("w")) * b + cell.affine("h", x),
            sin(cell.vector("w")) * a + cos(cell.vector("w")) * b,
        ),
        ("a", "b"),
    ),
}

NEAR = {
    "gate sees the state": cell_of(
        lambda cell, x, h: sigmoid(cell.affine("z", x, h)) * h
    ),
    "gate sees its unit": cell_of(lambda cell, x, h: sigmoid(cell.vector("u") * h) * h),
    "tanh of state": cell_of(lambda cell, x, h: tanh(gate(cell, x) * h)),
    "square": cell_of(lambda cell, x, h: gate(cell, x) + 0.1 * h * h),
    "power": cell_of(lambda cell, x, h: h**2),
    "exponent": cell_of(lambda cell, x, h: 2**h),
    "divisor": cell_of(lambda cell, x, h: gate(cell, x) / (1 + h)),
    "abs": cell_of(lambda cell, x, h: abs(h) + gate(cell, x)),
    "relu": cell_of(lambda cell, x, h: relu(h + cell.affine("h", x))),
    "maximum": cell_of(lambda cell, x, h: maximum(h, gate(cell, x))),
    "condition": cell_of(lambda cell, x, h: where(h > 0, 0.5 * h, gate(cell, x))),
    "dense": cell_of(lambda cell, x, h: cell.affine("h", x, h)),
    "mean over units": cell_of(lambda cell, x, h: 0.5 * h + 0.1 * sum(h)),
    "states multiplied": cell_of(
        lambda cell, x, a, b: (a * b, b + gate(cell, x)), ("a", "b")
    ),
    "one state spread over another": cell_of(
        lambda cell, x, a, b: (a * gate(cell, x) + b, 0.5 * b), ("a", "b"), (4, 1)
    ),
    "exp": cell_of(lambda cell, x, h: exp(-h)),
    "GRU": cells.GRU(),
    "leaky": cells.Leaky(0.5),
    "linear": cells.Linear(),
}


def of(cell):
    return linear_form(trace(cell, input_size=3, hidden_size=4))


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_are_not_taken(name):
    assert of(NEAR[name]) is None


def small(cell, **options):
    sizes = {"hidden": 5, "batch": 2, "time": 7, "dtype": torch.float64}
    return request_of(cell, **{**sizes, **options})


def assert_scan_is_the_loop(request):
    got, wanted = results(run_scan, request), results(run_reference, request)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_programs_are_recognised(name):
    form = of(LINEAR[name])
    assert form is not None
    assert all(op.name != "state" for op in form.ops)
    assert_scan_is_the_loop(small(LINEAR[name]))


def test_a_gate_is_its_own_factor():
    form = of(cell_of(lambda cell, x, h: gate(cell, x) * h + x.shape[-1]))
    assert form.ops[form.factors[0][0]].name == "sigmoid"
    assert of(LINEAR["forgetful"]).factors == ((None,),)
    assert of(LINEAR["counter"]).ops[of(LINEAR["counter"]).offsets[0]]["value"] == 1.0


# -- random programs -------------------------------------------------------------------

FREE = [
    lambda a, b: a + b,
    lambda a, b: tanh(a) * b,
    lambda a, b: a / (abs(b) + 0.5),
    lambda a, b: where(a < b, sigmoid(a), 0.7),
    lambda a, b: a - 0.3 * sum(b),
]
KEEPING = [
    lambda s, t, a: s + t,
    lambda s, t, a: s - t,
    lambda s, t, a: -s + a,
    lambda s, t, a: a - s,
    lambda s, t, a: tanh(a) * s,
    lambda s, t, a: s * 0.4,
    lambda s, t, a: s / (1.2 + abs(a)),
    lambda s, t, a: where(a > 0.1, s, t),
    lambda s, t, a: where(a <= 0.2, a, s),
]
BREAKING = [
    lambda s, t, a: s * t,
    lambda s, t, a: tanh(s),
    lambda s, t, a: s / (1 + abs(t)),
    lambda s, t, a: where(s > t, s, t),
    lambda s, t, a: sigmoid(s + a) * t,
    lambda s, t, a: maximum(s, a),
]


@dataclass(frozen=True)
class Drawn(Cell):
    """A cell that carries out a plan of (what, three operands) over two states."""

    plan: tuple[tuple[int, int, int, int], ...] = ()
    state = ("h", "c")

    def step(self, x, h, c):
        free = [self.affine("x", x), self.vector("v"), 0.5 + 0 * self.affine("y", x)]
        kept = [h, c]
        for what, i, j, k in self.plan:
            a, b = free[i % len(free)], free[j % len(free)]
            if what < len(FREE):
                free.append(FREE[what](a, b))
                continue
            rules = (KEEPING + BREAKING)[what - len(FREE)]
            kept.append(
                rules(kept[i % len(kept)], kept[j % len(kept)], free[k % len(free)])
            )
        return 0.5 * kept[-1], 0.3 * kept[-2]


def plans(top):
    index = st.integers(0, 20)
    instruction = st.tuples(st.integers(0, top - 1), index, index, index)
    return st.lists(instruction, max_size=9).map(tuple)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(plans(len(FREE) + len(KEEPING)))
def test_what_is_linear_by_its_making_is_recognised(plan):
    assert of(Drawn(plan)) is not None
    assert_scan_is_the_loop(small(Drawn(plan), time=5, lengths=len(plan) % 2 == 0))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(plans(len(FREE) + len(KEEPING) + len(BREAKING)))
def test_what_is_recognised_is_linear(plan):
    if of(Drawn(plan)) is not None:
        assert_scan_is_the_loop(small(Drawn(plan), time=3))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(plans(len(FREE) + len(KEEPING)), st.sampled_from(range(len(BREAKING))))
def test_one_step_beyond_is_refused(plan, broken):
    last = (len(FREE) + len(KEEPING) + broken, len(plan) + 1, len(plan) + 1, 0)
    kept = 2 + len([what for what, *_ in plan if what >= len(FREE)])
    last = (last[0], kept - 1, kept - 1, 0)
    assert of(Drawn((*plan, last))) is None
