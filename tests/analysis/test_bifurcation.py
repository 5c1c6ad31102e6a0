"""Bifurcation diagrams of maps that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recurro.analysis import bifurcation_diagram, scaled
from recurro.cells import Cell, Elman, init
from recurro.errors import ArgumentError
from recurro.nn import LSTM, Recurrent


class Logistic(Cell):
    """s_t = r s (1 - s), in s - 1/2."""

    state = ("s",)

    def step(self, x, s):
        return self.vector("r") * (s + 0.5) * (0.5 - s) - 0.5


def logistic(r: float) -> Recurrent:
    return Recurrent(Logistic(), 1, 1, initial={"r": init.constant(r)})


def test_the_logistic_map_doubles_its_period():
    values = [2.8, 3.2, 3.5, 3.55, 3.9]
    diagram = bifurcation_diagram(
        logistic, values, steps=600, keep=64, starts=2, spread=0.4
    )
    assert diagram.counts().tolist()[:4] == [1, 2, 4, 8]
    assert diagram.counts()[4] > 50
    assert (diagram.exponent[:4] < 0).all() and diagram.exponent[4] > 0.4
    assert diagram.exponent[0] == pytest.approx(math.log(0.8), abs=1e-3)  # |2 - r|
    assert diagram.changes().tolist() == values[1:]
    assert diagram.visits.shape == (5, 2, 64)
    np.testing.assert_allclose(diagram.visits[0], 1 - 1 / 2.8 - 0.5, atol=1e-6)


def test_a_pitchfork_over_a_weight_scale():
    unit = Recurrent(Elman(), 1, 1, initial={"U": init.constant(1.0)})
    diagram = bifurcation_diagram(scaled(unit), np.linspace(0.25, 1.75, 7), keep=1)
    assert (
        diagram.counts().tolist()
        == [1, 1, 1, 2, 2, 2, 2][:3] + diagram.counts()[3:].tolist()
    )
    assert diagram.counts()[-1] == 2
    held = np.abs(diagram.visits[-1]).max()
    assert held == pytest.approx(np.tanh(1.75 * held), abs=1e-6)
    assert unit.weight_hh_l0.item() == 1.0  # left as it was


def test_any_parameter_and_any_input():
    layer = Recurrent(Elman(), 2, 3)
    diagram = bifurcation_diagram(
        scaled(layer, "bias_ih_l0", "weight_ih_l0"), [0.0, 1.0], x=torch.ones(2), unit=2
    )
    assert diagram.visits.shape == (2, 8, 50)
    drop_in = LSTM(1, 2)
    assert bifurcation_diagram(scaled(drop_in), [1.0], steps=60).exponent.shape == (1,)


def test_bad_input_is_refused():
    layer = Recurrent(Elman(), 1, 3)
    with pytest.raises(
        ArgumentError, match=r"names must be of parameters, got .'nope'"
    ):
        scaled(layer, "nope")
    make = scaled(layer)
    with pytest.raises(ArgumentError, match="values must be a row of finite numbers"):
        bifurcation_diagram(make, [np.nan])
    with pytest.raises(ArgumentError, match=r"keep must be in \[1, steps\]"):
        bifurcation_diagram(make, [1.0], steps=5, keep=6)
    with pytest.raises(ArgumentError, match=r"unit must be in \[0, 3\), got 3"):
        bifurcation_diagram(make, [1.0], unit=3)
    with pytest.raises(ArgumentError, match=r"x must be \(steps=500, input\)"):
        bifurcation_diagram(make, [1.0], x=torch.zeros(3, 1))
    with pytest.raises(ArgumentError, match="got NaN or infinity at the value 5"):
        bifurcation_diagram(logistic, [5.0], steps=100)
