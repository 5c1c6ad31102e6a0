"""The same step in other words: a rewrite of the program for what runs it fast.

The product with a diagonal matrix is made unit by unit, so it is no product: as a
vector it needs no whole rows, joins the pointwise equations, and a recurrence through
it is seen to be elementwise. A division of all units by one number becomes a product
with its inverse: one division, and nothing that the way back must keep.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from recurro.engine.ir import Op, Program, verify
from recurro.engine.structure import Diagonal


@cache
def lower(program: Program) -> Program:
    """The same step without diagonal matrices and divisions of all units by one number.

    Args:
        program: The step. The interpreters that run the cell itself need this one, for
            there the affine maps are as the cell calls them.

    Returns:
        A step with the same inputs, states, parameters and results.

    Example:
        >>> from recurro.cells import Elman
        >>> from recurro.engine.trace import trace
        >>> print(lower(trace(Elman(), 2, 3, recurrent=Diagonal())))
        %0: 2 = input(name=x)
        %1: 3 = state(name=h)
        %2: 3 = affine(%0, bias=b_h, matrices=('W_h',), name=h)
        %3: 3 = vector(name=U_h)
        %4: 3 = mul(%3, %1)
        %5: 3 = add(%2, %4)
        %6: 3 = tanh(%5)
        return h = %6
        out %0: 3 = state(name=h)
    """
    diagonal = {n for n, s in program.structures if isinstance(s, Diagonal)}
    ops: list[Op] = []
    place: list[int] = []
    for op in program.ops:
        op = replace(op, args=tuple(place[a] for a in op.args))
        if op.name == "affine" and diagonal.intersection(op["matrices"]):
            place.append(_without_diagonals(ops, op, diagonal))
        elif op.name == "div" and op.width > 1 and ops[op.args[1]].width == 1:
            place.append(_by_inverse(ops, op))
        elif op.name == "add" and _is_zero(ops[op.args[1]]):
            place.append(op.args[0])
        else:
            ops.append(op)
            place.append(len(ops) - 1)
    return verify(
        replace(
            program,
            ops=tuple(ops),
            results=tuple(place[r] for r in program.results),
            structures=tuple(
                (n, s) for n, s in program.structures if n not in diagonal
            ),
        )
    )


def _is_zero(op: Op) -> bool:
    return op.name == "const" and op["value"] == 0


def _by_inverse(ops: list[Op], op: Op) -> int:
    """Write a division by one number as a product with its inverse."""
    above, below = op.args
    ops.append(Op("const", (), 1, (("value", 1.0),), op.line))
    ops.append(Op("div", (len(ops) - 1, below), 1, (), op.line))
    ops.append(Op("mul", (above, len(ops) - 1), op.width, (), op.line))
    return len(ops) - 1


def _without_diagonals(ops: list[Op], op: Op, diagonal: set[str]) -> int:
    """Write an affine map as a smaller one plus products unit by unit."""
    pairs = list(zip(op["matrices"], op.args, strict=True))
    total = None
    rest = [(m, a) for m, a in pairs if m not in diagonal]
    if rest or op["bias"]:
        matrices, args = tuple(m for m, _ in rest), tuple(a for _, a in rest)
        attrs = {**dict(op.attrs), "matrices": matrices}
        ops.append(replace(op, args=args, attrs=tuple(sorted(attrs.items()))))
        total = len(ops) - 1

    def emit(kind: str, /, *args: int, **attrs: str) -> int:
        ops.append(Op(kind, args, op.width, tuple(attrs.items()), op.line))
        return len(ops) - 1

    for matrix, a in pairs:
        if matrix in diagonal:
            product = emit("mul", emit("vector", name=matrix), a)
            total = product if total is None else emit("add", total, product)
    assert total is not None
    return total
