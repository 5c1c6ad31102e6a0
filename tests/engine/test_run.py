"""The arguments of a run, its stored tensors, and several inputs."""

from __future__ import annotations

import pytest
import torch

from recurro.cells import GRU, LSTM, Cell, LayerNormLSTM, PeepholeLSTM
from recurro.cells.ops import sum, tanh
from recurro.engine import recurrence, run
from recurro.errors import ShapeError
from tests.contract import close


class Reader(Cell):
    """Reads a context beside its input; its second state is one unit wide."""

    state = ("h", "s")
    inputs = ("x", "context")

    def step(self, x, context, h, s):
        h = tanh(self.affine("h", x, h) + self.affine("c", context, bias=False))
        return h, s + sum(context)

    def widths(self, hidden_size):
        return hidden_size, 1


READER = recurrence(Reader(), {"x": 2, "context": 5}, 3)


def numbers(part, dtype=torch.float32):
    return {
        name: torch.randn(shape, dtype=dtype) for name, shape in part.shapes().items()
    }


def test_several_inputs():
    stored = numbers(READER)
    x, context = torch.randn(4, 3, 2), torch.randn(4, 3, 5)
    lengths = torch.tensor([4, 1, 0])
    result = run(READER, stored, (x, context), lengths=lengths)
    for row, length in enumerate(lengths):
        h, s = torch.zeros(3), torch.zeros(1)
        for t in range(length):
            h = torch.tanh(
                stored["W_h"] @ x[t, row]
                + stored["U_h"] @ h
                + stored["b_h"]
                + stored["W_c"] @ context[t, row]
            )
            s = s + context[t, row].sum()
        close((result.state[0][row], result.state[1][row]), (h, s), rtol=1e-5)


def test_a_state_of_one_unit_is_spread_over_a_wide_state():
    class Sum(Cell):
        state = ("h", "ones")

        def step(self, x, h, ones):
            return sum(h) + x, 1.0

    part = recurrence(Sum(), 3, 3)
    h = torch.tensor([[1.0, 2.0, 3.0]])
    y, (h, ones), _ = run(part, {}, torch.zeros(2, 1, 3), (h, torch.zeros(1, 3)))
    assert y[:, 0].tolist() == [[6.0] * 3, [18.0] * 3]
    assert ones.tolist() == [[1.0] * 3]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "cell", [LSTM(proj_size=2), GRU(), PeepholeLSTM(), LayerNormLSTM()], ids=str
)
def test_stored_tensors_hold_the_parameters(cell, bias):
    part = recurrence(cell, 4, 3, bias)
    parameters = {n: torch.randn(s) for n, s in part.program.shapes.items()}
    stored = part.pack(parameters)
    assert {n: tuple(t.shape) for n, t in stored.items()} == part.shapes()
    back = part.unpack(stored)
    assert back.keys() == parameters.keys()
    assert all(torch.equal(back[n], parameters[n]) for n in back)


def test_two_stored_biases_add_up():
    part = recurrence(GRU(), 2, 2)
    stored = {n: torch.ones(s) for n, s in part.shapes().items()}
    parameters = part.unpack(stored)
    assert parameters["b_r"].tolist() == parameters["b_z"].tolist() == [2.0, 2.0]
    assert parameters["b_n"].tolist() == parameters["b_hn"].tolist() == [1.0, 1.0]


X, CONTEXT = torch.zeros(4, 3, 2), torch.zeros(4, 3, 5)
H, S = torch.zeros(3, 3), torch.zeros(3, 1)

WRONG = {
    "one input": (((X,),), r"must be 2 inputs, got 1"),
    "two dimensions": (
        ((X[0], CONTEXT),),
        r"x must be \(time, batch, 2\), got \(3, 2\)",
    ),
    "width": (((X, X),), r"context must be \(time, batch, 5\), got \(4, 3, 2\). Build"),
    "no width": (((X[0, 0, 0], X),), r"x must be \(time, batch, 2\), got \(\)"),
    "time": (((X, CONTEXT[:2]),), r"time and batch \(4, 3\), got \(2, 3\)"),
    "one state": (((X, CONTEXT), (H,)), r"a tuple of 2 \(h, s\), got 1"),
    "state width": (((X, CONTEXT), (S, S)), r"h must be \(3, 3\), got \(3, 1\)"),
    "state batch": (((X, CONTEXT), (H, S[:1])), r"s must be \(3, 1\), got \(1, 1\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_tensor_that_does_not_fit_is_named(case):
    arguments, message = WRONG[case]
    with pytest.raises(ShapeError, match=f"^Reader: .*{message}"):
        run(READER, numbers(READER), *arguments)


TYPES = {
    "input": ((X.double(), CONTEXT), None, "input x .*, got torch.float64 on cpu"),
    "whole numbers": ((X, CONTEXT.long()), None, "input context .*, got torch.int64"),
    "state": ((X, CONTEXT), (H, S.bfloat16()), "state s .*, got torch.bfloat16"),
    "device": ((X, CONTEXT.to("meta")), None, "input context .* on meta"),
}


@pytest.mark.parametrize("case", TYPES)
def test_a_tensor_of_another_type_or_device_is_named(case):
    inputs, state, message = TYPES[case]
    wanted = "must be torch.float32 on cpu as the parameters"
    with pytest.raises(ShapeError, match=message.replace(".*", wanted + ".*")):
        run(READER, numbers(READER), inputs, state)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2], r"whole numbers \(3,\), got \(2,\)"),
        ([1.0, 2.0, 3.0], r"whole numbers \(3,\), got \(3,\) of torch.float32"),
        ([[1], [2], [3]], r"got \(3, 1\)"),
        ([1, 2, 5], r"each length must be in \[0, 4\], got 1 to 5"),
        ([-1, 2, 4], r"each length must be in \[0, 4\], got -1 to 4"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_lengths_that_do_not_fit_are_named(lengths, message):
    with pytest.raises(ShapeError, match=message):
        run(READER, numbers(READER), (X, CONTEXT), lengths=torch.tensor(lengths))
