"""How fast cells run over time beside PyTorch's own layers and a plain Python loop.

``CASES`` says what is measured and what ratio is asked for, ``TABLES`` how. Equal
weights, inputs, precision and threads on both sides; *forward* is a run without
gradients, *train* is forward and ``y.sum().backward()`` with a gradient for the input
and all weights. What does not compute the same is not timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from recurro import cells
from recurro.bench import sides
from recurro.bench.figure import Figure, Turns, inverse, timed
from recurro.bench.process import compile_times, peak_memory
from recurro.bench.sides import Shape, Sides
from recurro.bench.sparse import bench_sparse
from recurro.bench.stream import ONNX, OURS, TORCH, bench_stream
from recurro.cells import Cell
from recurro.errors import ArgumentError

__all__ = [
    "CASES",
    "CELLS",
    "QUICK",
    "TABLES",
    "Case",
    "EngineRow",
    "bench_engine",
    "select_cases",
]

Required = Mapping[str, float | None]
"""What is measured, with the ratio asked for; ``None`` where none is."""


@dataclass(frozen=True)
class Case:
    """What is to be measured.

    Attributes:
        table: A key of ``TABLES``.
        name: What is run, often a key of ``CELLS``.
        shape: Input size, hidden size, batch, steps.
        against: The incumbent.
        required: The kinds of figures, each with the ratio asked for.
    """

    table: str
    name: str
    shape: Shape
    against: str
    required: Required


@dataclass(frozen=True)
class EngineRow:
    """What was measured: the case, and a figure for each kind."""

    case: Case
    figures: Mapping[str, Figure]


Measure = Callable[[Case, Turns], Mapping[str, Figure]]


@dataclass(frozen=True)
class Table:
    """What a table shows, in words, and how its cases are measured."""

    title: str
    measure: Measure


CELLS: dict[str, Cell] = {
    "LSTM": cells.LSTM(),
    "GRU": cells.GRU(),
    "ChoGRU": cells.ChoGRU(),
    "RNN": cells.Elman(),
    "LayerNormLSTM": cells.LayerNormLSTM(),
    "Surprise": sides.Surprise(),
    "MinGRU": cells.MinGRU(),
}
"""The cells by the names that cases give them."""


def select_cases(
    tables: Sequence[str] | None = None, cell: str | None = None
) -> list[Case]:
    """Some of ``CASES``.

    Args:
        tables: Keys of ``TABLES``; those of ``QUICK`` if not given.
        cell: Only the cases of this name; all if not given.

    Raises:
        ArgumentError: If there is no such table or cell, or no row of both.

    Example:
        >>> [case.shape for case in select_cases(["lengths"])]
        [(128, 128, 32, 100)]
    """
    for table in tables or ():
        _check("table", table, TABLES)
    found = [case for case in CASES if case.table in (tables or QUICK)]
    if cell is not None:
        _check("cell", cell, {case.name: case for case in found})
    return [case for case in found if cell in (None, case.name)]


def _check(what: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise ArgumentError(
            f"bench engine: {what} must be one of {', '.join(known)}, got {name!r}."
        )


def bench_engine(
    cases: Sequence[Case] | None = None, *, rounds: int = 15, seconds: float = 0.5
) -> Iterator[EngineRow]:
    """Measure cases, one after the other.

    Args:
        cases: From ``select_cases``, or others of the same form; all that are quick if
            not given.
        rounds: Rounds at least.
        seconds: Time at least that each side is measured for.

    Yields:
        A row for each case, as soon as it is measured.

    Raises:
        BackendError: If results differ by more than rounding.

    Example:
        >>> case = Case("layers", "GRU", (2, 3, 2, 4), "nn.GRU", {"train": 1.8})
        >>> row, = bench_engine([case], rounds=1, seconds=0.0)
        >>> list(row.figures)
        ['train']
    """
    for case in select_cases() if cases is None else cases:
        torch.manual_seed(0)
        figures = TABLES[case.table].measure(case, Turns(rounds, seconds))
        yield EngineRow(case, figures)


# -- how tables are measured -----------------------------------------------------------


def _timed(build: Callable[[Cell, Shape], Sides]) -> Measure:
    """Time two sides that are made from a cell at a shape."""

    def measure(case: Case, turns: Turns) -> dict[str, Figure]:
        made = build(CELLS[case.name], case.shape)
        return timed(case.name, made, tuple(case.required), turns)

    return measure


def _stream(case: Case, turns: Turns) -> dict[str, Figure]:
    """A step; nothing where the incumbent is not installed."""
    size = [case.shape[1]]
    (row,) = bench_stream(size, rounds=turns.rounds, seconds=turns.seconds)
    ours, other = row.engines[OURS], row.engines.get(case.against)
    if other is None:
        return {}
    ours_takes, theirs_takes = ours.seconds.median, other.seconds.median
    return {"step": Figure(other.ratio, ours_takes, theirs_takes, ours.steady)}


def _sparse(case: Case, turns: Turns) -> dict[str, Figure]:
    """A leaky reservoir with ten entries in each row."""
    _, units, batch, steps = case.shape
    ours = bench_sparse(
        units, min(10, units), batch, steps, rounds=turns.rounds, seconds=turns.seconds
    )
    ratio, seconds = inverse(ours.ratio), ours.seconds.median
    return {"forward": Figure(ratio, seconds, seconds * ratio.median, ours.steady)}


def _build(case: Case, turns: Turns) -> dict[str, Figure]:
    return compile_times(case.shape, times=min(5, turns.rounds))


TABLES = {
    "layers": Table("PyTorch's layers", _timed(sides.layer)),
    "cells": Table("Cells that no library has", _timed(sides.loop)),
    "resets": Table("GRU, reset before against after", _timed(sides.resets)),
    "lengths": Table("Unequal lengths", _timed(sides.packed)),
    "long": Table("Long sequences of a linear cell", _timed(sides.loop)),
    "sparse": Table("A sparse reservoir", _sparse),
    "stream": Table("One step at batch 1", _stream),
    "memory": Table("Peak memory of training", lambda c, _: peak_memory(c.shape)),
    "build": Table("Compile time", _build),
    "compile": Table("torch.compile of the loop", _timed(sides.compiled_loop)),
}

QUICK = tuple(name for name in TABLES if name != "compile")
"""The tables that do not wait minutes for a compiler."""

# -- what is measured ------------------------------------------------------------------

_SMALL, _MIDDLE, _LARGE = (64, 64, 16, 50), (128, 128, 32, 100), (256, 256, 32, 100)
_ASKED = {
    (64, 64, 1, 100): ((4, 3), (12, 20), (10, 10)),
    _SMALL: ((1.7, 1.6), (3, 5), (4, 4)),
    _MIDDLE: ((1.15, 1.3), (1.5, 1.8), (1.6, 1.7)),
    _LARGE: ((1.15, 1.35), (1.5, 1.7), (1.4, 1.4)),
    (512, 512, 64, 64): ((1.0, 1.15), (1.15, 1.25), (1.1, 1.1)),
    (1024, 1024, 32, 32): ((1.0, 1.15), (1.15, 1.25), (1.1, 1.1)),
}
"""Ratios by shape for LSTM, GRU and RNN, forward and train."""
_OWN = ("LayerNormLSTM", "Surprise")


def _ratios(forward: float | None, train: float | None) -> Required:
    return {"forward": forward, "train": train}


CASES = (
    *(
        Case("layers", name, shape, f"nn.{name}", _ratios(*asked[number]))
        for number, name in enumerate(("LSTM", "GRU", "RNN"))
        for shape, asked in _ASKED.items()
    ),
    *(
        Case("cells", name, shape, "eager loop", _ratios(None, train))
        for name in _OWN
        for shape, train in ((_SMALL, 5), (_LARGE, 2.5))
    ),
    *(
        Case("resets", "ChoGRU", shape, "our GRU", _ratios(1 / 1.3, 1 / 1.3))
        for shape in (_SMALL, _MIDDLE, _LARGE, (512, 512, 64, 64))
    ),
    Case("lengths", "LSTM", _MIDDLE, "nn.LSTM, packed", _ratios(None, 5)),
    *(
        Case("long", "MinGRU", (inputs, 256, 1, 4096), "eager loop", _ratios(20, 20))
        for inputs in (256, 64)
    ),
    Case("sparse", "Leaky", (1, 10_000, 1, 100), "scipy.sparse", {"forward": 2}),
    *(
        Case("stream", "LSTM", (size, size, 1, 1), other, {"step": needed})
        for other, needed in ((TORCH, 8), (ONNX, 2))
        for size in ((64, 128, 256, 512) if other == TORCH else (64, 128, 256))
    ),
    Case("memory", "LSTM", (512, 512, 64, 512), TORCH, {"high": 1 / 1.1, "low": None}),
    Case("build", "Surprise", (64, 64, 2, 8), "8 and 0.3 s", {"cold": 1, "cached": 1}),
    *(
        Case("compile", name, (200, 200, 20, 35), "torch.compile", {"train": 1.8})
        for name in _OWN
    ),
)
"""All that is measured, in the order of the tables."""
