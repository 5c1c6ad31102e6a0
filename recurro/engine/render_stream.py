"""C text for one step by itself, as a stream runs it.

A kernel for many steps makes the products with the inputs before its loop; here they
stand in the step, on the same accumulators as those with the state. A step at batch 1
is bound by the reading of the weights. So all parameters of the gates that share their
operands are packed into one run of memory, which is read once, from its beginning to
its end; see ``Group``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from recurro.cells.ops import COMPARISONS, REDUCTIONS
from recurro.engine.ir import LEAVES, Op, Program
from recurro.engine.render_cpu import EXPRESSIONS

ROWS = (4, 2, 1)
"""Rows of the batch that share one reading of the weights: as many as there are."""

VECTORS = 4
"""Vectors that are accumulated for each row at a time."""

SUMS = 8
"""Sums that are made side by side, for one alone waits for each addition."""


@dataclass(frozen=True)
class Group:
    """Affine maps with the same operands, whose parameters are packed together.

    ``packed[block][k][gate][vector][lane]``, where unit counts through blocks, vectors
    and lanes, and units beyond the width are zero. k is first the bias, then runs
    through the columns of the first operand's matrices, then of the second's. With
    half weights a word holds two columns: the even one in its low bits, the odd one in
    its high bits.

    Attributes:
        maps: The maps, one for each gate.
        vectors: Vectors of units in a block.
    """

    maps: tuple[Op, ...]
    vectors: int


@dataclass(frozen=True)
class StepKernel:
    """A rendered step.

    Attributes:
        text: C without its prelude; the function is ``step(pointers, batch)``.
        names: What the first pointers point to: ``input x``, ``state h``,
            ``parameter p_i``, ``output``.
        groups: What the pointers after them point to.
    """

    text: str
    names: tuple[str, ...]
    groups: tuple[Group, ...]


@dataclass
class _Writer:
    """What is known while the text grows."""

    nodes: list[Op]
    phases: list[int]
    results: dict[str, int]
    names: list[str]
    lanes: int
    half: bool
    groups: list[Group] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def padded(self, width: int) -> int:
        return -(-width // self.lanes) * self.lanes

    def pointer(self, name: str) -> str:
        return f"P({self.names.index(name)})"

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)


def render_step(
    program: Program, lanes: int, *, half: bool = False, residual: bool = False
) -> StepKernel:
    """Write the kernel of one step in evaluation.

    Args:
        program: The step.
        lanes: Numbers in a vector, for the type that the prelude is told.
        half: Whether matrices are held in bfloat16; the arithmetic is float.
        residual: Whether the input ``x`` is added to the output.
    """
    nodes, results = _flatten(program, residual)
    names = [f"input {name}" for name, _ in program.inputs]
    names += [f"state {name}" for name, _ in program.state]
    names += [f"parameter {op['name']}" for op in nodes if op.name == "vector"]
    names = list(dict.fromkeys([*names, "output"]))
    w = _Writer(nodes, _phases(nodes), results, names, lanes, half)
    for phase in range(max(w.phases, default=0) + 1):
        _phase(w, phase)
    return StepKernel(_text(w, program), tuple(names), tuple(w.groups))


def _text(w: _Writer, program: Program) -> str:
    """The whole of the C, with a copy of the step for each number of rows."""
    commit = "".join(
        _COMMIT.format(
            name=name,
            width=width,
            padded=w.padded(width),
            pointer=w.pointer(f"state {name}"),
        )
        for name, width in program.state
    )
    body = "\n".join("  " + line for line in w.lines)
    buffers = "\n  ".join(_buffers(w))
    least = 2 if w.half else 1
    products = [
        (_HALF_PRODUCT if w.half else _PRODUCT).format(
            V=total, R=rows, U=max(least, SUMS // (total * rows))
        )
        for total in sorted({len(g.maps) * g.vectors for g in w.groups})
        for rows in ROWS
    ]
    tiles = [
        _TILE.format(
            rows=rows, buffers=buffers, commit=commit, body=body.replace("@", str(rows))
        )
        for rows in ROWS
    ]
    calls = [f"  for (; b + {r} <= batch; b += {r}) tile_{r}(a, b);" for r in ROWS]
    return _FRAME.format(
        products="\n".join(products), tiles="\n".join(tiles), calls="\n".join(calls)
    )


def _flatten(program: Program, residual: bool) -> tuple[list[Op], dict[str, int]]:
    """The operations of a step and of its output as one list, masks at their mean.

    The results are named ``state h`` and the like, and ``output``.
    """
    nodes: list[Op] = []

    def node(name: str, args: tuple[int, ...], width: int, op: Op | None = None) -> int:
        nodes.append(Op(name, args, width, op.attrs if op else ()))
        return len(nodes) - 1

    def wide(index: int, width: int) -> int:
        same = nodes[index].width == width
        return index if same else node("spread", (index,), width)

    def place(op: Op, args: tuple[int, ...]) -> int:
        if op.name == "bernoulli":
            nodes.append(Op("const", (), 1, (("value", op["p"]),)))
            return wide(len(nodes) - 1, op.width)
        alone = op.name in REDUCTIONS and nodes[args[0]].width == 1
        return node("spread" if alone else op.name, args, op.width, op)

    placed: list[int] = []
    for op in program.ops:
        placed.append(place(op, tuple(placed[a] for a in op.args)))
    results = {
        f"state {name}": wide(placed[result], width)
        for (name, width), result in zip(program.state, program.results, strict=True)
    }
    shown: list[int] = []
    for op in program.output_ops:
        if op.name == "state":
            shown.append(results[f"state {op['name']}"])
        else:
            shown.append(place(op, tuple(shown[a] for a in op.args)))
    output = shown[-1]
    if residual:
        width = program.output_width
        nodes.append(Op("input", (), width, (("name", "x"),)))
        output = node("add", (output, len(nodes) - 1), width)
    return nodes, {**results, "output": output}


def _phases(nodes: list[Op]) -> list[int]:
    """When each value can be computed: products and reductions wait for whole rows."""
    phases: list[int] = []
    for op in nodes:
        waits = op.name == "affine" or op.name in REDUCTIONS
        ready = [
            phases[a]
            + (waits and (op.name in REDUCTIONS or nodes[a].name not in LEAVES))
            for a in op.args
        ]
        phases.append(max(ready, default=0))
    return phases


# -- phases ------------------------------------------------------------------------


def _phase(w: _Writer, phase: int) -> None:
    """One phase: what is one number for a row, then the units of each width."""
    here = [i for i, p in enumerate(w.phases) if p == phase]
    _single(w, [i for i in here if w.nodes[i].width == 1])
    wide = sorted(
        (i for i in here if w.nodes[i].width > 1), key=lambda i: (w.nodes[i].width, i)
    )
    for width, nodes in groupby(wide, key=lambda i: w.nodes[i].width):
        _units(w, phase, width, list(nodes))
    starts = [i for i in here if w.nodes[i].name in REDUCTIONS]
    assert all(w.nodes[i].width == 1 for i in starts)


def _single(w: _Writer, nodes: list[int]) -> None:
    """Numbers of a row, kept as vectors of equal lanes."""
    for i in nodes:
        op = w.nodes[i]
        if op.name == "const":
            continue
        if op.name == "affine":
            w.add("{")
            _accumulate(w, (op,), 1, "0")
            w.add(f"for (int r = 0; r < R; r++) n{i}[r] = v_set(acc0[r][0]);", "}")
            value = f"n{i}[r]"
        elif op.name in REDUCTIONS:
            value = f"v_set({'v_sum' if op.name == 'sum' else 'v_amax'}(n{i}[r]))"
        elif op.name in LEAVES:
            value = f"v_set(*({_row(w, i, 'b + r')}))"
        else:
            value = EXPRESSIONS[op.name].format(*(_operand(w, a) for a in op.args))
        w.add("for (int r = 0; r < R; r++) {", f"  n{i}[r] = {value};")
        for target in _targets(w, i):
            w.add(f"  *({target}) = n{i}[r][0];")
        w.add("}")


def _units(w: _Writer, phase: int, width: int, nodes: list[int]) -> None:
    """All nodes of one width in a phase, block by block."""
    groups = _groups(w, nodes)
    blocks = -(-width // w.lanes)
    most = max((len(group) for group in groups), default=1)
    vectors = _vectors(blocks, most)
    reduced = [
        i
        for i, op in enumerate(w.nodes)
        if op.name in REDUCTIONS and op.args[0] in nodes
    ]
    for i in reduced:
        start = "0" if w.nodes[i].name == "sum" else "-INFINITY"
        w.add(f"for (int r = 0; r < R; r++) n{i}[r] = v_set((REAL){start});")
    w.add(f"for (long u0 = 0; u0 < {width}; u0 += {vectors} * LANES) {{")
    found: dict[int, str] = {}
    for number, group in enumerate(groups):
        _accumulate(w, tuple(w.nodes[i] for i in group), vectors, "u0", number)
        total = len(group) * vectors
        for gate, i in enumerate(group):
            found[i] = f"acc{number}[r * {total} + {gate * vectors} + v]"
    w.add("for (int r = 0; r < R; r++)", f"for (int v = 0; v < {vectors}; v++) {{")
    w.add("  const long u = u0 + v * LANES;")
    if blocks % vectors:
        w.add(f"  if (u >= {width}) break;")
    ragged = width % w.lanes != 0
    if ragged:
        w.add(f"  const long m = {width} - u < LANES ? {width} - u : LANES;")
    for i in _needed(w, phase, nodes):
        w.add(f"  const {_kind(w, i)} t{i} = {_value(w, i, phase, found, ragged)};")
    for i in nodes:
        for target in _targets(w, i):
            inside = ragged and not target.startswith(("b", "n_"))
            end, put = (", m", "v_store_n") if inside else ("", "v_store")
            w.add(f"  {put}({target} + u, (vec)t{i}{end});")
    for i in reduced:
        w.add(f"  {_reduced(w, i, ragged)}")
    w.add("}", "}")


def _groups(w: _Writer, nodes: list[int]) -> list[list[int]]:
    """Affine maps that share their operands, at most ``VECTORS`` together."""
    by_args: dict[tuple[int, ...], list[int]] = {}
    for i in nodes:
        if w.nodes[i].name == "affine":
            by_args.setdefault(w.nodes[i].args, []).append(i)
    return [
        members[start : start + VECTORS]
        for members in by_args.values()
        for start in range(0, len(members), VECTORS)
    ]


def _vectors(blocks: int, gates: int) -> int:
    """Vectors of units in a block: as many as the registers hold, with little waste."""
    most = max(1, min(VECTORS // gates, blocks))
    return min(range(1, most + 1), key=lambda n: (-(-blocks // n) * n - blocks, -n))


def _accumulate(
    w: _Writer, maps: tuple[Op, ...], vectors: int, unit: str, number: int = 0
) -> None:
    """The affine maps of one group for a block of units, into ``acc``."""
    w.groups.append(Group(maps, vectors))
    total = len(maps) * vectors
    lengths = [w.nodes[a].width for a in maps[0].args]
    words = [-(-n // 2) if w.half else n for n in lengths]
    pointer = f"P({len(w.names) + len(w.groups) - 1})"
    block = (1 + sum(words)) * total
    w.add(
        f"  const REAL *w{number} = {pointer} + {unit} / ({vectors} * LANES) "
        f"* {block} * LANES;",
        f"  vec acc{number}[R * {total}];",
        f"  for (int i = 0; i < R * {total}; i++)",
        f"    acc{number}[i] = v_load(w{number} + i % {total} * LANES);",
        f"  w{number} += {total} * LANES;",
    )
    for a, length, count in zip(maps[0].args, lengths, words, strict=True):
        stride = 0 if w.nodes[a].name == "vector" else _stride(w, a)
        w.add(
            f"  product_{total}_@(acc{number}, w{number}, {_row(w, a, 'b')}, {stride}, "
            f"{length});",
            f"  w{number} += {count * total} * LANES;",
        )


def _needed(w: _Writer, phase: int, nodes: list[int]) -> list[int]:
    """The nodes, and before them the values of earlier phases that they read again."""
    again = {
        a
        for i in nodes
        for a in w.nodes[i].args
        if w.nodes[i].name != "affine" and w.phases[a] < phase and w.nodes[a].width > 1
    }
    return sorted(again | set(nodes))


# -- values ------------------------------------------------------------------------


def _kind(w: _Writer, i: int) -> str:
    return "ivec" if w.nodes[i].name in COMPARISONS else "vec"


def _value(w: _Writer, i: int, phase: int, found: dict[int, str], ragged: bool) -> str:
    """A vector of a value's units."""
    op = w.nodes[i]
    if op.name in LEAVES:
        place = f"{_row(w, i, 'b + r')} + u"
        return f"v_load_n({place}, m)" if ragged else f"v_load({place})"
    if w.phases[i] < phase:
        return f"({_kind(w, i)})v_load(b{i} + r * {w.padded(op.width)} + u)"
    if i in found:
        return found[i]
    return EXPRESSIONS[op.name].format(*(_operand(w, a) for a in op.args))


def _operand(w: _Writer, a: int) -> str:
    op = w.nodes[a]
    if op.name == "const":
        return f"v_set((REAL){op['value']!r})"
    return f"n{a}[r]" if op.width == 1 else f"t{a}"


def _row(w: _Writer, i: int, row: str) -> str:
    """Where the units of a value begin in memory, for a row of the batch."""
    op = w.nodes[i]
    if op.name == "vector":
        return w.pointer(f"parameter {op['name']}")
    if op.name in ("input", "state"):
        pointer = w.pointer(f"{op.name} {op['name']}")
        return f"{pointer} + ({row}) * {op.width}"
    return f"b{i}"


def _stride(w: _Writer, i: int) -> int:
    op = w.nodes[i]
    return op.width if op.name in ("input", "state") else w.padded(op.width)


def _targets(w: _Writer, i: int) -> list[str]:
    """Where a value is written: for later phases, as a next state, as the output."""
    width = w.nodes[i].width
    targets = [f"b{i} + r * {w.padded(width)}"] if _buffered(w, i) else []
    for name, node in w.results.items():
        if node != i:
            continue
        if name == "output":
            targets.append(f"{w.pointer(name)} + (b + r) * {width}")
        else:
            targets.append(f"n_{name.split()[1]} + r * {w.padded(width)}")
    return targets


def _buffered(w: _Writer, i: int) -> bool:
    """Whether whole rows of a value are read, or it is read in a later phase."""
    op = w.nodes[i]
    if op.name in LEAVES:
        return False
    for j, reader in enumerate(w.nodes):
        if i not in reader.args or reader.name in REDUCTIONS:
            continue
        if reader.name == "affine" or (op.width > 1 and w.phases[j] > w.phases[i]):
            return True
    return False


def _reduced(w: _Writer, i: int, ragged: bool) -> str:
    value = f"t{w.nodes[i].args[0]}"
    least = "0" if w.nodes[i].name == "sum" else "-INFINITY"
    if ragged:
        value = f"v_select(v_first(m), {value}, v_set((REAL){least}))"
    if w.nodes[i].name == "sum":
        return f"n{i}[r] = n{i}[r] + {value};"
    return f"n{i}[r] = v_max(n{i}[r], {value});"


# -- the frame ---------------------------------------------------------------------


def _buffers(w: _Writer) -> list[str]:
    lines = []
    for name, i in w.results.items():
        if name != "output":
            size = w.padded(w.nodes[i].width)
            lines.append(f"REAL n_{name.split()[1]}[R * {size}] ALIGNED;")
    for i, op in enumerate(w.nodes):
        if _buffered(w, i):
            lines.append(f"REAL b{i}[R * {w.padded(op.width)}] ALIGNED;")
        if op.width == 1 and op.name != "const":
            lines.append(f"{_kind(w, i)} n{i}[R];")
    return lines


_COMMIT = """
  for (int r = 0; r < R; r++)
    memcpy({pointer} + (b + r) * {width}, n_{name} + r * {padded},
           sizeof(REAL) * {width});"""

_PRODUCT = """
/* acc[row][vector] += sum over k of x[row][k] w[k][vector], in registers. */
static void product_{V}_{R}(vec *acc, const REAL *restrict w, const REAL *restrict x,
                            const long ldx, const long n) {{
  enum {{ V = {V}, R = {R}, U = {U} }};
  vec s[U * R * V];
  UNROLL for (int i = 0; i < U * R * V; i++) s[i] = i < R * V ? acc[i] : v_set(0);
  long k = 0;
  for (; k + U <= n; k += U, w += U * V * LANES)
    UNROLL for (int u = 0; u < U; u++)
      UNROLL for (int v = 0; v < V; v++) {{
        const vec q = v_load(w + (u * V + v) * LANES);
        UNROLL for (int r = 0; r < R; r++)
          s[(u * R + r) * V + v] += v_set(x[r * ldx + k + u]) * q;
      }}
  for (; k < n; k++, w += V * LANES)
    UNROLL for (int v = 0; v < V; v++) {{
      const vec q = v_load(w + v * LANES);
      UNROLL for (int r = 0; r < R; r++) s[r * V + v] += v_set(x[r * ldx + k]) * q;
    }}
  UNROLL for (int i = 0; i < R * V; i++) {{
    UNROLL for (int u = 1; u < U; u++) s[i] += s[u * R * V + i];
    acc[i] = s[i];
  }}
}}"""

_HALF_PRODUCT = """
/* The same; in a word of w are two columns in bfloat16, which a shift or a mask makes
   float. */
static void product_{V}_{R}(vec *acc, const REAL *restrict w, const REAL *restrict x,
                            const long ldx, const long n) {{
  enum {{ V = {V}, R = {R}, U = {U} }};
  vec s[U * R * V];
  UNROLL for (int i = 0; i < U * R * V; i++) s[i] = i < R * V ? acc[i] : v_set(0);
  long k = 0;
  for (; k + U <= n; k += U, w += U / 2 * V * LANES)
    UNROLL for (int u = 0; u < U; u += 2)
      UNROLL for (int v = 0; v < V; v++) {{
        const ivec q = (ivec)v_load(w + (u / 2 * V + v) * LANES);
        UNROLL for (int r = 0; r < R; r++) {{
          const REAL *y = x + r * ldx + k + u;
          s[(u * R + r) * V + v] += v_set(y[0]) * EVEN(q);
          s[((u + 1) * R + r) * V + v] += v_set(y[1]) * ODD(q);
        }}
      }}
  for (; k < n; k += 2, w += V * LANES)
    UNROLL for (int v = 0; v < V; v++) {{
      const ivec q = (ivec)v_load(w + v * LANES);
      UNROLL for (int r = 0; r < R; r++) {{
        const REAL *y = x + r * ldx + k;
        s[r * V + v] += v_set(y[0]) * EVEN(q);
        if (k + 1 < n) s[r * V + v] += v_set(y[1]) * ODD(q);
      }}
    }}
  UNROLL for (int i = 0; i < R * V; i++) {{
    UNROLL for (int u = 1; u < U; u++) s[i] += s[u * R * V + i];
    acc[i] = s[i];
  }}
}}"""

_TILE = """
static void tile_{rows}(void *const *a, const long b) {{
  enum {{ R = {rows} }};
  {buffers}
{body}{commit}
}}
"""

_FRAME = """
#define P(i) ((REAL *)a[i])
#define ALIGNED __attribute__((aligned(64)))
#define UNROLL _Pragma("GCC unroll 32")
#define EVEN(q) ((vec)((q) << 16))
#define ODD(q) ((vec)((q) & -65536))
{products}
{tiles}
void step(void *const *a, long batch) {{
  long b = 0;
{calls}
}}
"""
