"""What a kernel does in a step: the one form that every renderer reads.

A plan is made of the forward program or of its adjoint, and looks the same for both:
values are loaded, multiplied with matrices, combined unit by unit, reduced over the
units, and stored. Where a product or a reduction needs whole rows of a value, the step
is cut into *phases*; between two phases rows stand in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recurro.cells.ops import REDUCTIONS
from recurro.engine.adjoint import Adjoint
from recurro.engine.ir import LEAVES, Op, Program


@dataclass(frozen=True)
class Array:
    """A tensor that the kernel reads or writes.

    Attributes:
        name: What it holds.
        kind: ``sequence`` (time, batch, columns), ``row`` (batch, width), ``unit``
            (width,) or ``matrix`` (packed for products).
        width: Units that are read or written.
        columns: Length of a row in memory.
        offset: Where in the row the units begin.
    """

    name: str
    kind: str
    width: int
    columns: int
    offset: int = 0


@dataclass
class Plan:
    """A step as nodes, with what is stored and what is carried on.

    A node is an ``Op``: a primitive, ``const``, ``spread``, ``load`` (array), ``carry``
    (name) or ``product`` (matrices: arrays, one for each argument).

    Attributes:
        nodes: The values of a step, in order.
        arrays: The tensors, in the order of the kernel's pointers.
        stores: (node, array): a value written at each step.
        sums: (node, array): a value added up over the steps, for each row.
        carries: Width of each carried variable by name.
        carried: The node that is its next value, ``None`` for zero.
        reverse: Whether the plan walks back over the forward steps.
    """

    carries: dict[str, int]
    reverse: bool
    nodes: list[Op] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    stores: list[tuple[int, int]] = field(default_factory=list)
    sums: list[tuple[int, int]] = field(default_factory=list)
    carried: dict[str, int | None] = field(default_factory=dict)

    def node(self, name: str, /, *args: int, width: int, **attrs: object) -> int:
        """Add a node."""
        self.nodes.append(Op(name, args, width, tuple(sorted(attrs.items()))))
        return len(self.nodes) - 1

    def apply(self, op: Op, args: tuple[int, ...]) -> int:
        """Add a primitive; what reduces one number is that number."""
        alone = op.name in REDUCTIONS and self.nodes[args[0]].width == 1
        return self.node("spread" if alone else op.name, *args, width=op.width)

    def array(self, array: Array) -> int:
        """The place of an array, added if it is new."""
        if array not in self.arrays:
            self.arrays.append(array)
        return self.arrays.index(array)

    def load(self, array: Array) -> int:
        """A node that reads an array."""
        return self.node("load", width=array.width, array=self.array(array))

    def phases(self) -> list[int]:
        """The phase in which each node can be computed.

        A product waits for whole rows of its arguments, and what reads a reduction
        waits for the phase that sums it up; carried rows are there from the start.
        """
        phases: list[int] = []
        for op in self.nodes:
            before = [phases[a] for a in op.args]
            if op.name == "product":
                waits = [phases[a] + (self.nodes[a].name != "carry") for a in op.args]
                phases.append(max(waits, default=0))
            elif op.name in REDUCTIONS:
                phases.append(before[0] + 1)
            else:
                phases.append(max(before, default=0))
        return phases


@dataclass(frozen=True)
class Columns:
    """Where the values of affine maps stand side by side in one array.

    Attributes:
        offsets: For each affine map its first column, -1 for one that is not there.
        total: Columns in all.
    """

    offsets: tuple[int, ...]
    total: int


def columns(program: Program, hoisted: bool) -> Columns:
    """The columns of all affine maps, or of those alone that read an input."""
    offsets, total = [], 0
    for op in program.affines():
        if hoisted and not _reads_input(program, op):
            offsets.append(-1)
            continue
        offsets.append(total)
        total += op.width
    return Columns(tuple(offsets), total)


def _reads_input(program: Program, op: Op) -> bool:
    return any(program.ops[a].name == "input" for a in op.args)


def kept(program: Program, adjoint: Adjoint) -> tuple[int, ...]:
    """Operations whose values the forward step must store for the backward pass.

    Those that the backward step reads, and the computed operands of affine maps, of
    which the weight gradients are made.
    """
    operands = {
        a
        for op in program.affines()
        for a in op.args
        if program.ops[a].name not in ("input", "state")
    }
    return tuple(sorted(operands | set(adjoint.saved)))


def saved_array(program: Program, index: int) -> Array:
    """Where the value of a forward operation is kept at every step."""
    width = program.ops[index].width
    return Array(f"saved_{index}", "sequence", width, width)


def _leaf(plan: Plan, op: Op) -> int:
    """The leaves that forward and backward steps share."""
    if op.name == "const":
        return plan.node("const", width=1, value=op["value"])
    name = op["name"]
    if op.name == "vector":
        return plan.load(Array(name, "unit", op.width, op.width))
    if op.name == "bernoulli" and op["per"] == "sequence":
        return plan.load(Array(name, "row", op.width, op.width))
    return plan.load(Array(name, "sequence", op.width, op.width))


def forward_plan(program: Program, keep: Sequence[int] = ()) -> Plan:
    """The plan of a forward step.

    Args:
        program: The step.
        keep: Operations whose values are stored.
    """
    plan = Plan(carries=dict(program.state), reverse=False)
    hoisted = columns(program, hoisted=True)
    place: list[int] = []
    calls = 0
    for op in program.ops:
        if op.name == "state":
            place.append(plan.node("carry", width=op.width, name=op["name"]))
        elif op.name == "affine":
            place.append(_affine(plan, program, op, hoisted, calls, place))
            calls += 1
        elif op.name in ("input", "const", "vector", "bernoulli"):
            place.append(_leaf(plan, op))
        else:
            place.append(plan.apply(op, tuple(place[a] for a in op.args)))
    for index in keep:
        plan.stores.append((place[index], plan.array(saved_array(program, index))))
    for (name, width), result in zip(program.state, program.results, strict=True):
        plan.carried[name] = _wide(plan, place[result], width)
    return plan


def _affine(
    plan: Plan,
    program: Program,
    op: Op,
    hoisted: Columns,
    call: int,
    place: list[int],
) -> int:
    """What was made before the loop, plus the products of this step."""
    parts = []
    if _reads_input(program, op):
        offset = hoisted.offsets[call]
        parts.append(
            plan.load(Array("drive", "sequence", op.width, hoisted.total, offset))
        )
    elif op["bias"]:
        parts.append(plan.load(Array(op["bias"], "unit", op.width, op.width)))
    pairs = [
        (place[a], plan.array(Array(matrix, "matrix", op.width, program.ops[a].width)))
        for matrix, a in zip(op["matrices"], op.args, strict=True)
        if program.ops[a].name != "input"
    ]
    if pairs:
        args, matrices = zip(*pairs, strict=True)
        parts.append(plan.node("product", *args, width=op.width, matrices=matrices))
    if len(parts) == 1:
        return parts[0]
    return plan.node("add", *parts, width=op.width)


def backward_plan(program: Program, adjoint: Adjoint) -> Plan:
    """The plan of a backward step.

    The carried variables are the gradients by the states. ``old_`` arrays hold the
    states before the step, ``delta`` the gradients of all affine maps' values, ``by_``
    arrays those of vectors and of inputs that are used unit by unit.
    """
    plan = Plan(carries=dict(program.state), reverse=True)
    place: list[int] = []
    for op in adjoint.ops:
        place.append(_backward_node(plan, program, op, [place[a] for a in op.args]))
    every = columns(program, hoisted=False)
    maps = zip(program.affines(), adjoint.affine, every.offsets, strict=True)
    for op, g, offset in maps:
        if g is not None:
            delta = Array("delta", "sequence", op.width, every.total, offset)
            plan.stores.append((place[g], plan.array(delta)))
    for kind, found, put in (
        ("sequence", adjoint.inputs, plan.stores),
        ("row", adjoint.vectors, plan.sums),
    ):
        widths = {**dict(program.inputs), **{n: s[0] for n, s in program.parameters}}
        for name, g in found:
            array = Array(f"by_{name}", kind, widths[name], widths[name])
            put.append((_wide(plan, place[g], widths[name]), plan.array(array)))
    for (name, width), g in zip(program.state, adjoint.state, strict=True):
        plan.carried[name] = None if g is None else _wide(plan, place[g], width)
    return _without_unread(plan)


def _backward_node(plan: Plan, program: Program, op: Op, args: list[int]) -> int:
    if op.name == "grad":
        return plan.node("carry", width=op.width, name=op["name"])
    if op.name == "saved":
        return plan.load(saved_array(program, op["index"]))
    if op.name == "state":
        return plan.load(Array(f"old_{op['name']}", "sequence", op.width, op.width))
    if op.name in LEAVES:
        return _leaf(plan, op)
    if op.name == "product":
        inner = plan.nodes[args[0]].width
        matrix = plan.array(Array(f"{op['matrix']}.T", "matrix", op.width, inner))
        return plan.node("product", *args, width=op.width, matrices=(matrix,))
    both = [plan.nodes[a] for a in args]
    if op.name == "add" and all(part.name == "product" for part in both):
        # Sums of products are one longer product, in the same registers.
        matrices = tuple(m for part in both for m in part["matrices"])
        operands = (a for part in both for a in part.args)
        return plan.node("product", *operands, width=op.width, matrices=matrices)
    return plan.apply(op, tuple(args))


def _wide(plan: Plan, index: int, width: int) -> int:
    if plan.nodes[index].width == width:
        return index
    return plan.node("spread", index, width=width)


def _without_unread(plan: Plan) -> Plan:
    """The same plan without nodes that nothing reads (products that were joined)."""
    roots = {n for n, _ in plan.stores + plan.sums} | set(plan.carried.values())
    read = {root for root in roots if root is not None}
    for index in reversed(range(len(plan.nodes))):
        if index in read:
            read.update(plan.nodes[index].args)
    new = {old: i for i, old in enumerate(sorted(read))}
    nodes = [plan.nodes[old] for old in new]
    plan.nodes = [
        Op(op.name, tuple(new[a] for a in op.args), op.width, op.attrs) for op in nodes
    ]
    plan.stores = [(new[n], array) for n, array in plan.stores]
    plan.sums = [(new[n], array) for n, array in plan.sums]
    plan.carried = {k: None if n is None else new[n] for k, n in plan.carried.items()}
    return plan
