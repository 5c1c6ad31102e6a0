"""Readouts that learn from one step at a time: recursive least squares and LMS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from scipy.linalg import LinAlgError, cholesky, get_blas_funcs, solve_triangular

from recurro.errors import ArgumentError, DivergenceError
from recurro.reservoir.bank import Bank
from recurro.reservoir.readout import Rows, as_pairs, check_widths

__all__ = ["LeastMeanSquares", "OnlineReadout", "RecursiveLeastSquares", "force"]

_BLOCK = 64
"""Steps that recursive least squares takes at once."""

_symm, _symv, _syrk = get_blas_funcs(("symm", "symv", "syrk"), dtype=np.float64)


class OnlineReadout(ABC):
    """A linear map y' = W z that is better after each step it has seen.

    ``begin``, then ``step`` or ``add`` as data come. The map is ready at any time;
    ``solve`` is there so that it can stand where ``Ridge`` stands.

    Attributes:
        coef_: W ``(outputs, features)``, float64.
        steps_: The steps seen.
    """

    def begin(self, features: int, outputs: int) -> Self:
        """Forget all steps; W is 0.

        Args:
            features: Width of z.
            outputs: Width of y.

        Raises:
            ArgumentError: If a width is below 1 or a setting is out of its range.
        """
        check_widths(self._name, features, outputs)
        self._start(features)
        self.coef_ = np.zeros((outputs, features))
        self.steps_ = 0
        return self

    def step(self, z: Rows, y: Rows) -> np.ndarray:
        """See one step and learn from it.

        Args:
            z: The features ``(features,)``.
            y: What they should give ``(outputs,)``.

        Returns:
            The error y - W z before the step was learnt ``(outputs,)``.

        Raises:
            ShapeError: If a width is another.
            DataError: If a number is not finite.
            DivergenceError: If the weights are beyond all bounds.
        """
        before = self.coef_
        widths = before.shape[1], before.shape[0]
        rows, targets = as_pairs(self._name, z[None], y[None], widths, self.steps_)
        self._learn(rows.astype(np.float64), targets.astype(np.float64))
        self.steps_ += 1
        return targets[0] - before @ rows[0]

    def add(self, Z: Rows, Y: Rows) -> Self:
        """See the steps of a chunk, one after the other.

        Args:
            Z: Features ``(steps, features)``.
            Y: What they should give ``(steps, outputs)``.

        Raises:
            ShapeError: If a width or the number of steps is another.
            DataError: If a number is not finite.
            DivergenceError: If the weights are beyond all bounds.
        """
        outputs, features = self.coef_.shape
        z, y = as_pairs(self._name, Z, Y, (features, outputs), first=self.steps_)
        for start in range(0, len(z), _BLOCK):
            some = slice(start, start + _BLOCK)
            self._learn(z[some].astype(np.float64), y[some].astype(np.float64))
            self.steps_ += len(z[some])
        return self

    def solve(self) -> Self:
        """Nothing is left to do: ``coef_`` is what the steps so far have taught."""
        return self

    @property
    def _name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def _start(self, features: int) -> None:
        """Check the settings and make what is remembered beside W."""

    @abstractmethod
    def _learn(self, z: np.ndarray, y: np.ndarray) -> None:
        """Put a new W in the place of the old one, by some steps in float64."""


class RecursiveLeastSquares(OnlineReadout):
    """Least squares with a ridge after every step, as FORCE learning takes it.

        k_t = P_{t-1} z_t / (l + z_t^T P_{t-1} z_t)
        W_t = W_{t-1} + (y_t - W_{t-1} z_t) k_t^T
        P_t = (P_{t-1} - k_t z_t^T P_{t-1}) / l,   P_0 = I / r

    W minimises sum_i l^(t-i) |y_i - W z_i|^2 + l^t r |W|^2; with l = 1 it is what
    ``Ridge(r)`` finds from the same steps. ``add`` takes 64 steps at once, by the
    same algebra in matrices. P holds features² numbers.

    Args:
        ridge: r, above 0. A large one learns slowly at first.
        forgetting: l in (0, 1]; below 1 what is long past counts for less.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> Z = rng.normal(size=(100, 3))
        >>> readout = RecursiveLeastSquares(ridge=1e-6).begin(features=3, outputs=1)
        >>> errors = [readout.step(z, z[:1] - z[1:2]) for z in Z]
        >>> bool(abs(errors[0][0]) > 0.1), bool(abs(errors[-1][0]) < 1e-6)
        (True, True)
        >>> readout.coef_.round(6) + 0.0
        array([[ 1., -1.,  0.]])

    References:
        Sussillo and Abbott (2009), doi:10.1016/j.neuron.2009.07.018, equations 4, 5.
    """

    def __init__(self, ridge: float = 1.0, forgetting: float = 1.0) -> None:
        self.ridge = ridge
        self.forgetting = forgetting

    def _start(self, features: int) -> None:
        if not 0 < self.ridge < np.inf:
            raise ArgumentError(
                f"RecursiveLeastSquares: ridge must be above 0, got {self.ridge}."
            )
        if not 0 < self.forgetting <= 1:
            raise ArgumentError(
                f"RecursiveLeastSquares: forgetting must be in (0, 1], "
                f"got {self.forgetting}."
            )
        self._p = np.zeros((features, features), order="F")  # its lower triangle
        np.fill_diagonal(self._p, 1 / self.ridge)

    def _learn(self, z: np.ndarray, y: np.ndarray) -> None:
        fade = self.forgetting ** -np.arange(len(z) - 1, -1, -1.0)
        if self.forgetting < 1:
            self._p *= self.forgetting ** -len(z)
        if len(z) == 1:  # P z for each step
            reached = _symv(1.0, self._p, z[0], lower=1)[:, None]
        else:
            reached = _symm(1.0, self._p, z.T, lower=1)
        spread = z @ reached + np.diag(fade)
        try:
            factor = cholesky(spread, lower=True)
        except (LinAlgError, ValueError) as error:
            raise DivergenceError(
                f"RecursiveLeastSquares: P must stay positive, at step {self.steps_} "
                f"it is not. Take a ridge above {self.ridge:g}, or forgetting nearer 1."
            ) from error
        gain = solve_triangular(factor, reached.T, lower=True)
        error = solve_triangular(factor, y - z @ self.coef_.T, lower=True)
        self.coef_ = self.coef_ + error.T @ gain
        self._p = _syrk(-1.0, gain.T, beta=1.0, c=self._p, lower=1, overwrite_c=1)


class LeastMeanSquares(OnlineReadout):
    """A step down the gradient of each step's squared error: cheap, and slow to learn.

        W_t = W_{t-1} + m (y_t - W_{t-1} z_t) z_t^T / n_t

    with n_t = |z_t|^2 where normalised, and 1 where not.

    Args:
        rate: m. Normalised, in (0, 2); else it must stay below 2 over the largest
            |z|^2 to be safe.
        normalised: Whether each step is divided by |z_t|^2.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> Z = rng.normal(size=(500, 3))
        >>> readout = LeastMeanSquares().begin(features=3, outputs=1)
        >>> readout.add(Z, Z[:, :1] - Z[:, 1:2]).coef_.round(6) + 0.0
        array([[ 1., -1.,  0.]])

    References:
        Haykin (2014), Adaptive filter theory, 5th edition, sections 6.2 and 7.1.
    """

    def __init__(self, rate: float = 0.5, normalised: bool = True) -> None:
        self.rate = rate
        self.normalised = normalised

    def _start(self, features: int) -> None:
        if not 0 < self.rate < (2 if self.normalised else np.inf):
            bounds = "in (0, 2)" if self.normalised else "above 0"
            raise ArgumentError(
                f"LeastMeanSquares: rate must be {bounds}, got {self.rate}."
            )

    def _learn(self, z: np.ndarray, y: np.ndarray) -> None:
        power = (z**2).sum(1)
        scale = self.rate / (np.where(power > 0, power, 1) if self.normalised else 1)
        scales = np.broadcast_to(scale, power.shape)
        weights = self.coef_.copy()
        for row, target, size in zip(z, y, scales, strict=True):
            weights += np.outer(size * (target - weights @ row), row)
        if not np.isfinite(weights).all() or np.abs(weights).max() > 1e100:
            raise DivergenceError(
                f"LeastMeanSquares: the weights must stay finite, by step "
                f"{self.steps_ + len(z)} they do not. Take a rate below "
                f"{2 / power.max():.2g}, or normalised=True."
            )
        self.coef_ = weights


def force(
    bank: Bank,
    readout: OnlineReadout,
    x: np.ndarray,
    y: np.ndarray,
    washout: int = 0,
    noise: tuple[float, np.random.Generator] | None = None,
) -> None:
    """Learn in a closed loop: what is fed back is what the network tells, errors too.

    At each step the reservoir reads what was told a step before, the readout tells
    W z_t of its state, and W is corrected. So the network meets, while it learns, the
    errors that it will meet when it is left to itself.

    Args:
        bank: Reservoirs with feedback.
        readout: Begun, for as many features and outputs.
        x: Inputs ``(time, inputs)``.
        y: Targets ``(time, outputs)``.
        washout: First steps that are not learnt from; there targets are fed back.
        noise: Largest noise, and where it is drawn from.

    Raises:
        DivergenceError: If the weights are beyond all bounds.

    References:
        Sussillo and Abbott (2009), doi:10.1016/j.neuron.2009.07.018.
    """
    told, states = np.zeros((1, 1, y.shape[1]), x.dtype), None
    for t in range(len(x)):
        z, states = bank(x[t : t + 1, None], told, states, noise=noise)
        told = (z @ readout.coef_.T).astype(x.dtype)
        if t >= washout:
            readout.step(z[0, 0], y[t])
        else:
            told = y[None, t : t + 1]
