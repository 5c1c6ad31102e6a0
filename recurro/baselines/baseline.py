"""What every baseline of a sequence model can do, and the figures it is judged by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self, TypeAlias

import numpy as np

from recurro.errors import ArgumentError, DataError, ShapeError, VocabularyError

__all__ = ["Baseline", "Ids", "figures"]

Ids: TypeAlias = np.ndarray | Sequence[int]
"""Token ids ``(time,)`` of a text, of any integer type."""


class Baseline(ABC):
    """A model of P(next token | tokens before), learnt by counting.

    The first id of a text is read but not predicted: ``ids[1:]`` are the targets, for
    training and for scoring alike, as they are for a network.

    A decoder goes from token to token: `start` gives the contexts of a batch of empty
    texts, `advance` appends a token to each text, `next_log_probs` tells what may come.

    Args:
        size: How many symbols the vocabulary has, at least 1.
    """

    def __init__(self, size: int) -> None:
        if not isinstance(size, int) or size < 1:
            raise ArgumentError(
                f"{type(self).__name__}: size must be an int >= 1, got {size!r}. Pass "
                "the size of the vocabulary."
            )
        self.size = size

    @abstractmethod
    def fit(self, ids: Ids) -> Self:
        """Learn from a text ``(time,)`` of at least two ids.

        Raises:
            DataError: If the text has fewer than two ids.
            VocabularyError: If an id is not in ``0 .. size - 1``.
        """

    @abstractmethod
    def log_probs(self, ids: Ids) -> np.ndarray:
        """Natural log P(ids[t] | ids[:t]) for t = 1, 2, ...: ``(time - 1,)``, float64.

        Raises:
            ArgumentError: If the model has not been fitted.
            VocabularyError: If an id is not in ``0 .. size - 1``.
        """

    @abstractmethod
    def start(self, batch: int) -> np.ndarray:
        """The contexts ``(batch, orders)`` of texts without a token, int64."""

    @abstractmethod
    def advance(self, contexts: np.ndarray, tokens: Ids) -> np.ndarray:
        """The contexts after one more token ``(batch,)`` in each text."""

    @abstractmethod
    def next_log_probs(self, contexts: np.ndarray) -> np.ndarray:
        """Natural log P(next) of each symbol: ``(batch, vocab)``, float64."""

    def score(self, ids: Ids) -> float:
        """The mean of `log_probs`: the higher, the better.

        Raises:
            DataError: If the text has no target.
        """
        return float(_some(self.log_probs(ids)).mean())

    def evaluate(self, ids: Ids, unk_id: int | None = None) -> dict[str, float]:
        """The `figures` of this model on a text ``(time,)``."""
        return figures(self.log_probs(ids), np.asarray(ids)[1:], unk_id)

    def _read(self, ids: Ids, least: int = 0) -> np.ndarray:
        """The ids as an array, all of them in the vocabulary."""
        name, ids = type(self).__name__, np.asarray(ids)
        if ids.ndim != 1 or (ids.dtype.kind not in "iu" and ids.size):
            raise ShapeError(
                f"{name}: ids must be integers (time,), got {ids.dtype} "
                f"{ids.shape}. Encode the text with a tokenizer."
            )
        if len(ids) < least:
            raise DataError(
                f"{name}: the text must have at least {least} ids, got {len(ids)}. "
                "Give it more text."
            )
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.size:
            raise VocabularyError(
                f"{name}: ids must be from 0 to {self.size - 1}, got "
                f"{int(ids.min())} to {int(ids.max())}. Encode the text with the "
                "vocabulary of the model."
            )
        return ids if len(ids) else np.zeros(0, np.int64)


def figures(
    log_probs: np.ndarray, targets: np.ndarray, unk_id: int | None = None
) -> dict[str, float]:
    """The figures of an n-gram model, reckoned as KenLM does.

    perplexity = exp(-mean over the targets of ln P(target))

    Args:
        log_probs: Natural log P of each target ``(time,)``.
        targets: The ids that were predicted ``(time,)``.
        unk_id: The id that stands for all unknown words, if there is one.

    Returns:
        ``perplexity`` over all targets; ``perplexity_known`` over those that are not
        ``unk_id`` (NaN if there are none); ``oov``, the number of those that are; and
        ``tokens``, the number of all.

    Raises:
        DataError: If there is no target.

    Example:
        >>> figures(np.log([0.5, 0.5, 0.125]), np.array([4, 2, 0]), unk_id=0)
        {'perplexity': 3.17..., 'perplexity_known': 2.0, 'oov': 1, 'tokens': 3}
    """
    known = np.ones(len(targets), bool) if unk_id is None else targets != unk_id
    return {
        "perplexity": _perplexity(_some(log_probs)),
        "perplexity_known": _perplexity(log_probs[known]),
        "oov": int(np.count_nonzero(~known)),
        "tokens": len(targets),
    }


def _some(log_probs: np.ndarray) -> np.ndarray:
    """The log-probabilities, which must not be none."""
    if not len(log_probs):
        raise DataError(
            "evaluate: the text must have at least two tokens, as the first is only "
            "read, got fewer. Give it more text."
        )
    return log_probs


def _perplexity(log_probs: np.ndarray) -> float:
    if not len(log_probs):
        return float("nan")
    with np.errstate(over="ignore"):
        return float(np.exp(-log_probs.mean()))
