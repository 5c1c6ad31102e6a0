"""The words of the command line, and the classes that they mean."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from recurro import cells
from recurro.errors import SettingError

__all__ = ["WORDS", "cell_named"]

WORDS: dict[str, type[cells.Cell]] = {
    "elman": cells.Elman,
    "memoryless": cells.Memoryless,
    "rate": cells.Rate,
    "linear": cells.Linear,
    "residual": cells.Residual,
    "forget-update": cells.ForgetUpdate,
    "lstm": cells.LSTM,
    "peephole-lstm": cells.PeepholeLSTM,
    "layer-norm-lstm": cells.LayerNormLSTM,
    "gru": cells.GRU,
    "cho-gru": cells.ChoGRU,
    "mgu": cells.MinimalGatedUnit,
    "min-gru": cells.MinGRU,
    "min-lstm": cells.MinLSTM,
    "diagonal": cells.DiagonalLinear,
    "complex-diagonal": cells.ComplexDiagonal,
    "leaky": cells.Leaky,
}


def cell_named(layer: dict[str, Any]) -> dict[str, Any]:
    """A layer of settings with the word for a cell turned into its class name.

    Args:
        layer: Settings in which ``model.cell`` may be a word.

    Raises:
        SettingError: If there is no such word, naming the nearest.

    Example:
        >>> cell_named({"model": {"cell": "gru"}})
        {'model': {'cell': {'name': 'GRU'}}}
    """
    model = layer.get("model")
    word = model.get("cell") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(word, str):
        return layer
    by_class_name = {kind.__name__: kind for kind in WORDS.values()}
    kind = WORDS.get(word.lower()) or by_class_name.get(word)
    if kind is None:
        close = get_close_matches(word.lower(), WORDS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise SettingError(
            "ModelSettings",
            "cell",
            f"must be one of {', '.join(WORDS)}, got {word!r}.{hint}",
        )
    return {**layer, "model": {**model, "cell": {"name": kind.__name__}}}
