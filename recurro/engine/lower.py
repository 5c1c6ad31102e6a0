"""Diagonal matrices as learnt vectors: a rewrite of the program for what runs it fast.

The product with a diagonal matrix is made unit by unit, so it is no product: after the
rewrite it needs no whole rows, joins the pointwise equations, and a recurrence through
it is seen to be elementwise.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from recurro.engine.ir import Op, Program, verify
from recurro.engine.structure import Diagonal


@cache
def lower(program: Program) -> Program:
    """The same step with a vector in place of each diagonal matrix.

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
    if not diagonal:
        return program
    ops: list[Op] = []
    place: list[int] = []
    for op in program.ops:
        op = replace(op, args=tuple(place[a] for a in op.args))
        if op.name == "affine" and diagonal.intersection(op["matrices"]):
            place.append(_without_diagonals(ops, op, diagonal))
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
