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
from threading import Lock

import torch

TILE = 6
"""Rows that a thread should have at least, so that its products fill the registers."""

WORTH = 2**22
"""Products in a run for which a second thread is worth its start."""

WORTH_STEP = 2**16
"""Products in a step, over all rows, for which threads are worth their meetings."""


class Order(ctypes.Structure):
    """The kernel's ``struct run``."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("T", "B", "start", "stop")),
        *((name, ctypes.c_long) for name in ("down", "prepare")),
        *((name, ctypes.c_void_p) for name in ("lengths", "order", "shared", "own")),
        ("value", ctypes.c_double),
        ("norm", ctypes.c_double),
        ("member", ctypes.c_long),
        ("members", ctypes.c_long),
        ("meeting", ctypes.c_void_p),
    )


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
    function: Callable[..., object],
    tables: Sequence[ctypes.Array[ctypes.c_void_p]],
    order: Order,
    own: int,
    members: int,
) -> None:
    """Call a kernel for all rows.

    Args:
        function: The kernel.
        tables: Its pointers, for each part of the rows.
        order: What it shall do, with the memory of the first thread.
        own: Bytes of memory of each thread.
        members: Threads that share the units.
    """
    order.members = 1
    if len(tables) == 1 and members == 1:
        function(tables[0], ctypes.byref(order))
    elif members == 1:
        _by_rows(function, tables, order, own)
    elif _MEETING.acquire(blocking=False):
        try:
            _by_units(function, tables[0], order, members)
        finally:
            _MEETING.release()
    else:  # another Python thread has the team: alone, with the same result
        function(tables[0], ctypes.byref(order))


def _by_rows(
    function: Callable[..., object],
    tables: Sequence[ctypes.Array[ctypes.c_void_p]],
    order: Order,
    own: int,
) -> None:
    batch, threads = order.B, len(tables)
    order.stop = 0
    function(tables[0], ctypes.byref(order))  # packs the parameters
    parts = []
    for i in range(threads):
        part = Order.from_buffer_copy(order)
        part.prepare, part.own = False, order.own + i * own
        part.start = sum(len(range(k, batch, threads)) for k in range(i))
        part.stop = part.start + len(range(i, batch, threads))
        parts.append(part)
    _together(function, tables, parts)


def _by_units(
    function: Callable[..., object],
    table: ctypes.Array[ctypes.c_void_p],
    order: Order,
    members: int,
) -> None:
    stop, order.stop = order.stop, 0
    function(table, ctypes.byref(order))  # packs the parameters
    meeting = (ctypes.c_int * 32)()
    order.stop, order.prepare, order.members = stop, False, members
    order.meeting = ctypes.addressof(meeting)
    parts = []
    for i in range(members):
        part = Order.from_buffer_copy(order)
        part.member = i
        parts.append(part)
    _together(function, [table] * members, parts)


def _together(
    function: Callable[..., object],
    tables: Sequence[ctypes.Array[ctypes.c_void_p]],
    parts: Sequence[Order],
) -> None:
    """The first part by this thread, the others by those of the pool."""
    pool = _pool(len(parts) - 1)
    others = [
        pool.submit(function, table, ctypes.byref(part))
        for table, part in zip(tables[1:], parts[1:], strict=True)
    ]
    function(tables[0], ctypes.byref(parts[0]))
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
