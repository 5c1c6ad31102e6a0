"""A toolkit for recurrent sequence models: a recurrence is written once, as equations.

The names below load the room they live in when they are first used, so that ``import
recurro`` is quick and brings in neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names, for type checkers and editors
    from recurro.baselines import HiddenMarkovModel as HiddenMarkovModel
    from recurro.baselines import NGramModel as NGramModel
    from recurro.cells import GRU as GRU
    from recurro.cells import LSTM as LSTM
    from recurro.cells import Cell as Cell
    from recurro.cells import ChoGRU as ChoGRU
    from recurro.cells import ComplexDiagonal as ComplexDiagonal
    from recurro.cells import DeepTransition as DeepTransition
    from recurro.cells import DiagonalLinear as DiagonalLinear
    from recurro.cells import Elman as Elman
    from recurro.cells import ForgetUpdate as ForgetUpdate
    from recurro.cells import LayerNormLSTM as LayerNormLSTM
    from recurro.cells import Leaky as Leaky
    from recurro.cells import Linear as Linear
    from recurro.cells import Memoryless as Memoryless
    from recurro.cells import MinGRU as MinGRU
    from recurro.cells import MinimalGatedUnit as MinimalGatedUnit
    from recurro.cells import MinLSTM as MinLSTM
    from recurro.cells import PeepholeLSTM as PeepholeLSTM
    from recurro.cells import Rate as Rate
    from recurro.cells import RecurrentDropout as RecurrentDropout
    from recurro.cells import Residual as Residual
    from recurro.cells import Zoneout as Zoneout
    from recurro.engine import BlockDiagonal as BlockDiagonal
    from recurro.engine import Diagonal as Diagonal
    from recurro.engine import HiddenClip as HiddenClip
    from recurro.engine import Sparse as Sparse
    from recurro.errors import RecurroError as RecurroError
    from recurro.nn import Recurrent as Recurrent
    from recurro.nn import accelerate as accelerate
    from recurro.nn import deaccelerate as deaccelerate
    from recurro.report import baseline_table as baseline_table
    from recurro.reservoir import EchoStateNetwork as EchoStateNetwork
    from recurro.tasks import AnomalyDetector as AnomalyDetector
    from recurro.tasks import Captioner as Captioner
    from recurro.tasks import ClassLanguageModel as ClassLanguageModel
    from recurro.tasks import Forecaster as Forecaster
    from recurro.tasks import FrameLabeler as FrameLabeler
    from recurro.tasks import GlimpseReader as GlimpseReader
    from recurro.tasks import LanguageModel as LanguageModel
    from recurro.tasks import MusicModel as MusicModel
    from recurro.tasks import NGramLanguageModel as NGramLanguageModel
    from recurro.tasks import Painter as Painter
    from recurro.tasks import ProgramExecutor as ProgramExecutor
    from recurro.tasks import SequenceClassifier as SequenceClassifier
    from recurro.tasks import SequenceRegressor as SequenceRegressor
    from recurro.tasks import SequenceTagger as SequenceTagger
    from recurro.tasks import SpeechRecognizer as SpeechRecognizer
    from recurro.tasks import StrokeModel as StrokeModel
    from recurro.tasks import Translator as Translator

__version__ = "0.1.0"

_HOME = {
    "AnomalyDetector": "recurro.tasks",
    "BlockDiagonal": "recurro.engine",
    "Captioner": "recurro.tasks",
    "Cell": "recurro.cells",
    "ChoGRU": "recurro.cells",
    "ClassLanguageModel": "recurro.tasks",
    "ComplexDiagonal": "recurro.cells",
    "DeepTransition": "recurro.cells",
    "Diagonal": "recurro.engine",
    "DiagonalLinear": "recurro.cells",
    "EchoStateNetwork": "recurro.reservoir",
    "Elman": "recurro.cells",
    "Forecaster": "recurro.tasks",
    "ForgetUpdate": "recurro.cells",
    "FrameLabeler": "recurro.tasks",
    "GRU": "recurro.cells",
    "GlimpseReader": "recurro.tasks",
    "HiddenClip": "recurro.engine",
    "HiddenMarkovModel": "recurro.baselines",
    "LSTM": "recurro.cells",
    "LanguageModel": "recurro.tasks",
    "LayerNormLSTM": "recurro.cells",
    "Leaky": "recurro.cells",
    "Linear": "recurro.cells",
    "Memoryless": "recurro.cells",
    "MinGRU": "recurro.cells",
    "MinLSTM": "recurro.cells",
    "MinimalGatedUnit": "recurro.cells",
    "MusicModel": "recurro.tasks",
    "NGramLanguageModel": "recurro.tasks",
    "NGramModel": "recurro.baselines",
    "Painter": "recurro.tasks",
    "PeepholeLSTM": "recurro.cells",
    "ProgramExecutor": "recurro.tasks",
    "Rate": "recurro.cells",
    "Recurrent": "recurro.nn",
    "RecurrentDropout": "recurro.cells",
    "RecurroError": "recurro.errors",
    "Residual": "recurro.cells",
    "SequenceClassifier": "recurro.tasks",
    "SequenceRegressor": "recurro.tasks",
    "SequenceTagger": "recurro.tasks",
    "Sparse": "recurro.engine",
    "SpeechRecognizer": "recurro.tasks",
    "StrokeModel": "recurro.tasks",
    "Translator": "recurro.tasks",
    "Zoneout": "recurro.cells",
    "accelerate": "recurro.nn",
    "baseline_table": "recurro.report",
    "deaccelerate": "recurro.nn",
}
"""Where each public name lives."""

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll] (one table)


def __getattr__(name: str) -> Any:  # noqa: ANN401 (any public object)
    """Load a public name, or a room such as ``recurro.nn``, at its first use."""
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        try:
            value = import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names and what the module itself holds."""
    return sorted({*globals(), *__all__})
