"""The contract on every cell: plain, backward, and under each wrapper."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from recurro import cells
from recurro.cells import (
    GRU,
    LSTM,
    Cell,
    ChoGRU,
    ComplexDiagonal,
    ContinuousTime,
    DeepTransition,
    DiagonalLinear,
    Elman,
    ForgetUpdate,
    LayerNormLSTM,
    Leaky,
    Linear,
    Lorenz,
    Memoryless,
    MinGRU,
    MinimalGatedUnit,
    MinLSTM,
    PeepholeLSTM,
    PhaseOscillator,
    Rate,
    RecurrentDropout,
    Residual,
    Zoneout,
)
from tests.contract import BACKWARD, CHECKS, CellSubject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

PLAIN = [
    Elman(),
    Elman("sigmoid"),
    Elman("relu"),
    Memoryless(),
    Rate(),
    Rate("relu"),
    Linear(),
    Residual(),
    ForgetUpdate(),
    LSTM(),
    LSTM(proj_size=2),
    PeepholeLSTM(),
    GRU(),
    ChoGRU(),
    MinimalGatedUnit(),
    LayerNormLSTM(),
    MinGRU(),
    MinLSTM(),
    DiagonalLinear(),
    ComplexDiagonal(),
    Leaky(0.3),
    ContinuousTime(),
    Lorenz(method="rk4"),
    PhaseOscillator(method="heun"),
]


def reads_state(cell):
    """Whether an affine map of the cell reads anything but inputs."""
    names = CellSubject(cell).part.program.shapes
    return any(name.startswith("U") for name in names)


def variant(cell, **options):
    """A subject for which no kernel is rendered: that costs a compilation each."""
    kernel = CellSubject(cell).part.kernel
    return CellSubject(cell, fast="auto" if kernel else "reference", **options)


SUBJECTS = [
    *(CellSubject(cell) for cell in PLAIN),
    *(variant(Zoneout(cell, 0.4), random=True) for cell in PLAIN),
    *(variant(RecurrentDropout(cell, 0.4), random=reads_state(cell)) for cell in PLAIN),
    *(variant(DeepTransition(cell)) for cell in PLAIN),
    variant(
        Zoneout(RecurrentDropout(DeepTransition(GRU()))), reverse=True, random=True
    ),
]


def test_every_cell_is_here():
    offered = {
        value
        for value in vars(cells).values()
        if inspect.isclass(value)
        and issubclass(value, Cell)
        and not inspect.isabstract(value)
    }
    here = {type(subject.cell) for subject in SUBJECTS}
    assert here == offered


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_contract(subject, check):
    check(subject)


@pytest.mark.parametrize("check", BACKWARD, ids=lambda check: check.__name__)
@pytest.mark.parametrize("cell", PLAIN, ids=str)
def test_contract_backward(cell, check):
    check(variant(cell, reverse=True))


@pytest.mark.slow  # each has kernels to be compiled
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", SUBJECTS[len(PLAIN) :], ids=str)
def test_contract_of_rendered_kernels(subject, check):
    check(replace(subject, fast="auto"))


@pytest.mark.slow
@pytest.mark.parametrize("check", BACKWARD, ids=lambda check: check.__name__)
@pytest.mark.parametrize("cell", PLAIN, ids=str)
def test_contract_backward_of_rendered_kernels(cell, check):
    check(CellSubject(cell, reverse=True))
