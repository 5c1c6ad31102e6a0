"""Reservoirs as kernels: how alike two series are, for machines that need no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.gaussian_process.kernels import GenericKernelMixin, Kernel

from recurro.errors import ArgumentError, DataError
from recurro.reservoir.network import EchoStateNetwork
from recurro.reservoir.running import pooled
from recurro.reservoir.series import as_series

__all__ = ["Item", "ReservoirKernel", "items"]


@dataclass(frozen=True, eq=False)
class Item:
    """A series as one item of an array, so that scikit-learn lets any length pass.

    Attributes:
        series: ``(time, channels)``.
    """

    series: np.ndarray


def items(series: Sequence[np.ndarray]) -> np.ndarray:
    """Series of any lengths as an array of items ``(series,)``.

    Whatever of scikit-learn insists on an array takes it: Gaussian processes, splits,
    grid search.

    Args:
        series: Each ``(time, channels)`` or ``(time,)``.

    Example:
        >>> items([np.zeros(3), np.zeros(5)]).shape
        (2,)
    """
    array = np.empty(len(series), dtype=object)
    array[:] = [Item(np.asarray(each)) for each in series]
    return array


# scikit-learn's abstract methods are typed as if they gave nothing.
# pyright: reportIncompatibleMethodOverride=false
class ReservoirKernel(GenericKernelMixin, Kernel):
    """The likeness of two series: the product of what a reservoir makes of them.

        k(x, x') = <f(x), f(x')>

    f(x) is z_t = [b; x_t; h_t] after the last step of x, or its mean over the steps.
    It is a kernel of scikit-learn: of Gaussian processes, where it may be combined with
    others, and ``SVC(kernel=ReservoirKernel(network))``. It has nothing that a Gaussian
    process would tune; a grid search may vary the settings of the network.

    Args:
        network: Its settings say how reservoirs are drawn, its ``random_state``, an
            int, which; it need not be fitted. Its washout is left out of the mean.
        pool: ``last`` or ``mean``.

    Example:
        >>> from sklearn.svm import SVC
        >>> rng = np.random.default_rng(0)
        >>> X = [np.sin(k * np.arange(rng.integers(20, 30))) for k in [0.2, 0.9] * 9]
        >>> kernel = ReservoirKernel(EchoStateNetwork(30, random_state=0), pool="mean")
        >>> SVC(kernel=kernel, C=100).fit(X[:12], [0, 1] * 6).predict(X[12:])
        array([0, 1, 0, 1, 0, 1])

    References:
        Hermans and Schrauwen (2012), doi:10.1162/NECO_a_00200 (recurrent kernels).
    """

    def __init__(
        self, network: EchoStateNetwork, pool: Literal["last", "mean"] = "last"
    ) -> None:
        self.network = network
        self.pool: Literal["last", "mean"] = pool

    def transform(self, X: Any) -> np.ndarray:  # noqa: ANN401 (series, or items)
        """f(x) of each series ``(series, features)``, in float64.

        Args:
            X: Series of any lengths, or ``items`` of them.

        Raises:
            ArgumentError: If ``pool`` is none of both, or the network has feedback or
                no ``random_state``.
            DataError: If the series are not finite numbers of as many channels.
        """
        if self.pool not in ("last", "mean"):
            raise ArgumentError(
                f"ReservoirKernel: pool must be 'last' or 'mean', got {self.pool!r}."
            )
        if self.network.feedback or self.network.random_state is None:
            raise ArgumentError(
                "ReservoirKernel: network must have no feedback, and an int for its "
                f"random_state, got {self.network.feedback} and "
                f"{self.network.random_state}. Each call draws the same reservoirs."
            )
        series = [x.series if isinstance(x, Item) else np.asarray(x) for x in X]
        xs = as_series("X", series, self.network.dtype)
        washout, shortest = self.network.washout, min(map(len, xs))
        if self.pool == "mean" and shortest <= washout:
            raise DataError(
                f"ReservoirKernel: the washout must be shorter than each series, got "
                f"{washout} for one of {shortest} steps. Set washout=0, or pool='last'."
            )
        bank = self.network.draw(xs[0].shape[1])
        found = np.empty((len(xs), bank.features))
        for rows, z, _ in pooled(bank, xs, self.pool, washout):
            found[rows] = z
        return found

    def __call__(
        self,
        X: Any,  # noqa: ANN401 (series, or items)
        Y: Any = None,  # noqa: ANN401
        eval_gradient: bool = False,
    ) -> Any:  # noqa: ANN401 (one matrix or two)
        """The matrix of k ``(X, Y)``, of X with itself if Y is not given.

        Args:
            X: Series of any lengths, or ``items`` of them.
            Y: Others.
            eval_gradient: Whether to give also the gradient by the parameters that are
                tuned, of which there are none: ``(X, X, 0)``.

        Raises:
            ArgumentError: As ``transform``.
            DataError: As ``transform``.
        """
        left = self.transform(X)
        matrix = left @ (left if Y is None else self.transform(Y)).T
        if eval_gradient:
            return matrix, np.empty((*matrix.shape, 0))
        return matrix

    def diag(self, X: Any) -> np.ndarray:  # noqa: ANN401 (series, or items)
        """k(x, x) of each series ``(series,)``."""
        return (self.transform(X) ** 2).sum(1)

    def is_stationary(self) -> bool:
        """Whether k depended on x - x' alone: it does not."""
        return False

    def __repr__(self) -> str:
        """The kernel with its network."""
        return f"ReservoirKernel({self.network!r}, pool={self.pool!r})"
