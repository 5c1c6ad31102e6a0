"""Operations on tensors: for all steps at once, where the states are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn.functional import linear

from recurro.cells.ops import Value, apply
from recurro.engine.ir import Op, Program

Leaves = Mapping[str, Mapping[Value, Tensor]]
"""Values of the leaves by kind (``input``, ``state``, ...), then by name."""


def evaluate(
    program: Program,
    ops: Sequence[Op],
    leaves: Leaves,
    parameters: Mapping[str, Tensor],
    like: Tensor,
) -> list[Tensor]:
    """The value of each operation of a forward or a backward step.

    Args:
        program: The step, for the structures of its matrices.
        ops: Its operations, or those of a program made from it.
        leaves: What ``input``, ``state``, ``bernoulli``, ``saved`` and ``grad`` stand
            for; all with the same axes before the units, or fewer.
        parameters: Learnt tensors by their names in the program.
        like: A tensor of the type and the device of the numbers.
    """
    values: list[Tensor] = []
    for op in ops:
        args = [values[a] for a in op.args]
        if op.name in leaves:
            key = op["index"] if op.name == "saved" else op["name"]
            value = leaves[op.name][key]
        elif op.name == "vector":
            value = parameters[op["name"]]
        elif op.name == "const":
            value = like.new_full((1,), op["value"])
        elif op.name == "affine":
            value = _affine(program, op, args, parameters)
        elif op.name == "product":
            value = multiply_back(program, op["matrix"], parameters, args[0])
        elif op.name == "spread":
            value = args[0].expand(*args[0].shape[:-1], op.width)
        else:
            value = apply(op.name, *args)
        values.append(value)
    return values


def multiply(
    program: Program, matrix: str, parameters: Mapping[str, Tensor], value: Tensor
) -> Tensor:
    """The product of a matrix with each row ``(..., units)`` of a value."""
    structure = program.structure(matrix)
    if structure is None:
        return linear(value, parameters[matrix])
    return structure.multiply(parameters[matrix], value)


def multiply_back(
    program: Program, matrix: str, parameters: Mapping[str, Tensor], value: Tensor
) -> Tensor:
    """The product of a matrix's transpose with each row ``(..., units)`` of a value."""
    structure = program.structure(matrix)
    if structure is None:
        return value @ parameters[matrix]
    return structure.multiply_back(parameters[matrix], value)


def _affine(
    program: Program,
    op: Op,
    operands: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
) -> Tensor:
    bias = parameters[op["bias"]] if op["bias"] else None
    total: Tensor | None = None
    for matrix, operand in zip(op["matrices"], operands, strict=True):
        if total is None and bias is not None and program.structure(matrix) is None:
            total, bias = linear(operand, parameters[matrix], bias), None
            continue
        part = multiply(program, matrix, parameters, operand)
        total = part if total is None else total + part
    if bias is None:
        assert total is not None
        return total
    return bias if total is None else total + bias
