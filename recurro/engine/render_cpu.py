"""C text from a plan: the equations inlined on the accumulators of the products.

Rows of the batch are taken in tiles, and a tile runs through all steps, so its state
never leaves the cache. In a step, units are taken in blocks of vectors: for each block
the products of all gates are accumulated in registers, and the equations run on them.
Matrices are packed so that a block's gates lie side by side; see ``Pack``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from recurro.cells.ops import COMPARISONS, REDUCTIONS
from recurro.engine.ir import Op
from recurro.engine.plan import Array, Plan

ROWS = 6
"""Rows of a tile; with four vectors of gates 24 accumulators fill the registers."""

VECTORS = 4
"""Vectors that are accumulated for each row at a time."""

EXPRESSIONS = {
    "neg": "-{0}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "pow": "v_pow({0}, {1})",
    "minimum": "v_min({0}, {1})",
    "maximum": "v_max({0}, {1})",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "where": "v_select({0}, {1}, {2})",
    "spread": "{0}",
    **{
        name: f"v_{name}({{0}})"
        for name in ("sigmoid", "tanh", "relu", "exp", "log", "softplus")
    },
    **{name: f"v_{name}({{0}})" for name in ("sqrt", "abs", "sin", "cos", "floor")},
}
"""C for each pointwise primitive."""


@dataclass(frozen=True)
class Pack:
    """Matrices of one operand, packed for the products of one phase.

    ``packed[block][k][gate][vector][lane] = matrix_gate[unit, k]``, where unit counts
    through blocks, vectors and lanes; units beyond the width are zero.

    Attributes:
        matrices: The arrays, one for each gate.
        vectors: Vectors of units in a block.
        lanes: Units in a vector.
    """

    matrices: tuple[int, ...]
    vectors: int
    lanes: int


@dataclass(frozen=True)
class Kernel:
    """A rendered plan.

    Attributes:
        text: C without its prelude; the function is ``run``.
        packs: Packed matrices, whose pointers come after those of the plan's arrays.
    """

    text: str
    packs: tuple[Pack, ...]


@dataclass
class _Writer:
    """What is known while the text grows."""

    plan: Plan
    lanes: int
    phases: list[int]
    packs: list[Pack] = field(default_factory=list)
    products: set[tuple[int, int]] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)

    def padded(self, width: int) -> int:
        return -(-width // self.lanes) * self.lanes

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)


def render(plan: Plan, lanes: int) -> Kernel:
    """Write the kernel of a plan.

    Args:
        plan: The step.
        lanes: Numbers in a vector, for the type that the prelude is told.
    """
    w = _Writer(plan, lanes, plan.phases())
    for phase in range(max(w.phases, default=0) + 1):
        _phase(w, phase)
    body = "\n".join("    " + line for line in w.lines)
    products = "\n".join(_product(v, r) for v, r in sorted(w.products))
    tables = "\n".join(
        _table(v, w.products) for v in sorted({v for v, _ in w.products})
    )
    text = _FRAME.format(
        rows=ROWS,
        products=products + "\n" + tables,
        buffers=_buffers(w),
        begin=_each_carry(w, _BEGIN),
        before=_each_carry(w, _BEFORE) if plan.reverse else "",
        body=body,
        dead=_dead(w),
        commit=_each_carry(w, _COMMIT),
        clip=_each_carry(w, _CLIP) if plan.reverse else "",
        trail="" if plan.reverse else _each_carry(w, _TRAIL),
        finish=_each_carry(w, _FINISH),
    )
    return Kernel(text, tuple(w.packs))


# -- products ----------------------------------------------------------------------


def _product(vectors: int, rows: int) -> str:
    """out[row][vector] += sum over k of x[row][k] * w[k][vector], all in registers."""
    unroll = max(1, 8 // (vectors * rows))
    cells = [
        (r, v, u) for u in range(unroll) for r in range(rows) for v in range(vectors)
    ]
    first = "".join(
        f"  vec a{r}_{v}_{u} = {f'out[{r * vectors + v}]' if u == 0 else 'v_set(0)'};\n"
        for r, v, u in cells
    )

    def step(u: int) -> str:
        text = "".join(
            f"    vec w{v}_{u} = v_load(w + {(u * vectors + v)} * LANES);\n"
            for v in range(vectors)
        )
        for r in range(rows):
            text += f"    vec x{r}_{u} = v_set(x[{r} * ldx + k + {u}]);\n"
            for v in range(vectors):
                text += f"    a{r}_{v}_{u} += x{r}_{u} * w{v}_{u};\n"
        return text

    last = "".join(
        f"  out[{r * vectors + v}] = "
        + " + ".join(f"a{r}_{v}_{u}" for u in range(unroll))
        + ";\n"
        for r in range(rows)
        for v in range(vectors)
    )
    many = "".join(step(u) for u in range(unroll))
    return (
        f"static void product_{vectors}_{rows}(vec *out, const REAL *restrict w, "
        "const REAL *restrict x, long ldx, long n) {\n"
        f"{first}  long k = 0;\n"
        f"  for (; k + {unroll} <= n; k += {unroll}, "
        f"w += {unroll * vectors} * LANES) {{\n"
        f"{many}  }}\n"
        f"  for (; k < n; k++, w += {vectors} * LANES) {{\n{step(0)}  }}\n{last}}}"
    )


def _table(vectors: int, products: set[tuple[int, int]]) -> str:
    names = ", ".join(f"product_{v}_{r}" for v, r in sorted(products) if v == vectors)
    return f"static const product_t products_{vectors}[] = {{{names}}};"


# -- phases ------------------------------------------------------------------------


def _phase(w: _Writer, phase: int) -> None:
    """One phase: what is one number for a row, then the units of each width."""
    here = [i for i, p in enumerate(w.phases) if p == phase]
    single = [i for i in here if w.plan.nodes[i].width == 1]
    _single(w, phase, single)
    wide = sorted(
        (i for i in here if w.plan.nodes[i].width > 1),
        key=lambda i: (w.plan.nodes[i].width, i),
    )
    for width, nodes in groupby(wide, key=lambda i: w.plan.nodes[i].width):
        _units(w, phase, width, list(nodes))


def _single(w: _Writer, phase: int, nodes: list[int]) -> None:
    """Numbers of a row, kept as vectors of equal lanes."""
    if not nodes:
        return
    w.add(f"for (int r = 0; r < R; r++) {{ // phase {phase}, one number a row")
    for i in nodes:
        op = w.plan.nodes[i]
        if op.name in REDUCTIONS:
            whole = "v_sum" if op.name == "sum" else "v_amax"
            w.add(f"  n{i}[r] = v_set({whole}(n{i}[r]));")
        elif op.name not in ("const", "load"):
            values = [_operand(w, a, phase) for a in op.args]
            w.add(f"  n{i}[r] = {EXPRESSIONS[op.name].format(*values)};")
        elif op.name == "load":
            w.add(f"  n{i}[r] = {_read(w, op)};")
        for node, array in w.plan.stores:
            if node == i:
                w.add(f"  *({_address(w, w.plan.arrays[array])}) = n{i}[r][0];")
    w.add("}")


def _units(w: _Writer, phase: int, width: int, nodes: list[int]) -> None:
    """All nodes of one width in a phase, block by block."""
    groups = _groups(w, nodes)
    most = max((len(group) for group in groups), default=1)
    blocks = -(-width // w.lanes)
    vectors = _vectors(blocks, most)
    reduced = [
        i
        for i, op in enumerate(w.plan.nodes)
        if op.name in REDUCTIONS and op.args[0] in nodes
    ]
    for i in reduced:
        start = "0" if w.plan.nodes[i].name == "sum" else "-INFINITY"
        w.add(f"for (int r = 0; r < R; r++) n{i}[r] = v_set((REAL){start});")
    w.add(f"for (long u0 = 0; u0 < {width}; u0 += {vectors} * LANES) {{")
    for number, group in enumerate(groups):
        _accumulate(w, number, group, vectors)
    w.add("  for (int r = 0; r < R; r++) {", "  if (!live[r]) continue;")
    w.add(f"  for (int v = 0; v < {vectors}; v++) {{")
    w.add("    const long u = u0 + v * LANES;")
    if blocks % vectors:
        w.add(f"    if (u >= {width}) break;")
    ragged = width % w.lanes != 0
    if ragged:
        w.add(f"    const long m = {width} - u < LANES ? {width} - u : LANES;")
    found = {p: (g, j) for g, group in enumerate(groups) for j, p in enumerate(group)}
    for i in _needed(w, phase, nodes):
        _pointwise(w, i, phase, found, vectors, ragged)
    for i in nodes:
        _write(w, i, width, ragged)
    for i in reduced:
        value = f"t{w.plan.nodes[i].args[0]}"
        _reduce(w, i, value, ragged)
    w.add("  }", "  }", "}")


def _groups(w: _Writer, nodes: list[int]) -> list[list[int]]:
    """Products that share their operands, at most ``VECTORS`` together."""
    by_args: dict[tuple[int, ...], list[int]] = {}
    for i in nodes:
        if w.plan.nodes[i].name == "product":
            by_args.setdefault(w.plan.nodes[i].args, []).append(i)
    return [
        members[start : start + VECTORS]
        for members in by_args.values()
        for start in range(0, len(members), VECTORS)
    ]


def _vectors(blocks: int, gates: int) -> int:
    """Vectors of units in a block: as many as the registers hold, with little waste."""
    most = max(1, min(VECTORS // gates, blocks))
    return min(range(1, most + 1), key=lambda n: (-(-blocks // n) * n - blocks, -n))


def _accumulate(w: _Writer, number: int, group: list[int], vectors: int) -> None:
    """The products of one group for this block, into ``acc``."""
    plan, total = w.plan, len(group) * vectors
    w.add(f"  vec acc{number}[{ROWS} * {total}];")
    w.add(f"  for (int i = 0; i < R * {total}; i++) acc{number}[i] = v_set(0);")
    for r in range(1, ROWS + 1):
        w.products.add((total, r))
    for place, a in enumerate(plan.nodes[group[0]].args):
        matrices = tuple(plan.nodes[p]["matrices"][place] for p in group)
        w.packs.append(Pack(matrices, vectors, w.lanes))
        pointer = f"P({len(plan.arrays) + len(w.packs) - 1})"
        length, rows = plan.nodes[a].width, _rows(w, a)
        w.add(
            f"  products_{total}[R - 1](acc{number}, {pointer} + u0 / "
            f"({vectors} * LANES) * {length * total} * LANES, {rows}, "
            f"{w.padded(length)}, {length});"
        )


def _rows(w: _Writer, a: int) -> str:
    op = w.plan.nodes[a]
    return f"c_{op['name']}" if op.name == "carry" else f"b{a}"


def _needed(w: _Writer, phase: int, nodes: list[int]) -> list[int]:
    """The nodes, and before them the leaves of earlier phases that they read again."""
    again = {
        a
        for i in nodes
        for a in w.plan.nodes[i].args
        if w.plan.nodes[i].name != "product"
        and w.phases[a] < phase
        and w.plan.nodes[a].width > 1
    }
    return sorted(again | set(nodes))


def _pointwise(
    w: _Writer,
    i: int,
    phase: int,
    found: dict[int, tuple[int, int]],
    vectors: int,
    ragged: bool,
) -> None:
    op = w.plan.nodes[i]
    kind = "ivec" if op.name in COMPARISONS else "vec"
    if op.name == "product" and i in found:
        group, gate = found[i]
        total = sum(1 for g, _ in found.values() if g == group) * vectors
        value = f"acc{group}[r * {total} + {gate} * {vectors} + v]"
    elif op.name == "carry":
        value = f"v_load(c_{op['name']} + r * {w.padded(op.width)} + u)"
    elif op.name == "load":
        value = _read(w, op, ragged)
    elif w.phases[i] < phase:
        value = f"({kind})v_load(b{i} + r * {w.padded(op.width)} + u)"
    else:
        values = [_operand(w, a, phase) for a in op.args]
        value = EXPRESSIONS[op.name].format(*values)
    w.add(f"    const {kind} t{i} = {value};")


def _operand(w: _Writer, a: int, phase: int) -> str:
    op = w.plan.nodes[a]
    if op.name == "const":
        return f"v_set((REAL){op['value']!r})"
    return f"n{a}[r]" if op.width == 1 else f"t{a}"


def _write(w: _Writer, i: int, width: int, ragged: bool) -> None:
    """Store a value where it is wanted: outside, for later phases, as next state."""
    plan = w.plan
    end = ", m" if ragged else ""
    put = "v_store_n" if ragged else "v_store"
    for node, array in plan.stores:
        if node == i:
            w.add(f"    {put}({_address(w, plan.arrays[array])}, t{i}{end});")
    for node, array in plan.sums:
        if node == i:
            place = _address(w, plan.arrays[array])
            get = f"v_load_n({place}, m)" if ragged else f"v_load({place})"
            w.add(f"    {put}({place}, {get} + t{i}{end});")
    if _buffered(w, i):
        w.add(f"    v_store(b{i} + r * {w.padded(width)} + u, (vec)t{i});")
    for name, node in plan.carried.items():
        if node == i:
            w.add(f"    v_store(n_{name} + r * {w.padded(width)} + u, t{i});")


def _buffered(w: _Writer, i: int) -> bool:
    """Whether whole rows of a value are read, or it is read in a later phase."""
    op = w.plan.nodes[i]
    if op.width == 1 or op.name in ("carry",):
        return False
    for j, reader in enumerate(w.plan.nodes):
        if i in reader.args and reader.name == "product":
            return True
        later = w.phases[j] > w.phases[i] and reader.name not in REDUCTIONS
        if i in reader.args and later and op.name != "load":
            return True
    return False


def _reduce(w: _Writer, i: int, value: str, ragged: bool) -> None:
    if w.plan.nodes[i].name == "sum":
        inside = f"v_select(v_first(m), {value}, v_set(0))" if ragged else value
        w.add(f"    n{i}[r] = n{i}[r] + {inside};")
    else:
        least = "v_set(-INFINITY)"
        inside = f"v_select(v_first(m), {value}, {least})" if ragged else value
        w.add(f"    n{i}[r] = v_max(n{i}[r], {inside});")


def _read(w: _Writer, op: Op, ragged: bool = False) -> str:
    array = w.plan.arrays[op["array"]]
    place = _address(w, array)
    if array.width == 1:
        return f"v_set(*({place}))"
    return f"v_load_n({place}, m)" if ragged else f"v_load({place})"


def _address(w: _Writer, array: Array) -> str:
    """The address of a row's units in a tensor."""
    base = f"P({w.plan.arrays.index(array)}) + {array.offset}"
    unit = "" if array.width == 1 else " + u"
    if array.kind == "sequence":
        return f"{base} + ((t * B + b + r) * {array.columns}){unit}"
    if array.kind == "row":
        return f"{base} + ((b + r) * {array.columns}){unit}"
    return base + unit


# -- the frame ---------------------------------------------------------------------


def _buffers(w: _Writer) -> str:
    lines = []
    for name, width in w.plan.carries.items():
        size = ROWS * w.padded(width)
        lines.append(f"REAL c_{name}[{size}] ALIGNED, n_{name}[{size}] ALIGNED;")
    for i, op in enumerate(w.plan.nodes):
        if _buffered(w, i):
            lines.append(f"REAL b{i}[{ROWS * w.padded(op.width)}] ALIGNED;")
        if op.width == 1 and op.name != "const":
            kind = "ivec" if op.name in COMPARISONS else "vec"
            lines.append(f"{kind} n{i}[{ROWS}];")
    return "\n  ".join(lines)


def _each_carry(w: _Writer, template: str) -> str:
    """A template for each carried variable."""
    text = ""
    for number, (name, width) in enumerate(w.plan.carries.items()):
        gone = template is _COMMIT and w.plan.carried[name] is None
        text += (_FORGET if gone else template).format(
            name=name, number=number, width=width, padded=w.padded(width)
        )
    return text


def _dead(w: _Writer) -> str:
    """Zeros into everything stored at a step for a row whose steps are over."""
    lines = []
    for _, place in w.plan.stores:
        array = w.plan.arrays[place]
        address = _address(w, array).removesuffix(" + u")
        lines.append(f"memset({address}, 0, sizeof(REAL) * {array.width});")
    return " ".join(lines)


_BEGIN = """
  memset(c_{name}, 0, sizeof c_{name});
  for (int r = 0; r < R; r++)
    memcpy(c_{name} + r * {padded}, (REAL *)run->first[{number}] + (b + r) * {width},
           sizeof(REAL) * {width});"""
_BEFORE = """
    if (run->trail[{number}])
      for (int r = 0; r < R; r++) {{
        const REAL *g = (REAL *)run->trail[{number}] + (t * B + b + r) * {width};
        for (long u = 0; u < {width}; u++) c_{name}[r * {padded} + u] += g[u];
      }}"""
_COMMIT = """
        memcpy(c_{name} + r * {padded}, n_{name} + r * {padded},
               sizeof(REAL) * {width});"""
_FORGET = """
        memset(c_{name} + r * {padded}, 0, sizeof(REAL) * {width});"""
_TRAIL = """
      memcpy((REAL *)run->trail[{number}] + (t * B + b + r) * {width},
             c_{name} + r * {padded}, sizeof(REAL) * {width});"""
_CLIP = """
      clip(c_{name} + r * {padded}, {width}, run);"""
_FINISH = """
  for (int r = 0; r < R; r++)
    memcpy((REAL *)run->last[{number}] + (b + r) * {width}, c_{name} + r * {padded},
           sizeof(REAL) * {width});"""

_FRAME = """
#define P(i) ((REAL *)a[i])
#define ALIGNED __attribute__((aligned(64)))

struct run {{
  long T, B, from, to, down;
  const int64_t *lengths;
  void **first, **last, **trail;
  double value, norm;
}};
typedef void (*product_t)(vec *, const REAL *, const REAL *, long, long);

static __attribute__((unused)) void clip(REAL *g, long n, const struct run *run) {{
  const REAL value = (REAL)run->value, norm = (REAL)run->norm;
  if (value > 0)
    for (long u = 0; u < n; u++)
      g[u] = g[u] > value ? value : g[u] < -value ? -value : g[u];
  if (norm > 0) {{
    REAL squares = 0;
    for (long u = 0; u < n; u++) squares += g[u] * g[u];
    const REAL size = (REAL)sqrt((double)squares);
    if (size > norm)
      for (long u = 0; u < n; u++) g[u] *= norm / size;
  }}
}}

{products}

static void tile(void *const *a, const struct run *run, const long b, const int R) {{
  const long T = run->T, B = run->B;
  {buffers}
  unsigned char live[{rows}];{begin}
  for (long i = 0; i < T; i++) {{
    const long t = run->down ? T - 1 - i : i;
    int any = 0;
    for (int r = 0; r < R; r++)
      any |= live[r] = !run->lengths || t < run->lengths[b + r];{before}
    for (int r = 0; r < R; r++)
      if (!live[r]) {{
        {dead}
      }}
    if (any) {{
{body}
    }}
    for (int r = 0; r < R; r++) {{
      if (live[r]) {{{commit}{clip}
      }}{trail}
    }}
  }}{finish}
}}

void run(void *const *a, const struct run *run) {{
  for (long b = run->from; b < run->to;) {{
    const long left = run->to - b, tiles = (left + {rows} - 1) / {rows};
    const int R = (int)((left + tiles - 1) / tiles);
    tile(a, run, b, R);
    b += R;
  }}
}}
"""
