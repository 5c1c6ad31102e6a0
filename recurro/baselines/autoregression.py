"""A linear map from the last values to the next one."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurro.baselines.forecast import Forecaster, Rates, Value, enough
from recurro.errors import ArgumentError

__all__ = ["AutoRegression"]


class AutoRegression(Forecaster):
    """The next change as a linear map of how the past lies to the last value.

        f_{t+1} = y_t + b + sum_k w_k (y_{t-k} - y_t),  k = 1 ... p - 1

    and so on, by least squares with a ridge of 1e-3 of the mean square of the inputs.

    Args:
        order: Values p that are read, at least 1.

    Example:
        >>> wave = np.sin(np.arange(60) / 3)
        >>> found = AutoRegression(4).fit(wave).predict(2)
        >>> bool(np.allclose(found, np.sin(np.array([60, 61]) / 3), atol=0.05))
        True
    """

    def __init__(self, order: int) -> None:
        if order < 1:
            raise ArgumentError(
                f"AutoRegression: order must be at least 1, got {order}."
            )
        self.order = order

    def start(self, values: list[float]) -> tuple[Any, int]:
        """The first values, the newest last."""
        return tuple(values[: self.order]), self.order

    def expect(self, rates: Rates, state: Any) -> Value:  # noqa: ANN401
        """The last value and the change that is expected."""
        last = state[-1]
        found = last + rates[0]
        for weight, value in zip(rates[1:], state[:-1], strict=True):
            found = found + weight * (value - last)
        return found

    def update(self, rates: Rates, state: Any, value: Value) -> Any:  # noqa: ANN401
        """Move on by a step."""
        return (*state[1:], value)

    def _learn(self, column: list[float]) -> list[float]:
        enough(self, column, self.order + 2)
        values = np.array(column)
        windows = np.lib.stride_tricks.sliding_window_view(values, self.order + 1)
        last = windows[:, -2:-1]
        x, y = windows[:, :-2] - last, windows[:, -1:] - last
        ones = np.concatenate([np.ones_like(last), x], 1)
        ridge = 1e-3 * float((x**2).sum()) / max(x.shape[1], 1)
        square = ones.T @ ones + ridge * np.diag([0.0] + [1.0] * x.shape[1])
        square[0, 0] += 1e-12
        return np.linalg.solve(square + 1e-12 * np.eye(len(square)), ones.T @ y)[
            :, 0
        ].tolist()
