"""Layers: one class for every cell, and drop-ins for PyTorch's."""

from recurro.nn.dropout import VariationalDropout, variational_dropout
from recurro.nn.layers import GRU, LSTM, RNN
from recurro.nn.recurrent import Recurrent

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Recurrent",
    "VariationalDropout",
    "variational_dropout",
]
