"""How fast cells run over time beside PyTorch's own layers and a plain Python loop.

Equal weights, inputs, precision and threads on both sides. *Forward* is a run without
gradients; *train* is forward and ``y.sum().backward()`` with a gradient for the input
and all weights. Before a row is timed, outputs must agree with a float64 run of the
reference to 2e-5 and gradients to 1e-4, relative; a row that does not is not timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurro import cells
from recurro.bench.timing import Row, take_turns
from recurro.cells import Cell
from recurro.engine.run import Backend
from recurro.errors import BackendError
from recurro.nn import Recurrent

__all__ = ["CELLS", "OWN_SHAPES", "SHAPES", "EngineRow", "bench_engine"]

SHAPES = (
    (64, 64, 1, 100),
    (64, 64, 16, 50),
    (128, 128, 32, 100),
    (256, 256, 32, 100),
    (512, 512, 64, 64),
    (1024, 1024, 32, 32),
)
"""Input and hidden size, batch and steps."""

CELLS: dict[str, tuple[Cell, type[nn.Module] | None]] = {
    "LSTM": (cells.LSTM(), nn.LSTM),
    "GRU": (cells.GRU(), nn.GRU),
    "RNN": (cells.Elman(), nn.RNN),
    "LayerNormLSTM": (cells.LayerNormLSTM(), None),
    "MinGRU": (cells.MinGRU(), None),
}
"""The cells, and PyTorch's layer of the same equations where there is one."""

OWN_SHAPES = {"MinGRU": ((256, 256, 1, 4096), (64, 256, 1, 4096))}
"""The shapes of cells that are made for others than ``SHAPES``."""


@dataclass(frozen=True)
class EngineRow:
    """One cell at one shape.

    Attributes:
        cell: Its name.
        shape: Input size, hidden size, batch, steps.
        against: ``nn.LSTM`` and the like, or ``eager loop``.
        forward: Ours, timed beside the other; its ratio is below 1 where ours is
            faster.
        train: The same for a forward and a backward pass.
    """

    cell: str
    shape: tuple[int, int, int, int]
    against: str
    forward: Row
    train: Row


def bench_engine(
    names: Sequence[str] = tuple(CELLS),
    shapes: Sequence[tuple[int, int, int, int]] | None = None,
    *,
    rounds: int = 15,
    seconds: float = 0.5,
    backend: Backend = "cpu",
) -> list[EngineRow]:
    """Time cells against the incumbent.

    Args:
        names: Keys of ``CELLS``.
        shapes: Input size, hidden size, batch and steps of each row; ``SHAPES`` if not
            given, or a cell's ``OWN_SHAPES``.
        rounds: Rounds at least.
        seconds: Time at least that each side is measured for.
        backend: What runs ours.

    Raises:
        BackendError: If results differ by more than rounding.

    Example:
        >>> row, = bench_engine(["GRU"], [(2, 3, 2, 4)], rounds=1, seconds=0.0)
        >>> row.against
        'nn.GRU'
    """
    return [
        _measure(name, shape, rounds, seconds, backend)
        for name in names
        for shape in (OWN_SHAPES.get(name, SHAPES) if shapes is None else shapes)
    ]


def _measure(
    name: str,
    shape: tuple[int, int, int, int],
    rounds: int,
    seconds: float,
    backend: Backend,
) -> EngineRow:
    cell, layer = CELLS[name]
    inputs, hidden, batch, steps = shape
    torch.manual_seed(0)
    ours = Recurrent(cell, inputs, hidden, backend=backend)
    theirs: nn.Module = Recurrent(cell, inputs, hidden, backend="reference")
    if layer is not None:
        theirs = layer(inputs, hidden)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    _gate(name, ours, cell, x)
    turns = {"rounds": rounds, "seconds": seconds}
    forward = take_turns(
        {"theirs": lambda: _forward(theirs, x), "ours": lambda: _forward(ours, x)},
        **turns,
    )
    train = take_turns(
        {"theirs": lambda: _train(theirs, x), "ours": lambda: _train(ours, x)}, **turns
    )
    against = "eager loop" if layer is None else f"nn.{layer.__name__}"
    return EngineRow(name, shape, against, forward[1], train[1])


@torch.no_grad()
def _forward(module: nn.Module, x: Tensor) -> None:
    module(x)


def _train(module: nn.Module, x: Tensor) -> list[Tensor]:
    x.grad = None
    module.zero_grad()
    module(x)[0].sum().backward()
    return [p.grad for p in (x, *module.parameters()) if p.grad is not None]


def _gate(name: str, ours: Recurrent, cell: Cell, x: Tensor) -> None:
    """Refuse to time what does not compute the same."""
    assert isinstance(ours.input_size, int)
    exact = Recurrent(cell, ours.input_size, ours.hidden_size, backend="reference")
    exact.load_state_dict(ours.state_dict())
    exact.double()
    wide = x.detach().double().requires_grad_()
    pairs = [(ours(x)[0], exact(wide)[0], 2e-5)]
    grads = zip(_train(ours, x), _train(exact, wide), strict=True)
    pairs += [(found, wanted, 1e-4) for found, wanted in grads]
    for found, wanted, most in pairs:
        wanted = wanted.detach()
        gap = (found.detach().double() - wanted).norm()
        error = float(gap / wanted.norm().clamp_min(1e-30))
        if not error <= most:
            raise BackendError(
                f"bench engine: {name} must agree with float64 to {most:g}, got "
                f"{error:.2g}. Nothing was timed."
            )
