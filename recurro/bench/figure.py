"""What is measured of two sides: ratios of times, with the machine's own rate beside.

*Forward* is a run without gradients; *train* is forward and ``y.sum().backward()`` with
a gradient for the input and all weights. Before a figure is taken, outputs of both
sides must agree with float64 to 2e-5 and gradients to 1e-4, relative; what does not is
not timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from recurro.bench.sides import Sides
from recurro.bench.timing import Spread, take_turns
from recurro.errors import BackendError

__all__ = ["Figure", "Turns", "inverse", "timed"]


@dataclass(frozen=True)
class Turns:
    """How long is measured: rounds at least, and seconds at least for each side."""

    rounds: int = 15
    seconds: float = 0.5


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        ratio: The other's time (or memory) over ours: above 1, ours is better.
        ours: Seconds (or bytes) of ours.
        theirs: The same of the other, or what is allowed.
        unit: ``s`` or ``B``.
        steady: Whether the other held still enough to trust the ratio.
        gflops: Billions of operations a second of ours, where they are counted.
        gemm: The same of ``torch.mm`` on as many rows, in the same rounds.
    """

    ratio: Spread
    ours: float
    theirs: float
    steady: bool = True
    unit: str = "s"
    gflops: float | None = None
    gemm: float | None = None


def inverse(ratio: Spread) -> Spread:
    """A ratio the other way up."""
    return Spread(1 / ratio.upper, 1 / ratio.median, 1 / ratio.lower)


def timed(
    name: str, sides: Sides, kinds: Sequence[str], turns: Turns
) -> dict[str, Figure]:
    """Time two sides.

    Args:
        name: What an error calls them.
        sides: What is timed.
        kinds: ``forward``, ``train`` or both.
        turns: How long.

    Raises:
        BackendError: If results differ by more than rounding.
    """
    train = "train" in kinds
    _gate(f"{name}, ours", sides.ours, sides.exact, sides.x, train)
    _gate(f"{name}, theirs", sides.theirs, sides.their_exact, sides.x, train)
    return {kind: _figure(kind, sides, turns) for kind in kinds}


def _figure(kind: str, sides: Sides, turns: Turns) -> Figure:
    work = {"forward": _forward, "train": _train}[kind]
    rows, inner, columns = sides.product
    operations = 2 * rows * inner * columns
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    theirs, ours, gemm = take_turns(
        {
            "theirs": partial(work, sides.theirs, sides.x),
            "ours": partial(work, sides.ours, sides.x),
            "gemm": partial(torch.mm, a, b),
        },
        rounds=turns.rounds,
        seconds=turns.seconds,
    )
    return Figure(
        inverse(ours.ratio),
        ours.seconds.median,
        theirs.seconds.median,
        ours.steady,
        "s",
        (3 if kind == "train" else 1) * operations / ours.seconds.median / 1e9,
        operations / gemm.seconds.median / 1e9,
    )


@torch.no_grad()
def _forward(module: nn.Module, x: Tensor) -> list[Tensor]:
    return [module(x)[0]]


def _train(module: nn.Module, x: Tensor) -> list[Tensor]:
    x.grad = None
    module.zero_grad()
    y = module(x)[0]
    y.sum().backward()
    return [
        y.detach(),
        *(p.grad for p in (x, *module.parameters()) if p.grad is not None),
    ]


def _gate(
    name: str, module: nn.Module, exact: nn.Module, x: Tensor, train: bool
) -> None:
    """Refuse to time what does not compute the same."""
    wide = x.detach().double().requires_grad_()
    work = _train if train else _forward
    pairs = zip(work(module, x), work(exact, wide), strict=True)
    for number, (found, wanted) in enumerate(pairs):
        most = 1e-4 if number else 2e-5
        gap = (found.double() - wanted).norm()
        error = float(gap / wanted.norm().clamp_min(1e-30))
        if not error <= most:
            raise BackendError(
                f"bench engine: {name}, must agree with float64 to {most:g}, got "
                f"{error:.2g}. Nothing was timed."
            )
