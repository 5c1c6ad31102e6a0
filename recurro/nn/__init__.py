"""Layers: one class for every cell, and drop-ins for PyTorch's."""

from recurro.nn.accelerate import accelerate, deaccelerate
from recurro.nn.cell_layers import GRUCell, LSTMCell, RNNCell
from recurro.nn.crf import CRF
from recurro.nn.dropout import VariationalDropout, variational_dropout
from recurro.nn.layers import GRU, LSTM, RNN
from recurro.nn.recurrent import Recurrent

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "VariationalDropout",
    "accelerate",
    "deaccelerate",
    "variational_dropout",
]
