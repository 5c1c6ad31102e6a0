"""Weight gradients after the loop: one product over all steps for each matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from recurro.engine.adjoint import adjoint
from recurro.engine.ir import Program
from recurro.engine.plan import columns, kept, saved_columns, sum_columns

Operand = Tensor | tuple[Tensor, Tensor]
"""What maps read at each step; a state as its start and its value after each step."""


@dataclass(frozen=True)
class _Piece:
    """Rows of a stored tensor, and what their gradient is made of.

    Attributes:
        rows: First row, and the one after the last.
        columns: The same of the gradients of maps, or of the sums for a vector.
        operand: The name of what was multiplied, ``None`` for a vector.
        part: Columns of the operand.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    operand: str | None
    part: tuple[int, int] = (0, 0)

    def joined(self, after: _Piece) -> _Piece | None:
        """Both pieces as one, if they follow upon each other."""
        same = (self.operand, self.part) == (after.operand, after.part)
        if not same or (self.rows[1], self.columns[1]) != (
            after.rows[0],
            after.columns[0],
        ):
            return None
        rows = (self.rows[0], after.rows[1])
        return _Piece(rows, (self.columns[0], after.columns[1]), *_rest(self))


def _rest(piece: _Piece) -> tuple[str | None, tuple[int, int]]:
    return piece.operand, piece.part


@cache
def _pieces(
    program: Program, storage: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[tuple[_Piece, ...], ...]:
    """For each stored tensor the pieces of its gradient."""
    uses = _uses(program)
    found = []
    for _, parts in storage:
        pieces: list[_Piece] = []
        start = 0
        for part in parts:
            end = start + program.shapes[part][0]
            for columns_, operand, of in uses.get(part, []):
                piece = _Piece((start, end), columns_, operand, of)
                joined = pieces[-1].joined(piece) if pieces else None
                pieces[-1:] = [joined] if joined else [*pieces[-1:], piece]
            start = end
        found.append(tuple(pieces))
    return tuple(found)


Use = tuple[tuple[int, int], str | None, tuple[int, int]]


def _uses(program: Program) -> dict[str, list[Use]]:
    """For each parameter: columns of the gradients, the operand and its columns."""
    back = adjoint(program)
    saved = saved_columns(program, kept(program, back))
    uses: dict[str, list[Use]] = {}
    for op, start in zip(program.affines(), columns(program).offsets, strict=True):
        place = (start, start + op.width)
        if op["bias"]:
            uses.setdefault(op["bias"], []).append((place, None, (0, 0)))
        for matrix, a in zip(op["matrices"], op.args, strict=True):
            leaf, width = program.ops[a], program.ops[a].width
            operand, first = "saved", saved[a].offset if a in saved else 0
            if leaf.name == "input":
                operand = leaf["name"]
            elif leaf.name == "state":
                operand = f"old_{leaf['name']}"
            uses.setdefault(matrix, []).append((place, operand, (first, first + width)))
    offsets = sum_columns(program, back).offsets
    for (name, _), start in zip(back.vectors, offsets, strict=True):
        place = (start, start + program.shapes[name][0])
        uses.setdefault(name, []).append((place, None, (0, 0)))
    return uses


def weight_gradients(
    program: Program,
    storage: tuple[tuple[str, tuple[str, ...]], ...],
    operands: Mapping[str, Operand],
    made: Mapping[str, Tensor],
    reverse: bool,
    stored: Sequence[Tensor],
) -> list[Tensor]:
    """The gradients of the stored tensors.

    Args:
        program: The step.
        storage: The parameters in each stored tensor.
        operands: Inputs by name, ``saved``, and ``old_`` states.
        made: ``delta`` ``(time, batch, columns)`` and ``sums`` ``(batch, columns)``.
        reverse: Whether time ran from the last step to the first.
        stored: The tensors.
    """
    sums = made["sums"].sum(0) if "sums" in made else None
    gradients = []
    for pieces, tensor in zip(_pieces(program, storage), stored, strict=True):
        if len(pieces) == 1 and pieces[0].rows == (0, len(tensor)):
            piece = pieces[0]
            if piece.operand is None:
                assert sums is not None
                gradients.append(sums[slice(*piece.columns)])
                continue
            gradient = torch.empty_like(tensor)
            _product(piece, made["delta"], operands, reverse, gradient, add=False)
        else:
            gradient = torch.zeros_like(tensor)
            for piece in pieces:
                rows = gradient[slice(*piece.rows)]
                if piece.operand is None:
                    assert sums is not None
                    rows += sums[slice(*piece.columns)]
                else:
                    _product(piece, made["delta"], operands, reverse, rows, add=True)
        gradients.append(gradient)
    return gradients


def _product(
    piece: _Piece,
    delta: Tensor,
    operands: Mapping[str, Operand],
    reverse: bool,
    out: Tensor,
    add: bool,
) -> None:
    """Give or add delta^T operand, over all steps and rows."""
    assert piece.operand is not None
    delta, value = delta[..., slice(*piece.columns)], operands[piece.operand]
    beta = 1.0 if add else 0.0
    if isinstance(value, tuple):  # the state before each step
        start, trail = value
        first = delta[-1 if reverse else 0]
        torch.addmm(out, first.t(), start, beta=beta, out=out)
        if len(delta) == 1:
            return
        delta, value = (delta[:-1], trail[1:]) if reverse else (delta[1:], trail[:-1])
        beta = 1.0
    elif piece.operand == "saved":
        value = value[..., slice(*piece.part)]
    left, right = delta.flatten(0, 1).t(), value.flatten(0, 1)
    torch.addmm(out, left, right, beta=beta, out=out)
