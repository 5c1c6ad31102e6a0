"""C text from a plan: the equations inlined on the accumulators of the products.

Rows run through all steps together, so their state never leaves the cache. In a step,
units are taken in blocks of vectors and rows in tiles: for each block and tile the
products of all gates are accumulated in registers, and the equations run on them.
Matrices are packed so that a block's gates lie side by side; see ``Pack``. What does
not depend on the state is multiplied in the same way, for a chunk of steps at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from recurro.cells.ops import COMPARISONS, REDUCTIONS
from recurro.engine.gradients import Piece
from recurro.engine.ir import Op
from recurro.engine.plan import PRODUCTS, Array, Plan
from recurro.engine.render_products import (
    CACHE,
    ROWS,
    STEPS,
    VECTORS,
    Place,
    Writer,
    accumulate,
    after_chunk,
    block_vectors,
    packing,
    product_functions,
    sparse,
    sum_gradients,
    weight_gradients,
)

_FRAME = Path(__file__).with_name("loop.c")

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
class Kernel:
    """A rendered plan.

    Attributes:
        text: C without its prelude; the function is ``run``. Its first argument holds
            pointers: the plan's arrays; the stored parameters; of each carried variable
            the first and the last value, the trail, and the state before all steps;
            the gradients of the stored parameters.
        shared: Numbers of memory that it needs for packed parameters.
        own: Numbers of memory that it needs for each thread.
        team: Whether several threads can share the units of the same rows.
    """

    text: str
    shared: int
    own: int
    team: bool


def render(
    plan: Plan,
    lanes: int,
    places: Mapping[str, tuple[Place, ...]],
    sizes: tuple[int, ...] = (),
    pieces: tuple[Piece, ...] = (),
) -> Kernel:
    """Write the kernel of a plan.

    Args:
        plan: The step.
        lanes: Numbers in a vector, for the type that the prelude is told.
        places: The places of which each parameter is the sum.
        sizes: Numbers in each stored tensor, for a backward plan.
        pieces: The gradients that it makes.
    """
    w = Writer(plan, lanes, places, plan.phases())
    for name, width in plan.carries.items():
        w.buffers[f"c_{name}"] = w.buffers[f"n_{name}"] = w.padded(width)
    for i, op in enumerate(plan.nodes):
        if _buffered(w, i):
            w.buffers[f"b{i}"] = w.padded(op.width)
        if op.width == 1 and (op.name != "const" or _multiplied(w, i)):
            w.buffers[f"n{i}"] = lanes
    for array in plan.arrays:
        if array.kind == "sum":
            w.buffers[array.name] = w.padded(array.columns)
        elif array.kind == "chunk":
            w.buffers[array.name] = STEPS * w.stride(array)
    for phase in range(max(w.phases, default=0) + 1):
        _phase(w, phase)
    after = after_chunk(w) + weight_gradients(w, pieces)
    rows = _rows_at_once(w)
    text = _framed(
        most=ROWS,
        steps=STEPS,
        rows=rows,
        arrays=len(plan.arrays),
        stored=1 + max((n for p in places.values() for n, _ in p), default=-1),
        carries=len(plan.carries),
        products=product_functions(w),
        prepare=packing(w),
        advise=_advise(w),
        zero="".join(
            f"\n    if (G({i})) memset(G({i}), 0, sizeof(REAL) * {size});"
            for i, size in enumerate(sizes)
            if plan.reverse
        ),
        buffers=_buffers(w, rows),
        begin=_each_carry(w, _BEGIN) + _zero_sums(w),
        chunk="\n".join("    " + line for line in w.before),
        old=_old(w),
        before=_each_carry(w, _BEFORE) + "\n      meet(run);" if plan.reverse else "",
        body="\n".join("      " + line for line in w.lines),
        forget=_each_carry(w, _FORGET),
        clip=_each_carry(w, _CLIP) if plan.reverse else "",
        stand=_each_carry(w, _STAND),
        trail="" if plan.reverse else _each_carry(w, _TRAIL),
        swap=_each_carry(w, _SWAP),
        after="\n".join("    " + line for line in after),
        finish=_each_carry(w, _FINISH) + sum_gradients(w, pieces),
    )
    return Kernel(text, w.shared, sum(w.buffers.values()) * rows, _team(w))


def _team(w: Writer) -> bool:
    """Whether all is made unit by unit, and nothing that several would write."""
    return not any(
        op.name == "sparse" or f"n{i}" in w.buffers for i, op in enumerate(w.plan.nodes)
    )


# -- phases ------------------------------------------------------------------------


def _phase(w: Writer, phase: int) -> None:
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
    w.add("meet(run);")


def _single(w: Writer, phase: int, nodes: list[int]) -> None:
    """Numbers of a row, kept as vectors of equal lanes."""
    if not nodes:
        return
    _single_products(w, nodes)
    w.add(f"for (long r = 0; r < L; r++) {{ // phase {phase}, one number a row")
    for i in nodes:
        op = w.plan.nodes[i]
        if op.name in REDUCTIONS:
            whole = "v_sum" if op.name == "sum" else "v_amax"
            value = f"v_set({whole}(n{i}[r]))"
        elif op.name == "sparse":
            value = f"v_set(n{i}[r][0])"
        elif op.name == "carry":
            value = f"v_set(c_{op['name']}[r * {w.padded(1)}])"
        elif op.name == "load":
            value = _read(w, op)
        elif op.name == "const":
            value = _operand(w, i, phase) if _multiplied(w, i) else ""
        else:  # a product is there already
            values = [_operand(w, a, phase) for a in op.args]
            value = EXPRESSIONS.get(op.name, "").format(*values)
        if value:
            w.add(f"  n{i}[r] = {value};")
        _write_single(w, i)
    w.add("}")


def _single_products(w: Writer, nodes: list[int]) -> None:
    """The products that give numbers of a row: the first lane of a block."""
    for i in nodes:
        if w.plan.nodes[i].name == "sparse":
            sparse(w, i)
    for group in _groups(w, nodes):
        w.add("for (long u0 = 0, r0 = 0, m0; r0 < L; r0 += m0) {")
        w.add("  m0 = rows_of(L - r0);")
        accumulate(w, group, 1)
        w.add("  for (long r = r0; r < r0 + m0; r++) {")
        for gate, i in enumerate(group):
            place = f"(r - r0) * {len(group)} + {gate}"
            w.add(f"    n{i}[r] = v_set(acc{group[0]}[{place}][0]);")
        w.add("  }", "}")


def _write_single(w: Writer, i: int) -> None:
    """Store a number of a row where it is wanted."""
    plan = w.plan
    for node, array in plan.stores:
        if node == i:
            w.add(f"  *({_address(w, plan.arrays[array])}) = n{i}[r][0];")
    for node, array in plan.sums:
        if node == i:
            w.add(f"  *({_address(w, plan.arrays[array])}) += n{i}[r][0];")
    for number, (name, node) in enumerate(plan.carried.items()):
        if node == i:
            w.add(f"  v_store(n_{name} + r * {w.padded(1)}, n{i}[r]);")
            if not plan.reverse:
                trail = f"TRAIL({number})"
                w.add(f"  if ({trail}) {trail}[at[r]] = n{i}[r][0];")


def _units(w: Writer, phase: int, width: int, nodes: list[int]) -> None:
    """All nodes of one width in a phase, block by block."""
    groups = _groups(w, nodes)
    most = max((len(group) for group in groups), default=1)
    blocks = -(-width // w.lanes)
    vectors = block_vectors(blocks, most)
    reduced = [
        i
        for i, op in enumerate(w.plan.nodes)
        if op.name in REDUCTIONS and op.args[0] in nodes
    ]
    for i in reduced:
        start = "0" if w.plan.nodes[i].name == "sum" else "-INFINITY"
        w.add(f"for (long r = 0; r < L; r++) n{i}[r] = v_set((REAL){start});")
    for i in nodes:
        if w.plan.nodes[i].name == "sparse":
            sparse(w, i)
    # Back and forth, so that the weights read last are read first in the next step.
    turn = "(s & 1)" if groups and not reduced else "0"
    count = -(-blocks // vectors)
    w.add(f"for (long k0 = run->member; k0 < {count}; k0 += run->members) {{")
    w.add(f"const long u0 = ({turn} ? {count - 1} - k0 : k0) * {vectors} * LANES;")
    w.add("for (long r0 = 0, m0; r0 < L; r0 += m0) {", "  m0 = rows_of(L - r0);")
    for group in groups:
        accumulate(w, group, vectors)
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


def _groups(w: Writer, nodes: list[int]) -> list[list[int]]:
    """Products that share operands and structures, at most ``VECTORS`` together."""
    by_args: dict[tuple[object, ...], list[int]] = {}
    for i in nodes:
        op = w.plan.nodes[i]
        if op.name == "product":
            inputs = tuple(read for read, _ in op["hoisted"])
            shapes = tuple(w.plan.arrays[m].structure for m in op["matrices"])
            by_args.setdefault((op.args, inputs, shapes), []).append(i)
    return [
        members[start : start + VECTORS]
        for members in by_args.values()
        for start in range(0, len(members), VECTORS)
    ]


def _needed(w: Writer, phase: int, nodes: list[int]) -> list[int]:
    """The nodes, and before them the leaves of earlier phases that they read again."""
    again = {
        a
        for i in nodes
        for a in w.plan.nodes[i].args
        if w.plan.nodes[i].name not in PRODUCTS
        and w.phases[a] < phase
        and w.plan.nodes[a].width > 1
    }
    return sorted(again | set(nodes))


def _pointwise(
    w: Writer,
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
    elif op.name == "sparse" or w.phases[i] < phase:
        value = f"({kind})v_load(b{i} + r * {w.padded(op.width)} + u)"
    else:
        values = [_operand(w, a, phase) for a in op.args]
        value = EXPRESSIONS[op.name].format(*values)
    w.add(f"    const {kind} t{i} = {value};")


def _operand(w: Writer, a: int, phase: int) -> str:
    op = w.plan.nodes[a]
    if op.name == "const":
        return f"v_set((REAL){op['value']!r})"
    return f"n{a}[r]" if op.width == 1 else f"t{a}"


def _write(w: Writer, i: int, width: int, ragged: bool) -> None:
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
    if _buffered(w, i) and plan.nodes[i].name != "sparse":
        w.add(f"    v_store(b{i} + r * {w.padded(width)} + u, (vec)t{i});")
    for number, (name, node) in enumerate(plan.carried.items()):
        if node == i:
            w.add(f"    v_store(n_{name} + r * {w.padded(width)} + u, t{i});")
            if not plan.reverse:
                trail = f"TRAIL({number}) + at[r] * {width} + u"
                w.add(f"    if (TRAIL({number})) {put}({trail}, t{i}{end});")


def _buffered(w: Writer, i: int) -> bool:
    """Whether whole rows of a value are read, or it is read in a later phase."""
    op = w.plan.nodes[i]
    if op.width == 1 or op.name in ("carry",):
        return False
    if op.name == "sparse":
        return True
    if _multiplied(w, i):
        return True
    for j, reader in enumerate(w.plan.nodes):
        later = w.phases[j] > w.phases[i] and reader.name not in REDUCTIONS
        if i in reader.args and later and op.name != "load":
            return True
    return False


def _multiplied(w: Writer, i: int) -> bool:
    """Whether a product reads whole rows of a value."""
    return any(i in op.args and op.name in PRODUCTS for op in w.plan.nodes)


def _reduce(w: Writer, i: int, value: str, ragged: bool) -> None:
    if w.plan.nodes[i].name == "sum":
        inside = f"v_select(v_first(m), {value}, v_set(0))" if ragged else value
        w.add(f"    n{i}[r] = n{i}[r] + {inside};")
    else:
        least = "v_set(-INFINITY)"
        inside = f"v_select(v_first(m), {value}, {least})" if ragged else value
        w.add(f"    n{i}[r] = v_max(n{i}[r], {inside});")


def _read(w: Writer, op: Op, ragged: bool = False) -> str:
    array = w.plan.arrays[op["array"]]
    place = _address(w, array)
    if array.width == 1:
        return f"v_set(*({place}))"
    return f"v_load_n({place}, m)" if ragged else f"v_load({place})"


def _address(w: Writer, array: Array) -> str:
    """The address of a row's units in a tensor."""
    number = w.plan.arrays.index(array)
    unit = "" if array.width == 1 else " + u"
    if array.kind == "unit":
        return w.pack((number,), 1) + unit
    if array.kind == "chunk":
        place = f"(begin[s] + r) * {w.stride(array)} + {array.offset}"
        return f"{array.name} + {place}{unit}"
    if array.kind == "sum":
        return f"sums + r * {w.buffers['sums']} + {array.offset}{unit}"
    base = f"P({number}) + {array.offset}"
    if array.name.startswith("old_"):
        return f"o{number} + row[r] * {array.columns}{unit}"
    if array.kind == "sequence":
        return f"{base} + at[r] * {array.columns}{unit}"
    return f"{base} + row[r] * {array.columns}{unit}"


# -- the frame ---------------------------------------------------------------------


def _framed(**parts: object) -> str:
    """The frame with the parts of a plan in place of their names."""
    return re.sub(r"@(\w+)@", lambda found: str(parts[found[1]]), _FRAME.read_text())


def _rows_at_once(w: Writer) -> int:
    """Rows that go through the steps together, so that their memory stays in cache."""
    size = 4 * sum(w.buffers.values())
    alone = any(op.name == "sparse" for op in w.plan.nodes)  # rows share no reading
    least = ROWS if alone else 3 * ROWS
    return min(96, max(least, CACHE // size // ROWS * ROWS))


def _buffers(w: Writer, rows: int) -> str:
    lines, start = [], 0
    for name, size in w.buffers.items():
        number = name[1:]
        kind = "REAL"
        if name[0] == "n" and number.isdigit():
            op = w.plan.nodes[int(number)]
            kind = "ivec" if op.name in COMPARISONS else "vec"
        lines.append(f"{kind} *{name} = ({kind} *)OWN({start}, {size * rows});")
        start += size * rows
    return "\n  ".join(lines)


def _advise(w: Writer) -> str:
    """What is written at every step, as (address, numbers at a step)."""
    written = {array for _, array in w.plan.stores} | {out for _, out in w.plan.after}
    lines = [
        f"  advise(a[{number}], T * B * {w.plan.arrays[number].columns});"
        for number in sorted(written)
        if w.plan.arrays[number].kind == "sequence"
    ]
    if not w.plan.reverse:
        lines += [
            f"  advise(TRAIL({number}), T * B * {width});"
            for number, width in enumerate(w.plan.carries.values())
        ]
    return "\n".join(lines)


def _zero_sums(w: Writer) -> str:
    size = w.buffers.get("sums")
    return f"\n  memset(sums, 0, sizeof(REAL) * R * {size});" if size else ""


def _each_carry(w: Writer, template: str) -> str:
    """A template for each carried variable."""
    text = ""
    for number, (name, width) in enumerate(w.plan.carries.items()):
        if template is _FORGET and w.plan.carried[name] is not None:
            continue
        text += template.format(
            name=name, number=number, width=width, padded=w.padded(width)
        )
    return text


def _old(w: Writer) -> str:
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


_BEGIN = """
  memset(c_{name}, 0, sizeof(REAL) * R * {padded});
  memset(n_{name}, 0, sizeof(REAL) * R * {padded});
  for (long r = 0; FIRST({number}) && r < R; r++)
    memcpy(c_{name} + r * {padded}, FIRST({number}) + row[r] * {width},
           sizeof(REAL) * {width});"""
_BEFORE = """
      if (TRAIL({number}))
        for (long r = 0; r < R; r++) {{
          const REAL *g = TRAIL({number}) + (t * B + row[r]) * {width};
          const long end = {width} * (run->member + 1) / run->members;
          for (long u = {width} * run->member / run->members; u < end; u++)
            c_{name}[r * {padded} + u] += g[u];
        }}"""
_FORGET = """
      if (run->member == 0) memset(n_{name}, 0, sizeof(REAL) * L * {padded});
      meet(run);"""
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
  for (long r = 0; LAST({number}) && r < R; r++)
    memcpy(LAST({number}) + row[r] * {width}, c_{name} + r * {padded},
           sizeof(REAL) * {width});"""
