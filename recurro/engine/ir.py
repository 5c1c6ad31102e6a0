"""The traced step as a small, verified list of operations.

A program is in static single assignment form: operation i may read only operations
before it. Besides the primitives of ``recurro.cells.ops`` there are six leaves::

    input      what is read at this step           (name)
    state      a state variable at t - 1           (name)
    const      a number                            (value)
    vector     a learnt number for each unit       (name)
    bernoulli  a random mask                       (name, p, per)
    affine     products with matrices, and a bias  (name, matrices, bias)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recurro.cells.ops import COMPARISONS, PRIMITIVES, REDUCTIONS, Value
from recurro.engine.structure import Structure
from recurro.errors import TraceError

LEAVES = ("input", "state", "const", "vector", "bernoulli")

ATTRS = {
    "input": {"name"},
    "state": {"name"},
    "const": {"value"},
    "vector": {"name"},
    "bernoulli": {"name", "p", "per"},
    "affine": {"name", "matrices", "bias"},
}
"""What an operation needs besides operands; the primitives need nothing."""


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        name: A primitive, a leaf, or ``affine``.
        args: Indices of the operations that it reads.
        width: Units of its value; 1 is spread over all units of a wider one.
        attrs: What else it needs, as sorted pairs.
        line: Where in the user's source it stands; not part of its identity.
    """

    name: str
    args: tuple[int, ...]
    width: int
    attrs: tuple[tuple[str, Value], ...] = ()
    line: str = field(default="", compare=False)

    def __getitem__(self, attr: str) -> Value:
        """The attribute of this name."""
        return dict(self.attrs)[attr]


@dataclass(frozen=True)
class Program:
    """A step and what it needs.

    Attributes:
        inputs: Width of each input.
        state: Width of each state variable.
        ops: The operations of the step.
        results: For each state variable, the operation that is its new value.
        output_ops: Operations of the output, whose leaves are the *new* states; its
            value is the last one.
        parameters: Shape of each learnt tensor: ``(out, in)``, ``(width,)``, or what
            the matrix's structure says.
        structures: The matrices that are not dense, by name.
    """

    inputs: tuple[tuple[str, int], ...]
    state: tuple[tuple[str, int], ...]
    ops: tuple[Op, ...]
    results: tuple[int, ...]
    output_ops: tuple[Op, ...]
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    structures: tuple[tuple[str, Structure], ...] = ()

    def __hash__(self) -> int:
        """One hash for the whole life of a program, which is a key at every call."""
        known = self.__dict__.get("_hash")
        if known is None:
            known = hash((self.inputs, self.state, self.ops, self.results))
            object.__setattr__(self, "_hash", known)
        return known

    @property
    def output_width(self) -> int:
        """Units that the layer above reads."""
        return self.output_ops[-1].width

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each learnt tensor by its name."""
        return dict(self.parameters)

    def structure(self, matrix: str) -> Structure | None:
        """The structure of a matrix, ``None`` for a dense one."""
        return dict(self.structures).get(matrix)

    def affines(self) -> list[Op]:
        """The affine maps in the order in which the step calls them."""
        return [op for op in self.ops if op.name == "affine"]

    def __str__(self) -> str:
        """The program as text, one operation a line."""
        lines = [_format(i, op) for i, op in enumerate(self.ops)]
        new = (
            f"{n} = %{r}" for (n, _), r in zip(self.state, self.results, strict=True)
        )
        lines += ["return " + ", ".join(new)]
        lines += [f"out {_format(i, op)}" for i, op in enumerate(self.output_ops)]
        return "\n".join(lines)


def _format(index: int, op: Op) -> str:
    args = ", ".join(
        [f"%{a}" for a in op.args]
        + [f"{key}={value}" for key, value in op.attrs if value not in ((), None)]
    )
    return f"%{index}: {op.width} = {op.name}({args})"


def depends_on_state(ops: tuple[Op, ...]) -> list[bool]:
    """For each operation, whether its value changes with the state at t - 1."""
    depends: list[bool] = []
    for op in ops:
        depends.append(op.name == "state" or any(depends[a] for a in op.args))
    return depends


def verify(program: Program) -> Program:
    """Check every rule of the language and give the program back.

    Raises:
        TraceError: Naming the operation and its source line.
    """
    for ops in (program.ops, program.output_ops):
        for index, op in enumerate(ops):
            _verify_op(op, index, ops)
    if len(program.results) != len(program.state):
        raise TraceError(
            f"verify: a step must return {len(program.state)} states, got "
            f"{len(program.results)}."
        )
    for (name, width), result in zip(program.state, program.results, strict=True):
        if not 0 <= result < len(program.ops):
            raise TraceError(f"verify: state {name!r} is no operation of the program.")
        op = program.ops[result]
        if op.width not in (width, 1) or op.name in COMPARISONS:
            raise TraceError(
                f"verify: state {name!r} must be {width} numbers, got {op.width} of "
                f"{op.name}{op.line}."
            )
    if not program.output_ops or program.output_ops[-1].name in COMPARISONS:
        raise TraceError("verify: the output must be a number for each unit.")
    _verify_leaves(program)
    return program


def _verify_op(op: Op, index: int, ops: tuple[Op, ...]) -> None:
    if {key for key, _ in op.attrs} != ATTRS.get(op.name, set()):
        raise TraceError(
            f"verify: {op.name} must have the attributes "
            f"{sorted(ATTRS.get(op.name, ()))}, got {dict(op.attrs)}{op.line}."
        )
    if any(not 0 <= a < index for a in op.args):
        raise TraceError(f"verify: {op.name} reads a later operation{op.line}.")
    widths = [ops[a].width for a in op.args]
    if op.name in LEAVES:
        arity, expected = 0, op.width
    elif op.name == "affine":
        arity, expected = len(op["matrices"]), op.width
    elif op.name in PRIMITIVES:
        arity = PRIMITIVES[op.name][0]
        expected = 1 if op.name in REDUCTIONS else max(widths, default=1)
        if op.name not in REDUCTIONS and any(w not in (1, expected) for w in widths):
            raise TraceError(
                f"{op.name}: operands must have the same number of units, got "
                f"{' and '.join(map(str, widths))}{op.line}. Bring them to one width "
                "with an affine map."
            )
    else:
        raise TraceError(f"verify: there is no operation {op.name!r}{op.line}.")
    if len(op.args) != arity or op.width != expected:
        raise TraceError(
            f"verify: {op.name} must have {arity} operands and width {expected}, got "
            f"{len(op.args)} and {op.width}{op.line}."
        )
    _verify_truth(op, ops)


def _verify_truth(op: Op, ops: tuple[Op, ...]) -> None:
    """Comparisons feed ``where`` and nothing else reads them."""
    for place, a in enumerate(op.args):
        is_condition = op.name == "where" and place == 0
        if is_condition != (ops[a].name in COMPARISONS):
            raise TraceError(
                f"{op.name}: a comparison may only be the condition of where, and the "
                f"condition must be a comparison, got {ops[a].name}{op.line}."
            )


def _verify_leaves(program: Program) -> None:
    """Each leaf is what the program says it has; the output sees states alone."""
    shapes, states = program.shapes, dict(program.state)
    known = {"input": dict(program.inputs), "state": states}
    for op in program.ops:
        if op.name in known and known[op.name].get(op["name"]) != op.width:
            raise TraceError(
                f"verify: there is no {op.name} {op['name']!r} of width {op.width}"
                f"{op.line}."
            )
        if op.name == "vector":
            _verify_parameter(op["name"], (op.width,), shapes, op)
        if op.name == "affine":
            for matrix, a in zip(op["matrices"], op.args, strict=True):
                shape = (op.width, program.ops[a].width)
                if structure := program.structure(matrix):
                    _verify_square(matrix, shape, op)
                    shape = structure.shape(op.width)
                _verify_parameter(matrix, shape, shapes, op)
            if op["bias"] is not None:
                _verify_parameter(op["bias"], (op.width,), shapes, op)
    for op in program.output_ops:
        state = op.name == "state" and states.get(op["name"]) == op.width
        if op.name in ATTRS and op.name != "const" and not state:
            raise TraceError(
                f"verify: the output may read states alone, got {op.name}{op.line}."
            )


def _verify_square(name: str, shape: tuple[int, int], op: Op) -> None:
    if shape[0] != shape[1]:
        raise TraceError(
            f"verify: matrix {name!r} must be square to have a structure, got {shape}"
            f"{op.line}."
        )


def _verify_parameter(
    name: str, shape: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]], op: Op
) -> None:
    if shapes.get(name) != shape:
        raise TraceError(
            f"verify: parameter {name!r} of {op.name} must have the shape {shape}, got "
            f"{shapes.get(name)}{op.line}."
        )
