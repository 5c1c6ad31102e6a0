"""The baselines without context: every symbol alike, and a bag of words."""

from __future__ import annotations

from typing import Self

import numpy as np

from recurro.baselines.baseline import Baseline, Ids
from recurro.errors import ArgumentError

__all__ = ["Uniform", "Unigram"]


class _ContextFree(Baseline):
    """A model whose next token does not depend on those before.

    Attributes:
        table_: Natural log P of each symbol ``(vocab,)``; empty before `fit`.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.table_ = np.zeros(0)

    def log_probs(self, ids: Ids) -> np.ndarray:
        """Natural log P of all tokens but the first; see `Baseline.log_probs`."""
        return self._table()[self._read(ids)[1:]]

    def start(self, batch: int) -> np.ndarray:
        """Nothing is kept of a text: ``(batch, 0)``."""
        return np.zeros((batch, 0), np.int64)

    def advance(self, contexts: np.ndarray, tokens: Ids) -> np.ndarray:
        """Forget the tokens."""
        return self.start(len(self._read(tokens)))

    def next_log_probs(self, contexts: np.ndarray) -> np.ndarray:
        """The same for every text; see `Baseline.next_log_probs`."""
        return np.tile(self._table(), (len(contexts), 1))

    def _table(self) -> np.ndarray:
        if not len(self.table_):
            raise ArgumentError(
                f"{type(self).__name__}: the model must be fitted before it is used, "
                "got one without a table. Call fit."
            )
        return self.table_


class Uniform(_ContextFree):
    """Every symbol is as likely as every other: P(w) = 1 / V.

    Its perplexity is the size of the vocabulary, whatever the text.

    Args:
        size: The number V of symbols, at least 1.

    Example:
        >>> round(Uniform(65).fit([0, 1]).evaluate([3, 1, 4, 1, 5])["perplexity"], 6)
        65.0
    """

    def fit(self, ids: Ids) -> Self:
        """Learn nothing; see `Baseline.fit`."""
        self._read(ids, least=2)
        self.table_ = np.full(self.size, -np.log(self.size))
        return self


class Unigram(_ContextFree):
    """A bag of words: P(w) = (c(w) + k) / (N + k V), for N tokens and V symbols.

    Args:
        size: The number V of symbols, at least 1.
        pseudo_count: The k that is added to each count, so that a symbol that was not
            seen has a probability too; over 0.

    Raises:
        ArgumentError: If an argument is out of its range.

    Example:
        >>> model = Unigram(3).fit([0, 0, 0, 1])  # the first is not counted
        >>> np.exp(model.next_log_probs(model.start(1))).round(3)
        array([[0.5  , 0.333, 0.167]])
    """

    def __init__(self, size: int, *, pseudo_count: float = 1.0) -> None:
        super().__init__(size)
        if not 0 < pseudo_count < np.inf:
            raise ArgumentError(
                f"Unigram: pseudo_count must be a number over 0, got {pseudo_count}. "
                "Use 1 for Laplace's rule."
            )
        self.pseudo_count = pseudo_count

    def fit(self, ids: Ids) -> Self:
        """Count the symbols; see `Baseline.fit`."""
        targets = self._read(ids, least=2)[1:]
        counts = np.bincount(targets, minlength=self.size) + self.pseudo_count
        self.table_ = np.log(counts) - np.log(counts.sum())
        return self
