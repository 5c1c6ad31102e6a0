"""How matrices with a structure lie in memory for the rendered kernels."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from recurro.engine.structure import BlockDiagonal, Sparse, Structure

# -- diagonal blocks ---------------------------------------------------------------


def window(structure: Structure | None, units: int, step: int) -> tuple[int, str]:
    """Which columns the products of some units read.

    The units are taken ``step`` at a time. Of a matrix in diagonal blocks they need the
    columns of the blocks that they touch: a window of one length for all.

    Args:
        structure: That of the matrix.
        units: Columns of the matrix.
        step: Units that are taken at a time.

    Returns:
        The length of the window, and C for its first column, from the first unit u0.

    Example:
        >>> window(BlockDiagonal(4), units=64, step=16)
        (16, '(u0 / 16 * 16 < 48 ? u0 / 16 * 16 : 48)')
    """
    if not isinstance(structure, BlockDiagonal):
        return units, "0"
    size = units // structure.blocks
    firsts = range(0, units, step)
    lasts = [min(first + step, units) - 1 for first in firsts]
    touched = [b // size - a // size + 1 for a, b in zip(firsts, lasts, strict=True)]
    length = max(touched) * size
    start, last = f"u0 / {size} * {size}", units - length
    return length, f"({start} < {last} ? {start} : {last})"


# -- sparse ------------------------------------------------------------------------


_POINTERS = (
    *("starts", "columns", "values", "rows"),
    *("rest_rows", "rest_columns", "rest_values"),
)


class _Sparse(ctypes.Structure):
    """The kernel's ``struct sparse``."""

    _fields_ = (
        ("slices", ctypes.c_long),
        ("rest", ctypes.c_long),
        *((name, ctypes.c_void_p) for name in _POINTERS),
        ("entries", ctypes.c_long),
        ("entry_rows", ctypes.c_void_p),
        ("entry_columns", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("rest_order", ctypes.c_void_p),
        ("windows", ctypes.c_void_p),
    )


@dataclass(frozen=True, eq=False)
class Slices:
    """A pattern in the order in which the kernel reads it; see ``structure.h``.

    Attributes:
        starts: Where each slice begins among the vectors of entries, and the end.
        columns: The column of each entry, ``(vectors, lanes)``.
        entries: Its place among the stored elements.
        rows: The row of each lane, or ``None`` where rows are in order.
        rest_rows: The rows of the entries that are left over.
        rest_columns: Their columns.
        rest_entries: Their places among the stored elements.
        places: The row and the column of each stored element.
        windows: The first column of each vector of entries, where the columns of every
            vector follow each other, or ``None``.
    """

    starts: Tensor
    columns: Tensor
    entries: Tensor
    rows: Tensor | None
    rest_rows: Tensor
    rest_columns: Tensor
    rest_entries: Tensor
    places: tuple[Tensor, Tensor]
    windows: Tensor | None


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A sparse matrix for the kernel, and what keeps its memory alive."""

    struct: _Sparse
    kept: tuple[object, ...]


@lru_cache(maxsize=32)
def slices(pattern: Sparse, lanes: int, transposed: bool) -> Slices:
    """Cut a pattern, or its transpose, into slices of rows of like lengths.

    Args:
        pattern: The pattern.
        lanes: Rows of a slice.
        transposed: Whether rows and columns change places.
    """
    rows = np.repeat(np.arange(pattern.units), np.diff(pattern.indptr))
    bits = place_bits(pattern.units)
    places = narrow(rows, bits), narrow(pattern.indices, bits)
    columns, entries = pattern.indices, np.arange(len(rows))
    if transposed:
        entries = np.lexsort((rows, columns))
        rows, columns = columns[entries], rows[entries]
    whole = -(-pattern.units // lanes) * lanes
    counts = np.bincount(rows, minlength=whole)
    order = np.argsort(-counts, kind="stable")
    shared = counts[order].reshape(-1, lanes).min(1)
    begins = np.cumsum(counts) - counts
    lane = np.empty(whole, np.int64)
    lane[order] = np.arange(whole)
    slot = np.arange(len(rows)) - begins[rows]  # which of its row's entries each is
    is_shared = slot < shared[lane[rows] // lanes]
    starts = np.concatenate([[0], np.cumsum(shared)])
    place = (starts[lane[rows] // lanes] + slot) * lanes + lane[rows] % lanes
    taken = np.empty(starts[-1] * lanes, np.int64)
    taken[place[is_shared]] = np.flatnonzero(is_shared)

    in_order = bool((order == np.arange(whole)).all())
    side_by_side = columns[taken].reshape(-1, lanes)
    has_windows = bool((np.diff(side_by_side) == 1).all())
    return Slices(
        narrow(starts, 32),
        narrow(columns[taken], bits),
        narrow(entries[taken], 32),
        None if in_order else narrow(order, bits),
        narrow(rows[~is_shared], bits),
        narrow(columns[~is_shared], bits),
        narrow(entries[~is_shared], 32),
        places,
        narrow(side_by_side[:, 0], bits) if has_windows else None,
    )


def place_bits(units: int) -> int:
    """Bits of a row or a column; fewer leave more of the cache to the elements."""
    return 16 if units < 2**15 else 32


def narrow(values: np.ndarray, bits: int) -> Tensor:
    """Whole numbers of the width that the kernel reads."""
    return torch.tensor(values.astype(f"int{bits}"))


def sparse_matrix(
    pattern: Sparse, lanes: int, transposed: bool, elements: Tensor
) -> SparseMatrix:
    """A sparse matrix, or its transpose, for the kernel to pack and to read.

    Args:
        pattern: Where the elements stand.
        lanes: Numbers in a vector.
        transposed: Whether rows and columns change places.
        elements: The stored elements.
    """
    s = slices(pattern, lanes, transposed)
    values, rest = (elements.new_empty(e.shape) for e in (s.entries, s.rest_entries))
    struct = _Sparse(
        len(s.starts) - 1,
        len(s.rest_rows),
        s.starts.data_ptr(),
        s.columns.data_ptr(),
        values.data_ptr(),
        None if s.rows is None else s.rows.data_ptr(),
        s.rest_rows.data_ptr(),
        s.rest_columns.data_ptr(),
        rest.data_ptr(),
        len(elements),
        *(place.data_ptr() for place in s.places),
        s.entries.data_ptr(),
        s.rest_entries.data_ptr(),
        None if s.windows is None else s.windows.data_ptr(),
    )
    return SparseMatrix(struct, (s, values, rest))
