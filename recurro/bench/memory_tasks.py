"""Tasks that cannot be solved without memory: what is read, and what must be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from recurro.errors import ArgumentError

__all__ = ["TASKS", "MemoryTask", "Problem"]


@dataclass(frozen=True)
class Problem:
    """A batch of sequences.

    Attributes:
        x: Inputs ``(time, batch, width)``.
        y: What must be told at the last steps, ``(answers, batch, 1)`` of numbers or
            ``(answers, batch)`` of symbols.
    """

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class MemoryTask:
    """A task.

    Attributes:
        name: Its word on the command line.
        width: Width of the input.
        outputs: Numbers told, or symbols to choose from.
        kind: Whether a ``number`` or a ``symbol`` is told.
        make: A batch, for a length, a number of rows and a generator.
    """

    name: str
    width: int
    outputs: int
    kind: Literal["number", "symbol"]
    make: Callable[[int, int, Generator], Problem]

    def draw(self, length: int, rows: int, generator: Generator) -> Problem:
        """A batch of random sequences.

        Raises:
            ArgumentError: If the length is below 10.
        """
        if length < 10:
            raise ArgumentError(
                f"bench memory: a length must be at least 10, got {length}."
            )
        return self.make(length, rows, generator)

    def error(self, told: Tensor, problem: Problem) -> float:
        """Mean squared error of numbers; share of wrong symbols."""
        if self.kind == "number":
            return float((told - problem.y).square().mean())
        return float((told.argmax(-1) != problem.y).double().mean())

    def trivial(self, problem: Problem) -> float:
        """The error of an answer that does not look: the mean, or any symbol."""
        if self.kind == "number":
            return float(problem.y.var(correction=0))
        return 1 - 1 / self.outputs


def _adding(length: int, rows: int, generator: Generator) -> Problem:
    """The sum of the two marked ones among random numbers.

    One mark stands in the first half, one in the second.

    References:
        Hochreiter and Schmidhuber (1997), section 5.4, in the form of Le, Jaitly and
        Hinton (2015), arXiv 1504.00941, section 4.1.
    """
    values = torch.rand(length, rows, generator=generator)
    marks, half = torch.zeros(length, rows), length // 2
    for low, high in ((0, half), (half, length)):
        at = torch.randint(low, high, (1, rows), generator=generator)
        marks.scatter_(0, at, 1.0)
    y = (values * marks).sum(0)[None, :, None]
    return Problem(torch.stack([values, marks], -1), y)


COPIED, SYMBOLS = 5, 8
"""How many symbols are copied, and of how many kinds."""


def _copy(length: int, rows: int, generator: Generator) -> Problem:
    """Five symbols, blanks, a call; then the symbols again.

    ``length`` blanks lie between.

    References:
        Hochreiter and Schmidhuber (1997), section 5.2; Arjovsky, Shah and Bengio
        (2016), arXiv 1511.06464, section 4.1, with ten symbols.
    """
    symbols = torch.randint(SYMBOLS, (COPIED, rows), generator=generator)
    blank, call = SYMBOLS, SYMBOLS + 1
    read = torch.full((length + 2 * COPIED, rows), blank)
    read[:COPIED], read[length + COPIED] = symbols, call
    return Problem(torch.nn.functional.one_hot(read, SYMBOLS + 2).float(), symbols)


def _order(length: int, rows: int, generator: Generator) -> Problem:
    """Which two of X and Y stood among other letters, and in which order.

    References:
        Hochreiter and Schmidhuber (1997), section 5.6, task 6a.
    """
    read = torch.randint(4, (length, rows), generator=generator)
    kinds = torch.randint(2, (2, rows), generator=generator)
    for kind, low in zip(kinds, (length // 10, length // 2), strict=True):
        at = torch.randint(low, low + length // 10, (1, rows), generator=generator)
        read.scatter_(0, at, 4 + kind[None])
    y = (2 * kinds[0] + kinds[1])[None]
    return Problem(torch.nn.functional.one_hot(read, 6).float(), y)


def _reset(length: int, rows: int, generator: Generator) -> Problem:
    """The sum of what came since the last call to begin anew, in units of its spread.

    The last call stands in the last fifth: what was gathered before must be let go.
    """
    values = torch.rand(length, rows, generator=generator)
    calls = torch.zeros(length, rows)
    at = torch.randint(length - length // 5, length, (1, rows), generator=generator)
    calls.scatter_(0, at, 1.0)
    since = calls.cumsum(0)
    y = (values * since).sum(0)[None, :, None]
    spread = (length // 5) / 2 / 12**0.5  # of half the number of steps in the fifth
    return Problem(torch.stack([values, calls], -1), y / spread)


TASKS = {
    task.name: task
    for task in (
        MemoryTask("adding", 2, 1, "number", _adding),
        MemoryTask("copy", SYMBOLS + 2, SYMBOLS, "symbol", _copy),
        MemoryTask("order", 6, 4, "symbol", _order),
        MemoryTask("reset", 2, 1, "number", _reset),
    )
}
"""The adding problem, the copy task, temporal order, and the price of a reset."""
