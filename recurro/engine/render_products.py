"""C text for products: packed parameters, tiles in registers, what inputs give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from recurro.engine.gradients import Piece
from recurro.engine.layout import window
from recurro.engine.plan import Array, Plan
from recurro.engine.structure import BlockDiagonal, Sparse

ROWS = 6
"""Rows of a tile; with four vectors of gates 24 accumulators fill the registers."""

VECTORS = 4
"""Vectors that are accumulated for each row at a time."""

STEPS = 6
"""Steps of a chunk at least, for the products that need no state."""

PANEL = 96
"""Steps and rows that weight gradients take at a time from the first-level cache."""

CACHE = 2**20
"""Bytes that the rows of a run should stay below."""


@dataclass(frozen=True)
class Pack:
    """Parameters of one group of products in the order in which they are read.

    ``packed[block][k][gate][vector][lane] = matrix_gate[unit, k]``, where unit counts
    through blocks, vectors and lanes; units beyond the width are zero. A bias is a
    matrix of one column. Of a matrix in diagonal blocks only a window of k is packed;
    see ``layout.window``.

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


@dataclass
class Writer:
    """What is known while the text grows."""

    plan: Plan
    lanes: int
    places: Mapping[str, tuple[Place, ...]]
    phases: list[int]
    packs: list[Pack] = field(default_factory=list)
    shared: int = 0
    buffers: dict[str, int] = field(default_factory=dict)
    products: set[tuple[int, int]] = field(default_factory=set)
    outers: set[int] = field(default_factory=set)
    before: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def padded(self, width: int) -> int:
        """A width rounded up to whole vectors."""
        return -(-width // self.lanes) * self.lanes

    def stride(self, array: Array) -> int:
        """Numbers from row to row of a chunk.

        An odd count of vectors: a power of two would bring all rows to the same place
        of the cache.
        """
        vectors = self.padded(array.columns) // self.lanes
        return (vectors + 1 - vectors % 2) * self.lanes

    def add(self, *lines: str) -> None:
        """Add lines to a step."""
        self.lines.extend(lines)

    def pack(self, arrays: tuple[int | None, ...], vectors: int) -> str:
        """Where the packed parameters of a group begin."""
        known = {(p.arrays, p.vectors): p.start for p in self.packs}
        if (arrays, vectors) not in known:
            self.packs.append(Pack(arrays, vectors, self.shared))
            first = self.plan.arrays[next(a for a in arrays if a is not None)]
            block = vectors * self.lanes
            length, _ = window(first.structure, first.columns, block)
            inner = 1 if first.kind == "unit" else length
            blocks = -(-first.width // block)
            self.shared += blocks * block * inner * len(arrays)
            return f"shared + {self.packs[-1].start}"
        return f"shared + {known[arrays, vectors]}"


def product_functions(w: Writer) -> str:
    """The functions of all products, and for each number of vectors their table."""
    text = "\n".join(_product(v, r) for v, r in sorted(w.products))
    for vectors in sorted({v for v, _ in w.products}):
        names = ", ".join(f"product_{vectors}_{r}" for r in range(1, ROWS + 1))
        text += f"\nstatic const product_t products_{vectors}[] = {{{names}}};"
    for vectors in sorted(w.outers):
        text += "".join("\n" + _outer(vectors, r) for r in range(1, ROWS + 1))
        names = ", ".join(f"outer_{vectors}_{r}" for r in range(1, ROWS + 1))
        text += f"\nstatic const outer_t outers_{vectors}[] = {{{names}}};"
    return text


def _outer(vectors: int, rows: int) -> str:
    """to[row][vector] += sum_q d[q][row] * x[q][vector]; m units in the last vector."""
    cells = [(r, v) for r in range(rows) for v in range(vectors)]
    first = "".join(f"  vec a{r}_{v} = v_set(0);\n" for r, v in cells)
    ahead = "".join(
        f"  __builtin_prefetch(to + {r} * ld + {v} * LANES, 1);\n" for r, v in cells
    )
    step = "".join(
        f"    const vec x{v} = v_load(x + {v} * LANES);\n" for v in range(vectors)
    )
    for r in range(rows):
        step += f"    const vec d{r} = v_set(d[{r}]);\n"
        step += "".join(f"    a{r}_{v} += d{r} * x{v};\n" for v in range(vectors))
    last = ""
    for r, v in cells:
        at = f"to + {r} * ld + {v} * LANES"
        if v == vectors - 1:
            last += f"  v_store_n({at}, a{r}_{v} + v_load_n({at}, m), m);\n"
        else:
            last += f"  v_store({at}, a{r}_{v} + v_load({at}));\n"
    return (
        f"static void outer_{vectors}_{rows}(REAL *to, long ld, const REAL *d, "
        "long ldd, const REAL *restrict x, long n, long m) {\n"
        f"{ahead}{first}  for (; n > 0; n--, d += ldd, x += {vectors} * LANES) {{\n"
        f"{step}  }}\n{last}}}"
    )


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


def block_vectors(blocks: int, gates: int) -> int:
    """Vectors of units in a block: as many as the registers hold, with little waste."""
    most = max(1, min(VECTORS // gates, blocks))
    return min(range(1, most + 1), key=lambda n: (-(-blocks // n) * n - blocks, -n))


def accumulate(w: Writer, group: list[int], vectors: int) -> None:
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
        array = plan.arrays[matrices[0]]
        _, start = window(array.structure, array.columns, vectors * w.lanes)
        rows = f"{_rows(w, a)} + (r0 + j) * {w.padded(array.columns)} + {start}"
        w.add("  for (long j = 0; j < m0; j++) x[j] = " + rows + ";")
        w.add(_call(w, total, f"acc{number}", begin, matrices, vectors, "m0"))
        begin = f"acc{number}"


def _begin(w: Writer, group: list[int], vectors: int) -> str:
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
        _blocks(width, vectors),
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


def _blocks(width: int, vectors: int) -> str:
    """A loop over the blocks of units that are this member's of the team."""
    return (
        f"for (long u0 = run->member * {vectors} * LANES; u0 < {width}; "
        f"u0 += run->members * {vectors} * LANES)"
    )


def _fill(acc: str, total: int, value: str) -> str:
    """Give the accumulators of all rows their first value."""
    return (
        f"  for (long j = 0; j < m0; j++) for (long i = 0; i < {total}; i++) "
        f"{acc}[j * {total} + i] = {value};"
    )


def _point(w: Writer, read: int) -> str:
    """Pointers to the rows of an array at slots q to q + m0."""
    array = w.plan.arrays[read]
    place = f"P({read}) + {array.offset} + slot[q + j] * {array.columns}"
    if array.kind == "chunk":
        place = f"{array.name} + {array.offset} + (q + j) * {w.stride(array)}"
    return f"  for (long j = 0; j < m0; j++) x[j] = {place};"


def _call(
    w: Writer,
    total: int,
    out: str,
    begin: str,
    matrices: tuple[int, ...],
    vectors: int,
    rows: str,
) -> str:
    """A product of the rows at ``x`` with the block at ``u0`` of packed matrices."""
    w.products |= {(total, r) for r in range(1, ROWS + 1)}
    array = w.plan.arrays[matrices[0]]
    length, _ = window(array.structure, array.columns, vectors * w.lanes)
    block = f"u0 / ({vectors} * LANES) * {length * total} * LANES"
    packed = w.pack(matrices, vectors)
    return (
        f"  products_{total}[{rows} - 1]({out}, {begin}, {packed} + {block}, x, "
        f"{length});"
    )


def after_chunk(w: Writer) -> list[str]:
    """Products of what a chunk of steps has stored, for all its steps at once."""
    lines = []
    stored = {array for _, array in w.plan.stores}
    for pairs, out in w.plan.after:
        array = w.plan.arrays[out]
        blocks = -(-array.width // w.lanes)
        vectors = block_vectors(blocks, 1)
        ragged = array.width % (vectors * w.lanes) != 0
        lines += [
            f"if (P({out}))",
            _blocks(array.width, vectors),
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


def weight_gradients(w: Writer, found: tuple[Piece, ...]) -> list[str]:
    """The gradients of matrices from a chunk of steps, added to what is there."""
    arrays = [a.name for a in w.plan.arrays]
    matrices = [p for p in found if p.operand is not None]
    if not matrices:
        return []
    lines = [f"REAL panel[{PANEL * VECTORS} * LANES] __attribute__((aligned(64)));"]
    for operand, pieces in groupby(
        sorted(matrices, key=lambda p: str(p.operand)), key=lambda p: p.operand
    ):
        assert operand is not None
        array = w.plan.arrays[arrays.index(operand)]
        if operand.startswith("old_"):
            number = list(w.plan.carries).index(operand.removeprefix("old_"))
            before = f"P({arrays.index(operand)})"
            lines.append(
                "for (long s = 0; s < n; s++) for (long r = 0; r < live[s]; r++) "
                f"y[begin[s] + r] = s0 + s == T - 1 ? START({number}) + row[r] * "
                f"{array.columns} : {before} + (slot[begin[s] + r] + "
                f"(run->down ? -B : B)) * {array.columns};"
            )
        else:
            place = f"P({arrays.index(operand)}) + slot[q] * {array.columns}"
            lines.append(f"for (long q = 0; q < count; q++) y[q] = {place};")
        for piece in pieces:
            lines += _gradient(w, piece)
    return lines


def _gradient(w: Writer, piece: Piece) -> list[str]:
    """One piece: tiles of rows and of vectors of columns, for each block."""
    if isinstance(piece.structure, Sparse):
        return _sparse_gradient(w, piece)
    lines = [f"if (G({piece.stored})) {{"]
    stride = w.stride(next(a for a in w.plan.arrays if a.name == "delta"))
    width, count, block = piece.width, piece.count, ""
    to = f"({piece.row} + i) * {width}"
    if isinstance(piece.structure, BlockDiagonal):
        width = count = piece.width // piece.structure.blocks
        to, block = f"(b * {width} + i) * {width}", f" + b * {width}"
        lines.append(f"  for (long b = 0; b < {piece.structure.blocks}; b++)")
    lines.append("  {")
    lines.append(f"  const long end = share({count}, run->member + 1, run);")
    full = VECTORS * w.lanes
    whole = width // full * full
    rest = -(-(width - whole) // w.lanes)
    for start, end, vectors in ((0, whole, VECTORS), (whole, width, rest)):
        if start == end:
            continue
        w.outers.add(vectors)
        m = w.lanes if start < whole else (width - 1) % w.lanes + 1
        place = f"y[q + p] + {piece.start} + j{block} + v * LANES"
        load = f"v_load({place})"
        if m < w.lanes:
            load = f"v < {vectors - 1} ? {load} : v_load_n({place}, {m})"
        lines += [
            f"  for (long j = {start}; j < {end}; j += {vectors} * LANES)",
            f"  for (long q = 0; q < count; q += {PANEL}) {{",
            f"    const long k = count - q < {PANEL} ? count - q : {PANEL};",
            f"    for (long p = 0; p < k; p++) for (int v = 0; v < {vectors}; v++)",
            f"      v_store(panel + (p * {vectors} + v) * LANES, {load});",
            f"    for (long i = share({count}, run->member, run), m0; i < end; "
            "i += m0) {",
            "      m0 = rows_of(end - i);",
            f"      outers_{vectors}[m0 - 1](G({piece.stored}) + {to} + j, "
            f"{width}, delta + q * {stride} + {piece.column} + i{block}, {stride}, "
            f"panel, k, {m});",
            "    }",
            "  }",
        ]
    return [*lines, "  }", "}"]


def _sparse_gradient(w: Writer, piece: Piece) -> list[str]:
    """One piece: the entries of the pattern."""
    number = next(
        number
        for number, array in enumerate(w.plan.arrays)
        if array.kind == "sparse"
        and w.places[array.name.removesuffix(".T")][0][0] == piece.stored
    )
    stride = w.stride(next(a for a in w.plan.arrays if a.name == "delta"))
    return [
        f"if (G({piece.stored}))",
        "  for (long q = 0; q < count; q++)",
        f"    sparse_outer(G({piece.stored}), delta + q * {stride} + {piece.column}, "
        f"y[q] + {piece.start}, a[{number}]);",
    ]


def sum_gradients(w: Writer, found: tuple[Piece, ...]) -> str:
    """The gradients of vectors, from the sums of all rows."""
    return "".join(
        f"\n  if (G({p.stored}))\n    for (long r = 0; r < R; r++)\n"
        f"      for (long u = 0; u < {p.count}; u++)\n"
        f"        G({p.stored})[{p.row} + u] += sums[r * {w.buffers['sums']} + "
        f"{p.column} + u];"
        for p in found
        if p.operand is None
    )


def sparse(w: Writer, i: int) -> None:
    """The products of all rows with a sparse matrix, for all units at once."""
    op = w.plan.nodes[i]
    [a] = op.args
    w.add(
        "for (long r = 0; r < L; r++)",
        f"  sparse_product({_rows(w, i)} + r * {w.padded(op.width)}, {_rows(w, a)} + "
        f"r * {w.padded(w.plan.nodes[a].width)}, a[{op['matrix']}]);",
    )


def _rows(w: Writer, a: int) -> str:
    """Where whole rows of a value stand; a number of a row fills a vector."""
    op = w.plan.nodes[a]
    if op.name == "carry":
        return f"c_{op['name']}"
    return f"b{a}" if op.width > 1 else f"(REAL *)n{a}"


def packing(w: Writer) -> str:
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
            if isinstance(first.structure, BlockDiagonal):
                length, start = window(first.structure, inner, pack.vectors * w.lanes)
                lines.append(
                    f"  for (long u0 = 0, n = 0; u0 < {inner}; "
                    f"u0 += {pack.vectors} * LANES, n++)\n"
                    f"    pack_blocks(shared + {pack.start} + n * {length} * "
                    f"{len(arrays) * pack.vectors} * LANES, (const REAL *[])"
                    f"{{{sources}}}, {len(arrays)}, {pack.vectors}, {inner}, "
                    f"{inner // first.structure.blocks}, {int(back)}, u0, {start}, "
                    f"{length});"
                )
                continue
            lines.append(
                f"  pack(shared + {pack.start}, (const REAL *[]){{{sources}}}, "
                f"{len(arrays)}, {pack.vectors}, {first.width}, {inner}, {steps}, "
                f"{int(number > 0)});"
            )
    for number, array in enumerate(w.plan.arrays):
        if array.kind == "sparse":
            [(stored, _)] = w.places[array.name.removesuffix(".T")]
            lines.append(f"  sparse_pack(a[{number}], S({stored}));")
    return "\n".join(lines)
