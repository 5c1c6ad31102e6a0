"""The readout of a reservoir: a linear map, by least squares with a ridge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Self, TypeAlias

import numpy as np
from scipy.linalg import eigh, get_blas_funcs, get_lapack_funcs
from torch import Tensor

from recurro.errors import ArgumentError, DataError, ShapeError

__all__ = ["Ridge", "Rows", "as_pairs", "as_rows", "check_widths"]

Rows: TypeAlias = np.ndarray | Tensor
"""Numbers of a series, time first: ``(steps, width)``."""

_BLOCK = 4_000_000
"""Numbers that are held in float64 beside what is kept (32 MB)."""

_EPSILON = float(np.finfo(np.float64).eps)
_NAMED_PATH = np.logspace(-14, 1, 31)

(_syrk,) = get_blas_funcs(("syrk",), dtype=np.float64)
_potrf, _potrs, _pocon = get_lapack_funcs(("potrf", "potrs", "pocon"), dtype=np.float64)


class Ridge:
    """Least squares with a ridge, from the steps of series that come in chunks.

        W = argmin sum_t |y_t - W z_t|^2 + r |W|^2
          = Y^T Z (Z^T Z + r I)^-1        primal, an equation per feature
          = Y^T (Z Z^T + r I)^-1 Z        dual, an equation per step

    One pass over the chunks: ``begin``, ``add`` each, ``solve``; more may be added
    after that and ``solve`` called again. Sums are kept in float64. While there are at
    most as many steps as features, the rows are kept in their own type and the dual
    is solved; later only Z^T Z and Z^T Y are kept (and, for ``"loo"``, the rows). A
    map with an intercept has a feature that is always 1.

    Args:
        ridge: r, at least 0 (with 0 the equations must not be singular). Or values
            above 0 to choose from by generalised cross-validation; or ``"gcv"``
            or ``"loo"`` (leave-one-out): the choice among 31 values from 1e-14 to 10
            times the largest eigenvalue of Z^T Z. All values are tried from one
            eigendecomposition.

    Attributes:
        coef_: W ``(outputs, features)``, float64.
        ridge_: r, as given or chosen.
        path_: For each value that was tried ``(ridge, score)``, the score a mean
            squared error, ``(values, 2)``; empty where r was given.
        steps_: The steps added.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> Z = rng.normal(size=(200, 4))
        >>> Y = Z @ np.array([[1.0], [0.0], [2.0], [0.0]])
        >>> readout = Ridge(1e-9).begin(features=4, outputs=1)
        >>> for start in range(0, 200, 50):
        ...     _ = readout.add(Z[start : start + 50], Y[start : start + 50])
        >>> readout.solve().coef_.round(6)
        array([[1., 0., 2., 0.]])

    References:
        Golub, Heath and Wahba (1979), doi:10.1080/00401706.1979.10489751 (generalised
        cross-validation); Lukoševičius (2012), doi:10.1007/978-3-642-35289-8_36.
    """

    def __init__(
        self,
        ridge: float | Sequence[float] | np.ndarray | Literal["gcv", "loo"] = 1e-6,
    ) -> None:
        self.ridge = ridge

    def begin(self, features: int, outputs: int) -> Self:
        """Forget all rows and make ready for others.

        Args:
            features: Width of the rows of Z.
            outputs: Width of the rows of Y.

        Raises:
            ArgumentError: If a width is below 1 or ``ridge`` is none that may be given.
        """
        check_widths("Ridge", features, outputs)
        self._given = _values(self.ridge)
        self._features, self._outputs = features, outputs
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._square: np.ndarray | None = None  # Z^T Z, its lower triangle
        self._cross = np.zeros((features, outputs))  # Z^T Y
        self._energy = 0.0  # the sum of the squares of Y
        self.steps_ = 0
        return self

    def add(self, Z: Rows, Y: Rows) -> Self:
        """Take the steps of a chunk into account.

        Args:
            Z: Features ``(steps, features)``, float32 or float64.
            Y: What they should give ``(steps, outputs)``.

        Raises:
            ShapeError: If a width or the number of steps is another.
            DataError: If a number is not finite.
        """
        widths = self._features, self._outputs
        z, y = as_pairs("Ridge", Z, Y, widths, first=self.steps_)
        self.steps_ += len(z)
        self._energy += float(np.sum(np.square(y, dtype=np.float64)))
        if self._square is None and self.steps_ > self._features:
            self._square = np.zeros((self._features, self._features), order="F")
            for earlier in self._rows:
                self._absorb(*earlier)
            self._rows = self._rows if self.ridge == "loo" else []
        if self._square is not None:
            self._absorb(z, y)
        if self._square is None or self.ridge == "loo":
            self._rows.append((z.copy(), y.copy()))
        return self

    def solve(self) -> Self:
        """Find W from all that was added.

        Raises:
            ArgumentError: If nothing was added; or ``ridge`` is 0 and the equations
                are singular, as far as float64 can tell.
        """
        ridges = self._given
        if not isinstance(ridges, np.ndarray):
            self.ridge_, self.path_ = ridges, np.empty((0, 2))
            self.coef_ = self._by_cholesky(self.ridge_)
            return self
        values, vectors, projected = self._spectrum()
        if isinstance(self.ridge, str):
            ridges = ridges * max(float(values[-1]), _EPSILON)
        if self.ridge == "loo":
            scores = self._leave_one_out(values, vectors, projected, ridges)
        else:
            scores = self._generalised(values, projected, ridges)
        self.path_ = np.column_stack([ridges, scores / self._outputs])
        self.ridge_ = float(ridges[np.argmin(scores)])
        self.coef_ = self._back(vectors @ (projected / (values + self.ridge_)[:, None]))
        return self

    def coefs(self, ridges: Sequence[float] | np.ndarray) -> np.ndarray:
        """W for each of many values of the ridge, from one eigendecomposition.

        Args:
            ridges: Values above 0.

        Returns:
            ``(values, outputs, features)``.

        Raises:
            ArgumentError: If nothing was added or a value is not above 0.

        Example:
            >>> readout = Ridge().begin(1, 1).add(np.ones((3, 1)), np.ones((3, 1)))
            >>> readout.coefs([1e-9, 3.0])[:, 0, 0].round(3)
            array([1. , 0.5])
        """
        path = _path(ridges)
        values, vectors, projected = self._spectrum()
        scaled = projected[:, None] / (values[:, None] + path)[:, :, None]
        found = self._back(vectors @ scaled.reshape(len(values), -1))
        return found.reshape(len(path), self._outputs, self._features)

    def _absorb(self, z: np.ndarray, y: np.ndarray) -> None:
        """Add rows to Z^T Z and Z^T Y, a block of them in float64 at a time."""
        for z_part, y_part in _blocks(z, y):
            self._square = _syrk(
                1.0, z_part.T, beta=1.0, c=self._square, lower=1, overwrite_c=1
            )
            self._cross += z_part.T @ y_part

    def _system(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrix of the equations (its lower triangle) and their right side."""
        if not self.steps_:
            raise ArgumentError("Ridge: solve needs steps, got none. Call add first.")
        if self._square is not None:
            return self._square, self._cross
        gram = np.zeros((self.steps_, self.steps_), order="F")
        for columns in self._columns():
            gram = _syrk(
                1.0, columns.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1
            )
        return gram, np.concatenate([y for _, y in self._rows], dtype=np.float64)

    def _columns(self) -> Iterator[np.ndarray]:
        """Some features at a time of all rows ``(steps, some)``, in float64."""
        width = max(1, _BLOCK // self.steps_)
        for start in range(0, self._features, width):
            some = slice(start, start + width)
            yield np.concatenate([z[:, some] for z, _ in self._rows], dtype=np.float64)

    def _back(self, solution: np.ndarray) -> np.ndarray:
        """W^T, or many side by side, from the solution of the equations."""
        if self._square is not None:
            return solution.T
        return np.hstack([solution.T @ columns for columns in self._columns()])

    def _by_cholesky(self, ridge: float) -> np.ndarray:
        """W for one r; by the eigenvalues where a factor would be of rounding only."""
        gram, right = self._system()
        diagonal = gram.diagonal().copy()
        norm = _mirror(gram) + ridge
        np.fill_diagonal(gram, diagonal + ridge)
        factor, fault = _potrf(gram, lower=0, clean=0, overwrite_a=1)
        sound = not fault and _pocon(factor, norm)[0] > _EPSILON
        solution = _potrs(factor, right)[0] if sound else None
        np.fill_diagonal(gram, diagonal)  # the lower triangle was left as it was
        if solution is not None:
            return self._back(solution)
        if not ridge:
            some = 1e-10 * max(float(diagonal.mean()), _EPSILON)
            raise ArgumentError(
                f"Ridge: with ridge=0 the normal equations must not be singular, those "
                f"of {self._features} features over {self.steps_} steps are. "
                f'Give a ridge above 0, such as {some:.0e}, or ridge="gcv".'
            )
        return self.coefs([ridge])[0]

    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues, eigenvectors, and the right side in their base."""
        gram, right = self._system()
        values, vectors = eigh(gram, lower=True, driver="evd")
        return np.maximum(values, 0.0), vectors, vectors.T @ right

    def _generalised(
        self, values: np.ndarray, projected: np.ndarray, ridges: np.ndarray
    ) -> np.ndarray:
        """Generalised cross-validation: T |y - y'|^2 / trace(I - H)^2, per value."""
        power = (projected**2).sum(1)
        left = ridges / (values[:, None] + ridges)  # (equations, values)
        if self._square is None:
            error, free = power @ left**2, left.sum(0)
        else:
            taken = (values[:, None] + 2 * ridges) / (values[:, None] + ridges) ** 2
            error = np.maximum(self._energy - power @ taken, _EPSILON * self._energy)
            free = self.steps_ - self._features + left.sum(0)
        return self.steps_ * error / free**2

    def _leave_one_out(
        self,
        values: np.ndarray,
        vectors: np.ndarray,
        projected: np.ndarray,
        ridges: np.ndarray,
    ) -> np.ndarray:
        """The mean square of each step's error by the map learnt from all others."""
        inverse = 1 / (values[:, None] + ridges)  # (equations, values)
        total = np.zeros(len(ridges))
        if self._square is None:
            diagonal = vectors**2 @ inverse
            for index in range(len(ridges)):
                error = vectors @ (inverse[:, index, None] * projected)
                total[index] = np.sum((error / diagonal[:, index, None]) ** 2)
            return total / self.steps_
        for z, y in (part for rows in self._rows for part in _blocks(*rows)):
            turned = z @ vectors
            free = np.maximum(1 - turned**2 @ inverse, _EPSILON)
            for index in range(len(ridges)):
                error = y - turned @ (inverse[:, index, None] * projected)
                total[index] += np.sum((error / free[:, index, None]) ** 2)
        return total / self.steps_


def as_rows(
    where: str, name: str, rows: Rows, width: int, first: int = 0
) -> np.ndarray:
    """Numbers as an array of float32 or float64, checked.

    Args:
        where: Who asks, for the error.
        name: What the numbers are called there.
        rows: The numbers ``(steps, width)``.
        width: Their width.
        first: The number of the first step.

    Raises:
        ShapeError: If the shape is another.
        DataError: If a number is not finite.
    """
    if isinstance(rows, Tensor):
        rows = rows.detach().cpu()
        rows = (rows if rows.dtype.itemsize == 4 else rows.double()).numpy()
    table = np.asarray(rows)
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    if table.ndim != 2 or table.shape[1] != width:
        raise ShapeError(
            f"{where}: {name} must be (steps, {width}), got {table.shape}."
        )
    if not (finite := np.isfinite(table)).all():
        step, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{where}: {name} must be finite, got {table[step, column]} at step "
            f"{first + step}, column {column}. Fill or cut such steps; if it is a "
            "state of a reservoir, lower its spectral_radius."
        )
    return table


def as_pairs(
    where: str, Z: Rows, Y: Rows, widths: tuple[int, int], first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets of the same steps as arrays, checked like ``as_rows``."""
    z = as_rows(where, "Z", Z, widths[0], first)
    y = as_rows(where, "Y", Y, widths[1], first)
    if len(z) != len(y):
        raise ShapeError(
            f"{where}: Z and Y must have as many steps, got {len(z)} and {len(y)}."
        )
    return z, y


def check_widths(where: str, features: int, outputs: int) -> None:
    """Refuse a readout of nothing or to nothing.

    Raises:
        ArgumentError: If a width is below 1.
    """
    for name, width in (("features", features), ("outputs", outputs)):
        if width < 1:
            raise ArgumentError(f"{where}: {name} must be at least 1, got {width}.")


def _blocks(z: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows in float64, some at a time."""
    height = max(1, _BLOCK // z.shape[1])
    for start in range(0, len(z), height):
        some = slice(start, start + height)
        yield (
            np.ascontiguousarray(z[some], dtype=np.float64),
            np.ascontiguousarray(y[some], dtype=np.float64),
        )


def _mirror(matrix: np.ndarray, width: int = 512) -> float:
    """Copy the lower triangle into the upper one; return the largest column sum."""
    largest = 0.0
    for start in range(0, len(matrix), width):
        some = slice(start, start + width)
        below = np.tril(matrix[some, some], -1)
        matrix[some, some] = below + below.T + np.diag(matrix.diagonal()[some])
        matrix[some, start + width :] = matrix[start + width :, some].T
        largest = max(largest, float(np.abs(matrix[:, some]).sum(0).max()))
    return largest


def _values(ridge: object) -> float | np.ndarray:
    """One value, or values to choose from; a name's in units of an eigenvalue."""
    if isinstance(ridge, str):
        if ridge in ("gcv", "loo"):
            return _NAMED_PATH
    elif isinstance(ridge, Sequence | np.ndarray):
        return _path(ridge)
    elif isinstance(ridge, int | float | np.floating) and 0 <= ridge < np.inf:
        return float(ridge)
    raise ArgumentError(
        f"Ridge: ridge must be a number >= 0, values above 0 to choose from, 'gcv' or "
        f"'loo', got {ridge!r}."
    )


def _path(ridges: object) -> np.ndarray:
    """Values of the ridge as an array, checked."""
    path = np.asarray(ridges, dtype=np.float64)
    if path.ndim != 1 or not path.size or not np.all((path > 0) & np.isfinite(path)):
        raise ArgumentError(
            f"Ridge: values to choose from must be above 0, got {ridges!r}. "
            "Give 0 alone to have no ridge."
        )
    return path
