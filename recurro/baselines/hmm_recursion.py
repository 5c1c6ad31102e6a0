"""The recursions of a hidden Markov model: forward, backward, and both in logarithms.

The forward algorithm is a recurrence like any other, so it is a cell (``Forward``) and
runs on the engine. The backward algorithm is its derivative: with Z = P(x_1 ... x_T),

P(s_t = j | x_1 ... x_T) = b_tj d log Z / d b_tj
expected moves from i to j = A_ij d log Z / d A_ij

where b_tj = p(x_t | s_t = j) and A holds the transitions (Eisner 2016). Both come from
the reverse program that the engine derives and compiles for every cell.

Steps are scaled to a sum of one, in float64. Where a step would shrink by more than
``WEAK`` rounding to zero might hide a path, so the sequence is left to `in_logarithms`,
which is exact and slower.

References:
    Rabiner (1989), A tutorial on hidden Markov models, section V.A.
    Eisner (2016), Inside-outside and forward-backward algorithms are just backprop,
    doi:10.18653/v1/W16-5901.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurro.cells.cell import Cell
from recurro.cells.ops import Value, sum
from recurro.engine.run import Recurrence, recurrence, run
from recurro.types import Float, Int

__all__ = ["Expected", "Forward", "in_logarithms", "scaled", "width_of"]

WEAK = 1e-30
"""The least sum of a step that scaled arithmetic is trusted with."""

LANES = 8
"""Widths are multiples of it, so that few kernels serve all numbers of states."""

MOST = 2**20
"""Steps at most, with padding, of sequences that are run together."""


class Forward(Cell):
    """The forward algorithm of a hidden Markov model, scaled.

    a'_t = (U a_{t-1}) b_t,  c_t = sum of a'_t,  a_t = a'_t / c_t

    with the input b_t(j) = p(x_t | s_t = j) and U(j, i) = P(s_t = j | s_{t-1} = i).
    Then a_t(j) = P(s_t = j | x_1 ... x_t) and c_t = P(x_t | x_1 ... x_{t-1}).

    References:
        Rabiner (1989), equations 19, 20, 91 and 103.
    """

    state = ("a", "c")
    inputs = ("b",)

    def step(self, b: Value, a: Value, c: Value) -> tuple[Value, ...]:
        """The equations; c is written, never read. After a c of 0 all is NaN."""
        a = self.affine("t", a, bias=False) * b
        c = sum(a)
        return a / c, c

    def widths(self, hidden_size: int) -> tuple[int, ...]:
        """As many as there are states, and one."""
        return hidden_size, 1


class Expected(NamedTuple):
    """What a pass tells of sequences that stand end to end.

    Attributes:
        log_probs: Log P of each sequence; 0 of those without a step.
        probs: P of the states at each step ``(steps, states)``, given the whole
            sequence or, of a pass without way back, the steps up to it. Zero in
            sequences that are impossible or weak.
        moves: Expected number of transitions ``(states, states)``; zero without way
            back.
        weak: Which sequences were left out, as scaled arithmetic may not do for them.
    """

    log_probs: Float[np.ndarray, " sequence"]
    probs: Float[np.ndarray, "steps states"]
    moves: Float[np.ndarray, "states states"]
    weak: np.ndarray


def width_of(states: int) -> int:
    """Columns of b: the states, the one before all, and those that fill up the lanes.

    Example:
        >>> width_of(7), width_of(20)
        (8, 24)
    """
    return -(-(states + 1) // LANES) * LANES


@cache
def _recurrence(width: int) -> Recurrence:
    return recurrence(Forward(), {"b": width}, width)


def scaled(
    startprob: Float[np.ndarray, " states"],
    transmat: Float[np.ndarray, "states states"],
    b: Float[np.ndarray, "steps width"],
    lengths: Int[np.ndarray, " sequence"],
    *,
    back: bool = True,
) -> Expected:
    """Forward, and on request backward, through sequences that stand end to end.

    Args:
        startprob: P of each state at the first step.
        transmat: P of each state, a column, after each, a row.
        b: p(x_t | state), scaled so that each row's largest is 1 (or all are 0), with
            zeros after the states up to `width_of` columns.
        lengths: Steps of each sequence, at least 0.
        back: Whether to go backward.

    Example:
        >>> b = np.zeros((2, width_of(2)))
        >>> b[:, :2] = [[0.9, 0.2], [0.9, 0.2]]  # an umbrella, twice
        >>> rain = np.array([[0.7, 0.3], [0.3, 0.7]])
        >>> found = scaled(np.array([0.5, 0.5]), rain, b, np.array([2]))
        >>> found.probs[:, 0].round(3).tolist()
        [0.883, 0.883]
    """
    states, width = len(startprob), b.shape[1]
    whole = np.zeros((width, width))  # a column is where a step comes from
    whole[:states, :states], whole[:states, states] = transmat.T, startprob
    matrix, emitted = torch.from_numpy(whole), torch.from_numpy(b)
    matrix.requires_grad_(back)
    found = Expected(
        np.zeros(len(lengths)),
        np.zeros((len(b), states)),
        np.zeros((states, states)),
        np.zeros(len(lengths), bool),
    )
    first = np.cumsum(lengths) - lengths
    for group in _groups(lengths):
        _pass(found, matrix, emitted, group, first, lengths)
    return found


def _groups(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Sequences of similar length, the longest first, to be run together."""
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    begin = 0
    for end in range(1, len(order) + 1):
        longest = lengths[order[begin]]
        if (
            end == len(order)
            or 2 * lengths[order[end]] < longest
            or longest * (end + 1 - begin) > MOST
        ):
            yield order[begin:end]
            begin = end


def _pass(
    found: Expected,
    matrix: Tensor,
    emitted: Tensor,
    group: np.ndarray,
    first: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Run a group of sequences and write down what it tells."""
    own, back, states = lengths[group], matrix.requires_grad, found.probs.shape[1]
    time, batch = int(own[0]), len(group)
    step = np.arange(time)[:, None]
    active = step < own
    rows = torch.from_numpy(np.where(active, first[group] + step, 0)).flatten()
    alive, whole = torch.from_numpy(active), bool(active.all())
    if batch > 1:
        b = emitted.index_select(0, rows).view(time, batch, -1)
    else:
        b = emitted[int(rows[0]) :][:time, None].detach()
    if not whole:
        b[~alive] = 1.0  # any state may emit what stands after the end
    b.requires_grad_(back)
    begin = torch.zeros(batch, b.shape[2], dtype=torch.float64)
    begin[:, states] = 1
    with torch.set_grad_enabled(back):
        result = run(
            *(_recurrence(b.shape[2]), {"U_t": matrix}, b),
            (begin, torch.zeros(batch, 1, dtype=torch.float64)),
            return_states=True,
        )
    assert result.states is not None
    a, c = result.states
    sound = ((c.detach()[:, :, 0] >= WEAK) | ~alive).all(0).numpy()
    if not sound.all():
        found.weak[group[~sound]] = True
        if sound.any():
            _pass(found, matrix, emitted, group[sound], first, lengths)
        return
    logs = c[:, :, 0].where(alive, 1).log()
    found.log_probs[group] = logs.detach().sum(0).numpy()
    if back:
        by_b, by_matrix = torch.autograd.grad(logs.sum(), (b, matrix))
        a = by_b.mul_(b.detach())
        moves = (by_matrix * matrix).detach()[:states, :states]
        found.moves[:] += moves.T.numpy()
    told = a.reshape(time * batch, -1)
    if not whole:
        rows, told = rows[alive.flatten()], told[alive.flatten()]
    torch.from_numpy(found.probs).index_copy_(0, rows, told[:, :states])


class InLogarithms(NamedTuple):
    """What `in_logarithms` tells of one sequence.

    Attributes:
        log_prob: log P of it; -inf if it is impossible.
        probs: P of the states at each step ``(time, states)``, as in `Expected`; zero
            where the sequence is impossible.
        moves: Expected number of transitions.
        dead: The first step that no state can have emitted; ``None`` if it is possible.
    """

    log_prob: float
    probs: np.ndarray
    moves: np.ndarray
    dead: int | None


def in_logarithms(
    startprob: Float[np.ndarray, " states"],
    transmat: Float[np.ndarray, "states states"],
    log_b: Float[np.ndarray, "time states"],
    *,
    back: bool = True,
) -> InLogarithms:
    """The same for one sequence with a sum over paths of logarithms at each step.

    log a_t(j) = log b_t(j) + log sum_i exp(log a_{t-1}(i) + log A(i, j))
    log d_t(i) = log sum_j exp(log A(i, j) + log b_{t+1}(j) + log d_{t+1}(j))

    Args:
        startprob: P of each state at the first step.
        transmat: P of each state after each.
        log_b: log p(x_t | state).
        back: Whether to go backward.

    Example:
        >>> found = in_logarithms(np.ones(1), np.ones((1, 1)), np.array([[-900.0]] * 2))
        >>> found.log_prob
        -1800.0
    """
    time, states = log_b.shape
    with np.errstate(divide="ignore"):
        start, moves = np.log(startprob), np.log(transmat)
    alpha = np.empty((time, states))
    before = start
    for t in range(time):
        alpha[t] = before + log_b[t]
        before = _log_sum(alpha[t][:, None] + moves, 0)
    sums = _log_sum(alpha, 1)
    counts = np.zeros((states, states))
    if sums[-1] == -np.inf:
        dead = int((sums == -np.inf).argmax())
        return InLogarithms(-np.inf, np.zeros((time, states)), counts, dead)
    if not back:
        return InLogarithms(sums[-1], np.exp(alpha - sums[:, None]), counts, None)
    probs, beta = np.empty((time, states)), np.zeros(states)
    for t in reversed(range(time)):
        probs[t] = np.exp(alpha[t] + beta - sums[-1])
        if t:
            ahead = moves + log_b[t] + beta
            counts += np.exp(alpha[t - 1][:, None] + ahead - sums[-1])
            beta = _log_sum(ahead, 1)
    return InLogarithms(float(sums[-1]), probs, counts, None)


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """Log of the sum of exponentials along an axis; -inf where all are."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)
