"""Holds a cell to its equations, written down a second time in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from recurro.cells import Cell
from recurro.engine import recurrence, run

TIME, BATCH, INPUT, HIDDEN = 5, 2, 3, 4


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class Parameters(dict):
    """Parameters by name; ``p.W_z @ x`` reads as in the paper."""

    __getattr__ = dict.__getitem__


def assert_follows(
    cell: Cell, equations: Callable, output: Callable = lambda *state: state[0]
) -> None:
    """Every state variable at every step is what the equations say, for each row.

    Args:
        cell: The cell.
        equations: ``equations(p, x, *state)`` for the vectors of one row, in the order
            of ``step``; gives the new state, a tuple where there are several.
        output: What the layer above reads.
    """
    part = recurrence(cell, INPUT, HIDDEN)
    rng = np.random.default_rng(5)
    shapes = part.program.shapes
    p = Parameters({name: rng.normal(size=shape) for name, shape in shapes.items()})
    x = rng.normal(size=(TIME, BATCH, INPUT))
    start = [rng.normal(size=(BATCH, width)) for width in cell.widths(HIDDEN)]
    stored = part.pack({name: torch.from_numpy(value) for name, value in p.items()})
    result = run(
        part,
        stored,
        torch.from_numpy(x),
        tuple(map(torch.from_numpy, start)),
        return_states=True,
        backend="reference",
    )
    for row in range(BATCH):
        state = tuple(s[row] for s in start)
        for t in range(TIME):
            state = equations(p, x[t, row], *state)
            state = state if isinstance(state, tuple) else (state,)
            for got, wanted in zip(result.states, state, strict=True):
                np.testing.assert_allclose(got[t, row], wanted, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(
                result.output[t, row], output(*state), rtol=1e-12, atol=1e-13
            )
