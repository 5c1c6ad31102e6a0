"""What is said of a picture without learning: what was said of the most alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.neighbors import NearestNeighbors

__all__ = ["NearestText"]


class NearestText:
    """Says of an item what was said of the nearest one in training.

    Nearest by the squared distance of descriptions, such as all pixels.

    Example:
        >>> model = NearestText().fit(np.array([[0.0], [5.0]]), ["low", "high"])
        >>> model.predict(np.array([[4.0]]))
        ['high']
    """

    def fit(self, items: np.ndarray, texts: Sequence[str]) -> Self:
        """Keep descriptions ``(items, features)`` and their texts."""
        self.neighbours_ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(items)
        self.texts_ = list(texts)
        return self

    def predict(self, items: np.ndarray) -> list[str]:
        """The text of the nearest for each description ``(items, features)``."""
        nearest = self.neighbours_.kneighbors(items, return_distance=False)[:, 0]
        return [self.texts_[row] for row in nearest]
