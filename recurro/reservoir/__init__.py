"""Networks whose recurrent weights are drawn, and of which only the readout learns.

Example:
    >>> import numpy as np
    >>> Z, Y = np.random.default_rng(0).normal(size=(50, 3)), np.ones((50, 1))
    >>> Ridge().begin(3, 1).add(Z, Y).solve().coef_.shape
    (1, 3)
"""

from __future__ import annotations

from recurro.reservoir.online import (
    LeastMeanSquares,
    OnlineReadout,
    RecursiveLeastSquares,
)
from recurro.reservoir.readout import Ridge

__all__ = ["LeastMeanSquares", "OnlineReadout", "RecursiveLeastSquares", "Ridge"]
