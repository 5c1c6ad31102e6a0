"""A toolkit for recurrent sequence models: a recurrence is written once, as equations.

The names below load the room they live in when they are first used, so that ``import
recurro`` is quick and brings in neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Cell": "recurro.cells",
    "ChoGRU": "recurro.cells",
    "ClassLanguageModel": "recurro.tasks",
    "ComplexDiagonal": "recurro.cells",
    "DeepTransition": "recurro.cells",
    "DiagonalLinear": "recurro.cells",
    "Elman": "recurro.cells",
    "ForgetUpdate": "recurro.cells",
    "GRU": "recurro.cells",
    "HiddenClip": "recurro.engine",
    "LSTM": "recurro.cells",
    "LanguageModel": "recurro.tasks",
    "LayerNormLSTM": "recurro.cells",
    "Leaky": "recurro.cells",
    "Linear": "recurro.cells",
    "MinGRU": "recurro.cells",
    "MinLSTM": "recurro.cells",
    "MinimalGatedUnit": "recurro.cells",
    "NGramModel": "recurro.baselines",
    "PeepholeLSTM": "recurro.cells",
    "Rate": "recurro.cells",
    "Recurrent": "recurro.nn.recurrent",
    "RecurrentDropout": "recurro.cells",
    "RecurroError": "recurro.errors",
    "Residual": "recurro.cells",
    "Zoneout": "recurro.cells",
    "baseline_table": "recurro.report",
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
