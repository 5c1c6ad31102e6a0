"""The two sides of each comparison: modules of equal weights that do equal work.

A side is a module whose first result is the output. Each pair comes with the input that
both read and with ours in float64 on the reference loop, which judges both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurro.cells import GRU, LSTM, Cell, Elman
from recurro.cells.ops import Value, sigmoid, sqrt, tanh
from recurro.nn import Recurrent

__all__ = [
    "Shape",
    "Sides",
    "Surprise",
    "compiled_loop",
    "layer",
    "loop",
    "packed",
    "resets",
]

Shape = tuple[int, int, int, int]
"""Input size, hidden size, batch, steps."""


@dataclass(frozen=True)
class Sides:
    """What is timed beside each other.

    Attributes:
        ours: Rendered C.
        theirs: The incumbent.
        exact: Judges ours, in float64.
        their_exact: Judges theirs; the same module where both compute the same.
        x: The input ``(time, batch, input)``.
        product: Rows, inner size and columns of the one matrix product that has as
            many operations as all products of a forward pass.
    """

    ours: nn.Module
    theirs: nn.Module
    exact: nn.Module
    their_exact: nn.Module
    x: Tensor
    product: tuple[int, int, int]


class Surprise(Cell):
    """A cell that no library has: its gate is opened by what it did not expect.

    r = sigmoid(W_r x + U_r h + b_r)
    n = tanh(W_n x + U_n (r h) + b_n)
    e = n - m                              how far the news is from what was expected
    v = 0.9 v + 0.1 e^2                    how far it usually is
    z = sigmoid(W_z x + U_z h + a e / sqrt(v + 0.01) + b_z)
    m = m + z e
    h = tanh(m) sigmoid(W_o x + U_o n + b_o)

    Three states, a reset, and two products on values that the step computes.

    Example:
        >>> Recurrent(Surprise(), 3, 4)(torch.zeros(5, 2, 3))[0].shape
        torch.Size([5, 2, 4])
    """

    state = ("h", "m", "v")

    def step(self, x: Value, h: Value, m: Value, v: Value) -> tuple[Value, ...]:
        """The equations."""
        r = sigmoid(self.affine("r", x, h))
        n = tanh(self.affine("n", x, r * h))
        e = n - m
        v = 0.9 * v + 0.1 * e * e
        z = sigmoid(self.affine("z", x, h) + self.vector("a") * e / sqrt(v + 0.01))
        m = m + z * e
        return tanh(m) * sigmoid(self.affine("o", x, n)), m, v


_TWINS: dict[type[Cell], type[nn.Module]] = {
    LSTM: nn.LSTM,
    GRU: nn.GRU,
    Elman: nn.RNN,
}


def layer(cell: Cell, shape: Shape) -> Sides:
    """A cell beside PyTorch's layer of the same equations."""
    return _sides(cell, shape, _TWINS[type(cell)](*shape[:2]))


def loop(cell: Cell, shape: Shape) -> Sides:
    """A cell beside the plain loop over its step in PyTorch."""
    return _sides(cell, shape, _reference(cell, shape))


def compiled_loop(cell: Cell, shape: Shape) -> Sides:
    """A cell beside the plain loop, taken whole by ``torch.compile``."""
    eager = _reference(cell, shape)
    made = _sides(cell, shape, eager)
    eager.compile(fullgraph=True)
    return made


def packed(cell: Cell, shape: Shape) -> Sides:
    """Rows of unequal lengths, beside PyTorch's layer on a packed sequence.

    Lengths are uniform between a quarter of the steps and all of them.
    """
    steps, batch = shape[3], shape[2]
    lengths = torch.randint(max(1, steps // 4), steps + 1, (batch,))
    made = layer(cell, shape)
    exact = _Ragged(made.exact, lengths)
    return replace(
        made,
        ours=_Ragged(made.ours, lengths),
        theirs=_Packed(made.theirs, lengths),
        exact=exact,
        their_exact=exact,
        product=(int(lengths.sum()), *made.product[1:]),
    )


def resets(cell: Cell, shape: Shape) -> Sides:
    """A cell beside our own GRU with reset after the product."""
    after = loop(GRU(), shape)
    return replace(loop(cell, shape), theirs=after.ours, their_exact=after.exact)


class _Ragged(nn.Module):
    """A layer of ours, called with lengths."""

    def __init__(self, layer: nn.Module, lengths: Tensor) -> None:
        super().__init__()
        self.layer, self.lengths = layer, lengths

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.layer(x, None, self.lengths)[0],)


class _Packed(nn.Module):
    """A layer of PyTorch's, called with a packed sequence."""

    def __init__(self, layer: nn.Module, lengths: Tensor) -> None:
        super().__init__()
        self.layer, self.lengths = layer, lengths

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        inputs = pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.layer(inputs)[0], total_length=len(x))
        return (y,)


def _reference(cell: Cell, shape: Shape) -> Recurrent:
    return Recurrent(cell, *shape[:2], backend="reference")


def _sides(cell: Cell, shape: Shape, theirs: nn.Module) -> Sides:
    """Ours with a judge, and theirs with the same weights.

    They are half of what a layer begins with: some cells are chaotic at the full size,
    and over a hundred steps that would make two roundings into two results.
    """
    inputs, hidden, batch, steps = shape
    ours, exact = Recurrent(cell, *shape[:2], backend="cpu"), _reference(cell, shape)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(0.5)
    for other in (theirs, exact):
        other.load_state_dict(ours.state_dict())
    exact.double()
    weights = sum(p.numel() for p in ours.parameters() if p.ndim == 2)
    inner = inputs + hidden
    product = (steps * batch, inner, max(1, weights // inner))
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    return Sides(ours, theirs, exact, exact, x, product)
