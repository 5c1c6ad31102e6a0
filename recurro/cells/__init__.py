"""Cells: one step of a recurrence, written once as the equations of its paper."""

from recurro.cells import init, ops
from recurro.cells.cell import Cell
from recurro.cells.gated import GRU, LSTM, ChoGRU, MinimalGatedUnit, PeepholeLSTM
from recurro.cells.linear import ComplexDiagonal, DiagonalLinear, MinGRU, MinLSTM
from recurro.cells.normalised import LayerNormLSTM
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
    "DeepTransition",
    "DiagonalLinear",
    "Elman",
    "ForgetUpdate",
    "LayerNormLSTM",
    "Leaky",
    "Linear",
    "Memoryless",
    "MinGRU",
    "MinLSTM",
    "MinimalGatedUnit",
    "PeepholeLSTM",
    "Rate",
    "RecurrentDropout",
    "Residual",
    "Zoneout",
    "init",
    "ops",
]
