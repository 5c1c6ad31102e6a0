"""Translations without learning: what stands beside a network that translates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

__all__ = ["TranslationMemory"]

_ROWS = 256
"""Texts that are compared with the memory at once."""


class TranslationMemory:
    """Gives the translation of the text of training that is most like the one asked.

    Likeness is the cosine of the counts of words, each weighted by how rare it is; of
    equals the first is taken, and where no word is known the first of all.

    Example:
        >>> memory = TranslationMemory().fit(["ein Hund", "ein Haus"], ["a dog", "a"])
        >>> memory.predict(["der Hund"])
        ['a dog']

    References:
        Salton and Buckley (1988), doi:10.1016/0306-4573(88)90021-0.
    """

    def fit(self, sources: Sequence[str], targets: Sequence[str]) -> Self:
        """Remember texts and their translations."""
        self._weigher = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]")
        self._known = self._weigher.fit_transform(sources).T.tocsr()
        self._targets = list(targets)
        return self

    def predict(self, sources: Sequence[str]) -> list[str]:
        """The translation of the nearest text, for each."""
        asked = self._weigher.transform(sources)
        nearest = [
            np.asarray((asked[start : start + _ROWS] @ self._known).todense()).argmax(1)
            for start in range(0, len(sources), _ROWS)
        ]
        return [self._targets[row] for row in np.concatenate(nearest)]
