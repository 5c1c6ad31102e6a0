"""Speech without learning: recordings joined so that they fit what is heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Self

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["JoinedTemplates", "MostFrequentText"]

Tokens = tuple[Hashable, ...]


class MostFrequentText:
    """Always says the text that was most frequent in training.

    Example:
        >>> MostFrequentText().fit([], [(1, 2), (3,), (3,)]).predict([[], []])
        [(3,), (3,)]
    """

    def fit(self, features: Sequence[object], texts: Sequence[Tokens]) -> Self:
        """Count texts; of equals the first is taken."""
        self.text_ = Counter(texts).most_common(1)[0][0]
        return self

    def predict(self, features: Sequence[object]) -> list[Tokens]:
        """The same text for each."""
        return [self.text_ for _ in features]


class JoinedTemplates:
    """Templates from training, stretched and joined to fit a recording.

    One pass over the frames t of a recording finds the cheapest way through the frames
    n of all templates, with d the squared distance between two frames:

        D(t, n) = d(t, n) + min(D(t-1, n), D(t-1, n-1), D(t-1, n-2))

    within a template, where its first frame may also follow the last frame of any
    template, the cheapest of all. So each template may be stretched without end and
    shortened to half. The tokens are those of the templates on the way.

    Args:
        most: Frames of templates that are kept at most; of more recordings, some are
            drawn evenly.

    Attributes:
        kept_: How many were.

    Example:
        >>> low, high = np.zeros((3, 1)), np.ones((3, 1))
        >>> model = JoinedTemplates().fit([low, high], [(1,), (2,)])
        >>> model.predict([np.array([[0.1]] * 5 + [[0.9]] * 4)])
        [(1, 2)]

    References:
        Ney (1984), The use of a one-stage dynamic programming algorithm for connected
        word recognition, IEEE TASSP 32(2), equations 6 to 9.
    """

    def __init__(self, most: int = 20_000) -> None:
        self.most = most

    def fit(self, features: Sequence[np.ndarray], texts: Sequence[Tokens]) -> Self:
        """Keep templates.

        Args:
            features: The frames of each recording ``(time, bands)``, at least one.
            texts: The tokens of each.

        Raises:
            ArgumentError: If there are not as many texts, or none.
        """
        if not len(features) == len(texts) > 0:
            raise ArgumentError(
                f"JoinedTemplates: there must be one text per recording, got "
                f"{len(texts)} for {len(features)}. Take both from the same source."
            )
        frames = sum(map(len, features))
        count = max(1, min(len(features), len(features) * self.most // frames))
        rows = np.linspace(0, len(features) - 1, count).round().astype(int)
        self.kept_ = count
        self.texts_ = [texts[row] for row in rows]
        self.frames_ = np.concatenate([features[row] for row in rows]).astype(float)
        lengths = np.array([len(features[row]) for row in rows])
        self.last_ = lengths.cumsum() - 1
        self.first_ = self.last_ - lengths + 1
        return self

    def predict(self, features: Sequence[np.ndarray]) -> list[Tokens]:
        """The tokens of each recording ``(time, bands)``."""
        return [self._read(frames) for frames in features]

    def _read(self, frames: np.ndarray) -> Tokens:
        """The templates on the cheapest way, by where each was entered."""
        cost = np.full(len(self.frames_), np.inf)
        entered = np.zeros(len(cost), np.int64)
        before, ends = 0.0, []
        for t, distance in enumerate(self._distances(frames)):
            cost, entered = self._step(cost, entered, before, t)
            cost += distance
            best = int(cost[self.last_].argmin())
            before = float(cost[self.last_[best]])
            ends.append((best, int(entered[self.last_[best]])))
        path, t = [], len(ends) - 1
        while t >= 0:
            template, start = ends[t]
            path.append(template)
            t = start - 1
        return tuple(token for k in reversed(path) for token in self.texts_[k])

    def _step(
        self, cost: np.ndarray, entered: np.ndarray, before: float, t: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The cheapest cost before frame t, and when each way entered its template."""
        ways = np.full((3, len(cost)), np.inf)
        ways[0] = cost
        ways[1, 1:] = cost[:-1]
        ways[2, 2:] = cost[:-2]
        second = self.first_ + 1
        ways[1, self.first_] = before
        ways[2, self.first_] = np.inf
        ways[2, second[second < len(cost)]] = np.inf  # frame -1 is no frame
        kind = ways.argmin(0)
        place = np.arange(len(cost)) - kind
        began = entered[np.maximum(place, 0)]
        new = kind[self.first_] == 1
        began[self.first_[new]] = t
        return ways[kind, np.arange(len(cost))], began

    def _distances(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """|x_t - y_n|^2 for each frame of a recording and all of the templates."""
        squares = (self.frames_**2).sum(1)
        for frame in frames.astype(float):
            found = squares + (frame**2).sum() - 2 * (self.frames_ @ frame)
            yield np.maximum(found, 0)
