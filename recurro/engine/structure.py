"""Shapes of a recurrent matrix: dense unless one of these is asked for.

A structure says which elements of a square matrix may differ from zero, and stores only
those. It is chosen apart from the cell: any cell runs with any structure.

============================  ==============================  =====================
structure                     elements                        stored as
============================  ==============================  =====================
``Diagonal()``                each unit sees itself           ``(units,)``
``BlockDiagonal(blocks)``     each unit sees its own block    ``(blocks, out, in)``
``Sparse(indptr, indices)``   each unit sees a fixed few      ``(entries,)``
============================  ==============================  =====================
"""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from recurro.errors import ArgumentError
from recurro.types import Float, Int

CHUNK = 1 << 17
"""Numbers that are held at a time where a product is made element by element."""


class Structure(abc.ABC):
    """Which elements of a square matrix are learnt, and how they are stored."""

    @abc.abstractmethod
    def shape(self, units: int) -> tuple[int, ...]:
        """The shape of the stored elements of a matrix of this many units.

        Raises:
            ArgumentError: If there can be no such matrix.
        """

    @abc.abstractmethod
    def multiply(
        self, elements: Tensor, value: Float[Tensor, "*batch units"]
    ) -> Float[Tensor, "*batch units"]:
        """The product of the matrix with each row of a value; differentiable."""

    @abc.abstractmethod
    def multiply_back(
        self, elements: Tensor, value: Float[Tensor, "*batch units"]
    ) -> Float[Tensor, "*batch units"]:
        """The product of the matrix's transpose with each row of a value."""

    @abc.abstractmethod
    def outer(
        self, left: Float[Tensor, "rows units"], right: Float[Tensor, "rows units"]
    ) -> Tensor:
        """The stored elements of left^T right: the gradient of a product's matrix."""

    @abc.abstractmethod
    def dense(self, elements: Tensor) -> Float[Tensor, "units units"]:
        """The whole matrix; differentiable."""

    @abc.abstractmethod
    def matrices(self, elements: Tensor) -> Tensor:
        """The same memory as what initialisers fill and a spectral radius bounds.

        Blocks ``(blocks, out, in)``, each a matrix of its own, or a sparse matrix.
        """


@dataclass(frozen=True)
class Diagonal(Structure):
    """Each unit sees its own past alone; stored as ``(units,)``.

    Example:
        >>> Diagonal().dense(torch.tensor([1.0, 2.0]))
        tensor([[1., 0.],
                [0., 2.]])

    References:
        Li et al. (2018), arXiv 1803.04831, equation 2.
    """

    def shape(self, units: int) -> tuple[int, ...]:
        """One element for each unit."""
        return (units,)

    def multiply(self, elements: Tensor, value: Tensor) -> Tensor:
        """Unit by unit."""
        return elements * value

    def multiply_back(self, elements: Tensor, value: Tensor) -> Tensor:
        """The same: the matrix is its own transpose."""
        return elements * value

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """The sums of the products, unit by unit."""
        return (left * right).sum(0)

    def dense(self, elements: Tensor) -> Tensor:
        """The elements on the diagonal, zero elsewhere."""
        return torch.diag(elements)

    def matrices(self, elements: Tensor) -> Tensor:
        """As many blocks of one unit."""
        return elements.view(-1, 1, 1)


@dataclass(frozen=True)
class BlockDiagonal(Structure):
    """Units in equal groups that do not see each other; ``(blocks, out, in)``.

    Attributes:
        blocks: How many groups, >= 1; it must divide the number of units.

    Example:
        >>> BlockDiagonal(2).dense(torch.tensor([[[1.0]], [[2.0]]]))
        tensor([[1., 0.],
                [0., 2.]])

    References:
        Beck et al. (2024), arXiv 2405.04517, section 2.2, where blocks are heads.
    """

    blocks: int

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, int) or self.blocks < 1:
            raise ArgumentError(
                f"BlockDiagonal: blocks must be an int >= 1, got {self.blocks!r}."
            )

    def shape(self, units: int) -> tuple[int, ...]:
        """A square matrix for each block."""
        if units % self.blocks:
            raise ArgumentError(
                f"BlockDiagonal: blocks must divide the units, got {self.blocks} "
                f"blocks for {units} units. Change one of them."
            )
        return (self.blocks, units // self.blocks, units // self.blocks)

    def multiply(self, elements: Tensor, value: Tensor) -> Tensor:
        """Block by block."""
        parts = value.unflatten(-1, elements.shape[::2])
        return torch.einsum("boi,...bi->...bo", elements, parts).flatten(-2)

    def multiply_back(self, elements: Tensor, value: Tensor) -> Tensor:
        """Block by block, each transposed."""
        return self.multiply(elements.transpose(1, 2), value)

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """The product of each block's columns."""
        a, b = (
            t.unflatten(-1, (self.blocks, -1)).transpose(0, 1) for t in (left, right)
        )
        return a.transpose(1, 2) @ b

    def dense(self, elements: Tensor) -> Tensor:
        """The blocks along the diagonal, zero elsewhere."""
        return torch.block_diag(*elements.unbind(0))

    def matrices(self, elements: Tensor) -> Tensor:
        """The blocks."""
        return elements


class Sparse(Structure):
    """Each unit sees a fixed choice of units; stored as ``(entries,)``.

    The pattern is that of compressed sparse rows: row i has its elements in the columns
    ``indices[indptr[i]:indptr[i + 1]]``, and the stored elements are in that order. The
    pattern of a ``scipy.sparse.csr_array`` m is ``Sparse(m.indptr, m.indices)``.

    Args:
        indptr: Where each row begins among the indices, and the end ``(units + 1,)``.
        indices: Columns, ascending within a row ``(entries,)``.

    Raises:
        ArgumentError: If that is no pattern of a square matrix.

    Example:
        >>> pattern = Sparse([0, 1, 1], [1])
        >>> pattern.dense(torch.tensor([5.0]))
        tensor([[0., 5.],
                [0., 0.]])
    """

    indptr: np.ndarray
    indices: np.ndarray

    def __init__(
        self,
        indptr: Int[Tensor, " ends"] | np.ndarray | Sequence[int],
        indices: Int[Tensor, " entries"] | np.ndarray | Sequence[int],
    ) -> None:
        self.indptr = _whole("indptr", indptr)
        self.indices = _whole("indices", indices)
        self._check()
        digest = hashlib.blake2b(self.indptr.tobytes() + self.indices.tobytes())
        self._digest = digest.digest()
        rows = np.repeat(np.arange(self.units), np.diff(self.indptr))
        self._rows, self._columns = (torch.tensor(p) for p in (rows, self.indices))

    def _check(self) -> None:
        counts, units = np.diff(self.indptr), self.units
        ends = tuple(self.indptr[[0, -1]].tolist()) if len(self.indptr) else ()
        if units < 1 or ends != (0, len(self.indices)) or counts.min() < 0:
            raise ArgumentError(
                f"Sparse: indptr must rise from 0 to the {len(self.indices)} entries "
                f"and have a number more than units, got {len(self.indptr)} from and "
                f"to {ends}."
            )
        if not len(self.indices):
            raise ArgumentError("Sparse: the pattern must have an entry, got none.")
        low, high = int(self.indices.min()), int(self.indices.max())
        if low < 0 or high >= units:
            raise ArgumentError(
                f"Sparse: indices must be in [0, {units}), got {low} to {high}. A "
                "pattern is that of a square matrix."
            )
        falls = np.diff(self.indices) <= 0
        starts = self.indptr[(self.indptr > 0) & (self.indptr < len(self.indices))]
        falls[starts - 1] = False
        if falls.any():
            row = int(np.searchsorted(self.indptr, falls.argmax() + 1, "right")) - 1
            raise ArgumentError(
                f"Sparse: indices must ascend within a row, got two that do not in row "
                f"{row}. Use sum_duplicates() of scipy's matrix."
            )

    @classmethod
    def random(
        cls,
        units: int,
        per_row: int,
        generator: Generator | None = None,
        *,
        run: int = 1,
    ) -> Sparse:
        """A pattern in which each unit sees as many others, all choices alike.

        With a ``run`` r above 1 one choice serves r units in a row: where the first of
        them sees unit j, the next one sees j + 1, and so on. Kernels whose vectors are
        no longer than r then read neighbours at once and need not gather them.

        Args:
            units: Units of the layer.
            per_row: Entries of each row, in [1, units - run + 1].
            generator: Where they are drawn from; torch's own if not given.
            run: Units in a row that share a choice, >= 1.

        Raises:
            ArgumentError: If ``per_row`` or ``run`` is out of its range.

        Example:
            >>> pattern = Sparse.random(100, per_row=10)
            >>> pattern.units, len(pattern.indices)
            (100, 1000)

        References:
            Floyd's sampling: Bentley and Floyd (1987), Communications of the ACM 30.
        """
        if not 1 <= run <= units:
            raise ArgumentError(
                f"Sparse: run must be in [1, units={units}], got {run}."
            )
        firsts = units - run + 1  # where a run of columns may begin
        if not 1 <= per_row <= firsts:
            least = f"units={units}" if run == 1 else f"units - run + 1={firsts}"
            raise ArgumentError(
                f"Sparse: per_row must be in [1, {least}], got {per_row}."
            )
        runs = -(-units // run)
        columns = torch.empty(runs, per_row, dtype=torch.long)
        for place, last in enumerate(range(firsts - per_row, firsts)):
            drawn = torch.randint(last + 1, (runs,), generator=generator)
            taken = (columns[:, :place] == drawn[:, None]).any(1)
            columns[:, place] = torch.where(taken, last, drawn)
        rows = columns.sort().values[:, None] + torch.arange(run)[None, :, None]
        return cls(
            torch.arange(0, units * per_row + 1, per_row),
            rows.view(-1, per_row)[:units].reshape(-1),
        )

    @property
    def units(self) -> int:
        """Rows of the matrix, and columns."""
        return len(self.indptr) - 1

    def shape(self, units: int) -> tuple[int, ...]:
        """One element for each entry of the pattern."""
        if units != self.units:
            raise ArgumentError(
                f"Sparse: the pattern must have a row for each unit, got "
                f"{self.units} rows for {units} units."
            )
        return (len(self.indices),)

    def _places(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns of the entries, where a tensor is."""
        return self._rows.to(like.device), self._columns.to(like.device)

    def multiply(self, elements: Tensor, value: Tensor) -> Tensor:
        """Each entry times what it sees, added to its row."""
        rows, columns = self._places(value)
        return self._gather(elements, value, columns, rows)

    def multiply_back(self, elements: Tensor, value: Tensor) -> Tensor:
        """Each entry times what its row gets, added to its column."""
        rows, columns = self._places(value)
        return self._gather(elements, value, rows, columns)

    def _gather(
        self, elements: Tensor, value: Tensor, read: Tensor, written: Tensor
    ) -> Tensor:
        """Each entry times the unit it reads, added to the unit it writes."""
        parts = value.index_select(-1, read) * elements
        zeros = parts.new_zeros(*value.shape[:-1], self.units)
        return zeros.index_add(-1, written, parts)

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """A sum of products for each entry, as many at a time as a cache holds."""
        a, b = left.t().contiguous(), right.t().contiguous()
        step = max(1, CHUNK // max(1, len(left)))
        pairs = zip(*(p.split(step) for p in self._places(left)), strict=True)
        return torch.cat([(a[rows] * b[columns]).sum(1) for rows, columns in pairs])

    def dense(self, elements: Tensor) -> Tensor:
        """The elements in their places, zero elsewhere."""
        whole = elements.new_zeros(self.units, self.units)
        return whole.index_put(self._places(elements), elements)

    def matrices(self, elements: Tensor) -> Tensor:
        """A sparse tensor with the same elements."""
        places = torch.stack(self._places(elements))
        size = (self.units, self.units)
        return torch.sparse_coo_tensor(
            places, elements, size, is_coalesced=True, check_invariants=False
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sparse) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"Sparse({self.units} units, {len(self.indices)} entries)"


def _whole(name: str, values: Tensor | np.ndarray | Sequence[int]) -> np.ndarray:
    """Whole numbers in one row, as an array of our own that nobody writes to."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(
            f"Sparse: {name} must be a row of whole numbers, got "
            f"{array.dtype} of shape {array.shape}."
        )
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array
