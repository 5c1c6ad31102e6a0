"""From a step function to its program: the step is run once on symbols."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from recurro.cells import ops as math
from recurro.cells.cell import Cell, Per
from recurro.cells.ops import Value
from recurro.engine.ir import Op, Program, depends_on_state, verify
from recurro.engine.structure import Structure
from recurro.errors import ArgumentError, TraceError

_CELLS = Path(math.__file__).parent
_OURS = (
    str(Path(__file__).parent),
    *(str(_CELLS / name) for name in ("ops.py", "cell.py", "wrappers.py")),
)


_PASSED_THROUGH = ("torch", "numpy", "jaxtyping", "beartype")


def _line() -> str:
    """Where in the user's code the trace stands: `` (file, line n)``."""
    frame = sys._getframe(1)
    while frame is not None and (
        frame.f_code.co_filename.startswith(_OURS)
        or frame.f_globals.get("__name__", "").startswith(_PASSED_THROUGH)
    ):
        frame = frame.f_back
    if frame is None:
        return ""
    return f" ({frame.f_code.co_filename}, line {frame.f_lineno})"


_OPS = "Use the functions of recurro.cells.ops"

_NUMPY_OPERATORS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "power": "pow"
}  # fmt: skip

_REFUSED_OPERATORS = {
    "eq": "==", "ne": "!=", "floordiv": "//", "mod": "%", "divmod": "divmod",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "rfloordiv": "//", "rmod": "%", "rdivmod": "divmod", "rmatmul": "@", "rand": "&",
    "ror": "|", "rxor": "^", "rlshift": "<<", "rrshift": ">>", "pos": "unary +",
    "invert": "~", "contains": "in", "round": "round", "index": "range",
}  # fmt: skip


class Symbol:
    """A value of the step that is being traced: the index of its operation."""

    def __init__(self, recorder: _Recorder, index: int) -> None:
        self._recorder = recorder
        self._index = index

    @property
    def shape(self) -> tuple[None, int]:
        """Units of the value, as the last; batch and time are not for a step to see."""
        return (None, self._recorder.ops[self._index].width)

    def record(self, name: str, *operands: Value) -> Symbol:
        """Record a primitive over symbols and numbers."""
        return self._recorder.primitive(name, operands)

    # Every operator records the primitive of the same meaning.
    def __add__(self, other: Value) -> Symbol:
        return self.record("add", self, other)

    def __radd__(self, other: Value) -> Symbol:
        return self.record("add", other, self)

    def __sub__(self, other: Value) -> Symbol:
        return self.record("sub", self, other)

    def __rsub__(self, other: Value) -> Symbol:
        return self.record("sub", other, self)

    def __mul__(self, other: Value) -> Symbol:
        return self.record("mul", self, other)

    def __rmul__(self, other: Value) -> Symbol:
        return self.record("mul", other, self)

    def __truediv__(self, other: Value) -> Symbol:
        return self.record("div", self, other)

    def __rtruediv__(self, other: Value) -> Symbol:
        return self.record("div", other, self)

    def __pow__(self, other: Value) -> Symbol:
        return self.record("pow", self, other)

    def __rpow__(self, other: Value) -> Symbol:
        return self.record("pow", other, self)

    def __neg__(self) -> Symbol:
        return self.record("neg", self)

    def __abs__(self) -> Symbol:
        return self.record("abs", self)

    def __lt__(self, other: Value) -> Symbol:
        return self.record("lt", self, other)

    def __le__(self, other: Value) -> Symbol:
        return self.record("le", self, other)

    def __gt__(self, other: Value) -> Symbol:
        return self.record("gt", self, other)

    def __ge__(self, other: Value) -> Symbol:
        return self.record("ge", self, other)

    # Everything else is refused, with the line that asked for it.
    def __bool__(self) -> bool:
        self._refuse("a Python decision on a traced value", "Write where(c, a, b)")

    def __float__(self) -> float:
        self._refuse("float() of a traced value", "Keep it symbolic")

    def __int__(self) -> int:
        self._refuse("int() of a traced value", "Use floor")

    def __iter__(self) -> NoReturn:
        self._refuse("iterating over a traced value", "Use sum, amax or an affine map")

    def __getitem__(self, item: Value) -> NoReturn:
        self._refuse("indexing a traced value", "Give it a state or affine of its own")

    def __len__(self) -> int:
        self._refuse("len() of a traced value", "Use value.shape[-1]")

    def __array__(self, *args: Value, **kwargs: Value) -> NoReturn:
        self._refuse("a numpy array of a traced value", "Keep it symbolic")

    def __array_function__(
        self, function: Value, types: Value, args: Value, kwargs: Value
    ) -> NoReturn:
        self._refuse(f"numpy's {function.__name__}", _OPS)

    def __array_ufunc__(
        self, function: Value, method: str, *operands: Value, **kwargs: Value
    ) -> Symbol:
        """A numpy number left of an operator is a number; the rest is refused."""
        name = _NUMPY_OPERATORS.get(function.__name__)
        if name is None or method != "__call__":
            self._refuse(f"numpy's {function.__name__}", _OPS)
        return self.record(name, *operands)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f".{name}", _OPS)

    @classmethod
    def __torch_function__(
        cls, function: Value, types: Value, args: Value = (), kwargs: Value = None
    ) -> NoReturn:
        name = getattr(function, "__name__", str(function))
        cls._refuse(f"torch's {name}", _OPS)

    @staticmethod
    def _refuse(what: str, instead: str) -> NoReturn:
        raise TraceError(
            f"trace: a step must be made of affine maps and the functions of "
            f"recurro.cells.ops, got {what}{_line()}. {instead}."
        )


def _refusal(sign: str) -> Callable[..., NoReturn]:
    return lambda self, *_: self._refuse(f"the operator {sign}", _OPS)


for _name, _sign in _REFUSED_OPERATORS.items():
    setattr(Symbol, f"__{_name}__", _refusal(_sign))


class _Recorder:
    """The context of a trace: it writes down what the step does."""

    def __init__(
        self, hidden_size: int, bias: bool, structure: Structure | None = None
    ) -> None:
        self.hidden_size = hidden_size
        self.bias = bias
        self.structure = structure
        self.structures: dict[str, Structure] = {}
        self.ops: list[Op] = []
        self.parameters: dict[str, tuple[int, ...]] = {}

    def emit(
        self, name: str, args: tuple[int, ...], width: int, /, **attrs: Value
    ) -> Symbol:
        self.ops.append(Op(name, args, width, tuple(sorted(attrs.items())), _line()))
        return Symbol(self, len(self.ops) - 1)

    def index(self, value: Value) -> int:
        if isinstance(value, Symbol):
            if value._recorder is not self:
                raise TraceError(f"trace: a value of another trace was used{_line()}.")
            return value._index
        if isinstance(value, (int, float)):
            return self.emit("const", (), 1, value=float(value))._index
        raise TraceError(
            f"trace: operands must be values of the step or numbers, got "
            f"{type(value).__name__}{_line()}. Use self.vector or self.affine for "
            "learnt values."
        )

    def primitive(self, name: str, operands: tuple[Value, ...]) -> Symbol:
        args = tuple(self.index(operand) for operand in operands)
        reduced = name in math.REDUCTIONS
        width = 1 if reduced else max(self.ops[a].width for a in args)
        if not reduced and any(self.ops[a].width not in (1, width) for a in args):
            widths = " and ".join(str(self.ops[a].width) for a in args)
            raise TraceError(
                f"trace: operands of {name} must have the same number of units, got "
                f"{widths}{_line()}. Bring them to one width with an affine map."
            )
        if name == "where" and not any(isinstance(o, Symbol) for o in operands[1:]):
            raise TraceError(
                f"trace: a branch of where must be a value of the step, got two numbers"
                f"{_line()}. Write 0 * a + 1 for 1."
            )
        return self.emit(name, args, width)

    def width(self, width: int | None) -> int:
        if width is None:
            return self.hidden_size
        if not isinstance(width, int) or width < 1:
            raise TraceError(f"trace: width must be an int >= 1, got {width}{_line()}.")
        return width

    def declare(self, name: str, shape: tuple[int, ...]) -> str:
        known = self.parameters.setdefault(name, shape)
        if known != shape:
            raise TraceError(
                f"trace: parameter {name!r} must keep its shape {known}, got {shape}"
                f"{_line()}. Give the second one a name of its own."
            )
        return name

    def affine(
        self, name: str, operands: tuple[Value, ...], width: int | None, bias: bool
    ) -> Symbol:
        width = self.width(width)
        for operand in operands:
            if not isinstance(operand, Symbol):
                raise TraceError(
                    f"trace: affine {name!r} must read values of the step, got "
                    f"{type(operand).__name__}{_line()}. A number belongs in the bias."
                )
        args = tuple(self.index(operand) for operand in operands)
        depends = depends_on_state(tuple(self.ops))
        counts = {"W": 0, "U": 0}
        matrices = []
        for a in args:
            letter = "U" if depends[a] else "W"
            counts[letter] += 1
            number = "" if counts[letter] == 1 else str(counts[letter])
            matrix = f"{letter}{number}_{name}"
            shape = (width, self.ops[a].width)
            if depends[a] and self.structure and shape == (self.hidden_size,) * 2:
                shape = self.structure.shape(width)
                self.structures[matrix] = self.structure
            matrices.append(self.declare(matrix, shape))
        biased = self.declare(f"b_{name}", (width,)) if bias and self.bias else None
        if not matrices and biased is None:
            return self.emit("const", (), 1, value=0.0)
        return self.emit(
            "affine", args, width, name=name, matrices=tuple(matrices), bias=biased
        )

    def vector(self, name: str, width: int | None) -> Symbol:
        width = self.width(width)
        return self.emit("vector", (), width, name=self.declare(name, (width,)))

    def bernoulli(self, name: str, p: float, per: Per, width: int | None) -> Symbol:
        mask = self.emit("bernoulli", (), self.width(width), name=name, p=p, per=per)
        for index, op in enumerate(self.ops[:-1]):
            if op.name == "bernoulli" and op["name"] == name:
                new = self.ops.pop()
                if op != new:
                    raise TraceError(
                        f"trace: mask {name!r} must keep its p, per and width{_line()}."
                        " Give the second one a name of its own."
                    )
                return Symbol(self, index)
        return mask


def trace(
    cell: Cell,
    input_size: int | Mapping[str, int],
    hidden_size: int,
    *,
    bias: bool = True,
    recurrent: Structure | None = None,
) -> Program:
    """Read the program of a cell's step.

    The step is traced twice: where the two programs differ, it is no function of its
    arguments and is refused.

    Args:
        cell: The cell.
        input_size: Width of the input, or of each input by name.
        hidden_size: Units of the layer.
        bias: Whether affine maps may have biases.
        recurrent: The structure of every matrix from ``hidden_size`` units that depend
            on the state to ``hidden_size`` units; dense if not given.

    Raises:
        ArgumentError: If a size does not fit, or no matrix can have the structure.
        TraceError: If the step does what cannot be traced; the line is named.

    Example:
        >>> from recurro.cells import Elman
        >>> print(trace(Elman(), input_size=2, hidden_size=3))
        %0: 2 = input(name=x)
        %1: 3 = state(name=h)
        %2: 3 = affine(%0, %1, bias=b_h, matrices=('W_h', 'U_h'), name=h)
        %3: 3 = tanh(%2)
        return h = %3
        out %0: 3 = state(name=h)
    """
    sizes = input_size if isinstance(input_size, Mapping) else {"x": input_size}
    if set(sizes) != set(cell.inputs):
        raise ArgumentError(
            f"trace: input_size must name {', '.join(cell.inputs)}, got "
            f"{', '.join(sizes)}."
        )
    if min(hidden_size, *sizes.values()) < 1:
        raise ArgumentError(
            f"trace: input_size and hidden_size must be >= 1, got {dict(sizes)} and "
            f"{hidden_size}."
        )
    first, second = (
        _trace_once(cell, sizes, hidden_size, bias, recurrent) for _ in range(2)
    )
    if first != second:
        pairs = zip(first.ops, second.ops, strict=False)
        line = next((a.line for a, b in pairs if a != b), _definition(cell))
        raise TraceError(
            f"trace: {type(cell).__name__}.step must be the same at each call, got two "
            f"different programs{line}. Take randomness from self.bernoulli."
        )
    if recurrent is not None and not first.structures:
        raise ArgumentError(
            f"trace: a cell with recurrent={recurrent} must have a recurrent matrix of "
            f"{hidden_size} by {hidden_size} units, got {cell}, which has none."
        )
    return verify(first)


def _definition(cell: Cell) -> str:
    """Where the step is written: `` (file, line n)``."""
    code = inspect.unwrap(type(cell).step).__code__
    return f" ({code.co_filename}, line {code.co_firstlineno})"


def _trace_once(
    cell: Cell,
    sizes: Mapping[str, int],
    hidden_size: int,
    bias: bool,
    recurrent: Structure | None,
) -> Program:
    recorder = _Recorder(hidden_size, bias, recurrent)
    widths = dict(zip(cell.state, cell.widths(hidden_size), strict=True))
    inputs = [recorder.emit("input", (), sizes[n], name=n) for n in cell.inputs]
    states = [recorder.emit("state", (), widths[n], name=n) for n in cell.state]
    results = cell.bind(recorder).step(*inputs, *states)
    results = results if isinstance(results, tuple) else (results,)
    if len(results) != len(cell.state) or not all(
        isinstance(result, (Symbol, int, float)) for result in results
    ):
        got = ", ".join(type(result).__name__ for result in results)
        raise TraceError(
            f"trace: {type(cell).__name__}.step must return {', '.join(cell.state)}, "
            f"got ({got}){_definition(cell)}."
        )
    indices = tuple(recorder.index(result) for result in results)
    after = _Recorder(hidden_size, bias)
    new = [after.emit("state", (), widths[n], name=n) for n in cell.state]
    output = after.index(cell.bind(after).output(*new))
    if after.parameters or any(op.name == "bernoulli" for op in after.ops):
        raise TraceError(
            f"trace: {type(cell).__name__}.output must be pointwise, got an affine "
            "map, a vector or a mask. Put it in the step, or in a layer above."
        )
    return Program(
        inputs=tuple((n, sizes[n]) for n in cell.inputs),
        state=tuple(widths.items()),
        ops=tuple(recorder.ops),
        results=indices,
        output_ops=tuple(after.ops[: output + 1]),
        parameters=tuple(recorder.parameters.items()),
        structures=tuple(recorder.structures.items()),
    )
