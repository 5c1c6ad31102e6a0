"""Small programs that print one number: reading them and running them."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable
from string import ascii_lowercase, digits

from recurro.errors import DataError

__all__ = ["ALPHABET", "run_program", "split_programs"]

ALPHABET = f"\n ()*+-:<=>{digits}{ascii_lowercase}"
"""All symbols that programs are written in."""

_SUMS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_SIDES: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}
_JOINED = re.compile(r"(?<![a-z0-9])[0-9]+[a-z]+")
_LONGEST = 10_000
_ROUNDS = 10_000
_LARGEST = 10**100


def run_program(text: str, place: str = "program", line: int = 1) -> int:
    r"""Run a program and give the number that it prints; nothing else is ever run.

    A program assigns (``a=7``), adds in a loop (``for x in range(3):a+=2``, on one line
    or two) and prints one number at its end. Expressions are numbers, names, ``+``,
    ``-`` and ``*``, brackets, and ``a if b<c else d``; they mean what they mean in
    Python.

    Args:
        text: The program, of symbols of ``ALPHABET``.
        place: What it is called in errors.
        line: The number of its first line there.

    Raises:
        DataError: If it is not such a program, reads a name that was never assigned, is
            longer than 10,000 symbols, goes round loops more than 10,000 times, or gets
            a number of more than 100 digits; line and column are named.

    Example:
        >>> run_program("j=8584\nfor x in range(8):\n    j+=920\nprint((1500+j))")
        17444

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615, section 3.
    """
    _check_symbols(text, place, line)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        at = line + (error.lineno or 1) - 1, error.offset or 1
        raise _error(place, *at, "must be a program", "what is none") from None
    except (RecursionError, MemoryError):
        raise _error(place, line, 1, "must be a program", "too deep a one") from None
    return _Run(place, line).of(tree)


def split_programs(
    lines: Iterable[str], place: str = "programs"
) -> list[tuple[str, int]]:
    r"""Part a file of programs, each of which ends with the line that prints.

    Args:
        lines: The lines of the file. Empty ones between programs do not count.
        place: What the file is called in errors.

    Returns:
        The text of each, and the number of its first line, from 1.

    Raises:
        DataError: If there is none, or the last one prints nothing.

    Example:
        >>> split_programs(["print(1)", "", "a=2", "print(a)"])
        [('print(1)', 1), ('a=2\nprint(a)', 3)]
    """
    found: list[tuple[str, int]] = []
    part: list[str] = []
    number = 0
    for number, raw in enumerate(lines, 1):
        row = raw.rstrip()
        if part or row:
            part.append(row)
        if row.startswith("print"):
            found.append(("\n".join(part), number - len(part) + 1))
            part = []
    if any(part):
        raise DataError(
            f"{place}, line {number}: the last program must end with print(...), got "
            f"{part[-1]!r}. Add that line."
        )
    if not found:
        raise DataError(f"{place}: must hold a program, got none. Write some.")
    return found


def _check_symbols(text: str, place: str, line: int) -> None:
    if len(text) > _LONGEST:
        raise _error(
            place, line, 1, f"must have at most {_LONGEST} symbols", f"{len(text)}"
        )
    for number, row in enumerate(text.split("\n"), line):
        for column, symbol in enumerate(row, 1):
            if symbol not in ALPHABET:
                got = f"{symbol!r}" + (", a division" if symbol in "/%" else "")
                must = "must be of digits, small letters and = + - * ( ) < > : alone"
                raise _error(place, number, column, must, got)
        if joined := _JOINED.search(row):
            must = "numbers must be parted from words"
            raise _error(place, number, joined.start() + 1, must, repr(joined[0]))


def _error(place: str, line: int, column: int, must: str, got: str) -> DataError:
    return DataError(
        f"{place}, line {line}, column {column}: {must}, got {got}. Mend it, or leave "
        "the program out."
    )


class _Run:
    """A program that is running: what its names stand for, and how far it has gone."""

    def __init__(self, place: str, line: int) -> None:
        self.place, self.line = place, line
        self.values: dict[str, int] = {}
        self.rounds = 0

    def of(self, tree: ast.Module) -> int:
        """Run all statements; what the last one prints."""
        if not tree.body:
            raise _error(self.place, self.line, 1, "must print a number", "nothing")
        *before, last = tree.body
        for statement in before:
            self.do(statement)
        match last:
            case ast.Expr(ast.Call(ast.Name("print"), [value], [])):
                return self.value(value)
        raise self.error(last, "the last line must be print(...) of one number")

    def do(self, statement: ast.stmt) -> None:
        """Run a statement before the last."""
        match statement:
            case ast.Assign([ast.Name(name)], value):
                self.values[name] = self.value(value)
            case ast.For(
                ast.Name(counter),
                ast.Call(ast.Name("range"), [count], []),
                [ast.AugAssign(ast.Name() as name, sign, value)],
                [],
            ):
                for number in range(self.rounds_of(count)):
                    self.values[counter] = number
                    self.values[name.id] = self.sum(name, sign, name, value)
            case _:
                raise self.error(
                    statement, "must assign, add in a loop, or print at the end"
                )

    def rounds_of(self, count: ast.expr) -> int:
        """How often a loop goes round."""
        rounds = max(self.value(count), 0)
        self.rounds += rounds
        if self.rounds > _ROUNDS:
            raise self.error(
                count, f"loops must go round at most {_ROUNDS} times", "more"
            )
        return rounds

    def value(self, node: ast.expr) -> int:
        """What an expression is."""
        match node:
            case ast.Constant(int(number)) if not isinstance(number, bool):
                return self.small(node, number)
            case ast.Name(name):
                if name not in self.values:
                    raise self.error(node, "must be assigned before it is read")
                return self.values[name]
            case ast.BinOp(left, sign, right):
                return self.sum(node, sign, left, right)
            case ast.UnaryOp(ast.USub(), value):
                return -self.value(value)
            case ast.IfExp(ast.Compare(left, [sign], [right]), yes, no):
                if type(sign) in _SIDES:
                    sides = self.value(left), self.value(right)
                    return self.value(yes if _SIDES[type(sign)](*sides) else no)
        raise self.error(
            node, "must be numbers, names, + - *, brackets and a if b<c else d"
        )

    def sum(
        self, node: ast.expr, sign: ast.operator, left: ast.expr, right: ast.expr
    ) -> int:
        """The sum, difference or product of two expressions."""
        if type(sign) not in _SUMS:
            raise self.error(node, "must add, subtract or multiply")
        return self.small(node, _SUMS[type(sign)](self.value(left), self.value(right)))

    def small(self, node: ast.expr, number: int) -> int:
        """A number that is not too large."""
        if abs(number) >= _LARGEST:
            raise self.error(node, "numbers must have at most 100 digits", "more")
        return number

    def error(self, node: ast.expr | ast.stmt, must: str, got: str = "") -> DataError:
        """What is wrong where."""
        what = got or repr(ast.unparse(node).split("\n")[0][:40])
        line, column = node.lineno + self.line - 1, node.col_offset + 1
        raise _error(self.place, line, column, must, what)
