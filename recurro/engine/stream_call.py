"""What a stream calls: kernels of its layers, packed weights, the table of pointers."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from recurro.cells.ops import Value
from recurro.engine.build import build, lanes
from recurro.engine.ir import Program
from recurro.engine.lower import lower
from recurro.engine.render_stream import Group, StepKernel, render_step
from recurro.engine.run import Recurrence

_PRELUDE = Path(__file__).with_name("kernel.h")

PAGE = 2**21
"""Bytes of a large page; what is smaller gains nothing by one."""

_CHAIN = """
typedef void (*step_t)(void *const *, long);
struct layer { step_t step; void **pointers; };
struct chain { const struct layer *layers; long count, batch; };
void chain(const struct chain *c) {
  const struct layer *l = c->layers;
  for (long i = 0; i < c->count; i++) l[i].step(l[i].pointers, c->batch);
}
"""


class _Layer(ctypes.Structure):
    """The ``struct layer`` of C."""

    _fields_ = (("step", ctypes.c_void_p), ("pointers", ctypes.c_void_p))


@dataclass(frozen=True, eq=False)
class Part:
    """A layer of a stream.

    Attributes:
        recurrence: Its cell and program.
        parameters: Learnt tensors by their names in the program.
        stored: The same as they are stored.
        state: What it holds between steps, each ``(batch, width)``.
        inputs: What it reads by name, each ``(batch, width)``.
        output: What it gives, ``(batch, width)``.
        residual: Whether its input is added to its output.
    """

    recurrence: Recurrence
    parameters: dict[str, Tensor]
    stored: dict[str, Tensor]
    state: tuple[Tensor, ...]
    inputs: dict[str, Tensor]
    output: Tensor
    residual: bool

    def first(self, rows: int) -> Part:
        """Its first rows, in the same memory."""
        return replace(
            self,
            state=tuple(tensor[:rows] for tensor in self.state),
            inputs={name: tensor[:rows] for name, tensor in self.inputs.items()},
            output=self.output[:rows],
        )


@dataclass(frozen=True, eq=False)
class _Compiled:
    """A kernel and the function made of it."""

    kernel: StepKernel
    lanes: int
    address: int


@cache
def compiled(
    program: Program, dtype: torch.dtype, half: bool, residual: bool
) -> _Compiled:
    """The kernel of one step of a program."""
    single = dtype == torch.float32
    real, width = ("float", lanes()) if single else ("double", lanes() // 2)
    kernel = render_step(program, width, half=half, residual=residual)
    macros = f"#define REAL {real}\n#define LANES {width}\n"
    library = build(macros + _PRELUDE.read_text() + kernel.text)
    address = ctypes.cast(library.step, ctypes.c_void_p).value
    assert address is not None
    return _Compiled(kernel, width, address)


class _Chain(ctypes.Structure):
    """The ``struct chain`` of C."""

    _fields_ = (
        ("layers", ctypes.c_void_p),
        ("count", ctypes.c_long),
        ("batch", ctypes.c_long),
    )


@dataclass(frozen=True, eq=False)
class Call:
    """A step of all layers, ready to be made: ``function(argument)``.

    Attributes:
        function: It reads nothing but the argument, so that a call costs little.
        argument: The address of the chain.
        table: The pointers of the bottom layer.
        place: Which of them is the input.
        kept: What the pointers point to.
    """

    function: Value
    argument: ctypes.c_void_p
    table: Value
    place: int
    kept: tuple[object, ...]

    def over(self, rows: int) -> Call:
        """The same for the first rows alone."""
        *others, whole = self.kept
        assert isinstance(whole, _Chain)
        chain = _Chain(whole.layers, whole.count, rows)
        address = ctypes.c_void_p(ctypes.addressof(chain))
        return replace(self, argument=address, kept=(*others, chain))


def prepare(parts: list[Part], half: bool) -> Call:
    """Build the kernels, pack the weights and lay out the pointers.

    Args:
        parts: The layers, bottom first.
        half: Whether matrices are held in bfloat16.

    Raises:
        BackendError: If nothing can be built.
    """
    layers = (_Layer * len(parts))()
    tables, kept, place = [], [], 0
    for number, part in enumerate(parts):
        program, x = lower(part.recurrence.program), part.output
        made = compiled(program, x.dtype, half, part.residual)
        tensors = _pointed(made, part, half)
        pointers = [tensor.data_ptr() for tensor in tensors] + [0]
        tables.append((ctypes.c_void_p * len(pointers))(*pointers))
        layers[number] = _Layer(made.address, ctypes.addressof(tables[-1]))
        if number == 0:  # a cell that does not read x has a place for it all the same
            names = made.kernel.names
            place = names.index("input x") if "input x" in names else len(tensors)
        kept.append(tensors)
    chain = _Chain(ctypes.addressof(layers), len(parts), len(parts[0].output))
    function = build(_CHAIN)["chain"]  # an object of its own, without argument types
    function.restype = None
    address = ctypes.c_void_p(ctypes.addressof(chain))
    return Call(function, address, tables[0], place, (layers, tables, kept, chain))


def _pointed(made: _Compiled, part: Part, half: bool) -> list[Tensor]:
    """The tensors that the kernel's pointers point to."""
    states = zip(part.recurrence.program.state, part.state, strict=True)
    known = {
        "output": part.output,
        **{f"input {name}": tensor for name, tensor in part.inputs.items()},
        **{f"state {name}": tensor for (name, _), tensor in states},
        **{f"parameter {name}": tensor for name, tensor in part.parameters.items()},
    }
    parameters = dict(part.parameters)
    for name, structure in lower(part.recurrence.program).structures:
        parameters[name] = structure.dense(parameters[name])
    packed = [
        pack_group(group, parameters, part.output, made.lanes, half)
        for group in made.kernel.groups
    ]
    return [*(known[name] for name in made.kernel.names), *packed]


def pack_group(
    group: Group, parameters: Mapping[str, Tensor], like: Tensor, lanes: int, half: bool
) -> Tensor:
    """The parameters of a group in the order in which the kernel reads them."""
    first, gates = group.maps[0], len(group.maps)
    block = group.vectors * lanes
    blocks = -(-first.width // block)

    def ordered(matrices: list[Tensor | None], inner: int) -> Tensor:
        """(blocks, inner, gates * vectors * lanes)."""
        whole = like.new_zeros(gates, blocks * block, inner)
        for gate, matrix in enumerate(matrices):
            if matrix is not None:
                whole[gate, : first.width] = matrix
        split = whole.view(gates, blocks, block, inner)
        return split.permute(1, 3, 0, 2).reshape(blocks, inner, gates * block)

    biases = [parameters[m["bias"]][:, None] if m["bias"] else None for m in group.maps]
    pieces = [ordered(biases, 1)]
    for place in range(len(first.args)):
        matrices = [parameters[m["matrices"][place]] for m in group.maps]
        columns = ordered([*matrices], matrices[0].shape[1])
        pieces.append(_halves(columns) if half else columns)
    return _in_large_pages(torch.cat(pieces, 1))


def _in_large_pages(tensor: Tensor) -> Tensor:
    """The same where the system maps it by large pages, which a step reads faster."""
    size = tensor.numel() * tensor.element_size()
    if size < PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return tensor.contiguous()
    memory = mmap.mmap(-1, size + PAGE)
    memory.madvise(mmap.MADV_HUGEPAGE)
    start = torch.frombuffer(memory, dtype=torch.uint8).data_ptr()
    whole = torch.frombuffer(
        memory, dtype=tensor.dtype, count=tensor.numel(), offset=-start % PAGE
    )
    return whole.view(tensor.shape).copy_(tensor)


def _halves(columns: Tensor) -> Tensor:
    """Two columns of bfloat16 in each word: the even one low, the odd one high."""
    if columns.shape[1] % 2:
        columns = torch.cat([columns, torch.zeros_like(columns[:, :1])], 1)
    bits = columns.view(torch.int32)
    return (((bits[:, ::2] >> 16) & 0xFFFF) | (bits[:, 1::2] & -65536)).view(
        torch.float32
    )
