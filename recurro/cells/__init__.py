"""Cells: one step of a recurrence, written once as the equations of its paper."""

from recurro.cells import init, ops
from recurro.cells.cell import Cell
from recurro.cells.flow import Flow
from recurro.cells.gated import GRU, LSTM, ChoGRU, MinimalGatedUnit, PeepholeLSTM
from recurro.cells.linear import ComplexDiagonal, DiagonalLinear, MinGRU, MinLSTM
from recurro.cells.normalised import LayerNormLSTM
from recurro.cells.oscillator import ContinuousTime, Lorenz, PhaseOscillator
from recurro.cells.reservoir import Leaky
from recurro.cells.simple import (
    Elman,
    ForgetUpdate,
    Linear,
    Memoryless,
    Rate,
    Residual,
)
from recurro.cells.wrappers import DeepTransition, RecurrentDropout, Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "Cell",
    "ChoGRU",
    "ComplexDiagonal",
    "ContinuousTime",
    "DeepTransition",
    "DiagonalLinear",
    "Elman",
    "Flow",
    "ForgetUpdate",
    "LayerNormLSTM",
    "Leaky",
    "Linear",
    "Lorenz",
    "Memoryless",
    "MinGRU",
    "MinLSTM",
    "MinimalGatedUnit",
    "PeepholeLSTM",
    "PhaseOscillator",
    "Rate",
    "RecurrentDropout",
    "Residual",
    "Zoneout",
    "init",
    "ops",
]
