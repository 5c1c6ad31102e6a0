"""Runs of reservoirs over series, and what a readout tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from recurro.reservoir.bank import Bank, States
from recurro.reservoir.pool import Noise
from recurro.reservoir.series import Chunk, chunks, pad

__all__ = ["continued", "echoed", "features", "pooled", "told"]


def features(
    bank: Bank,
    xs: Sequence[np.ndarray],
    teacher: Sequence[np.ndarray] | None = None,
    noise: Noise = None,
) -> Iterator[tuple[Chunk, np.ndarray, States]]:
    """z_t of series, in chunks of bounded memory.

    Args:
        bank: The reservoirs.
        xs: The inputs of each series ``(time, inputs)``.
        teacher: With feedback: the outputs, each of which is fed back a step later.
        noise: Largest noise and where it is drawn from.

    Yields:
        Which steps they are, z_t ``(steps, rows, features)``, and the states after
        them; after the end of a series its state stands still.
    """
    lengths = np.array([len(x) for x in xs])
    before = None
    if teacher is not None:
        before = [np.concatenate([np.zeros_like(y[:1]), y[:-1]]) for y in teacher]
    states = None
    for chunk in chunks(lengths, bank.features):
        left = chunk.left
        z, states = bank(
            pad(xs, chunk),
            None if before is None else pad(before, chunk),
            states if chunk.start else None,
            lengths=None if (left == chunk.stop - chunk.start).all() else left,
            noise=noise,
        )
        yield chunk, z, states


def pooled(
    bank: Bank,
    xs: Sequence[np.ndarray],
    how: Literal["last", "mean"],
    washout: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray, States]]:
    """One z for each series: at its last step, or the mean after the washout.

    Yields:
        The numbers of some series, their z ``(rows, features)``, and their states.
    """
    z = np.empty((0, 0))
    for chunk, some, states in features(bank, xs):
        if chunk.start == 0:
            z = np.zeros(some.shape[1:], some.dtype)
        if how == "mean":
            counted = chunk.counted(washout)[:, :, None]
            z += (some * counted).sum(0) / (chunk.lengths - washout)[:, None]
        else:
            at = chunk.lengths - 1 - chunk.start
            rows = np.flatnonzero((at >= 0) & (at < len(some)))
            z[rows] = some[at[rows], rows]
        if chunk.stop == chunk.lengths.max():
            yield chunk.rows, z, states


def told(
    bank: Bank,
    coef: np.ndarray,
    xs: Sequence[np.ndarray],
    teacher: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:
    """W_out z_t of every step of series ``(time, outputs)`` each."""
    found = [np.empty((len(x), len(coef))) for x in xs]
    for chunk, z, _ in features(bank, xs, teacher):
        y = z @ coef.T
        for place, (row, left) in enumerate(zip(chunk.rows, chunk.left, strict=True)):
            found[row][chunk.start : chunk.start + left] = y[:left, place]
    return found


def echoed(
    bank: Bank,
    coef: np.ndarray,
    xs: Sequence[np.ndarray],
    past: Sequence[np.ndarray] | None,
    steps: int,
) -> list[np.ndarray]:
    """What a network with feedback gives after the past of series, left to itself.

    Args:
        bank: The reservoirs, with feedback.
        coef: W_out.
        xs: Inputs of past and future ``(time + steps, inputs)``.
        past: The outputs before ``(time, outputs)``; ``None`` for none.
        steps: Steps to give.
    """
    found = [np.empty(0)] * len(xs)
    if past is None:
        empty = np.zeros((len(xs), len(coef)))
        starts = [(np.arange(len(xs)), empty, None)]
    else:
        before = [x[: len(y)] for x, y in zip(xs, past, strict=True)]
        starts = (
            (chunk.rows, np.stack([past[r][-1] for r in chunk.rows.tolist()]), states)
            for chunk, _, states in features(bank, before, past)
            if chunk.stop == chunk.lengths.max()
        )
    for rows, y, states in starts:
        ends = [xs[row][len(xs[row]) - steps :] for row in rows.tolist()]
        future = np.stack(ends, 1)
        y, given = y.astype(future.dtype), np.empty((steps, *y.shape))
        for t in range(steps):
            z, states = bank(future[t : t + 1], y[None], states)
            given[t] = z[0] @ coef.T
            y = given[t].astype(future.dtype)
        for place, row in enumerate(rows):
            found[row] = given[:, place]
    return found


def continued(
    bank: Bank, coef: np.ndarray, past: Sequence[np.ndarray], steps: int
) -> list[np.ndarray]:
    """What comes after series whose next step a network tells, told step by step.

    Args:
        bank: The reservoirs, without feedback.
        coef: W_out.
        past: The series up to now ``(time, inputs)``.
        steps: Steps to give.
    """
    found = [np.empty(0)] * len(past)
    for rows, z, states in pooled(bank, past, "last"):
        given = np.empty((steps, len(rows), len(coef)))
        given[0] = z @ coef.T
        for t in range(1, steps):
            x = given[t - 1 : t].astype(past[0].dtype)
            z, states = bank(x, None, states)
            given[t] = z[0] @ coef.T
        for place, row in enumerate(rows):
            found[row] = given[:, place]
    return found
