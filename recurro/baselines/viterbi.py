"""Viterbi's recursion: the likeliest path of states, in C or in NumPy."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from recurro.cells.ops import Value
from recurro.engine.build import build
from recurro.errors import BackendError
from recurro.types import Float, Int

__all__ = ["viterbi"]


def viterbi(
    startprob: Float[np.ndarray, " states"],
    transmat: Float[np.ndarray, "states states"],
    log_b: Float[np.ndarray, "steps states"],
    lengths: Int[np.ndarray, " sequence"],
) -> tuple[Float[np.ndarray, " sequence"], Int[np.ndarray, " steps"]]:
    """The log-probability of the likeliest path of each sequence, and its states.

    d_t(j) = log b_t(j) + max over i of (d_{t-1}(i) + log A(i, j))

    Args:
        startprob: P of each state at the first step.
        transmat: P of each state, a column, after each, a row.
        log_b: log p(x_t | state) of sequences that stand end to end.
        lengths: Steps of each, at least 0.

    Returns:
        log P(states, x) of each sequence, and the states; an impossible sequence has
        -inf and states of -1. Of states that are equally good the first is taken.

    Example:
        >>> heads = np.log([[0.5, 0.9], [0.5, 0.1]])  # a fair coin and another
        >>> stay = np.array([[0.8, 0.2], [0.2, 0.8]])
        >>> viterbi(np.array([0.5, 0.5]), stay, heads[[0, 0, 0]], np.array([3]))[1]
        array([1, 1, 1])

    References:
        Rabiner (1989), equations 33 to 35.
    """
    with np.errstate(divide="ignore"):
        start, moves = np.log(startprob), np.log(transmat)
    function = _compiled()
    if function is None:
        return _in_numpy(start, moves, log_b, lengths)
    states = len(start)
    longest = int(lengths.max(initial=0))
    path, log_probs = np.empty(len(log_b), np.int64), np.empty(len(lengths))
    held = [start, moves, log_b, lengths.astype(np.int64, copy=False)]
    held = [np.ascontiguousarray(array) for array in held]
    room = [np.empty(states), np.empty(states), np.empty((longest, states), np.int64)]
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*held, *room, path, log_probs)]
    sizes = [ctypes.c_long(len(lengths)), ctypes.c_long(states)]
    function(*pointers[:4], *sizes, *pointers[4:])
    return log_probs, path


@cache
def _compiled() -> Value:
    """The function in C, or ``None``; where there is no compiler a warning says so."""
    if os.environ.get("RECURRO_COMPILE") == "0":
        return None
    try:
        function = build(Path(__file__).with_name("viterbi.c").read_text()).viterbi
    except BackendError as error:
        warnings.warn(f"{error} NumPy runs it instead, slowly.", stacklevel=3)
        return None
    function.restype = None
    return function


def _in_numpy(
    start: np.ndarray, moves: np.ndarray, log_b: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same, one step after another."""
    path, log_probs = np.full(len(log_b), -1), np.zeros(len(lengths))
    end = 0
    for sequence, time in enumerate(lengths):
        begin, end = end, end + int(time)
        if not time:
            continue
        delta, origins = start + log_b[begin], []
        for b in log_b[begin + 1 : end]:
            paths = delta[:, None] + moves
            origins.append(paths.argmax(0))
            delta = paths.max(0) + b
        best = int(delta.argmax())
        log_probs[sequence] = delta[best]
        if delta[best] == -np.inf:
            continue
        for t in reversed(range(begin, end)):
            path[t] = best
            if t > begin:
                best = int(origins[t - begin - 1][best])
    return log_probs, path
