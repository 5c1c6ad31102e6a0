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
from recurro.engine.structure import Sparse, Structure

PRODUCTS = ("product", "sparse")
"""The nodes that read whole rows of their arguments."""


@dataclass(frozen=True)
class Array:
    """A tensor that the kernel reads or writes.

    Attributes:
        name: What it holds.
        kind: ``sequence`` (time, batch, columns) or ``row`` (batch, width); in the
            kernel's own memory ``chunk`` (some steps, rows, columns) or ``sum`` (rows,
            width); or a parameter: ``unit`` (width,), ``matrix`` (width, columns) or
            ``sparse``. The kernel copies parameters into the order in which it reads
            them.
        width: Units that are read or written.
        columns: Length of a row in memory.
        offset: Where in the row the units begin.
        structure: That of a matrix which is not dense.
    """

    name: str
    kind: str
    width: int
    columns: int
    offset: int = 0
    structure: Structure | None = None


@dataclass
class Plan:
    """A step as nodes, with what is stored and what is carried on.

    A node is an ``Op``: a primitive, ``const``, ``spread``, ``load`` (array), ``carry``
    (name), ``sparse`` (matrix: an array) or ``product``: the sum of a bias, of products
    with what stands in memory before the loop and of products with this step's values.
    Its attributes are ``bias`` (an array or ``None``), ``hoisted`` (pairs of arrays:
    sequence, matrix) and ``matrices`` (arrays, one for each argument).

    Attributes:
        nodes: The values of a step, in order.
        arrays: The tensors, in the order of the kernel's pointers.
        stores: (node, array): a value written at each step.
        sums: (node, array): a value added up over the steps, for each row.
        carries: Width of each carried variable by name.
        carried: The node that is its next value, ``None`` for zero.
        after: (hoisted, array): sums of products of what the steps have stored.
        reverse: Whether the plan walks back over the forward steps.
    """

    carries: dict[str, int]
    reverse: bool
    nodes: list[Op] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    stores: list[tuple[int, int]] = field(default_factory=list)
    sums: list[tuple[int, int]] = field(default_factory=list)
    carried: dict[str, int | None] = field(default_factory=dict)
    after: list[tuple[tuple[tuple[int, int], ...], int]] = field(default_factory=list)

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

    def product(
        self,
        *args: int,
        width: int,
        matrices: tuple[int, ...] = (),
        hoisted: tuple[tuple[int, int], ...] = (),
        bias: int | None = None,
    ) -> int:
        """Add a product."""
        attrs = {"matrices": matrices, "hoisted": hoisted, "bias": bias}
        return self.node("product", *args, width=width, **attrs)

    def phases(self) -> list[int]:
        """The phase in which each node can be computed.

        A product waits for whole rows of its arguments, and what reads a reduction
        waits for the phase that sums it up; carried rows are there from the start.
        """
        phases: list[int] = []
        for op in self.nodes:
            before = [phases[a] for a in op.args]
            if op.name in PRODUCTS:
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


def columns(program: Program) -> Columns:
    """The columns of all affine maps, in the order of the calls."""
    offsets, total = [], 0
    for op in program.affines():
        offsets.append(total)
        total += op.width
    return Columns(tuple(offsets), total)


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


def saved_columns(program: Program, keep: Sequence[int]) -> dict[int, Array]:
    """Where the values of forward operations are kept at every step: in one array."""
    total = sum(program.ops[index].width for index in keep)
    arrays, offset = {}, 0
    for index in keep:
        width = program.ops[index].width
        arrays[index] = Array("saved", "sequence", width, total, offset)
        offset += width
    return arrays


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
    place: list[int] = []
    for op in program.ops:
        if op.name == "state":
            place.append(plan.node("carry", width=op.width, name=op["name"]))
        elif op.name == "affine":
            place.append(_affine(plan, program, op, place))
        elif op.name in ("input", "const", "vector", "bernoulli"):
            place.append(_leaf(plan, op))
        else:
            place.append(plan.apply(op, tuple(place[a] for a in op.args)))
    for index, array in saved_columns(program, keep).items():
        plan.stores.append((place[index], plan.array(array)))
    for (name, width), result in zip(program.state, program.results, strict=True):
        plan.carried[name] = _wide(plan, place[result], width)
    return _without_unread(plan)


def _affine(plan: Plan, program: Program, op: Op, place: list[int]) -> int:
    """One product: what is made of inputs for all steps, and what of this step.

    To it come the products with sparse matrices, one by one.
    """
    hoisted, args, matrices, parts = [], [], [], []
    for matrix, a in zip(op["matrices"], op.args, strict=True):
        inner, leaf = program.ops[a].width, program.ops[a]
        array = _matrix(plan, program, matrix, "", op.width, inner)
        if leaf.name == "input":
            read = plan.array(Array(leaf["name"], "sequence", inner, inner))
            hoisted.append((read, array))
        elif plan.arrays[array].kind == "sparse":
            parts.append(plan.node("sparse", place[a], width=inner, matrix=array))
        else:
            args.append(place[a])
            matrices.append(array)
    bias = op["bias"] and plan.array(Array(op["bias"], "unit", op.width, op.width))
    if args or hoisted or op["bias"]:
        product = plan.product(
            *args,
            width=op.width,
            matrices=tuple(matrices),
            hoisted=tuple(hoisted),
            bias=bias if op["bias"] else None,
        )
        parts.insert(0, product)
    total = parts[0]
    for part in parts[1:]:
        total = plan.node("add", total, part, width=op.width)
    return total


def _matrix(
    plan: Plan, program: Program, name: str, suffix: str, width: int, inner: int
) -> int:
    """The array of a matrix, or with the suffix ``.T`` that of its transpose."""
    structure = program.structure(name)
    kind = "sparse" if isinstance(structure, Sparse) else "matrix"
    array = Array(name + suffix, kind, width, inner, structure=structure)
    return plan.array(array)


def backward_plan(program: Program, adjoint: Adjoint) -> Plan:
    """The plan of a backward step.

    The carried variables are the gradients by the states. ``old_`` arrays hold the
    states before the step, ``delta`` the gradients of all affine maps' values, ``by_``
    arrays those of inputs, ``sums`` for each row those of biases and vectors.
    """
    plan = Plan(carries=dict(program.state), reverse=True)
    saved = saved_columns(program, kept(program, adjoint))
    place: list[int] = []
    for op in adjoint.ops:
        args = [place[a] for a in op.args]
        place.append(_backward_node(plan, program, op, args, saved))
    every = columns(program)
    sums = sum_columns(program, adjoint)
    for op, g, offset in zip(
        program.affines(), adjoint.affine, every.offsets, strict=True
    ):
        if g is not None:
            delta = Array("delta", "chunk", op.width, every.total, offset)
            plan.stores.append((place[g], plan.array(delta)))
            if op["bias"]:
                total = Array("sums", "sum", op.width, sums.total, offset)
                plan.sums.append((place[g], plan.array(total)))
    for (name, g), offset in zip(adjoint.vectors, sums.offsets, strict=True):
        width = program.shapes[name][0]
        total = Array("sums", "sum", width, sums.total, offset)
        plan.sums.append((_wide(plan, place[g], width), plan.array(total)))
    inputs = dict(program.inputs)
    for name, g in adjoint.inputs:
        array = plan.array(Array(f"by_{name}", "sequence", inputs[name], inputs[name]))
        plan.stores.append((_wide(plan, place[g], inputs[name]), array))
    for name, width in program.inputs:
        _input_gradient(plan, program, adjoint, name, width)
    _operands(plan, program, saved)
    for (name, width), g in zip(program.state, adjoint.state, strict=True):
        plan.carried[name] = None if g is None else _wide(plan, place[g], width)
    return _without_unread(plan)


def _operands(plan: Plan, program: Program, saved: dict[int, Array]) -> None:
    """The arrays that affine maps read: weight gradients are made of them."""
    for op in program.affines():
        for a in op.args:
            leaf = program.ops[a]
            if leaf.name == "input":
                plan.array(Array(leaf["name"], "sequence", leaf.width, leaf.width))
            elif leaf.name == "state":
                name = f"old_{leaf['name']}"
                plan.array(Array(name, "sequence", leaf.width, leaf.width))
            else:
                plan.array(saved[a])


def sum_columns(program: Program, adjoint: Adjoint) -> Columns:
    """The columns of vectors' gradients, after those of the affine maps' biases."""
    offsets, total = [], columns(program).total
    for name, _ in adjoint.vectors:
        offsets.append(total)
        total += program.shapes[name][0]
    return Columns(tuple(offsets), total)


def _input_gradient(
    plan: Plan, program: Program, adjoint: Adjoint, name: str, width: int
) -> None:
    """The gradient of an input through the affine maps, made when steps are done."""
    every, pairs = columns(program), []
    for op, g, offset in zip(
        program.affines(), adjoint.affine, every.offsets, strict=True
    ):
        if g is None:  # nothing reads it
            continue
        for matrix, a in zip(op["matrices"], op.args, strict=True):
            leaf = program.ops[a]
            if leaf.name == "input" and leaf["name"] == name:
                delta = Array("delta", "chunk", op.width, every.total, offset)
                back = Array(f"{matrix}.T", "matrix", width, op.width)
                pairs.append((plan.array(delta), plan.array(back)))
    if pairs:
        array = plan.array(Array(f"by_{name}", "sequence", width, width))
        plan.after.append((tuple(pairs), array))


def _backward_node(
    plan: Plan, program: Program, op: Op, args: list[int], saved: dict[int, Array]
) -> int:
    if op.name == "grad":
        return plan.node("carry", width=op.width, name=op["name"])
    if op.name == "saved":
        return plan.load(saved[op["index"]])
    if op.name == "state":
        return plan.load(Array(f"old_{op['name']}", "sequence", op.width, op.width))
    if op.name in LEAVES:
        return _leaf(plan, op)
    if op.name == "product":
        inner = plan.nodes[args[0]].width
        matrix = _matrix(plan, program, op["matrix"], ".T", op.width, inner)
        if plan.arrays[matrix].kind == "sparse":
            return plan.node("sparse", *args, width=op.width, matrix=matrix)
        return plan.product(*args, width=op.width, matrices=(matrix,))
    both = [plan.nodes[a] for a in args]
    if op.name == "add" and all(part.name == "product" for part in both):
        # Sums of products are one longer product, in the same registers.
        matrices = tuple(m for part in both for m in part["matrices"])
        operands = (a for part in both for a in part.args)
        return plan.product(*operands, width=op.width, matrices=matrices)
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
