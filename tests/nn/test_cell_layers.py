"""The drop-ins for single steps are PyTorch's cells."""

from __future__ import annotations

import inspect
import re

import pytest
import torch
from torch import nn

import recurro.nn
from recurro.errors import ArgumentError, ShapeError

NAMES = ("LSTMCell", "GRUCell", "RNNCell")


@pytest.mark.parametrize("name", NAMES)
def test_arguments_weights_and_values(name):
    theirs, ours = getattr(nn, name), getattr(recurro.nn, name)
    arguments = list(inspect.signature(theirs).parameters)
    assert list(inspect.signature(ours).parameters) == [*arguments, "backend"]
    for options in ({}, {"bias": False}, {"dtype": torch.float64}):
        torch.manual_seed(1)
        his = theirs(3, 4, **options)
        torch.manual_seed(1)
        mine = ours(3, 4, **options)
        assert list(mine.state_dict()) == list(his.state_dict())
        assert all(map(torch.equal, mine.parameters(), his.parameters()))
        assert mine.bias_ih is None or mine.bias
        x = torch.randn(2, 3, dtype=options.get("dtype"))
        for backend in ("auto", "reference"):
            mine.backend = backend
            torch.testing.assert_close(mine(x), his(x))
    assert repr(ours(3, 4, backend="cpu")) == f"{name}(3, 4, backend=cpu)"
    assert ours(3, 4, device="meta").weight_hh.is_meta


@pytest.mark.parametrize("name", NAMES)
def test_a_step_goes_through_every_transform(name):
    cell = getattr(recurro.nn, name)(3, 4).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)

    def h(x):
        found = cell(x)
        return found[0] if isinstance(found, tuple) else found

    assert torch.autograd.gradcheck(h, x[0])
    assert torch.autograd.gradgradcheck(h, x[0])
    rows = torch.stack([h(row) for row in x])
    torch.testing.assert_close(torch.func.vmap(h)(x), rows)
    by = torch.func.grad(lambda x: h(x).square().sum())(x[0])
    torch.testing.assert_close(by, torch.autograd.grad(h(x[0]).square().sum(), x)[0][0])


X = torch.zeros(2, 3)
WRONG = {
    "LSTMCell: input must be (batch, input_size=3), got (2, 4). Build it with "
    "input_size=4": lambda: recurro.nn.LSTMCell(3, 4)(torch.zeros(2, 4)),
    "GRUCell: input must be (batch, input_size=3), got (1, 2, 3)": lambda: (
        recurro.nn.GRUCell(3, 4)(X[None])
    ),
    "LSTMCell: hx must hold 2 tensors, got 1": lambda: recurro.nn.LSTMCell(3, 4)(X, X),
    "RNNCell: h_0 must be (2, 4), got (2, 3)": lambda: recurro.nn.RNNCell(3, 4)(X, X),
    "RNNCell: h_0 must be (4,), got (2, 4)": lambda: recurro.nn.RNNCell(3, 4)(
        X[0], torch.zeros(2, 4)
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_is_named(message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        WRONG[message]()


@pytest.mark.usefixtures("unchecked")
def test_arguments_out_of_range_are_named():
    with pytest.raises(ArgumentError, match="nonlinearity must be 'tanh' or 'relu'"):
        recurro.nn.RNNCell(3, 4, nonlinearity="sine")
    with pytest.raises(ArgumentError, match="backend must be one of"):
        recurro.nn.GRUCell(3, 4, backend="cuda")(X)
