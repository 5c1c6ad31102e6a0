"""How fast a sparse leaky cell runs over time beside a loop over scipy.sparse.

Equal pattern, elements, inputs, precision and threads on both sides, and both return
all states. Before the clock starts, both must agree with a float64 loop to 2e-5.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from recurro.bench.timing import Row, take_turns
from recurro.cells import Leaky
from recurro.engine import Sparse, recurrence, run
from recurro.errors import BackendError

__all__ = ["bench_sparse", "scipy_loop"]


def bench_sparse(
    units: int = 10_000,
    per_row: int = 10,
    batch: int = 1,
    steps: int = 100,
    *,
    rounds: int = 15,
    seconds: float = 0.5,
) -> Row:
    """Time a forward run in float32 against scipy.

    Args:
        units: Units of the reservoir.
        per_row: Entries of each row of its recurrent matrix.
        batch: Sequences that are run together.
        steps: Steps of each.
        rounds: Rounds at least.
        seconds: Time at least that each side is measured for.

    Returns:
        Ours; its ratio is below 1 where it is faster.

    Raises:
        BackendError: If results differ by more than rounding.

    Example:
        >>> bench_sparse(20, 3, 2, 4, rounds=1, seconds=0.0).name
        'ours'
    """
    cell, generator = Leaky(0.3), torch.Generator().manual_seed(0)
    pattern = Sparse.random(units, per_row, generator)
    part = recurrence(cell, 1, units, recurrent=pattern)
    stored = {n: torch.randn(s, generator=generator) for n, s in part.shapes().items()}
    stored["U_h"] *= 0.9 * per_row**-0.5
    x = torch.randn(steps, batch, 1, generator=generator)
    arrays = {name: tensor.numpy() for name, tensor in stored.items()}

    def theirs() -> np.ndarray:
        return scipy_loop(cell.leak_rate, pattern, arrays, x.numpy())

    @torch.no_grad()
    def ours() -> Tensor:
        return run(part, stored, x, backend="cpu").output

    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    exact = scipy_loop(cell.leak_rate, pattern, wide, x.double().numpy())
    for found in (ours().numpy(), theirs()):
        error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        if not error <= 2e-5:
            raise BackendError(
                f"bench sparse: results must agree with float64 to 2e-5, got "
                f"{error:.2g}. Nothing was timed."
            )
    work = {"scipy": theirs, "ours": ours}
    return take_turns(work, rounds=rounds, seconds=seconds)[1]


def scipy_loop(
    leak_rate: float, pattern: Sparse, arrays: dict[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """The states ``(time, batch, units)`` by a loop in Python."""
    steps, batch = x.shape[:2]
    triple = arrays["U_h"], pattern.indices.astype(np.int32), pattern.indptr
    matrix = csr_array(triple, shape=(pattern.units, pattern.units))
    leak = arrays["U_h"].dtype.type(leak_rate)
    drive = x @ arrays["W_h"].T + arrays["b_h"]
    states = np.empty((steps, batch, pattern.units), drive.dtype)
    h = np.zeros((pattern.units,) if batch == 1 else (pattern.units, batch), leak.dtype)
    for t in range(steps):
        new = matrix @ h
        new += drive[t, 0] if batch == 1 else drive[t].T
        np.tanh(new, out=new)
        new *= leak
        h = h * (1 - leak)
        h += new
        states[t] = h if batch == 1 else h.T
    return states
