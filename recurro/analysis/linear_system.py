"""From a linear differential equation to a recurrence, by Euler and exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.linalg import expm

from recurro.cells import Linear
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent

__all__ = ["LinearSystem", "from_linear_system"]

Scheme = Literal["euler", "exact"]


@dataclass(frozen=True)
class LinearSystem:
    """dr/dt = A r + B x as recurrences r_{t+1} = W_rec r_t + W_in x_t.

    Attributes:
        A: The system ``(units, units)``, per unit of time.
        B: How the input enters ``(units, inputs)``, or ``None``.
        dt: The step.
        euler: W_rec = I + dt A.
        exact: W_rec = exp(dt A).
        euler_input: W_in = dt B, or ``None``.
        exact_input: W_in = int_0^dt exp(s A) ds B, for an input that stands still
            within a step, or ``None``.
    """

    A: np.ndarray
    B: np.ndarray | None
    dt: float
    euler: np.ndarray
    exact: np.ndarray
    euler_input: np.ndarray | None
    exact_input: np.ndarray | None

    def layer(self, scheme: Scheme = "euler") -> Recurrent:
        """The recurrence as a layer in double precision, to run or to train.

        Without B it reads an input of width 1 and leaves it out.

        Args:
            scheme: ``euler`` or ``exact``.
        """
        recurrent = self._choose(scheme)
        given = self.euler_input if scheme == "euler" else self.exact_input
        given = np.zeros((len(self.A), 1)) if given is None else given
        layer = Recurrent(Linear(), given.shape[1], len(self.A), bias=False).double()
        with torch.no_grad():
            layer.get_parameter("U_h_l0").copy_(torch.from_numpy(recurrent))
            layer.get_parameter("W_h_l0").copy_(torch.from_numpy(given))
        return layer

    def error(
        self, start: np.ndarray, steps: int, scheme: Scheme = "euler"
    ) -> np.ndarray:
        """How far the recurrence is from the true flow exp(t dt A) r_0.

        Args:
            start: r_0 ``(units,)``.
            steps: Steps, >= 1.
            scheme: ``euler`` or ``exact``.

        Returns:
            ||r_t - r(t dt)|| for t = 1 to ``steps``.

        Raises:
            ShapeError: If ``start`` does not fit.
        """
        start = np.asarray(start, dtype=np.float64)
        if start.shape != (len(self.A),) or steps < 1:
            raise ShapeError(
                f"LinearSystem: start must be ({len(self.A)},) and steps >= 1, got "
                f"{start.shape} and {steps}."
            )
        layer = self.layer(scheme)
        still = torch.zeros(steps, 1, layer.get_parameter("W_h_l0").shape[1]).double()
        with torch.no_grad():
            found, _ = layer(still, ((torch.from_numpy(start)[None],),))
        times = self.dt * np.arange(1, steps + 1)
        truth = expm(times[:, None, None] * self.A) @ start
        return np.linalg.norm(found[:, 0].numpy() - truth, axis=1)

    def stable(self, scheme: Scheme = "euler") -> bool:
        """Whether no eigenvalue of W_rec is outside of the unit circle."""
        eigenvalues = np.linalg.eigvals(self._choose(scheme))
        return bool(np.abs(eigenvalues).max() <= 1 + 1e-12)

    def largest_stable_dt(self) -> float:
        """The step up to which Euler's recurrence stays bounded.

        |1 + dt l| <= 1 for all eigenvalues l of A: min of -2 Re(l) / |l|^2. It is 0
        where an eigenvalue other than 0 does not decay, such as one of a rotation.
        """
        eigenvalues = np.linalg.eigvals(self.A)
        moving = eigenvalues[np.abs(eigenvalues) > 1e-12]
        if not len(moving):
            return math.inf
        bound = (-2 * moving.real / np.abs(moving) ** 2).min()
        return max(0.0, float(bound))

    def _choose(self, scheme: str) -> np.ndarray:
        if scheme not in ("euler", "exact"):
            raise ArgumentError(
                f"LinearSystem: scheme must be 'euler' or 'exact', got {scheme!r}."
            )
        return self.euler if scheme == "euler" else self.exact


def from_linear_system(
    A: np.ndarray, dt: float, B: np.ndarray | None = None
) -> LinearSystem:
    """Turn dr/dt = A r + B x into a recurrence with the step dt.

    Euler: (r_{t+1} - r_t) / dt = A r_t, so W_rec = I + dt A. Exactly: W_rec =
    exp(dt A).

    Args:
        A: The system ``(units, units)``, real.
        dt: The step, > 0, in the time unit of A.
        B: How an input enters, ``(units, inputs)``.

    Raises:
        ArgumentError: If a number is not finite, or dt is not positive.
        ShapeError: If A is not square, or B does not fit.

    Example:
        >>> rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
        >>> system = from_linear_system(rotation, dt=0.1)
        >>> system.euler
        array([[ 1. , -0.1],
               [ 0.1,  1. ]])
        >>> system.stable("euler"), system.stable("exact")
        (False, True)

    References:
        Van Loan (1978), IEEE Transactions on Automatic Control 23, theorem 1, for the
        exact W_in.
    """
    A = _matrix("A", A)
    if A.shape[0] != A.shape[1]:
        raise ShapeError(f"from_linear_system: A must be square, got {A.shape}.")
    if not (math.isfinite(dt) and dt > 0):
        raise ArgumentError(f"from_linear_system: dt must be > 0, got {dt}.")
    euler, exact = np.eye(len(A)) + dt * A, expm(dt * A)
    if B is None:
        return LinearSystem(A, None, dt, euler, exact, None, None)
    B = _matrix("B", B)
    if len(B) != len(A):
        raise ShapeError(
            f"from_linear_system: B must be ({len(A)}, inputs), got {B.shape}."
        )
    units, inputs = B.shape
    both = np.zeros((units + inputs, units + inputs))
    both[:units, :units], both[:units, units:] = A, B
    return LinearSystem(A, B, dt, euler, exact, dt * B, expm(dt * both)[:units, units:])


def _matrix(name: str, given: np.ndarray) -> np.ndarray:
    matrix = np.asarray(given)
    if matrix.ndim != 2 or not matrix.size or matrix.dtype.kind not in "iuf":
        raise ShapeError(
            f"from_linear_system: {name} must be a matrix of real numbers, got "
            f"{matrix.dtype} of shape {matrix.shape}."
        )
    if not np.isfinite(matrix).all():
        raise ArgumentError(
            f"from_linear_system: {name} must be finite, got NaN or infinity."
        )
    return matrix.astype(np.float64)
