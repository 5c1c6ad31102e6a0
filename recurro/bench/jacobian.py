"""What the Jacobians of all steps of a run cost beside autograd.

Both sides know the states and make d (h, c)_t / d (h, c)_{t-1} of every step of an
LSTM in float32: autograd by one call for each step and unit, of PyTorch's own LSTM
cell; ours for all steps at once, as whole matrices, and as products with as many
columns and rows as there are units. Before the clock starts, all must agree to 1e-4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurro.analysis import Linearised, linearise_step, trajectories
from recurro.bench.timing import Row, take_turns
from recurro.errors import BackendError
from recurro.nn import LSTM

__all__ = ["AUTOGRAD", "REQUIRED", "bench_jacobian"]

AUTOGRAD = "autograd, a call for each step and unit"
REQUIRED = 10.0
"""How many times faster than autograd ours must be at 128 units and 200 steps."""


def bench_jacobian(
    hidden: int = 128, steps: int = 200, *, rounds: int = 3, seconds: float = 0.5
) -> list[Row]:
    """Time the Jacobians of every step.

    Args:
        hidden: Units of the LSTM; its state has twice as many numbers.
        steps: Steps of the run.
        rounds: Rounds at least.
        seconds: Time at least that each side is measured for.

    Returns:
        Autograd, then ours; a ratio is the time over autograd's.

    Raises:
        BackendError: If results differ by more than rounding.

    Example:
        >>> [row.name for row in bench_jacobian(2, 3, rounds=1, seconds=0.0)][1:]
        ['whole Jacobians', 'products with columns', 'products with rows']
    """
    torch.manual_seed(0)
    layer, x = LSTM(hidden, hidden, backend="reference"), torch.randn(steps, 1, hidden)
    cell = nn.LSTMCell(hidden, hidden)
    with torch.no_grad():
        for mine, theirs in zip(cell.parameters(), layer.parameters(), strict=True):
            mine.copy_(theirs)
    cell.requires_grad_(False)
    (run,) = trajectories(layer, x)
    columns = torch.eye(2 * hidden)

    def ours() -> Linearised:
        return linearise_step(run.part, run.stored, run.inputs, run.old)

    def autograd() -> Tensor:
        return _by_autograd(cell, x, run.old)

    work = {
        AUTOGRAD: autograd,
        "whole Jacobians": lambda: ours().jacobians(),
        "products with columns": lambda: ours().push(columns),
        "products with rows": lambda: ours().pull(columns),
    }
    wanted = autograd()
    for name, make in work.items():
        error = float((make() - wanted).norm() / wanted.norm())
        if not error <= 1e-4:
            raise BackendError(
                f"bench jacobian: {name} must agree with autograd to 1e-4, got "
                f"{error:.2g}. Nothing was timed."
            )
    return take_turns(work, warmups=1, rounds=rounds, seconds=seconds)


def _by_autograd(cell: nn.LSTMCell, x: Tensor, old: tuple[Tensor, ...]) -> Tensor:
    """The Jacobian of each step ``(time, 1, n, n)``, row by row."""
    n = 2 * old[0].shape[-1]
    found = x.new_empty(len(x), 1, n, n)
    for t, x_t in enumerate(x):
        state = tuple(variable[t].clone().requires_grad_() for variable in old)
        new = torch.cat(cell(x_t, state), -1)[0]
        for unit in range(n):
            gradients = torch.autograd.grad(new[unit], state, retain_graph=True)
            found[t, 0, unit] = torch.cat(gradients, -1)[0]
    return found
