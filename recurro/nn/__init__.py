"""Layers: one class for every cell, and drop-ins for PyTorch's."""

from recurro.nn.accelerate import accelerate, deaccelerate
from recurro.nn.attention import Attention
from recurro.nn.cell_layers import GRUCell, LSTMCell, RNNCell
from recurro.nn.crf import CRF
from recurro.nn.ctc import CTCHead
from recurro.nn.decoder import Decoder
from recurro.nn.decoder_stepper import DecoderStepper
from recurro.nn.dropout import (
    VariationalDropout,
    WordDropout,
    variational_dropout,
)
from recurro.nn.evidence import Evidence
from recurro.nn.forecast import ForecastNetwork
from recurro.nn.frames import FrameEncoder, GridEncoder
from recurro.nn.heads import (
    BernoulliHead,
    CategoricalHead,
    Head,
    LogNormalHead,
    NormalHead,
    OrdinalHead,
    PoissonHead,
    QuantileHead,
    StudentTHead,
    probability,
    quantile,
)
from recurro.nn.in_step import ChainHead, EachStep, StepHead, StepNetwork
from recurro.nn.intervals import at_deviate, deviates
from recurro.nn.layers import GRU, LSTM, RNN
from recurro.nn.memory import Memory
from recurro.nn.mixture import MixtureHead, PenMixture
from recurro.nn.pen import PenEncoder
from recurro.nn.pooling import Pooling
from recurro.nn.quantiles import QuantileSteps
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import SequenceNetwork
from recurro.nn.subwords import WordEmbedding
from recurro.nn.text_window import TextWindow, WindowNetwork
from recurro.nn.vector import VectorNetwork
from recurro.nn.windows import Retina, SoftWindow
from recurro.nn.writing import SequenceEncoder, WritingNetwork

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "Attention",
    "BernoulliHead",
    "CTCHead",
    "CategoricalHead",
    "ChainHead",
    "Decoder",
    "DecoderStepper",
    "EachStep",
    "Evidence",
    "ForecastNetwork",
    "FrameEncoder",
    "GRUCell",
    "GridEncoder",
    "Head",
    "LSTMCell",
    "LogNormalHead",
    "Memory",
    "MixtureHead",
    "NormalHead",
    "OrdinalHead",
    "PenEncoder",
    "PenMixture",
    "PoissonHead",
    "Pooling",
    "QuantileHead",
    "QuantileSteps",
    "RNNCell",
    "Recurrent",
    "Retina",
    "SequenceEncoder",
    "SequenceNetwork",
    "SoftWindow",
    "StepHead",
    "StepNetwork",
    "StudentTHead",
    "TextWindow",
    "VariationalDropout",
    "VectorNetwork",
    "WindowNetwork",
    "WordDropout",
    "WordEmbedding",
    "WritingNetwork",
    "accelerate",
    "at_deviate",
    "deaccelerate",
    "deviates",
    "probability",
    "quantile",
    "variational_dropout",
]
