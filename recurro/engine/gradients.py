"""Of what the gradient of each stored parameter is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from recurro.engine.adjoint import adjoint
from recurro.engine.ir import Program
from recurro.engine.plan import columns, kept, saved_columns, sum_columns
from recurro.engine.structure import Structure

Storage = tuple[tuple[str, tuple[str, ...]], ...]
"""For each stored tensor its name and the parameters stacked in it."""


@dataclass(frozen=True)
class Piece:
    """Rows of a stored tensor, and what their gradient is made of.

    Attributes:
        stored: The number of the tensor.
        row: First row.
        column: First column of ``delta`` for a matrix, of ``sums`` for a vector.
        count: Rows.
        operand: The array that was multiplied, ``None`` for a vector.
        start: First column of the operand.
        width: Columns of the operand.
        structure: That of a matrix which is not dense, and so is stored alone.
    """

    stored: int
    row: int
    column: int
    count: int
    operand: str | None = None
    start: int = 0
    width: int = 1
    structure: Structure | None = None

    def follows(self, before: Piece) -> bool:
        """Whether both are one longer piece."""
        row, column = before.row + before.count, before.column + before.count
        return self == replace(before, row=row, column=column, count=self.count)


def pieces(program: Program, storage: Storage) -> tuple[Piece, ...]:
    """All pieces of the gradients of the stored tensors, as long as they can be."""
    uses = _uses(program)
    found: list[Piece] = []
    for number, (_, parts) in enumerate(storage):
        row = 0
        for part in parts:
            for use in uses.get(part, []):
                piece = replace(use, stored=number, row=row)
                if found and piece.follows(found[-1]):
                    found[-1] = replace(found[-1], count=found[-1].count + piece.count)
                else:
                    found.append(piece)
            row += program.shapes[part][0]
    return tuple(found)


def _uses(program: Program) -> dict[str, list[Piece]]:
    """For each parameter its pieces, as if it began a tensor."""
    back = adjoint(program)
    saved = saved_columns(program, kept(program, back))
    uses: dict[str, list[Piece]] = {}
    for op, g, column in zip(
        program.affines(), back.affine, columns(program).offsets, strict=True
    ):
        if g is None:  # nothing reads it
            continue
        if op["bias"]:
            piece = Piece(0, 0, column, op.width)
            uses.setdefault(op["bias"], []).append(piece)
        for matrix, a in zip(op["matrices"], op.args, strict=True):
            leaf, width = program.ops[a], program.ops[a].width
            if leaf.name == "input":
                operand, start = leaf["name"], 0
            elif leaf.name == "state":
                operand, start = f"old_{leaf['name']}", 0
            else:
                operand, start = "saved", saved[a].offset
            structure = program.structure(matrix)
            piece = Piece(0, 0, column, op.width, operand, start, width, structure)
            uses.setdefault(matrix, []).append(piece)
    offsets = sum_columns(program, back).offsets
    for (name, _), column in zip(back.vectors, offsets, strict=True):
        piece = Piece(0, 0, column, program.shapes[name][0])
        uses.setdefault(name, []).append(piece)
    return uses
