"""Flows: each method has its order, and settings out of range are refused."""

from __future__ import annotations

import math

import pytest
import torch

from recurro.cells import Flow
from recurro.engine import recurrence, run
from recurro.errors import ArgumentError


class Swing(Flow):
    """A pendulum of small angle, whose flow is a rotation."""

    state = ("angle", "speed")

    def derivative(self, x, angle, speed):
        return speed, -angle


def error(method: str, steps: int) -> float:
    """How far one unit of time ends from the truth."""
    part = recurrence(Swing(1 / steps, method), 1, 1)
    x = torch.zeros(steps, 1, 1, dtype=torch.float64)
    start = (torch.ones(1, 1).double(), torch.zeros(1, 1).double())
    angle, speed = run(part, {}, x, start).state
    return math.hypot(angle.item() - math.cos(1), speed.item() + math.sin(1))


@pytest.mark.parametrize(
    ("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4)]
)
def test_halving_the_step_divides_the_error_by_two_to_the_order(method, order):
    ratio = error(method, 50) / error(method, 100)
    assert ratio == pytest.approx(2**order, rel=0.03)


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan, math.inf])
def test_a_step_must_be_positive(dt):
    with pytest.raises(ArgumentError, match="Swing: dt must be > 0, got"):
        Swing(dt)


@pytest.mark.usefixtures("unchecked")
def test_a_method_must_be_known():
    with pytest.raises(ArgumentError, match="euler, midpoint, heun, rk4, got 'rk5'"):
        Swing(0.1, "rk5")
