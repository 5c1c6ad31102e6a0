"""Alerts on a stream without a model of its course."""

from __future__ import annotations

from typing import Self

import numpy as np

from recurro.types import Bool, Float

__all__ = ["ThreeSigma"]


class ThreeSigma:
    """An alert wherever a channel leaves m - 3 s ... m + 3 s.

    m and s are the mean and the deviation of the channel in the training part.

    Attributes:
        mean_: m of each channel.
        deviation_: s of each channel.

    Example:
        >>> rule = ThreeSigma().fit(np.array([[0.0], [2.0], [0.0], [2.0]]))
        >>> rule.alerts(np.array([[1.0], [4.5]])).tolist()
        [False, True]
    """

    def fit(self, values: Float[np.ndarray, "time channels"]) -> Self:
        """Learn from the training part."""
        self.mean_, self.deviation_ = values.mean(0), values.std(0)
        return self

    def alerts(
        self, values: Float[np.ndarray, "time channels"]
    ) -> Bool[np.ndarray, " time"]:
        """Whether there is an alert, at each step."""
        return (np.abs(values - self.mean_) > 3 * self.deviation_).any(1)
