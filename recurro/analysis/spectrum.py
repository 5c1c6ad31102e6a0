"""The eigenvalue view: what the powers of a recurrent matrix do to a state.

Over k steps a linear recurrence multiplies a state by U^k = Q L^k Q^-1: along each
eigenvector it grows or fades like |lambda|^k, and how unequally it does so,
(|lambda_1| / |lambda_d|)^k, is how badly the problem of training is conditioned. For
what is not linear the same is told of the mean Jacobian of its steps: the linearised
chain.

References:
    Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigs, svds
from torch import Tensor, nn

from recurro.analysis.jacobian import Linearised
from recurro.analysis.trajectory import is_recurrent
from recurro.errors import ArgumentError
from recurro.nn.stack import recurrent_matrices
from recurro.types import Float

__all__ = ["Spectrum", "chain_spectrum", "spectra", "spectrum"]

WHOLE = 2000
"""Units up to which all eigenvalues are found; of larger ones the largest."""
LARGEST = 64
"""How many are found of larger ones."""


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a square matrix.

    Attributes:
        name: The matrix.
        eigenvalues: By falling modulus; of a matrix of more than 2,000 units the 64
            largest alone.
        norm: The largest singular value: the most that one step can stretch a state.
        units: Rows of the matrix.
    """

    name: str
    eigenvalues: np.ndarray
    norm: float
    units: int

    @property
    def radius(self) -> float:
        """The spectral radius: the largest modulus."""
        return float(abs(self.eigenvalues[0]))

    @property
    def is_whole(self) -> bool:
        """Whether all eigenvalues are known."""
        return len(self.eigenvalues) == self.units

    def growth(self, steps: int | Sequence[int]) -> np.ndarray:
        """|lambda|^k along each eigenvector, as logarithms to base 10.

        Args:
            steps: k, or several, each >= 0.

        Returns:
            ``(steps, eigenvalues)``; of an eigenvalue 0 it is -inf but for k = 0.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.log10(abs(self.eigenvalues))
            powers = np.multiply.outer(np.atleast_1d(steps), each)
        return np.where(np.isnan(powers), 0.0, powers)  # 0^0 is 1

    def conditioning(self, steps: int | Sequence[int]) -> np.ndarray:
        """(|lambda_1| / |lambda_d|)^k, as logarithms to base 10 ``(steps,)``.

        Infinite where an eigenvalue is 0.

        Raises:
            ArgumentError: If not all eigenvalues are known.
        """
        if not self.is_whole:
            raise ArgumentError(
                f"conditioning: all eigenvalues must be known, got {LARGEST} of "
                f"{self.units} of {self.name}. Ask for growth, which needs the largest."
            )
        moduli = abs(self.eigenvalues[[0, -1]])
        if moduli[1] == 0:
            return np.where(np.atleast_1d(steps) > 0, np.inf, 0.0)
        return np.atleast_1d(steps) * float(np.log10(moduli[0] / moduli[1]))


def spectrum(matrix: Float[Tensor, "*blocks units units"], name: str = "") -> Spectrum:
    """The eigenvalues of a square matrix, or of the blocks of a block-diagonal one.

    Args:
        matrix: ``(units, units)``, dense or sparse, or ``(blocks, units, units)``.
        name: What it is called.

    Raises:
        ArgumentError: If it is not square or holds what is no finite number.

    Example:
        >>> found = spectrum(torch.tensor([[0.0, -0.5], [0.5, 0.0]]))  # a slow turn
        >>> round(found.radius, 6), round(found.norm, 6)
        (0.5, 0.5)
        >>> found.growth([1, 10])[:, 0].round(2)
        array([-0.3 , -3.01])
    """
    if matrix.ndim not in (2, 3) or matrix.shape[-1] != matrix.shape[-2]:
        raise ArgumentError(
            f"spectrum: the matrix must be square, got {tuple(matrix.shape)} for "
            f"{name or 'it'}."
        )
    numbers = matrix.detach().double().cpu()
    values = numbers.coalesce().values() if numbers.is_sparse else numbers
    if not bool(torch.isfinite(values).all()):
        raise ArgumentError(
            f"spectrum: {name or 'the matrix'} must hold finite numbers, got NaN or "
            "infinite ones. Take weights from before training exploded."
        )
    units = matrix.shape[-1] * (len(matrix) if matrix.ndim == 3 else 1)
    if matrix.shape[-1] > WHOLE and matrix.ndim == 2:
        eigenvalues, norm = _largest(numbers)
    else:
        dense = numbers.to_dense().numpy() if numbers.is_sparse else numbers.numpy()
        eigenvalues = np.linalg.eigvals(dense).ravel()
        norm = float(np.linalg.norm(dense, 2, axis=(-2, -1)).max())
    order = np.argsort(-abs(eigenvalues), kind="stable")
    return Spectrum(name, eigenvalues[order], norm, units)


def _largest(matrix: Tensor) -> tuple[np.ndarray, float]:
    """The largest eigenvalues and the largest singular value, by Arnoldi's method."""
    if matrix.is_sparse:
        found = matrix.coalesce()
        values, places = found.values().numpy(), found.indices().numpy()
        operand = sparse.csr_array((values, tuple(places)), shape=tuple(matrix.shape))
    else:
        operand = matrix.numpy()
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    try:
        room = min(matrix.shape[0], 4 * LARGEST)  # on a circle they lie close together
        eigenvalues = eigs(
            operand, LARGEST, v0=start, ncv=room, return_eigenvectors=False
        )
    except ArpackNoConvergence as stopped:
        eigenvalues = stopped.eigenvalues
        if not len(eigenvalues):
            raise ArgumentError(
                "spectrum: Arnoldi's method must find an eigenvalue, got none."
            ) from None
    norm = svds(operand, 1, v0=start, return_singular_vectors=False)
    return np.asarray(eigenvalues), float(np.max(np.asarray(norm)))


def spectra(layer: nn.Module) -> tuple[Spectrum, ...]:
    """The spectrum of every square recurrent matrix of a network's layers.

    Args:
        layer: ``Recurrent``, or a drop-in for PyTorch's layers.

    Raises:
        ArgumentError: If that is no stack of cells, or a weight is no finite number.

    Example:
        >>> from recurro.cells import GRU
        >>> from recurro.nn import Recurrent
        >>> [s.name for s in spectra(Recurrent(GRU(), 3, 4))]
        ['U_r_l0', 'U_z_l0', 'U_hn_l0']
    """
    if not is_recurrent(layer):
        raise ArgumentError(
            f"spectra: the layer must be Recurrent, LSTM, GRU or RNN of recurro, got "
            f"{type(layer).__name__}."
        )
    stack = layer._stack
    structures = {
        name + suffix: structure
        for suffix, part in stack.named()  # pyright: ignore
        for name, structure in part.program.structures
    }
    found = []
    for name, elements in recurrent_matrices(layer, stack):  # pyright: ignore
        structure = structures.get(name)
        matrix = (
            elements if structure is None else structure.matrices(elements.detach())
        )
        if matrix.shape[-1] == matrix.shape[-2]:
            found.append(spectrum(matrix, name))
    return tuple(found)


def chain_spectrum(step: Linearised, name: str = "mean Jacobian") -> Spectrum:
    """The spectrum of the mean Jacobian of a run's steps: the linearised chain.

    Args:
        step: The derivatives along a run.
        name: What it is called.

    Raises:
        ArgumentError: If the state has more than 2,000 numbers.

    Example:
        >>> from recurro.analysis import linearise
        >>> from recurro.cells import Linear
        >>> from recurro.nn import Recurrent
        >>> layer = Recurrent(Linear(), 1, 3)
        >>> (step,) = linearise(layer, torch.randn(5, 1, 1))
        >>> round(chain_spectrum(step).radius, 4)  # the matrix itself
        0.95
    """
    n = step.size
    if n > WHOLE:
        raise ArgumentError(
            f"chain_spectrum: the state must have at most {WHOLE} numbers, got {n}. "
            "Look at the spectra of the matrices."
        )
    total = step.values[0].new_zeros(n, n)
    chunk = max(1, 2**24 // (n * n * step.rows))
    for start in range(0, len(step), chunk):
        total += step[start : start + chunk].jacobians().sum((0, 1))
    return spectrum(total / (len(step) * step.rows), name)
