"""A malformed program is refused, whatever made it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recurro.cells import GRU, LSTM
from recurro.cells.ops import PRIMITIVES, REDUCTIONS
from recurro.engine import Op, Program, trace, verify
from recurro.errors import TraceError

X = Op("input", (), 2, (("name", "x"),))
H = Op("state", (), 3, (("name", "h"),))
ONE = Op("const", (), 1, (("value", 1.0),))
P = Op("vector", (), 3, (("name", "p"),))
MASK = Op("bernoulli", (), 3, (("name", "m"), ("p", 0.5), ("per", "step")))
HIDDEN = {"W_z": (3, 2), "U_z": (3, 3), "b_z": (3,), "p": (3,)}


def affine(*args, width=3, matrices=("W_z", "U_z"), bias="b_z"):
    attrs = (("bias", bias), ("matrices", matrices), ("name", "z"))
    return Op("affine", args, width, attrs)


def program(*ops, results=None, output=(H,), parameters=HIDDEN):
    return Program(
        inputs=(("x", 2),),
        state=(("h", 3),),
        ops=ops,
        results=(len(ops) - 1,) if results is None else results,
        output_ops=output,
        parameters=tuple(parameters.items()),
    )


SOUND = {
    "a state": program(H),
    "an affine map": program(X, H, affine(0, 1)),
    "no bias": program(X, H, affine(0, 1, bias=None)),
    "bias alone": program(affine(matrices=())),
    "a vector": program(P, H, Op("mul", (0, 1), 3)),
    "a mask": program(MASK, H, Op("mul", (0, 1), 3)),
    "one unit for all": program(H, Op("sum", (0,), 1)),
    "a branch": program(H, ONE, Op("lt", (0, 1), 3), Op("where", (2, 0, 1), 3)),
    "an output": program(H, output=(H, ONE, Op("sub", (0, 1), 3))),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_program_passes(case):
    assert verify(SOUND[case]) is SOUND[case]


MALFORMED = {
    "reads itself": program(Op("tanh", (0,), 3)),
    "reads a later one": program(Op("tanh", (1,), 3), H),
    "reads before the first": program(H, Op("tanh", (-1,), 3)),
    "no such operation": program(H, Op("gelu", (0,), 3)),
    "too many operands": program(H, Op("tanh", (0, 0), 3)),
    "too few operands": program(H, Op("add", (0,), 3)),
    "operands of a leaf": program(H, replace(H, args=(0,))),
    "wrong width": program(H, Op("tanh", (0,), 2)),
    "wide sum": program(H, Op("sum", (0,), 3)),
    "widths 3 and 2": program(X, H, Op("add", (0, 1), 3)),
    "widths of where": program(X, H, Op("lt", (1, 1), 3), Op("where", (2, 0, 1), 3)),
    "no attributes": program(replace(H, attrs=())),
    "half a mask": program(replace(MASK, attrs=(("name", "m"),))),
    "attributes of tanh": program(H, Op("tanh", (0,), 3, (("name", "t"),))),
    "unknown input": program(replace(X, attrs=(("name", "y"),)), H),
    "unknown state": program(replace(H, attrs=(("name", "c"),))),
    "wide input": program(replace(X, width=3), H),
    "narrow state": program(replace(H, width=2), H),
    "unknown vector": program(replace(P, attrs=(("name", "q"),))),
    "narrow vector": program(P, parameters={"p": (2,)}),
    "no matrix": program(X, H, affine(0, 1), parameters={"b_z": (3,)}),
    "matrix the wrong way": program(
        X, H, affine(0, 1), parameters={**HIDDEN, "W_z": (2, 3)}
    ),
    "no bias": program(X, H, affine(0, 1), parameters={"W_z": (3, 2), "U_z": (3, 3)}),
    "narrow bias": program(X, H, affine(0, 1), parameters={**HIDDEN, "b_z": (2,)}),
    "one matrix for two": program(X, H, affine(0, 1, matrices=("W_z",))),
    "product of a truth": program(H, Op("lt", (0, 0), 3), affine(1, matrices=("U_z",))),
    "sum of truths": program(H, Op("lt", (0, 0), 3), Op("sum", (1,), 1)),
    "where without truth": program(H, Op("where", (0, 0, 0), 3)),
    "a truth as a branch": program(H, Op("lt", (0, 0), 3), Op("where", (1, 1, 0), 3)),
    "a truth as a state": program(H, Op("lt", (0, 0), 3)),
    "a truth as the output": program(H, output=(H, Op("lt", (0, 0), 3))),
    "too few results": program(H, results=()),
    "too many results": program(H, results=(0, 0)),
    "result outside": program(H, results=(1,)),
    "result before": program(H, results=(-1,)),
    "narrow result": program(X),
    "no output": program(H, output=()),
    "output of an input": program(H, output=(X,)),
    "output of another state": program(H, output=(replace(H, width=2),)),
    "output of a vector": program(H, output=(P,)),
    "output of a mask": program(H, output=(MASK,)),
    "output of an affine map": program(H, output=(H, affine(0, matrices=("U_z",)))),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_program_is_refused(case):
    with pytest.raises(TraceError, match=r"\.$"):
        verify(MALFORMED[case])


def test_the_line_is_named():
    line = " (cell.py, line 7)"
    with pytest.raises(TraceError, match=r"\(cell.py, line 7\)"):
        verify(program(H, Op("tanh", (0,), 2, line=line)))


def test_any_single_change_of_width_is_noticed():
    sound = trace(GRU(), 2, 3)
    for i, op in enumerate(sound.ops):
        ops = list(sound.ops)
        ops[i] = replace(op, width=op.width + 1)
        with pytest.raises(TraceError):
            verify(replace(sound, ops=tuple(ops)))


def test_a_reduction_is_a_primitive_of_one_operand():
    assert all(PRIMITIVES[name][0] == 1 for name in REDUCTIONS)


def test_programs_are_values():
    one, two = trace(LSTM(), 2, 3), trace(LSTM(), 2, 3)
    assert one == two
    assert hash(one) == hash(two)
    assert len({one, two, trace(LSTM(), 2, 4), trace(LSTM(proj_size=2), 2, 3)}) == 3
