"""Baselines of pictures: the nearest one, and pixels that know of no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from recurro.types import Float

__all__ = ["IndependentPixels", "NearestPicture"]


class NearestPicture:
    """The number of the picture that is nearest, pixel by pixel.

    Where k are asked, the one that is most often among the k nearest, and the nearest
    of those if several are.

    Args:
        k: How many neighbours are asked.

    Example:
        >>> pictures = [np.eye(2), np.ones((2, 2))]
        >>> NearestPicture().fit(pictures, ["1", "8"]).predict([np.eye(2) * 0.9])
        ['1']
    """

    def __init__(self, k: int = 1) -> None:
        self.k = k

    def fit(
        self, pictures: Sequence[np.ndarray] | np.ndarray, numbers: Sequence[str]
    ) -> Self:
        """Learn the pictures by heart."""
        from sklearn.neighbors import NearestNeighbors

        self._nearest = NearestNeighbors(n_neighbors=min(self.k, len(pictures)))
        self._nearest.fit(_rows(pictures))
        self._numbers = list(numbers)
        return self

    def predict(self, pictures: Sequence[np.ndarray] | np.ndarray) -> list[str]:
        """The number of each picture."""
        rows = self._nearest.kneighbors(_rows(pictures), return_distance=False)
        found = ([self._numbers[row] for row in near] for near in rows)
        return [max(near, key=near.count) for near in found]  # the first if several


def _rows(pictures: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    return np.asarray(pictures).reshape(len(pictures), -1)


class IndependentPixels:
    """Each pixel is ink with a chance of its own, whatever the others are.

    p_k = (n_k + 1/2) / (n + 1) from the ink n_k of pixel k in n pictures.

    Example:
        >>> model = IndependentPixels().fit(np.array([[[1.0, 0.0]], [[1.0, 1.0]]]))
        >>> model.costs(np.array([[[1.0, 1.0]]])).round(3).tolist()
        [0.875]
    """

    def fit(self, pictures: Float[np.ndarray, "items height width"]) -> Self:
        """Count."""
        self._chance = (pictures.sum(0) + 0.5) / (len(pictures) + 1)
        return self

    def costs(
        self, pictures: Float[np.ndarray, "items height width"]
    ) -> Float[np.ndarray, " items"]:
        """-log P of each picture, in nats."""
        ink = pictures * np.log(self._chance)
        paper = (1 - pictures) * np.log1p(-self._chance)
        return -(ink + paper).sum((1, 2))
