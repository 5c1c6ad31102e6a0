"""What a step may do is recorded; all else is refused, with file and line."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
import torch

from recurro.cells import LSTM, Cell, DeepTransition, Elman
from recurro.cells.ops import apply, exp, sum, tanh, where
from recurro.engine import trace
from recurro.errors import ArgumentError, TraceError


def cell_of(step, states=("h",), reads=("x",)):
    class Made(Cell):
        state = states
        inputs = reads

    Made.step = step
    Made.__abstractmethods__ = frozenset()
    return Made()


def test_a_program_as_text():
    def step(self, x, h):
        z = tanh(self.affine("z", x, h) + self.vector("p") * h)
        return where(z < 0.5, z, 1 - h)

    assert str(trace(cell_of(step), 2, 3)).splitlines() == [
        "%0: 2 = input(name=x)",
        "%1: 3 = state(name=h)",
        "%2: 3 = affine(%0, %1, bias=b_z, matrices=('W_z', 'U_z'), name=z)",
        "%3: 3 = vector(name=p)",
        "%4: 3 = mul(%3, %1)",
        "%5: 3 = add(%2, %4)",
        "%6: 3 = tanh(%5)",
        "%7: 1 = const(value=0.5)",
        "%8: 3 = lt(%6, %7)",
        "%9: 1 = const(value=1.0)",
        "%10: 3 = sub(%9, %1)",
        "%11: 3 = where(%8, %6, %10)",
        "return h = %11",
        "out %0: 3 = state(name=h)",
    ]


def test_matrices_are_named_by_what_their_operand_depends_on():
    def step(self, x, y, h, c):
        a = self.affine("a", x, y, h, x * 2, h + x)  # widths are equal here
        return self.affine("a", x, y, h, x * 2, h + x), self.affine("b", a)

    cell = cell_of(step, ("h", "c"), ("x", "y"))
    assert trace(cell, {"x": 3, "y": 3}, 3).shapes == {
        "W_a": (3, 3),
        "W2_a": (3, 3),
        "U_a": (3, 3),
        "W3_a": (3, 3),
        "U2_a": (3, 3),
        "b_a": (3,),
        "U_b": (3, 3),
        "b_b": (3,),
    }


def test_without_bias_no_affine_map_has_one():
    names = dict(trace(LSTM(proj_size=2), 4, 3, bias=False).parameters)
    assert names == {
        **{f"W_{k}": (3, 4) for k in "ifgo"},
        **{f"U_{k}": (3, 2) for k in "ifgo"},
        "U_p": (2, 3),
    }


def test_a_mask_of_one_name_is_one_mask():
    def step(self, x, h):
        return self.bernoulli("m", 0.5) * h + (1 - self.bernoulli("m", 0.5)) * x

    assert [op.name for op in trace(cell_of(step), 3, 3).ops].count("bernoulli") == 1


def test_operations_know_their_line_but_equal_programs_may_stand_elsewhere():
    def step(self, x, h):
        return tanh(self.affine("h", x, h))

    program = trace(cell_of(step), 2, 3)
    line = step.__code__.co_firstlineno + 1
    assert program.ops[-1].line == f" ({__file__}, line {line})"
    assert program == trace(Elman(), 2, 3)


def test_numbers_of_python_and_numpy_are_constants():
    def step(self, x, h):
        return np.sqrt(4.0) * h + math.pi - x * 3

    values = [
        op["value"] for op in trace(cell_of(step), 3, 3).ops if op.name == "const"
    ]
    assert values == [2.0, math.pi, 3.0]


CAPTURED = torch.ones(3)

REFUSED = {
    "if": lambda cell, x, h: h if h > 0 else x,
    "and": lambda cell, x, h: h and x,
    "not": lambda cell, x, h: not h,
    "max": lambda cell, x, h: max(x, h),
    "float": lambda cell, x, h: float(h) * x,
    "int": lambda cell, x, h: int(h) * x,
    "complex": lambda cell, x, h: complex(h) * x,
    "math": lambda cell, x, h: math.tanh(h),
    "index": lambda cell, x, h: h[0],
    "slice": lambda cell, x, h: h[..., :2],
    "iterate": lambda cell, x, h: sum(u for u in h),
    "unpack": lambda cell, x, h: min(*h),
    "len": lambda cell, x, h: len(h) * h,
    "range": lambda cell, x, h: range(h),
    "in": lambda cell, x, h: h if 1 in h else x,
    "==": lambda cell, x, h: h if x == 0 else x,
    "!=": lambda cell, x, h: h if x != 0 else x,
    "@": lambda cell, x, h: h @ h,
    "tensor @": lambda cell, x, h: CAPTURED @ h,
    "//": lambda cell, x, h: h // 2,
    "2 //": lambda cell, x, h: 2 // h,
    "%": lambda cell, x, h: h % 2,
    "&": lambda cell, x, h: (h > 0) & (x > 0),
    "~": lambda cell, x, h: ~(h > 0),
    "round": lambda cell, x, h: round(h),
    "method": lambda cell, x, h: h.sum(),
    "attribute": lambda cell, x, h: h.dtype and h,
    "batch": lambda cell, x, h: h * h.shape[0],
    "torch": lambda cell, x, h: torch.tanh(h),
    "torch functional": lambda cell, x, h: torch.nn.functional.relu(h),
    "torch linear": lambda cell, x, h: torch.nn.functional.linear(h, CAPTURED),
    "torch stack": lambda cell, x, h: torch.stack([h, x]),
    "numpy": lambda cell, x, h: np.tanh(h),
    "numpy sum": lambda cell, x, h: np.sum(h),
    "numpy stack": lambda cell, x, h: np.stack([h, x]),
    "numpy array": lambda cell, x, h: np.asarray(h) * h,
    "numpy reduce": lambda cell, x, h: np.add.reduce(h),
    "tensor left": lambda cell, x, h: CAPTURED * h,
    "tensor right": lambda cell, x, h: h * CAPTURED,
    "tensor in affine": lambda cell, x, h: cell.affine("h", CAPTURED),
    "number in affine": lambda cell, x, h: cell.affine("h", 1.0),
    "array": lambda cell, x, h: h + np.ones(3),
    "text": lambda cell, x, h: h + "1",
    "widths": lambda cell, x, h: h + cell.affine("a", x, width=2),
    "two shapes": lambda cell, x, h: cell.affine("a", cell.affine("a", h, width=2)),
    "two masks": lambda cell, x, h: cell.bernoulli("m", 0.5) * cell.bernoulli("m", 0.6),
    "width 0": lambda cell, x, h: cell.affine("a", h, width=0),
    "width 2.5": lambda cell, x, h: h * cell.vector("p", width=2.5),
    "arity": lambda cell, x, h: apply("tanh", h, x),
    "name": lambda cell, x, h: apply("gelu", h),
    "truth added": lambda cell, x, h: (h > 0) + x,
    "truth returned": lambda cell, x, h: h > 0,
    "truth missing": lambda cell, x, h: where(h, h, x),
    "two numbers": lambda cell, x, h: where(h > 0, 1.0, -1.0),
    "wide": lambda cell, x, h: cell.affine("a", h, width=2),
    "no value": lambda cell, x, h: None,
    "a list": lambda cell, x, h: [h],
    "two states": lambda cell, x, h: (h, h),
    "no state": lambda cell, x, h: (),
    "random": lambda cell, x, h: h * random.random(),
    "numpy random": lambda cell, x, h: h + np.random.default_rng().normal(),
    "torch random": lambda cell, x, h: exp(h - torch.rand(()).item()),
    "changing path": lambda cell, x, h: h if next(TURNS) else x,
}  # fmt: skip

TURNS = itertools.cycle([True, False])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_traced_is_refused_with_file_and_line(what):
    step = REFUSED[what]
    with pytest.raises(TraceError) as refusal:
        trace(cell_of(step), 3, 3)
    message = str(refusal.value)
    assert f"({__file__}, line {step.__code__.co_firstlineno})" in message
    assert message.count("(/") == 1  # one place is named
    assert message[-1] == "."


def test_the_line_is_the_users_in_a_function_that_the_step_calls():
    def halve(h):
        return h[:1]

    with pytest.raises(TraceError, match=f"line {halve.__code__.co_firstlineno + 1}"):
        trace(cell_of(lambda cell, x, h: halve(h)), 3, 3)


def test_the_line_is_the_inner_cells_under_a_wrapper():
    step = REFUSED["index"]
    with pytest.raises(TraceError, match=f"line {step.__code__.co_firstlineno}"):
        trace(DeepTransition(cell_of(step)), 3, 3)


def test_a_value_kept_from_another_step_is_refused():
    kept = []

    def step(self, x, h):
        kept.append(h)
        return kept[0] + x

    with pytest.raises(TraceError, match=r"another trace .*, line \d+"):
        trace(cell_of(step), 3, 3)


@pytest.mark.parametrize(
    "output",
    [
        lambda cell, h: cell.affine("y", h),
        lambda cell, h: cell.vector("p") * h,
        lambda cell, h: cell.bernoulli("m", 0.5) * h,
        lambda cell, h: h > 0,
        lambda cell, h: None,
    ],
)
def test_an_output_must_be_pointwise(output):
    cell = cell_of(lambda cell, x, h: tanh(x))
    type(cell).output = output
    with pytest.raises(TraceError, match=r"output must be|operands must be"):
        trace(cell, 3, 3)


def test_an_output_may_reduce_and_join_states():
    cell = cell_of(lambda cell, x, h, c: (tanh(x), h), ("h", "c"))
    type(cell).output = lambda cell, h, c: sum(h * c)
    assert trace(cell, 3, 3).output_width == 1


def test_a_step_cannot_be_called_directly():
    with pytest.raises(ArgumentError, match="run by an interpreter"):
        LSTM().step(*torch.zeros(3, 1, 2))


@pytest.mark.parametrize(
    ("input_size", "hidden_size", "message"),
    [
        (0, 3, "must be >= 1"),
        (3, 0, "must be >= 1"),
        ({"y": 3}, 3, "must name x, got y"),
        ({"x": 3, "y": 3}, 3, "must name x, got x, y"),
    ],
)
def test_sizes_must_be_right(input_size, hidden_size, message):
    with pytest.raises(ArgumentError, match=message):
        trace(LSTM(), input_size, hidden_size)
