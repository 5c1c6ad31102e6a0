"""A call of a kernel by several threads.

A large batch is split by rows: no thread ever waits for another. A small one is split
by units: all threads walk through the same steps and meet after each phase, where they
spin. Values do not depend on the split.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from struct import Struct
from threading import Lock
from typing import NamedTuple

import torch

Kernel = Callable[[bytes, bytes], object]
"""A rendered function; it reads a table of pointers and an order."""

TILE = 6
"""Rows that a thread should have at least, so that its products fill the registers."""

WORTH = 2**22
"""Products in a run for which a second thread is worth its start."""

WORTH_STEP = 2**16
"""Products in a step, over all rows, for which threads are worth their meetings."""


class Order(NamedTuple):
    """What a kernel shall do: the fields of its ``struct run``, in their order.

    Addresses are numbers, 0 for none.
    """

    T: int
    B: int
    start: int
    stop: int
    down: bool
    prepare: bool
    lengths: int
    order: int
    shared: int
    own: int
    value: float
    norm: float
    member: int = 0
    members: int = 1
    meeting: int = 0

    def pack(self) -> bytes:
        """The structure as C lays it out."""
        return _ORDER.pack(*self)


_ORDER = Struct("6l4P2d2lP")


def split(
    time: int, batch: int, weights: int, can_share_units: bool
) -> tuple[int, int]:
    """Into how many parts the rows are cut, and the units; one of the two is 1.

    Args:
        time: Steps.
        batch: Rows.
        weights: Numbers that each row is multiplied with at a step.
        can_share_units: Whether several threads may run the same rows.
    """
    if time * batch * weights < WORTH:
        return 1, 1
    threads = torch.get_num_threads()
    if threads == 1 or batch >= 2 * TILE or not can_share_units:
        return max(1, min(threads, batch // TILE)), 1
    return 1, threads if batch * weights >= WORTH_STEP else 1


def run(
    function: Kernel, tables: Sequence[bytes], order: Order, own: int, members: int
) -> None:
    """Call a kernel for all rows.

    Args:
        function: The kernel.
        tables: Its pointers, for each part of the rows.
        order: What it shall do, with the memory of the first thread.
        own: Bytes of memory of each thread.
        members: Threads that share the units.
    """
    if len(tables) > 1:
        _by_rows(function, tables, order, own)
    elif members > 1 and _MEETING.acquire(blocking=False):
        try:
            _by_units(function, tables[0], order, members)
        finally:
            _MEETING.release()
    else:  # also where another Python thread has the team: the result is the same
        function(tables[0], order.pack())


def _by_rows(function: Kernel, tables: Sequence[bytes], order: Order, own: int) -> None:
    batch, threads = order.B, len(tables)
    function(tables[0], order._replace(stop=0).pack())  # packs the parameters
    parts = []
    for i in range(threads):
        start = sum(len(range(k, batch, threads)) for k in range(i))
        stop = start + len(range(i, batch, threads))
        mine = order._replace(
            start=start, stop=stop, prepare=False, own=order.own + i * own
        )
        parts.append(mine.pack())
    _together(function, tables, parts)


def _by_units(function: Kernel, table: bytes, order: Order, members: int) -> None:
    function(table, order._replace(stop=0).pack())  # packs the parameters
    meeting = (ctypes.c_int * 32)()
    shared = order._replace(
        prepare=False, members=members, meeting=ctypes.addressof(meeting)
    )
    parts = [shared._replace(member=i).pack() for i in range(members)]
    _together(function, [table] * members, parts)


def _together(
    function: Kernel, tables: Sequence[bytes], parts: Sequence[bytes]
) -> None:
    """The first part by this thread, the others by those of the pool."""
    pool = _pool(len(parts) - 1)
    others = [
        pool.submit(function, table, part)
        for table, part in zip(tables[1:], parts[1:], strict=True)
    ]
    function(tables[0], parts[0])
    for other in others:
        other.result()


_MEETING = Lock()
_POOLS: dict[int, ThreadPoolExecutor] = {}


def _forget() -> None:
    """A child has none of its parent's threads, and nobody who would let go a lock."""
    global _MEETING
    _POOLS.clear()
    _MEETING = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads)
    return _POOLS[threads]
