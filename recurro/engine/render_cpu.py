"""C text from a plan: the equations inlined on the accumulators of the products.

Rows run through all steps together, so their state never leaves the cache. In a step,
units are taken in blocks of vectors and rows in tiles: for each block and tile the
products of all gates are accumulated in registers, and the equations run on them.
Matrices are packed so that a block's gates lie side by side; see ``Pack``. What does
not depend on the state is multiplied in the same way, for a chunk of steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from recurro.cells.ops import COMPARISONS, REDUCTIONS
from recurro.engine.ir import Op
from recurro.engine.plan import Array, Plan

ROWS = 6
"""Rows of a tile; with four vectors of gates 24 accumulators fill the registers."""

VECTORS = 4
"""Vectors that are accumulated for each row at a time."""

STEPS = 6
"""Steps of a chunk at least, for the products that need no state."""

CACHE = 2**20
"""Bytes that the rows of a run should stay below."""

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
    """Parameters of one group of products in the order in which they are read.

    ``packed[block][k][gate][vector][lane] = matrix_gate[unit, k]``, where unit counts
    through blocks, vectors and lanes; units beyond the width are zero. A bias is a
    matrix of one column.

    Attributes:
        arrays: Their arrays, one for each gate; ``None`` for zeros.
        vectors: Vectors of units in a block.
        start: Where among all packed parameters it begins.
    """

    arrays: tuple[int | None, ...]
    vectors: int
    start: int


Place = tuple[int, int]
"""The number of a stored tensor, and where in it a parameter begins."""


@dataclass(frozen=True)
class Kernel:
    """A rendered plan.

    Attributes:
        text: C without its prelude; the function is ``run``. Its first argument holds
            pointers: the plan's arrays, the stored parameters, and for each carried
            variable its start, its end, and its trail.
        shared: Numbers of memory that it needs for packed parameters.
        own: Numbers of memory that it needs for each thread.
    """

    text: str
    shared: int
    own: int


@dataclass
class _Writer:
    """What is known while the text grows."""

    plan: Plan
    lanes: int
    places: Mapping[str, tuple[Place, ...]]
    phases: list[int]
    packs: list[Pack] = field(default_factory=list)
    shared: int = 0
    buffers: dict[str, int] = field(default_factory=dict)
    products: set[tuple[int, int]] = field(default_factory=set)
    before: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def padded(self, width: int) -> int:
        return -(-width // self.lanes) * self.lanes

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)

    def pack(self, arrays: tuple[int | None, ...], vectors: int) -> str:
        """Where the packed parameters of a group begin."""
        known = {(p.arrays, p.vectors): p.start for p in self.packs}
        if (arrays, vectors) not in known:
            self.packs.append(Pack(arrays, vectors, self.shared))
            first = self.plan.arrays[next(a for a in arrays if a is not None)]
            inner = 1 if first.kind == "unit" else first.columns
            block = vectors * self.lanes
            blocks = -(-first.width // block)
            self.shared += blocks * block * inner * len(arrays)
            return f"shared + {self.packs[-1].start}"
        return f"shared + {known[arrays, vectors]}"


def render(plan: Plan, lanes: int, places: Mapping[str, tuple[Place, ...]]) -> Kernel:
    """Write the kernel of a plan.

    Args:
        plan: The step.
        lanes: Numbers in a vector, for the type that the prelude is told.
        places: The places of which each parameter is the sum.
    """
    w = _Writer(plan, lanes, places, plan.phases())
    for name, width in plan.carries.items():
        w.buffers[f"c_{name}"] = w.buffers[f"n_{name}"] = w.padded(width)
    for i, op in enumerate(plan.nodes):
        if _buffered(w, i):
            w.buffers[f"b{i}"] = w.padded(op.width)
        if op.width == 1 and op.name != "const":
            w.buffers[f"n{i}"] = lanes
    for phase in range(max(w.phases, default=0) + 1):
        _phase(w, phase)
    after = _after(w)
    rows = _rows_at_once(w)
    text = _FRAME.format(
        most=ROWS,
        steps=STEPS,
        rows=rows,
        arrays=len(plan.arrays),
        stored=1 + max((n for p in places.values() for n, _ in p), default=-1),
        carries=len(plan.carries),
        products=_products(w),
        prepare=_prepare(w),
        buffers=_buffers(w, rows),
        begin=_each_carry(w, _BEGIN),
        chunk="\n".join("    " + line for line in w.before),
        old=_old(w),
        before=_each_carry(w, _BEFORE) if plan.reverse else "",
        body="\n".join("      " + line for line in w.lines),
        forget=_each_carry(w, _FORGET),
        clip=_each_carry(w, _CLIP) if plan.reverse else "",
        stand=_each_carry(w, _STAND),
        trail="" if plan.reverse else _each_carry(w, _TRAIL),
        swap=_each_carry(w, _SWAP),
        after="\n".join("    " + line for line in after),
        finish=_each_carry(w, _FINISH),
    )
    return Kernel(text, w.shared, sum(w.buffers.values()) * rows)


# -- products ----------------------------------------------------------------------


def _products(w: _Writer) -> str:
    """The functions of all products, and for each number of vectors their table."""
    text = "\n".join(_product(v, r) for v, r in sorted(w.products))
    for vectors in sorted({v for v, _ in w.products}):
        names = ", ".join(f"product_{vectors}_{r}" for r in range(1, ROWS + 1))
        text += f"\nstatic const product_t products_{vectors}[] = {{{names}}};"
    return text


def _product(vectors: int, rows: int) -> str:
    """out[row][vector] = begin[row][vector] + sum_k x[row][k] * w[k][vector]."""
    unroll = max(1, VECTORS // vectors)  # one order of summing for any number of rows
    cells = [
        (r, v, u) for u in range(unroll) for r in range(rows) for v in range(vectors)
    ]
    first = "".join(f"  const REAL *const x{r} = x[{r}];\n" for r in range(rows))
    first += "".join(
        f"  vec a{r}_{v}_{u} = {f'begin[{r * vectors + v}]' if u == 0 else 'v_set(0)'}"
        ";\n"
        for r, v, u in cells
    )

    def step(u: int) -> str:
        text = "".join(
            f"    const vec w{v}_{u} = v_load(w + {(u * vectors + v)} * LANES);\n"
            for v in range(vectors)
        )
        for r in range(rows):
            text += f"    const vec x{r}_{u} = v_set(x{r}[k + {u}]);\n"
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
    rest = f"  for (; k < n; k++, w += {vectors} * LANES) {{\n{step(0)}  }}\n"
    return (
        f"static void product_{vectors}_{rows}(vec *out, const vec *begin, "
        "const REAL *restrict w, const REAL *const *x, long n) {\n"
        f"{first}  long k = 0;\n"
        f"  for (; k + {unroll} <= n; k += {unroll}, "
        f"w += {unroll * vectors} * LANES) {{\n"
        f"{many}  }}\n{rest if unroll > 1 else ''}{last}}}"
    )


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
    w.add(f"for (long r = 0; r < L; r++) {{ // phase {phase}, one number a row")
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
        w.add(f"for (long r = 0; r < L; r++) n{i}[r] = v_set((REAL){start});")
    w.add(f"for (long u0 = 0; u0 < {width}; u0 += {vectors} * LANES) {{")
    w.add("for (long r0 = 0, m0; r0 < L; r0 += m0) {", "  m0 = rows_of(L - r0);")
    for group in groups:
        _accumulate(w, group, vectors)
    w.add("  for (long r = r0; r < r0 + m0; r++)")
    w.add(f"  for (int v = 0; v < {vectors}; v++) {{")
    w.add("    const long u = u0 + v * LANES;")
    if blocks % vectors:
        w.add(f"    if (u >= {width}) break;")
    ragged = width % w.lanes != 0
    if ragged:
        w.add(f"    const long m = {width} - u < LANES ? {width} - u : LANES;")
    found = {p: (group, j) for group in groups for j, p in enumerate(group)}
    for i in _needed(w, phase, nodes):
        _pointwise(w, i, phase, found, vectors, ragged)
    for i in nodes:
        _write(w, i, width, ragged)
    for i in reduced:
        value = f"t{w.plan.nodes[i].args[0]}"
        _reduce(w, i, value, ragged)
    w.add("  }", "}", "}")


def _groups(w: _Writer, nodes: list[int]) -> list[list[int]]:
    """Products that share their operands, at most ``VECTORS`` together."""
    by_args: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for i in nodes:
        op = w.plan.nodes[i]
        if op.name == "product":
            inputs = tuple(read for read, _ in op["hoisted"])
            by_args.setdefault((op.args, inputs), []).append(i)
    return [
        members[start : start + VECTORS]
        for members in by_args.values()
        for start in range(0, len(members), VECTORS)
    ]


def _vectors(blocks: int, gates: int) -> int:
    """Vectors of units in a block: as many as the registers hold, with little waste."""
    most = max(1, min(VECTORS // gates, blocks))
    return min(range(1, most + 1), key=lambda n: (-(-blocks // n) * n - blocks, -n))


def _accumulate(w: _Writer, group: list[int], vectors: int) -> None:
    """The products of one group for this block and these rows, into ``acc``."""
    plan, total, number = w.plan, len(group) * vectors, group[0]
    first = plan.nodes[number]
    begin = _begin(w, group, vectors)
    hoisted = bool(first["hoisted"])
    if not hoisted or first.args:
        w.add(f"  vec acc{number}[{ROWS} * {total}];")
    if hoisted:
        place = f"(u0 / ({vectors} * LANES) * slots + begin[s] + r0) * {total}"
        kept = f"(const vec *)d{number} + {place}"
        if not first.args:
            w.add(f"  const vec *const acc{number} = {kept};")
            return
        begin = kept
    else:
        w.add(_fill(f"acc{number}", total, begin))
        begin = f"acc{number}"
    for place, a in enumerate(first.args):
        matrices = tuple(plan.nodes[p]["matrices"][place] for p in group)
        rows = f"{_rows(w, a)} + (r0 + j) * {w.padded(plan.nodes[a].width)}"
        w.add("  for (long j = 0; j < m0; j++) x[j] = " + rows + ";")
        w.add(_call(w, total, f"acc{number}", begin, matrices, vectors, "m0"))
        begin = f"acc{number}"


def _begin(w: _Writer, group: list[int], vectors: int) -> str:
    """The expression of an accumulator's first value; hoisted products are written."""
    plan, total, number = w.plan, len(group) * vectors, group[0]
    biases = tuple(plan.nodes[p]["bias"] for p in group)
    begin = "v_set(0)"
    if any(bias is not None for bias in biases):
        start = w.pack(biases, vectors)
        begin = f"v_load({start} + (u0 / ({vectors} * LANES) * {total} + i)"
        begin += " * LANES)"
    pairs = plan.nodes[number]["hoisted"]
    if not pairs:
        return begin
    width = plan.nodes[number].width
    blocks = -(-width // (vectors * w.lanes))
    w.buffers[f"d{number}"] = STEPS * blocks * total * w.lanes
    w.before += [
        f"for (long u0 = 0; u0 < {width}; u0 += {vectors} * LANES)",
        "for (long q = 0, m0; q < count; q += m0) {",
        "  m0 = rows_of(count - q);",
        f"  vec *const acc = (vec *)d{number} + "
        f"(u0 / ({vectors} * LANES) * slots + q) * {total};",
        _fill("acc", total, begin),
    ]
    for place, (read, _) in enumerate(pairs):
        matrices = tuple(plan.nodes[p]["hoisted"][place][1] for p in group)
        w.before += [
            _point(w, read),
            _call(w, total, "acc", "acc", matrices, vectors, "m0"),
        ]
    w.before.append("}")
    return begin


def _fill(acc: str, total: int, value: str) -> str:
    """Give the accumulators of all rows their first value."""
    return (
        f"  for (long j = 0; j < m0; j++) for (long i = 0; i < {total}; i++) "
        f"{acc}[j * {total} + i] = {value};"
    )


def _point(w: _Writer, read: int) -> str:
    """Pointers to the rows of an array at slots q to q + m0."""
    array = w.plan.arrays[read]
    place = f"P({read}) + {array.offset} + slot[q + j] * {array.columns}"
    return f"  for (long j = 0; j < m0; j++) x[j] = {place};"


def _call(
    w: _Writer,
    total: int,
    out: str,
    begin: str,
    matrices: tuple[int, ...],
    vectors: int,
    rows: str,
) -> str:
    """A product of the rows at ``x`` with the block at ``u0`` of packed matrices."""
    w.products |= {(total, r) for r in range(1, ROWS + 1)}
    length = w.plan.arrays[matrices[0]].columns
    block = f"u0 / ({vectors} * LANES) * {length * total} * LANES"
    packed = w.pack(matrices, vectors)
    return (
        f"  products_{total}[{rows} - 1]({out}, {begin}, {packed} + {block}, x, "
        f"{length});"
    )


def _after(w: _Writer) -> list[str]:
    """Products of what a chunk of steps has stored, for all its steps at once."""
    lines = []
    stored = {array for _, array in w.plan.stores}
    for pairs, out in w.plan.after:
        array = w.plan.arrays[out]
        blocks = -(-array.width // w.lanes)
        vectors = _vectors(blocks, 1)
        ragged = array.width % (vectors * w.lanes) != 0
        lines += [
            f"if (P({out}))",
            f"for (long u0 = 0; u0 < {array.width}; u0 += {vectors} * LANES)",
            "for (long q = 0, m0; q < count; q += m0) {",
            "  m0 = rows_of(count - q);",
            f"  vec acc[{ROWS} * {vectors}];",
        ]
        place = f"P({out}) + slot[q + i / {vectors}] * {array.columns} + u"
        unit = f"const long u = u0 + i % {vectors} * LANES"
        if ragged:
            unit += f", m = {array.width} - u < LANES ? {array.width} - u : LANES"
            unit += "; if (m <= 0) continue"
        get = f"v_load_n({place}, m)" if ragged else f"v_load({place})"
        put = (
            f"v_store_n({place}, acc[i], m)" if ragged else f"v_store({place}, acc[i])"
        )
        each = f"  for (long i = 0; i < m0 * {vectors}; i++)"
        lines.append(_fill("acc", vectors, "v_set(0)"))
        if out in stored:
            lines.append(f"{each} {{ {unit}; acc[i] = {get}; }}")
        for read, matrix in pairs:
            lines += [
                _point(w, read),
                _call(w, vectors, "acc", "acc", (matrix,), vectors, "m0"),
            ]
        lines += [f"{each} {{ {unit}; {put}; }}", "}"]
    return lines


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
    found: dict[int, tuple[list[int], int]],
    vectors: int,
    ragged: bool,
) -> None:
    op = w.plan.nodes[i]
    kind = "ivec" if op.name in COMPARISONS else "vec"
    if op.name == "product" and i in found:
        group, gate = found[i]
        total = len(group) * vectors
        value = f"acc{group[0]}[(r - r0) * {total} + {gate} * {vectors} + v]"
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
    for number, (name, node) in enumerate(plan.carried.items()):
        if node == i:
            w.add(f"    v_store(n_{name} + r * {w.padded(width)} + u, t{i});")
            if not plan.reverse:
                trail = f"TRAIL({number}) + at[r] * {width} + u"
                w.add(f"    if (TRAIL({number})) {put}({trail}, t{i}{end});")


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
    number = w.plan.arrays.index(array)
    unit = "" if array.width == 1 else " + u"
    if array.kind == "unit":
        return w.pack((number,), 1) + unit
    base = f"P({number}) + {array.offset}"
    if array.name.startswith("old_"):
        return f"o{number} + row[r] * {array.columns}{unit}"
    if array.kind == "sequence":
        return f"{base} + at[r] * {array.columns}{unit}"
    return f"{base} + row[r] * {array.columns}{unit}"


# -- the frame ---------------------------------------------------------------------


def _rows_at_once(w: _Writer) -> int:
    """Rows that go through the steps together, so that their memory stays in cache."""
    size = 4 * sum(w.buffers.values())
    return min(96, max(18, CACHE // size // ROWS * ROWS))


def _buffers(w: _Writer, rows: int) -> str:
    lines, start = [], 0
    for name, size in w.buffers.items():
        number = name[1:]
        kind = "REAL"
        if name[0] == "n" and number.isdigit():
            op = w.plan.nodes[int(number)]
            kind = "ivec" if op.name in COMPARISONS else "vec"
        lines.append(f"{kind} *{name} = ({kind} *)(run->own + {start});")
        start += size * rows
    return "\n  ".join(lines)


def _each_carry(w: _Writer, template: str) -> str:
    """A template for each carried variable."""
    text = ""
    for number, (name, width) in enumerate(w.plan.carries.items()):
        if template is _FORGET and w.plan.carried[name] is not None:
            continue
        text += template.format(
            name=name, number=number, width=width, padded=w.padded(width)
        )
    return text


def _old(w: _Writer) -> str:
    """Where the states before a step are: in the trail, or at the start."""
    text = ""
    for number, array in enumerate(w.plan.arrays):
        if array.name.startswith("old_"):
            state = list(w.plan.carries).index(array.name.removeprefix("old_"))
            text += (
                f"\n      const REAL *const o{number} = s0 + s == T - 1 ? "
                f"START({state}) : P({number}) + (t + (run->down ? -1 : 1)) * B * "
                f"{array.columns};"
            )
    return text


def _prepare(w: _Writer) -> str:
    """Copy all parameters into the order in which they are read."""
    lines = []
    for pack in w.packs:
        arrays = [None if a is None else w.plan.arrays[a] for a in pack.arrays]
        first = next(a for a in arrays if a is not None)
        back = first.name.endswith(".T")
        inner = 1 if first.kind == "unit" else first.columns
        steps = f"1, {first.width}" if back else f"{inner}, 1"
        places = [
            () if a is None else w.places[a.name.removesuffix(".T")] for a in arrays
        ]
        for number in range(max(len(place) for place in places)):
            sources = ", ".join(
                f"S({place[number][0]}) + {place[number][1]}"
                if number < len(place)
                else "NULL"
                for place in places
            )
            lines.append(
                f"  pack(shared + {pack.start}, (const REAL *[]){{{sources}}}, "
                f"{len(arrays)}, {pack.vectors}, {first.width}, {inner}, {steps}, "
                f"{int(number > 0)});"
            )
    return "\n".join(lines)


_BEGIN = """
  memset(c_{name}, 0, sizeof(REAL) * R * {padded});
  memset(n_{name}, 0, sizeof(REAL) * R * {padded});
  for (long r = 0; r < R; r++)
    memcpy(c_{name} + r * {padded}, FIRST({number}) + row[r] * {width},
           sizeof(REAL) * {width});"""
_BEFORE = """
      if (TRAIL({number}))
        for (long r = 0; r < R; r++) {{
          const REAL *g = TRAIL({number}) + (t * B + row[r]) * {width};
          for (long u = 0; u < {width}; u++) c_{name}[r * {padded} + u] += g[u];
        }}"""
_FORGET = """
      memset(n_{name}, 0, sizeof(REAL) * L * {padded});"""
_CLIP = """
      for (long r = 0; r < L; r++) clip(n_{name} + r * {padded}, {width}, run);"""
_STAND = """
      if (L < R)
        memcpy(n_{name} + L * {padded}, c_{name} + L * {padded},
               sizeof(REAL) * (R - L) * {padded});"""
_TRAIL = """
      if (TRAIL({number}))
        for (long r = L; r < R; r++)
          memcpy(TRAIL({number}) + (t * B + row[r]) * {width}, n_{name} + r * {padded},
                 sizeof(REAL) * {width});"""
_SWAP = """
      REAL *const s_{name} = c_{name};
      c_{name} = n_{name};
      n_{name} = s_{name};"""
_FINISH = """
  for (long r = 0; r < R; r++)
    memcpy(LAST({number}) + row[r] * {width}, c_{name} + r * {padded},
           sizeof(REAL) * {width});"""

_FRAME = """
#define P(i) ((REAL *)a[i])
#define S(i) ((const REAL *)a[{arrays} + (i)])
#define FIRST(i) ((REAL *)a[{arrays} + {stored} + (i)])
#define LAST(i) ((REAL *)a[{arrays} + {stored} + {carries} + (i)])
#define TRAIL(i) ((REAL *)a[{arrays} + {stored} + 2 * {carries} + (i)])
#define START(i) ((REAL *)a[{arrays} + {stored} + 3 * {carries} + (i)])

struct run {{
  long T, B, from, to, down, prepare;
  const int64_t *lengths, *order;
  REAL *shared, *own;
  double value, norm;
}};
typedef void (*product_t)(vec *, const vec *, const REAL *, const REAL *const *, long);

/* Rows of the next tile: as many as registers hold, in tiles of about one size. */
static inline long rows_of(long left) {{
  const long tiles = (left + {most} - 1) / {most};
  return (left + tiles - 1) / tiles;
}}

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

static void prepare(void *const *a, REAL *shared) {{
{prepare}
}}

/* R rows through all steps, in chunks of steps: what inputs give to a chunk, its steps,
   what its steps give to inputs. Rows are ordered by length, so that those whose steps
   count at a time are the first L. */
static void tile(void *const *a, const struct run *run, const long from,
                 const long R) {{
  const long T = run->T, B = run->B, slots = {steps} * {rows};
  const REAL *const shared = run->shared;
  const REAL *x[{most}];
  long row[{rows}], slot[{steps} * {rows}], begin[{rows}], live[{rows}], L = R;
  for (long r = 0; r < R; r++) row[r] = run->order ? run->order[from + r] : from + r;
  {buffers}
  (void)x, (void)shared, (void)slots;{begin}
  long chunk = {steps} * ({rows} / R);
  if (chunk > {rows}) chunk = {rows};
  for (long s0 = 0; s0 < T; s0 += chunk) {{
    const long n = T - s0 < chunk ? T - s0 : chunk;
    long count = 0;
    for (long s = 0; s < n; s++) {{
      const long t = run->down ? T - 1 - s0 - s : s0 + s;
      if (run->lengths) {{
        while (L > 0 && run->lengths[row[L - 1]] <= t) L--;
        while (L < R && run->lengths[row[L]] > t) L++;
      }}
      begin[s] = count, live[s] = L;
      for (long r = 0; r < L; r++) slot[count++] = t * B + row[r];
    }}
{chunk}
    for (long s = 0; s < n; s++) {{
      const long t = run->down ? T - 1 - s0 - s : s0 + s, L = live[s];
      const long *const at = slot + begin[s];
      (void)at;{old}{before}
{body}{forget}{clip}{stand}{trail}{swap}
    }}
{after}
  }}{finish}
}}

void run(void *const *a, const struct run *run) {{
  if (run->prepare) prepare(a, run->shared);
  for (long b = run->from; b < run->to;) {{
    const long left = run->to - b, R = left < {rows} ? left : {rows};
    tile(a, run, b, R);
    b += R;
  }}
}}
"""
