"""The baseline of drawings: a linear map from the last points to the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression

from recurro.errors import ArgumentError
from recurro.types import Float

__all__ = ["GaussianAutoregression"]

_RIDGE = 1e-6
"""Added to the mean squares, in units of the scale: keeps what is never seen at 0."""


class GaussianAutoregression:
    """A normal distribution of the next offset, and the chances of the pen's state.

    With z_t the last points, each its offset and whether the pen is down or lifted
    there (all zeros before the first), and 1:

        (dx, dy)_t ~ N(A z_t, S),  P(state_t) = softmax(B z_t)

    A is found by least squares, S is the covariance of what is left, B is found by
    logistic regression. All points of a drawing count, also its first.
    Each state counts as if it had been seen once more, so that one that was not has a
    chance: (n P + 1) / (n + 3) for n points.

    Args:
        order: How many points are read, at least 1.

    Attributes:
        map_: A ``(4 order + 1, 2)``, for offsets in units of their size in training.
        covariance_: S ``(2, 2)``, likewise.

    Example:
        >>> line = np.array([[1.0, 0.0, 0.0]] * 8 + [[1.0, 0.5, 2.0]])
        >>> GaussianAutoregression(1).fit([line, line]).log_probs(line).shape
        (9,)
    """

    def __init__(self, order: int = 16) -> None:
        if order < 1:
            raise ArgumentError(
                f"GaussianAutoregression: order must be at least 1, got {order}."
            )
        self.order = order

    def fit(self, drawings: Sequence[Float[np.ndarray, "_ 3"]]) -> Self:
        """Learn from drawings.

        Args:
            drawings: Rows of dx, dy, and the state of the pen: 0 down, 1 lifted, 2
                lifted for good.
        """
        points = np.concatenate(list(drawings)).astype(np.float64)
        self._scale = float(np.sqrt((points[:, :2] ** 2).mean())) or 1.0
        z = np.concatenate([self._before(drawing) for drawing in drawings])
        offsets = points[:, :2] / self._scale
        square = z.T @ z / len(z) + _RIDGE * np.eye(z.shape[1])
        self.map_ = np.linalg.solve(square, z.T @ offsets / len(z))
        left = offsets - z @ self.map_
        self.covariance_ = left.T @ left / len(left) + _RIDGE * np.eye(2)
        pen = LogisticRegression(max_iter=100, tol=1e-3)
        states = points[:, 2].astype(int)
        self._pen = None if (states == states[0]).all() else pen.fit(z, states)
        self._states, self._points = np.unique(states), len(states)
        return self

    def log_probs(
        self, drawing: Float[np.ndarray, "points 3"]
    ) -> Float[np.ndarray, " points"]:
        """Log p of each point given those before it, in nats."""
        z = self._before(drawing)
        left = drawing[:, :2] / self._scale - z @ self.map_
        found = multivariate_normal.logpdf(left, cov=self.covariance_)  # pyright: ignore[reportArgumentType] (its stubs)
        chances = np.zeros((len(z), 3))
        told = 1.0 if self._pen is None else self._pen.predict_proba(z)
        chances[:, self._states] = told
        chances = (chances * self._points + 1) / (self._points + 3)
        state = np.take_along_axis(chances, drawing[:, 2:].astype(int), 1)[:, 0]
        return found - 2 * np.log(self._scale) + np.log(state)

    def _before(self, drawing: np.ndarray) -> np.ndarray:
        """What is read at each point ``(points, 4 order + 1)``."""
        pen = drawing[:, 2:] > 0
        rows = np.concatenate([drawing[:, :2] / self._scale, pen, ~pen], 1)
        rows = np.concatenate([np.zeros((self.order, 4)), rows[:-1]])
        seen = np.lib.stride_tricks.sliding_window_view(rows, self.order, axis=0)
        return np.column_stack([seen.reshape(len(drawing), -1), np.ones(len(drawing))])
