"""What a cell is: hyperparameters that make it a value, and a step to be bound."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, dataclass

import pytest
import torch

from recurro.cells import GRU, LSTM, Cell, Leaky, PeepholeLSTM, Zoneout
from recurro.cells.ops import sigmoid, tanh
from recurro.engine import recurrence, run
from recurro.errors import ArgumentError


def test_cells_are_values():
    assert Leaky(0.3) == Leaky(0.3) != Leaky(0.4)
    assert LSTM() != PeepholeLSTM()
    assert GRU() == copy.deepcopy(GRU())
    assert len({Leaky(0.3), Leaky(0.3), Zoneout(Leaky(0.3)), GRU(), GRU()}) == 3
    with pytest.raises(FrozenInstanceError):
        Leaky(0.3).leak_rate = 0.4


def test_the_configuration_rebuilds_the_cell():
    assert Leaky(0.3).config() == {"leak_rate": 0.3, "activation": "tanh"}
    assert GRU().config() == {}
    assert Zoneout(GRU(), 0.2).config() == {"inner": GRU(), "p": 0.2}


@pytest.mark.usefixtures("unchecked")
def test_binding_leaves_the_cell_as_it_was():
    cell = Leaky(0.3)
    bound = cell.bind(object())
    assert bound == cell
    assert vars(cell) == {"leak_rate": 0.3, "activation": "tanh"}
    with pytest.raises(ArgumentError, match="Leaky: a step is run by an interpreter"):
        cell.step(torch.zeros(1, 2), torch.zeros(1, 3))


def test_a_cell_needs_a_step():
    class Nothing(Cell):
        state = ("h",)

    with pytest.raises(TypeError, match="abstract"):
        Nothing()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_mask_has_a_probability(p):
    class Masked(Cell):
        state = ("h",)

        def step(self, x, h):
            return self.bernoulli("m", p) * h

    with pytest.raises(ArgumentError, match=r"p must be in \[0, 1\], got"):
        recurrence(Masked(), 2, 3)


def test_a_cell_of_five_lines():
    @dataclass(frozen=True)
    class Blend(Cell):
        state = ("h",)
        keep: float = 0.5

        def step(self, x, h):
            z = sigmoid(self.affine("z", x, h))
            return self.keep * z * h + (1 - z) * tanh(self.affine("n", x))

    part = recurrence(Blend(0.25), 2, 3)
    p = {name: torch.randn(shape) for name, shape in part.shapes().items()}
    x, h = torch.randn(1, 1, 2), torch.randn(1, 3)
    z = torch.sigmoid(x[0] @ p["W_z"].T + h @ p["U_z"].T + p["b_z"])
    n = torch.tanh(x[0] @ p["W_n"].T + p["b_n"])
    wanted = 0.25 * z * h + (1 - z) * n
    torch.testing.assert_close(run(part, p, x, (h,)).output[0], wanted)
