"""What the states of a hidden Markov model emit: symbols, real vectors, or counts."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from scipy.linalg import LinAlgError, cho_factor, solve_triangular
from scipy.sparse import csc_array
from scipy.special import gammaln, xlogy

from recurro.errors import ArgumentError, DataError, VocabularyError

__all__ = ["Categorical", "Emission", "Gaussian", "Params", "Poisson"]

Params: TypeAlias = dict[str, np.ndarray]
"""Learnt arrays by the names of the model's attributes."""

NAME = "HiddenMarkovModel"
BLOCK = 2048
"""Rows whose densities are worked out together, in the processor's cache."""

SAMPLE = 10_000
"""Observations at most that k-means looks at."""


class Emission(ABC):
    """A family of distributions, one for each state; it holds no learnt values.

    Attributes:
        letters: The letter of each learnt array, as in hmmlearn.
    """

    letters: ClassVar[dict[str, str]]

    @abstractmethod
    def read(self, X: Any) -> np.ndarray:  # noqa: ANN401 (what a person passes)
        """Observations as this family takes them ``(steps, ...)``, checked."""

    def suited(self, X: np.ndarray) -> Self:
        """This family once it has seen the data to learn from."""
        return self

    @abstractmethod
    def guess(self, X: np.ndarray, states: int, draw: np.random.Generator) -> Params:
        """Where a start of Baum-Welch begins."""

    @abstractmethod
    def estimate(self, X: np.ndarray, weights: np.ndarray, old: Params) -> Params:
        """The likeliest parameters, given P of each state ``(steps, states)``.

        A state of no weight keeps its old ones.
        """

    @abstractmethod
    def write(self, X: np.ndarray, params: Params, logs: np.ndarray) -> None:
        """Write log p(x | state) to ``logs`` of ``(steps, states)``."""

    def log_probs(self, X: np.ndarray, params: Params) -> np.ndarray:
        """Log p(x | state): ``(steps, states)``."""
        logs = np.empty((len(X), len(params["startprob_"])))
        self.write(X, params, logs)
        return logs

    @abstractmethod
    def draw(
        self, states: np.ndarray, params: Params, draw: np.random.Generator
    ) -> np.ndarray:
        """An observation of each of some states, in the form that users pass."""

    @abstractmethod
    def check(self, params: Params, states: int) -> None:
        """Refuse parameters that are no distributions of so many states."""

    def scaled(
        self, X: np.ndarray, params: Params, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """p(x | state) with zeros up to a width, each row over its largest; the logs.

        Returns:
            ``(steps, width)``, and ``(steps,)``: the log of what each row was divided
            by, 0 where no state emits.
        """
        states = len(params["startprob_"])
        b = np.full((len(X), width), -np.inf)
        self.write(X, params, b[:, :states])
        return b, scale(b)


def scale(logs: np.ndarray) -> np.ndarray:
    """Turn rows of logarithms into exponentials over the largest; give its logs.

    Everything happens in the memory of ``logs``: new memory would cost more.
    """
    rows = torch.from_numpy(logs)
    top = rows.amax(1)
    top[top == -torch.inf] = 0.0
    rows.sub_(top[:, None]).exp_()
    return top.numpy()


@dataclass(frozen=True)
class Categorical(Emission):
    """Symbols 0, 1, ... by a table: p(x | state) = emissionprob_[state, x].

    Attributes:
        symbols: How many there are; ``None`` until they are known from data.
        prior: Parameter of the Dirichlet distribution that is assumed of each row.
    """

    letters: ClassVar[dict[str, str]] = {"e": "emissionprob_"}
    symbols: int | None = None
    prior: float = 1.0

    def read(self, X: Any) -> np.ndarray:  # noqa: ANN401 (what a person passes)
        ids = _single(np.asarray(X), "symbols (steps,) or (steps, 1)")
        whole = whole_numbers(ids, "a symbol: a whole number from 0 up")
        if self.symbols is not None and (strange := whole >= self.symbols).any():
            row = int(strange.argmax())
            raise VocabularyError(
                f"{NAME}: row {row} of X must be a symbol from 0 to {self.symbols - 1},"
                f" got {whole[row]}, which was not seen in training. Fit with "
                "n_features, or leave it out."
            )
        return whole

    def suited(self, X: np.ndarray) -> Self:
        return self if self.symbols else replace(self, symbols=int(X.max()) + 1)

    def guess(self, X: np.ndarray, states: int, draw: np.random.Generator) -> Params:
        assert self.symbols is not None
        counts = np.bincount(X, minlength=self.symbols)
        near = draw.dirichlet(np.ones(self.symbols), states)
        table = 0.5 * counts / counts.sum() + 0.5 * near * (counts > 0)
        return {"emissionprob_": table / table.sum(1, keepdims=True)}

    def estimate(self, X: np.ndarray, weights: np.ndarray, old: Params) -> Params:
        assert self.symbols is not None
        ends = np.arange(len(X) + 1)
        seen = csc_array((np.ones(len(X)), X, ends), (self.symbols, len(X)))
        rows = (seen @ weights).T + (self.prior - 1)
        return {"emissionprob_": shares(rows, old.get("emissionprob_", 0.0))}

    def write(self, X: np.ndarray, params: Params, logs: np.ndarray) -> None:
        logs[:] = _log(params["emissionprob_"]).T[X]

    def scaled(
        self, X: np.ndarray, params: Params, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        symbols = np.arange(params["emissionprob_"].shape[1])
        table, top = super().scaled(symbols, params, width)
        return table[X], top[X]

    def draw(
        self, states: np.ndarray, params: Params, draw: np.random.Generator
    ) -> np.ndarray:
        sums = params["emissionprob_"].cumsum(1)[states]
        return (sums <= draw.random((len(states), 1)) * sums[:, -1:]).sum(1)[:, None]

    def check(self, params: Params, states: int) -> None:
        columns = params["emissionprob_"].shape[-1]
        check_shape(params, "emissionprob_", (states, columns))
        check_shares(params["emissionprob_"], "emissionprob_")


@dataclass(frozen=True)
class Gaussian(Emission):
    """Real vectors: p(x | state) = N(x; means_[state], covars_[state]).

    Attributes:
        full: Whether covariances are matrices ``(states, features, features)`` or
            variances ``(states, features)``.
        least: The least variance of a state in any direction, as a share of the
            variance of the data there.
        middle, spread: The mean and the variance of the data, once they are known.
    """

    letters: ClassVar[dict[str, str]] = {"m": "means_", "c": "covars_"}
    full: bool = False
    least: float = 1e-6
    middle: np.ndarray | None = None
    spread: np.ndarray | None = None

    def read(self, X: Any) -> np.ndarray:  # noqa: ANN401 (what a person passes)
        try:
            values = np.asarray(X, np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"{NAME}: X must be numbers (steps, features), got something else. "
                "Turn it into an array of numbers."
            ) from None
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.shape[1]:
            raise DataError(
                f"{NAME}: X must be (steps, features), got {values.shape}. Put the "
                "sequences end to end and pass their lengths."
            )
        if not (finite := np.isfinite(values)).all():
            row, column = np.argwhere(~finite)[0]
            raise DataError(
                f"{NAME}: X must be finite, got {values[row, column]} in row {row}, "
                f"column {column}. Fill it in, or leave the row out."
            )
        return np.ascontiguousarray(values)

    def suited(self, X: np.ndarray) -> Self:
        share = np.full(len(X), 1 / len(X))
        middle = share @ X
        spread = share @ np.square(X - middle)
        flat = spread <= (1e-13 * np.abs(X).max(0)) ** 2  # but for rounding
        if flat.any():
            column = int(flat.argmax())
            raise DataError(
                f"{NAME}: each column of X must vary, got {X[0, column]:g} in all rows "
                f"of column {column}. Leave the column out."
            )
        return replace(self, middle=middle, spread=spread)

    def guess(self, X: np.ndarray, states: int, draw: np.random.Generator) -> Params:
        everywhere = self.estimate(X, np.ones((len(X), 1)), {})
        return {
            "means_": centers(X, states, draw),
            "covars_": np.repeat(everywhere["covars_"], states, axis=0),
        }

    def estimate(self, X: np.ndarray, weights: np.ndarray, old: Params) -> Params:
        assert self.middle is not None
        centred, totals = X - self.middle, np.ones(len(X)) @ weights
        some = totals > 1e-10
        over = np.where(some, totals, 1.0)[:, None]
        means = weights.T @ centred / over
        if self.full:
            squares = np.array([(centred.T * w) @ centred for w in weights.T])
            covars = squares / over[..., None] - means[:, :, None] * means[:, None, :]
        else:
            covars = weights.T @ (centred * centred) / over - means * means
        new = {"means_": means + self.middle, "covars_": self._raised(covars)}
        if not some.all():
            for name, values in new.items():
                values[~some] = old[name][~some]
        return new

    def _raised(self, covars: np.ndarray) -> np.ndarray:
        """Variances, or covariance matrices, that are nowhere below the least."""
        assert self.spread is not None
        if not self.full:
            return np.maximum(covars, self.least * self.spread)
        unit = np.sqrt(np.multiply.outer(self.spread, self.spread))
        values, vectors = np.linalg.eigh(covars / unit)
        values = np.maximum(values, self.least)[..., None, :]
        return (vectors * values) @ np.swapaxes(vectors, -1, -2) * unit

    def write(self, X: np.ndarray, params: Params, logs: np.ndarray) -> None:
        means, covars = params["means_"], params["covars_"]
        if X.shape[1] != means.shape[1]:
            raise DataError(
                f"{NAME}: X must have {means.shape[1]} columns as in training, got "
                f"{X.shape[1]}."
            )
        constant = X.shape[1] * np.log(2 * np.pi)
        if self.full:
            for state, (mean, covar) in enumerate(zip(means, covars, strict=True)):
                factor, _ = cho_factor(covar, lower=True)
                z = solve_triangular(factor, (X - mean).T, lower=True)
                volume = 2 * np.log(np.diag(factor)).sum()
                logs[:, state] = -0.5 * (constant + volume + (z * z).sum(0))
            return
        scales, means = np.sqrt(0.5 / covars).T[..., None], means.T[..., None]
        volume = 0.5 * (constant + np.log(covars).sum(1))[:, None]
        for begin in range(0, len(X), BLOCK):  # states first: long rows are fast
            block = np.ascontiguousarray(X[begin : begin + BLOCK].T)
            far = np.repeat(volume, block.shape[1], axis=1)
            for values, mean, scale in zip(block, means, scales, strict=True):
                z = values - mean
                z *= scale
                z *= z
                far += z
            np.negative(far.T, out=logs[begin : begin + BLOCK])

    def draw(
        self, states: np.ndarray, params: Params, draw: np.random.Generator
    ) -> np.ndarray:
        means, covars = params["means_"], params["covars_"]
        noise = draw.standard_normal((len(states), means.shape[1]))
        if not self.full:
            return means[states] + np.sqrt(covars[states]) * noise
        factors = np.linalg.cholesky(covars)
        return means[states] + np.einsum("nij,nj->ni", factors[states], noise)

    def check(self, params: Params, states: int) -> None:
        features = params["means_"].shape[-1]
        check_shape(params, "means_", (states, features))
        shape = (states, features, features) if self.full else (states, features)
        check_shape(params, "covars_", shape)
        covars = params["covars_"]
        try:
            if not self.full and not (covars > 0).all():
                raise LinAlgError
            if self.full:
                np.linalg.cholesky(covars)
        except LinAlgError:
            raise ArgumentError(
                f"{NAME}: covars_ must be {'positive definite' if self.full else '> 0'}"
                " for each state, got others. Give each state some variance."
            ) from None


@dataclass(frozen=True)
class Poisson(Emission):
    """Counts: p(x | state) is the product of Poisson(x_d; lambdas_[state, d])."""

    letters: ClassVar[dict[str, str]] = {"l": "lambdas_"}

    def read(self, X: Any) -> np.ndarray:  # noqa: ANN401 (what a person passes)
        values = np.asarray(X)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.shape[1]:
            raise DataError(
                f"{NAME}: X must be counts (steps, features), got {values.shape}. Put "
                "the sequences end to end and pass their lengths."
            )
        return whole_numbers(values, "counts: whole numbers from 0 up").astype(float)

    def guess(self, X: np.ndarray, states: int, draw: np.random.Generator) -> Params:
        return {"lambdas_": np.maximum(centers(X, states, draw), 1e-3)}

    def estimate(self, X: np.ndarray, weights: np.ndarray, old: Params) -> Params:
        totals = weights.sum(0)[:, None]
        lambdas = weights.T @ X / np.where(totals > 1e-10, totals, 1.0)
        kept = old.get("lambdas_", np.broadcast_to(X.mean(0), lambdas.shape))
        return {"lambdas_": np.where(totals > 1e-10, lambdas, kept)}

    def write(self, X: np.ndarray, params: Params, logs: np.ndarray) -> None:
        lambdas = params["lambdas_"]
        if X.shape[1] != lambdas.shape[1]:
            raise DataError(
                f"{NAME}: X must have {lambdas.shape[1]} columns as in training, got "
                f"{X.shape[1]}."
            )
        constant = gammaln(X + 1).sum(1)
        for state, rate in enumerate(lambdas):
            logs[:, state] = xlogy(X, rate).sum(1) - rate.sum() - constant

    def draw(
        self, states: np.ndarray, params: Params, draw: np.random.Generator
    ) -> np.ndarray:
        return draw.poisson(params["lambdas_"][states])

    def check(self, params: Params, states: int) -> None:
        check_shape(params, "lambdas_", (states, params["lambdas_"].shape[-1]))
        if not (params["lambdas_"] >= 0).all():
            raise ArgumentError(f"{NAME}: lambdas_ must be at least 0, got others.")


# -- what they share -------------------------------------------------------------------


def whole_numbers(values: np.ndarray, what: str) -> np.ndarray:
    """The values as int64; refuses what is not whole or below zero, by its place."""
    if values.dtype.kind not in "iufb":
        raise DataError(
            f"{NAME}: X must hold {what}, got {values.dtype}. Turn names into numbers."
        )
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    if (wrong := (whole != values) | (whole < 0)).any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{NAME}: row {place[0]} of X must hold {what}, got {values[place]}."
        )
    return np.ascontiguousarray(whole)


def _single(values: np.ndarray, what: str) -> np.ndarray:
    """One value a row."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"{NAME}: X must be {what}, got {values.shape}. Put the sequences end to "
            "end and pass their lengths."
        )
    return values


def shares(counts: np.ndarray, old: np.ndarray | float) -> np.ndarray:
    """Rows over their sums, negative counts as none; rows of nothing stay as old."""
    counts = np.maximum(counts, 0)
    totals = counts.sum(-1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), old)


def centers(X: np.ndarray, states: int, draw: np.random.Generator) -> np.ndarray:
    """Centres of clusters of a sample, by k-means++ and a few steps of k-means."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    chosen = draw.permutation(len(X))[:SAMPLE]
    unit = X.std(0)
    unit[unit == 0] = 1.0
    seed = int(draw.integers(2**31))
    means = KMeans(states, n_init="auto", max_iter=20, random_state=seed)  # one start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of equal observations
        return means.fit(X[chosen] / unit).cluster_centers_ * unit


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(values)


def check_shape(params: Params, name: str, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape, or with numbers that are not finite."""
    if params[name].shape != shape or not np.isfinite(params[name]).all():
        raise ArgumentError(
            f"{NAME}: {name} must be finite numbers of shape {shape}, got "
            f"{params[name].shape}. Set it anew, or fit the model."
        )


def check_shares(values: np.ndarray, name: str) -> None:
    """Refuse rows that are no probabilities."""
    if (values < 0).any() or not np.allclose(values.sum(-1), 1, atol=1e-6):
        raise ArgumentError(
            f"{NAME}: {name} must be probabilities that sum to 1, got others. Divide "
            "each row by its sum."
        )
