"""Baselines of polyphonic music: keys that know nothing of each other.

Both give log P of each frame of 88 keys, the sum over the keys of the log-probability
of what each does, with chances that are counted in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from recurro.types import Float

__all__ = ["IndependentKeys", "MarkovKeys"]

_PRIOR = 0.5
"""Added to the count of each outcome (Krichevsky and Trofimov 1981)."""


class IndependentKeys:
    """Each key sounds with a chance of its own, whatever went before.

    P(x_t) = prod_k p_k^x_tk (1 - p_k)^(1 - x_tk), with p_k = (n_k + 1/2) / (n + 1) from
    the n_k frames of n in which key k sounds.

    Attributes:
        chance_: p ``(keys,)``.

    Example:
        >>> rolls = [np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])]
        >>> IndependentKeys().fit(rolls).chance_.tolist()
        [0.625, 0.125]
    """

    def fit(self, rolls: Sequence[Float[np.ndarray, "_ keys"]]) -> Self:
        """Count in how many frames each key sounds."""
        frames = np.concatenate(list(rolls))
        self.chance_ = _chance(frames.sum(0), np.full(frames.shape[1], len(frames)))
        return self

    def log_probs(
        self, roll: Float[np.ndarray, "time keys"]
    ) -> Float[np.ndarray, " time"]:
        """Log P of each frame, in nats."""
        return _log_prob(roll, self.chance_)


class MarkovKeys:
    """Each key sounds with a chance that depends on whether it sounded just before.

    P(x_t | x_{t-1}) = prod_k P(x_tk | x_{t-1,k}); before the first frame all is silent.

    Attributes:
        chance_: The chance of each key to sound after it was silent, and after it
            sounded ``(2, keys)``.

    Example:
        >>> rolls = [np.array([[1.0], [1.0], [1.0], [0.0]])]
        >>> MarkovKeys().fit(rolls).chance_.ravel().tolist()
        [0.75, 0.625]
    """

    def fit(self, rolls: Sequence[Float[np.ndarray, "_ keys"]]) -> Self:
        """Count what each key does after what it did."""
        after = np.concatenate(list(rolls)) > 0
        before = np.concatenate([_before(roll) for roll in rolls]) > 0
        self.chance_ = np.stack(
            [_chance((after & then).sum(0), then.sum(0)) for then in (~before, before)]
        )
        return self

    def log_probs(
        self, roll: Float[np.ndarray, "time keys"]
    ) -> Float[np.ndarray, " time"]:
        """Log P of each frame given the one before it, in nats."""
        return _log_prob(roll, np.where(_before(roll) > 0, *self.chance_[::-1]))


def _before(roll: np.ndarray) -> np.ndarray:
    """The frame before each frame."""
    return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])


def _chance(sounding: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return (sounding + _PRIOR) / (frames + 2 * _PRIOR)


def _log_prob(roll: np.ndarray, chance: np.ndarray) -> np.ndarray:
    return np.where(roll > 0, np.log(chance), np.log1p(-chance)).sum(1)
