"""Recurrences that are linear in the state, unit by unit, found from the program.

For states s_1 to s_n of the same width, the step is brought to the form

    s_i(t) = sum over j of A_ij(t) s_j(t-1) + b_i(t)

where A and b do not depend on the state and each unit reads its own states alone. The
name of the cell plays no part: every operation is followed with its degree in the
state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from recurro.engine.ir import Op, Program, depends_on_state


@dataclass(frozen=True)
class LinearForm:
    """A step as A s + b.

    Attributes:
        ops: Operations that do not depend on the state.
        factors: For each new state and each old one, the operation that is A, or
            ``None`` for zero. A value of width 1 is the same for all units.
        offsets: For each new state the operation that is b, or ``None`` for zero.
    """

    ops: tuple[Op, ...]
    factors: tuple[tuple[int | None, ...], ...]
    offsets: tuple[int | None, ...]


@dataclass(frozen=True)
class _Value:
    """A value of the step: sum over j of factors[j] s_j, plus offset."""

    factors: tuple[int | None, ...]
    offset: int | None

    @property
    def is_free(self) -> bool:
        return all(factor is None for factor in self.factors)


class _NotLinear(Exception):
    """The step is of another form."""


@dataclass
class _Builder:
    """Writes the operations that do not depend on the state, each once."""

    ops: list[Op] = field(default_factory=list)
    known: dict[Op, int] = field(default_factory=dict)

    def put(self, op: Op) -> int:
        if op not in self.known:
            self.ops.append(op)
            self.known[op] = len(self.ops) - 1
        return self.known[op]

    def const(self, value: float) -> int:
        return self.put(Op("const", (), 1, (("value", value),)))

    def apply(self, name: str, *args: int) -> int:
        return self.put(Op(name, args, max(self.ops[a].width for a in args)))

    def is_one(self, index: int) -> bool:
        op = self.ops[index]
        return op.name == "const" and op["value"] == 1.0


@cache
def linear_form(program: Program) -> LinearForm | None:
    """The step as A s + b, or ``None`` if it has no such form.

    Example:
        >>> from recurro.cells import GRU, MinGRU
        >>> from recurro.engine.trace import trace
        >>> linear_form(trace(GRU(), input_size=2, hidden_size=3)) is None
        True
        >>> form = linear_form(trace(MinGRU(), input_size=2, hidden_size=3))
        >>> form.ops[form.factors[0][0]].name, form.ops[form.offsets[0]].name
        ('sub', 'mul')
    """
    if len({width for _, width in program.state}) != 1:
        return None
    builder = _Builder()
    try:
        values = _values(builder, program)
    except _NotLinear:
        return None
    results = [values[r] for r in program.results]
    return LinearForm(
        tuple(builder.ops),
        tuple(value.factors for value in results),
        tuple(value.offset for value in results),
    )


def _values(b: _Builder, program: Program) -> list[_Value]:
    """Every operation of the step as a linear function of the state."""
    names = [name for name, _ in program.state]
    zeros: tuple[int | None, ...] = (None,) * len(names)
    values: list[_Value] = []
    for op, depends in zip(program.ops, depends_on_state(program.ops), strict=True):
        args = [values[a] for a in op.args]
        if op.name == "state":
            place = names.index(op["name"])
            factors = (*zeros[:place], b.const(1.0), *zeros[place + 1 :])
            values.append(_Value(factors, None))
        elif depends:
            if op.name not in RULES:
                raise _NotLinear
            values.append(RULES[op.name](b, *args))
        else:
            places = tuple(_offset(b, value) for value in args)
            values.append(_Value(zeros, b.put(replace(op, args=places))))
    return values


def _offset(b: _Builder, value: _Value) -> int:
    return b.const(0.0) if value.offset is None else value.offset


def _each(combine: Callable[..., int | None], *values: _Value) -> _Value:
    """The same combination of each factor and of the offsets."""
    factors = zip(*(value.factors for value in values), strict=True)
    return _Value(
        tuple(combine(*each) for each in factors),
        combine(*(value.offset for value in values)),
    )


def _negative(b: _Builder, value: _Value) -> _Value:
    return _each(lambda a: None if a is None else b.apply("neg", a), value)


def _add(b: _Builder, left: _Value, right: _Value) -> _Value:
    def combine(x: int | None, y: int | None) -> int | None:
        if x is None or y is None:
            return y if x is None else x
        return b.apply("add", x, y)

    return _each(combine, left, right)


def _sub(b: _Builder, left: _Value, right: _Value) -> _Value:
    def combine(x: int | None, y: int | None) -> int | None:
        if y is None:
            return x
        return b.apply("neg", y) if x is None else b.apply("sub", x, y)

    return _each(combine, left, right)


def _mul(b: _Builder, left: _Value, right: _Value) -> _Value:
    value, scale = (left, right) if right.is_free else (right, left)
    if not scale.is_free:
        raise _NotLinear
    by = _offset(b, scale)

    def combine(x: int | None) -> int | None:
        if x is None or b.is_one(by):
            return x
        return by if b.is_one(x) else b.apply("mul", x, by)

    return _each(combine, value)


def _div(b: _Builder, left: _Value, right: _Value) -> _Value:
    if not right.is_free:
        raise _NotLinear
    by = _offset(b, right)
    return _each(lambda x: None if x is None else b.apply("div", x, by), left)


def _where(b: _Builder, condition: _Value, left: _Value, right: _Value) -> _Value:
    chosen = _offset(b, condition)

    def combine(x: int | None, y: int | None) -> int | None:
        if x is None and y is None:
            return None
        return b.apply(
            "where",
            chosen,
            b.const(0.0) if x is None else x,
            b.const(0.0) if y is None else y,
        )

    return _each(combine, left, right)


RULES: dict[str, Callable[..., _Value]] = {
    "neg": _negative,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "where": _where,
}
"""How the operations that keep a value linear combine their operands."""
