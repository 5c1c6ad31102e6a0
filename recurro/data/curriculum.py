"""Drawn programs to learn from: how hard they are, in which order they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from random import Random
from string import ascii_lowercase
from typing import Literal, NamedTuple

from recurro.data.programs import run_program
from recurro.data.split import hash_digit
from recurro.errors import ArgumentError

__all__ = ["Curriculum", "Exercise", "draw_addition", "draw_program", "present"]

Part = Literal["train", "valid", "test"]
Problem = Literal["programs", "addition"]
Strategy = Literal["none", "naive", "mix", "combined"]

_COUNTER = "x"
"""The name that loops count with."""

_NAMES = ascii_lowercase.replace(_COUNTER, "")
_TRIES = 10_000
"""Programs in a row that may be of other parts before the search is given up."""

_TAKEN = 0.7
"""How likely an operation takes what is there rather than a new number."""


class _Piece(NamedTuple):
    """A part of a program: its lines so far, and the expression that goes on."""

    lines: tuple[str, ...]
    code: str
    choice: bool = False  # whether it is ``a if b<c else d``, without brackets

    @property
    def operand(self) -> str:
        """The expression as part of another."""
        return f"({self.code})" if self.choice else self.code


class _Writer:
    """Writes operations, of numbers of a length."""

    def __init__(self, draw: Random, length: int) -> None:
        self.draw, self.length = draw, length
        self.names = set[str]()
        self.pieces: list[_Piece] = []

    def number(self) -> str:
        return str(self.draw.randint(1, 10**self.length))

    def small(self) -> str:
        """A factor, or the rounds of a loop."""
        return str(self.draw.randint(1, 4 * self.length))

    def name(self) -> str:
        """A name that nothing is called yet."""
        found = self.draw.choice([n for n in _NAMES if n not in self.names])
        self.names.add(found)
        return found

    def take(self) -> _Piece:
        """What is there already, or a number."""
        if self.pieces and self.draw.random() < _TAKEN:
            return self.pieces.pop()
        return _Piece((), self.number())

    def plus(self) -> _Piece:
        return self._pair("+")

    def minus(self) -> _Piece:
        return self._pair("-")

    def _pair(self, sign: str) -> _Piece:
        one, two = self.take(), self.take()
        return _Piece(one.lines + two.lines, f"({one.operand}{sign}{two.operand})")

    def times(self) -> _Piece:
        pair = [self.take(), _Piece((), self.small())]
        self.draw.shuffle(pair)
        one, two = pair
        return _Piece(one.lines + two.lines, f"({one.operand}*{two.operand})")

    def choice(self) -> _Piece:
        yes, left, right, no = (self.take() for _ in range(4))
        side = self.draw.choice("<>")
        code = f"{yes.operand} if {left.operand}{side}{right.operand} else {no.operand}"
        return _Piece(yes.lines + left.lines + right.lines + no.lines, code, True)

    def assign(self) -> _Piece:
        name, one = self.name(), self.take()
        return _Piece((*one.lines, f"{name}={one.code}"), name)

    def loop(self) -> _Piece:
        name, one, two = self.name(), self.take(), self.take()
        sign, rounds = self.draw.choice("+-"), self.small()
        lines = (
            f"{name}={one.code}",
            f"for {_COUNTER} in range({rounds}):",
            f"    {name}{sign}={two.code}",
        )
        return _Piece(one.lines + two.lines + lines, name)


_OPERATIONS: tuple[Callable[[_Writer], _Piece], ...] = (
    *(_Writer.plus, _Writer.minus, _Writer.times),
    *(_Writer.choice, _Writer.loop, _Writer.assign),
)


def draw_program(draw: Random, length: int, nesting: int) -> str:
    """Write a program of operations that read each other's results.

    Each of ``nesting`` times one of six operations is drawn: sum, difference, product,
    choice (``a if b<c else d``), loop (``for x in range(r):`` with a sum in it) and
    assignment. What it reads is the newest result that none has read yet, with
    probability 0.7, or a number from 1 to 10^length; a factor of each product, and the
    rounds of loops, are from 1 to 4 length. The program prints the last result; what
    is never read is left out, so that no line is idle.

    Args:
        draw: What is random.
        length: Digits of numbers, at least 1.
        nesting: How many operations, from 1 to 25.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> print(draw_program(Random(10), 2, 2))
        b=55
        for x in range(4):
            b+=62
        print(36 if b>21 else 5)

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615, section 3 and its algorithm 1.
    """
    _check("draw_program", length, nesting)
    writer = _Writer(draw, length)
    for _ in range(nesting):
        writer.pieces.append(draw.choice(_OPERATIONS)(writer))
    last = writer.pieces[-1]
    return "\n".join([*last.lines, f"print({last.code})"])


def draw_addition(draw: Random, length: int) -> str:
    """Write the sum of two numbers that have just as many digits.

    Args:
        draw: What is random.
        length: The digits, at least 1.

    Example:
        >>> draw_addition(Random(0), 3)
        'print(964+494)'

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615, section 3.1.
    """
    _check("draw_addition", length, 1)
    low, high = 10 ** (length - 1), 10**length - 1
    return f"print({draw.randint(low, high)}+{draw.randint(low, high)})"


def present(text: str, *, reverse: bool = False, double: bool = False) -> str:
    """A program as it is shown to a network: reversed, twice, both, or as it is.

    Example:
        >>> present("print(7)", reverse=True, double=True)
        ')7(tnirp)7(tnirp'

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615, section 3.2.
    """
    shown = text[::-1] if reverse else text
    return shown * 2 if double else shown


@dataclass(frozen=True)
class Exercise:
    """A program and what it prints.

    Attributes:
        text: The program.
        answer: The number, as it is printed.
        length: Digits of the numbers that it was drawn with.
        nesting: Operations that it was drawn with.
    """

    text: str
    answer: str
    length: int
    nesting: int


@dataclass(frozen=True)
class Curriculum:
    """How hard the programs are that are learnt from, and in which order they come.

    - ``none``: all are of the full length and nesting.
    - ``naive``: length and nesting 1 at first. When learning makes no more progress,
      length grows by 1, up to the full one; then nesting grows by 1, and length begins
      anew.
    - ``mix``: length and nesting of each are drawn from 1 to the full ones.
    - ``combined``: each is drawn as by ``mix`` or as by ``naive``, by the toss of a
      coin.

    Attributes:
        problem: ``programs``, or ``addition`` of two numbers, whose nesting is 1.
        length: Digits of the numbers.
        nesting: Operations of a program.
        strategy: One of the above.

    Example:
        >>> curriculum = Curriculum("addition", length=2, nesting=1, strategy="naive")
        >>> curriculum.stages
        ((1, 1), (2, 1))
        >>> curriculum.draw(1, "seed 0", stage=1)
        [Exercise(text='print(80+12)', answer='92', length=2, nesting=1)]

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615, section 4.
    """

    problem: Problem = "programs"
    length: int = 2
    nesting: int = 2
    strategy: Strategy = "combined"

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check("Curriculum", self.length, self.nesting)
        if self.problem == "addition" and self.nesting != 1:
            raise ArgumentError(
                f"Curriculum: nesting must be 1 for addition, got {self.nesting}."
            )

    @cached_property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """Length and nesting of each stage of ``naive``, the easiest first."""
        return tuple(
            (length, nesting)
            for nesting in range(1, self.nesting + 1)
            for length in range(1, self.length + 1)
        )

    def draw(
        self, count: int, seed: str, *, part: Part = "train", stage: int | None = None
    ) -> list[Exercise]:
        """Draw exercises, always the same for the same arguments.

        A program belongs to one part alone, by the last digit of its MD5: 0 to test, 1
        to choose on, all others to learn from.

        Args:
            count: How many.
            seed: Any text.
            part: Which part they are of.
            stage: Where ``naive`` has come to, from 0. ``None`` for exercises of the
                full length and nesting, whatever the strategy.

        Raises:
            ArgumentError: If there are hardly any of that part.
        """
        draw, found = Random(seed), list[Exercise]()
        while len(found) < count:
            length, nesting = self._hardness(draw, stage)
            text = self._write(draw, length, nesting, part)
            found.append(Exercise(text, str(run_program(text)), length, nesting))
        return found

    def _hardness(self, draw: Random, stage: int | None) -> tuple[int, int]:
        """Length and nesting of the next exercise."""
        if stage is None or self.strategy == "none":
            return self.length, self.nesting
        mixed = self.strategy == "mix"
        if self.strategy == "combined":
            mixed = draw.random() < 0.5
        if not mixed:
            return self.stages[stage]
        return draw.randint(1, self.length), draw.randint(1, self.nesting)

    def _write(self, draw: Random, length: int, nesting: int, part: Part) -> str:
        """A program of a part."""
        for _ in range(_TRIES):
            if self.problem == "addition":
                text = draw_addition(draw, length)
            else:
                text = draw_program(draw, length, nesting)
            if {0: "test", 1: "valid"}.get(hash_digit(text), "train") == part:
                return text
        raise ArgumentError(
            f"Curriculum: there must be {self.problem} of length {length} in the part "
            f"to {part}, got none in {_TRIES} draws. Use a greater length."
        )


def _check(where: str, length: int, nesting: int) -> None:
    if length < 1 or not 1 <= nesting <= len(_NAMES):
        raise ArgumentError(
            f"{where}: length must be at least 1 and nesting from 1 to {len(_NAMES)}, "
            f"got {length} and {nesting}."
        )
