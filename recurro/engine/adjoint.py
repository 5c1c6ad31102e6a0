"""The program of one backward step, from the program of the forward step.

Reverse-mode differentiation by a table with one rule per operation; programs in,
programs out. What the backward step reads of the forward step is either a leaf (states,
inputs, vectors and masks are at hand), or recomputed, or stored, by one rule: sums,
products, comparisons and choices of available values are recomputed; everything that
costs a transcendental, a division, a reduction or a product with a matrix is stored. So
the backward step evaluates no transcendental, but for the derivatives of softplus, sin,
cos and pow.

The gradients of weights are not accumulated step by step: the gradient of each affine
map's value is an output of the backward step, and one product over all steps makes each
weight gradient after the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recurro.cells.ops import REDUCTIONS
from recurro.engine.ir import LEAVES, Op, Program, depends_on_state

CHEAP = (
    *("neg", "add", "sub", "mul", "relu", "abs", "minimum", "maximum"),
    *("lt", "le", "gt", "ge", "where"),
)
"""Operations that are recomputed rather than stored."""


@dataclass(frozen=True)
class Adjoint:
    """The backward step.

    Besides the operations of a program there are ``saved`` (index: the value of an
    operation of the forward step), ``grad`` (name: the gradient of a new state),
    ``product`` (matrix: g times that matrix) and ``spread`` (one number for all units).
    A gradient of width 1 by a wider value is the same for all its units.

    Attributes:
        saved: Operations of the forward step whose values it must keep, in order.
        ops: The operations of the backward step.
        state: For each state variable, the gradient by its value at t - 1, or ``None``
            where there is none.
        affine: For each affine map, in the order of the calls, the gradient of its
            value, or ``None``.
        vectors: For each learnt vector, the gradient at this step, to be summed.
        inputs: For each input, the gradient that comes of its elementwise use; that of
            its products is made after the loop.
    """

    saved: tuple[int, ...]
    ops: tuple[Op, ...]
    state: tuple[int | None, ...]
    affine: tuple[int | None, ...]
    vectors: tuple[tuple[str, int], ...]
    inputs: tuple[tuple[str, int], ...]


class _Builder:
    """Writes the backward program; knows how to get a forward value."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ops: list[Op] = []
        self.known: dict[Op, int] = {}
        self.saved: dict[int, int] = {}

    def emit(
        self, name: str, /, *args: int, width: int | None = None, **attrs: object
    ) -> int:
        """Write an operation, or find the equal one that is already there."""
        widths = [self.ops[a].width for a in args]
        if width is None:
            width = 1 if name in REDUCTIONS else max(widths, default=1)
        op = Op(name, args, width, tuple(sorted(attrs.items())))
        if op not in self.known:
            self.ops.append(op)
            self.known[op] = len(self.ops) - 1
        return self.known[op]

    def const(self, value: float) -> int:
        return self.emit("const", value=value)

    def value(self, index: int) -> int:
        """The forward value of an operation: a leaf, recomputed, or stored."""
        op = self.program.ops[index]
        if op.name in LEAVES:
            return self.emit(op.name, width=op.width, **dict(op.attrs))
        if op.name in CHEAP:
            return self.emit(op.name, *(self.value(a) for a in op.args))
        self.saved.setdefault(index, index)
        return self.emit("saved", width=op.width, index=index)


Rule = Callable[["_Builder", Op, int, int], tuple[int | None, ...]]
"""``rule(builder, op, index, g)``: gradients by the arguments, from g by the value."""


def _unary(derivative: Callable[[_Builder, Op, int], int]) -> Rule:
    """The chain rule for one argument: g times the derivative."""

    def rule(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
        return (b.emit("mul", g, derivative(b, op, y)),)

    return rule


def _choose(b: _Builder, condition: str, a: int, c: int, yes: int, no: int) -> int:
    return b.emit("where", b.emit(condition, a, c), yes, no)


def _sigmoid(b: _Builder, op: Op, y: int) -> int:
    value = b.value(y)
    return b.emit("mul", value, b.emit("sub", b.const(1.0), value))


def _tanh(b: _Builder, op: Op, y: int) -> int:
    value = b.value(y)
    return b.emit("sub", b.const(1.0), b.emit("mul", value, value))


def _softplus(b: _Builder, op: Op, y: int) -> int:
    # sigmoid(a) = 1 - exp(-softplus(a)); the one rule that needs an exponential.
    return b.emit("sub", b.const(1.0), b.emit("exp", b.emit("neg", b.value(y))))


def _sign(b: _Builder, op: Op, y: int) -> int:
    a, zero = b.value(op.args[0]), b.const(0.0)
    negative = _choose(b, "lt", a, zero, b.const(-1.0), zero)
    return _choose(b, "gt", a, zero, b.const(1.0), negative)


def _step(b: _Builder, op: Op, y: int) -> int:
    zero = b.const(0.0)
    return _choose(b, "gt", b.value(op.args[0]), zero, b.const(1.0), zero)


def _amax(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
    a, top, zero = b.value(op.args[0]), b.value(y), b.const(0.0)
    is_top = _choose(b, "ge", a, top, b.const(1.0), zero)
    return (b.emit("mul", is_top, b.emit("div", g, b.emit("sum", is_top))),)


def _extreme(condition: str) -> Rule:
    """The chosen one gets the gradient, equal ones half each."""

    def rule(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
        a, c = (b.value(i) for i in op.args)
        half, zero = b.emit("mul", g, b.const(0.5)), b.const(0.0)
        to_a = _choose(b, condition, a, c, g, _choose(b, condition, c, a, zero, half))
        to_c = _choose(b, condition, c, a, g, _choose(b, condition, a, c, zero, half))
        return to_a, to_c

    return rule


def _mul(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
    left, right = op.args
    return b.emit("mul", g, b.value(right)), b.emit("mul", g, b.value(left))


def _div(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
    to_a = b.emit("div", g, b.value(op.args[1]))
    return to_a, b.emit("neg", b.emit("mul", to_a, b.value(y)))


def _pow(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
    base, exponent = op.args
    n = b.value(exponent)
    lower = b.emit("pow", b.value(base), b.emit("sub", n, b.const(1.0)))
    to_base = b.emit("mul", g, b.emit("mul", n, lower))
    if b.program.ops[exponent].name == "const":
        return to_base, None
    slope = b.emit("mul", b.value(y), b.emit("log", b.value(base)))
    return to_base, b.emit("mul", g, slope)


def _where(b: _Builder, op: Op, y: int, g: int) -> tuple[int | None, ...]:
    condition, zero = b.value(op.args[0]), b.const(0.0)
    return (
        None,
        b.emit("where", condition, g, zero),
        b.emit("where", condition, zero, g),
    )


def _reciprocal(scale: float) -> Callable[[_Builder, Op, int, int], int]:
    def over(b: _Builder, op: Op, of: int, g: int) -> int:
        return b.emit("div", b.emit("mul", g, b.const(scale)), b.value(of))

    return over


RULES: dict[str, Rule] = {
    "neg": lambda b, op, y, g: (b.emit("neg", g),),
    "add": lambda b, op, y, g: (g, g),
    "sub": lambda b, op, y, g: (g, b.emit("neg", g)),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "sigmoid": _unary(_sigmoid),
    "tanh": _unary(_tanh),
    "relu": _unary(_step),
    "exp": _unary(lambda b, op, y: b.value(y)),
    "log": lambda b, op, y, g: (_reciprocal(1.0)(b, op, op.args[0], g),),
    "sqrt": lambda b, op, y, g: (_reciprocal(0.5)(b, op, y, g),),
    "softplus": _unary(_softplus),
    "abs": _unary(_sign),
    "sin": _unary(lambda b, op, y: b.emit("cos", b.value(op.args[0]))),
    "cos": _unary(lambda b, op, y: b.emit("neg", b.emit("sin", b.value(op.args[0])))),
    "floor": lambda b, op, y, g: (None,),
    "sum": lambda b, op, y, g: (g,),
    "amax": _amax,
    "minimum": _extreme("lt"),
    "maximum": _extreme("gt"),
    "where": _where,
    **dict.fromkeys(("lt", "le", "gt", "ge"), lambda b, op, y, g: (None, None)),
}
"""The gradient rule of each primitive."""


def _gather(b: _Builder, g: int, width: int, wanted: int) -> int:
    """Sum a gradient over the units that a value of width 1 was spread over."""
    if wanted > 1 or width == 1:
        return g
    if b.ops[g].width == 1:
        return b.emit("mul", g, b.const(float(width)))
    return b.emit("sum", g)


def _spread(b: _Builder, g: int, width: int) -> int:
    return g if b.ops[g].width == width else b.emit("spread", g, width=width)


def _sweep(b: _Builder, program: Program) -> tuple[dict[int, int], list[int | None]]:
    """The gradient by each operation's value, from last to first; those of affines."""
    gradients: dict[int, int] = {}
    affine: list[int | None] = []

    def add(index: int, g: int) -> None:
        known = gradients.get(index)
        gradients[index] = g if known is None else b.emit("add", known, g)

    for (name, width), result in zip(program.state, program.results, strict=True):
        g = b.emit("grad", width=width, name=name)
        add(result, _gather(b, g, width, program.ops[result].width))
    for index in reversed(range(len(program.ops))):
        op, g = program.ops[index], gradients.get(index)
        if op.name == "affine":
            g = g if g is None else _spread(b, g, op.width)
            affine.insert(0, g)
        for a, part in _parts(b, program, index, g):
            add(a, part)
    return gradients, affine


def _parts(
    b: _Builder, program: Program, index: int, g: int | None
) -> list[tuple[int, int]]:
    """What an operation's gradient adds to those of its arguments."""
    op = program.ops[index]
    if g is None or op.name in LEAVES:
        return []
    if op.name == "affine":  # the products with inputs are made after the loop
        return [
            (a, b.emit("product", g, width=program.ops[a].width, matrix=matrix))
            for matrix, a in zip(op["matrices"], op.args, strict=True)
            if program.ops[a].name != "input"
        ]
    return [
        (a, _gather(b, part, op.width, program.ops[a].width))
        for a, part in zip(op.args, RULES[op.name](b, op, index, g), strict=True)
        if part is not None and program.ops[a].name != "const"
    ]


def adjoint(program: Program) -> Adjoint:
    """Differentiate a step backward.

    Args:
        program: The forward step.

    Returns:
        The backward step: from the gradients of the new states to those of the old
        states, of the affine maps' values, of vectors and of inputs.

    Example:
        >>> from recurro.cells import LSTM
        >>> from recurro.engine.trace import trace
        >>> program = trace(LSTM(), input_size=2, hidden_size=3)
        >>> [program.ops[i].name for i in adjoint(program).saved]
        ['sigmoid', 'sigmoid', 'tanh', 'sigmoid', 'tanh']

    References:
        Griewank and Walther (2008), Evaluating Derivatives, section 3.2.
    """
    b = _Builder(program)
    gradients, affine = _sweep(b, program)
    leaves = {
        kind: {
            op["name"]: gradients[i]
            for i, op in enumerate(program.ops)
            if op.name == kind and i in gradients
        }
        for kind in ("state", "vector", "input")
    }
    return Adjoint(
        saved=tuple(sorted(b.saved)),
        ops=tuple(b.ops),
        state=tuple(leaves["state"].get(name) for name, _ in program.state),
        affine=tuple(affine),
        vectors=tuple(leaves["vector"].items()),
        inputs=tuple(leaves["input"].items()),
    )


@dataclass(frozen=True)
class Partials:
    """The derivative of each operation by each of its arguments, unit by unit.

    Besides the operations of a program there are ``saved`` (index: the value of an
    operation of the forward step). That of a reduction has a number for each unit that
    it joins.

    Attributes:
        saved: Operations of the forward step whose values are read, in order.
        ops: Operations of which the derivatives are made.
        of: For each operation of the program and each of its arguments the operation
            that is the derivative, or ``None`` for zero. Leaves and affine maps have
            none.
    """

    saved: tuple[int, ...]
    ops: tuple[Op, ...]
    of: tuple[tuple[int | None, ...], ...]


def partials(program: Program) -> Partials:
    """Differentiate each operation of a step by its arguments, with the same rules.

    Args:
        program: The forward step.

    Example:
        >>> from recurro.cells import Elman
        >>> from recurro.engine.trace import trace
        >>> found = partials(trace(Elman(), input_size=2, hidden_size=3))
        >>> [found.ops[i].name for i in found.of[-1]]
        ['mul']
    """
    b = _Builder(program)
    depends = depends_on_state(program.ops)
    of: list[tuple[int | None, ...]] = []
    for index, op in enumerate(program.ops):
        slopes: tuple[int | None, ...] = (None,) * len(op.args)
        if op.name in RULES and depends[index]:
            slopes = RULES[op.name](b, op, index, b.const(1.0))
        reads = zip(slopes, op.args, strict=True)
        of.append(tuple(s if depends[a] else None for s, a in reads))
    return Partials(tuple(sorted(b.saved)), tuple(b.ops), tuple(of))
