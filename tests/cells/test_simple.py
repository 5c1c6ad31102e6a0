"""The simple cells against their equations."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.cells import Elman, ForgetUpdate, Linear, Rate, Residual
from recurro.errors import ArgumentError
from tests.cells.transcribed import assert_follows, sigmoid

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda a: np.where(a > 0, a, 0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_elman(name):
    s = ACTIVATIONS[name]
    assert_follows(Elman(name), lambda p, x, h: s(p.W_h @ x + p.U_h @ h + p.b_h))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_rate_form(name):
    s = ACTIVATIONS[name]
    assert_follows(Rate(name), lambda p, x, r: p.W_r @ x + p.U_r @ s(r) + p.b_r)


def test_linear():
    assert_follows(Linear(), lambda p, x, h: p.W_h @ x + p.U_h @ h + p.b_h)


def test_residual():
    assert_follows(
        Residual(), lambda p, x, h: h + np.tanh(p.W_f @ x + p.U_f @ h + p.b_f)
    )


def test_forget_and_update():
    def equations(p, x, h):
        f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)
        return f * h + np.tanh(p.W_u @ x + p.U_u @ h + p.b_u)

    assert_follows(ForgetUpdate(), equations)


@pytest.mark.parametrize("cell", [Elman, Rate])
@pytest.mark.usefixtures("unchecked")
def test_an_unknown_activation_is_refused(cell):
    with pytest.raises(ArgumentError, match=rf"{cell.__name__}: .*, got 'gelu'\."):
        cell("gelu")
