"""Recurrent matrices of reservoirs: sparse, drawn, and scaled to a spectral radius."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence

from recurro.cells.init import spectral_radius as radius_of_tensor
from recurro.engine import Sparse
from recurro.errors import ArgumentError

RUN = 16
"""Units of large reservoirs that share a choice of what they see; see ``Sparse``."""

LARGE = 2000
"""Units from which a reservoir is large."""

__all__ = ["draw_matrix", "entries_per_row", "radius_of", "scale_to_radius"]


def draw_matrix(
    units: int,
    connectivity: float,
    spectral_radius: float,
    rng: np.random.Generator,
) -> csr_array:
    """A matrix with as many entries in each row, at a spectral radius.

    From 2,000 units up the columns are drawn for 16 rows at a time, each of which sees
    the units beside those that the row before it sees: that runs twice as fast, and the
    eigenvalues are as if all rows were drawn apart.

    Entries are +s or -s, both alike likely. By the circular law the eigenvalues of such
    a matrix fill a disc of radius s sqrt(entries per row), which gives s; the largest
    one is then found by Arnoldi's iteration, and s corrected.

    Args:
        units: Rows and columns, >= 1.
        connectivity: Entries of each row: an int in [1, units], or a float, their share
            of the units, in (0, 1].
        spectral_radius: The wanted largest modulus of an eigenvalue, >= 0.
        rng: Where pattern and signs are drawn from.

    Raises:
        ArgumentError: If an argument is out of its range, or what was drawn has no
            eigenvalue but 0.

    Example:
        >>> w = draw_matrix(100, 10, 0.9, np.random.default_rng(0))
        >>> w.nnz, round(radius_of(w), 6)
        (1000, 0.9)

    References:
        Wood (2012), doi:10.1214/11-AAP789 (the circular law of sparse matrices).
    """
    per_row = entries_per_row(units, connectivity)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    run = RUN if units >= LARGE else 1
    pattern = Sparse.random(units, per_row, generator, run=run)
    signs = rng.integers(2, size=len(pattern.indices)) * 2.0 - 1.0
    triple = signs / np.sqrt(per_row), pattern.indices, pattern.indptr
    matrix = csr_array(triple, shape=(units, units))
    return scale_to_radius(matrix, spectral_radius)


def entries_per_row(units: int, connectivity: float) -> int:
    """How many entries a row has, from their number or their share.

    Raises:
        ArgumentError: If there cannot be as many.

    Example:
        >>> entries_per_row(400, 0.0125), entries_per_row(400, 10)
        (5, 10)
    """
    if isinstance(connectivity, (int, np.integer)):
        good, per_row = 1 <= connectivity <= units, int(connectivity)
    else:
        good = 0 < connectivity <= 1
        per_row = max(1, round(connectivity * units)) if good else 0
    if not good:
        raise ArgumentError(
            f"connectivity: must be an int in [1, units={units}], the entries of each "
            f"row, or a float in (0, 1], their share, got {connectivity!r}."
        )
    return per_row


def scale_to_radius(matrix: csr_array, spectral_radius: float) -> csr_array:
    """A matrix times the number that gives it a spectral radius.

    Args:
        matrix: Square, of any radius but 0.
        spectral_radius: The wanted one, >= 0; with 0 every entry becomes 0.

    Raises:
        ArgumentError: If the radius is below 0 or not finite; or the matrix has the
            radius 0 and the wanted one is not.
    """
    if not 0 <= spectral_radius < np.inf:
        raise ArgumentError(
            f"spectral_radius: must be a number >= 0, got {spectral_radius}."
        )
    if spectral_radius == 0:
        return csr_array(matrix * 0.0)
    now = radius_of(matrix)
    if now == 0:
        raise ArgumentError(
            "spectral_radius: must be 0 for a matrix of "
            f"{len(matrix.indptr) - 1} units with {matrix.nnz} entries and no "
            f"eigenvalue but 0, got {spectral_radius}. Use more entries in a row "
            "(connectivity), or another random_state."
        )
    return csr_array(matrix * (spectral_radius / now))


def radius_of(matrix: csr_array) -> float:
    """The largest modulus of an eigenvalue, to about six digits.

    It is exactly 0 where no unit can be reached from itself.

    Raises:
        ArgumentError: If Arnoldi's iteration finds no largest eigenvalue.

    Example:
        >>> radius_of(csr_array(np.array([[0.0, 5.0], [0.0, 0.0]])))
        0.0
    """
    matrix = csr_array(matrix, copy=True)
    matrix.eliminate_zeros()
    parts, _ = connected_components(matrix, directed=True, connection="strong")
    if parts == len(matrix.indptr) - 1 and not matrix.diagonal().any():
        return 0.0
    coo = matrix.tocoo()
    wide = torch.sparse_coo_tensor(
        torch.tensor(np.stack(coo.coords)),
        torch.tensor(coo.data),
        coo.shape,
        check_invariants=False,
    ).coalesce()
    try:
        return radius_of_tensor(wide)
    except ArpackNoConvergence:
        raise ArgumentError(
            f"spectral_radius: Arnoldi's iteration must find the largest eigenvalue, "
            f"got none for {len(matrix.indptr) - 1} units. Use another random_state or "
            "connectivity."
        ) from None
