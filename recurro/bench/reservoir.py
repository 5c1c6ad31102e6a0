"""How fast a large reservoir is drawn, run and read out, beside scipy and reservoirpy.

The run: equal pattern, weights, inputs and number of steps on all sides, one thread;
scipy's loop is in float32 as ours is, reservoirpy's in its own float64. The readout:
the same float32 states on both sides, fewer steps than units, a process for each side.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy.sparse import csr_array

from recurro.bench.sparse import scipy_loop
from recurro.bench.timing import take_turns
from recurro.engine import Sparse
from recurro.errors import BackendError
from recurro.reservoir import EchoStateNetwork
from recurro.reservoir.pool import Pool

__all__ = ["ReservoirRow", "bench_reservoir"]

LEAK = 0.3

_FIT = """
import sys, time, numpy as np, torch
from pathlib import Path
name, steps, units = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
if name == "ours":
    from recurro.reservoir import Ridge
else:
    from reservoirpy.nodes import Ridge
def fit(z, y):
    if name == "ours":
        return Ridge(1e-6).begin(z.shape[1], y.shape[1]).add(z, y).solve().coef_
    return Ridge(ridge=1e-6, fit_bias=False).fit(z, y).Wout
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))
rng = np.random.default_rng(0)
draw = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)
fit(draw(30, 20), draw(30, 1))
z, y = draw(steps, units), draw(steps, 1)
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
start = time.process_time()
fit(z, y)
print(time.process_time() - start, 1024 * (status("VmHWM") - before))
"""


@dataclass(frozen=True)
class ReservoirRow:
    """One figure, and what is required of it.

    Attributes:
        name: What was measured, and beside whom.
        ours: Seconds, or bytes.
        theirs: The same of the other side; ``None`` where time itself is bounded.
        measured: How many times better ours is; or ours where time is bounded.
        required: What it must reach, or stay under.
        unit: ``s`` or ``B``.
        steady: Whether the other side held still enough to trust the ratio.
    """

    name: str
    ours: float
    theirs: float | None
    measured: float
    required: float
    unit: str = "s"
    steady: bool = True

    @property
    def met(self) -> bool:
        """Whether it is what is required."""
        if self.theirs is None:
            return self.measured <= self.required
        return self.measured >= self.required


def bench_reservoir(
    units: int = 10_000, per_row: int = 10, steps: int = 2_000, *, rounds: int = 7
) -> list[ReservoirRow]:
    """Measure all of it; what needs reservoirpy is left out where it is not installed.

    Args:
        units: Units of the reservoir.
        per_row: Entries of each row of its recurrent matrix.
        steps: Steps of the series.
        rounds: Rounds at least of the run.

    Raises:
        BackendError: If sides differ by more than rounding.

    Example:
        >>> [row.name for row in bench_reservoir(30, 3, 20, rounds=1)][0]
        'draw'
    """
    series = np.random.default_rng(0).uniform(-1, 1, (steps, 1))
    model = EchoStateNetwork(
        units,
        connectivity=per_row,
        leak_rate=LEAK,
        bias=0.0,
        dtype="float32",
        random_state=0,
    )
    start = time.process_time()
    model.partial_fit(series[:1], series[:1])  # draws; one step costs nothing beside
    spent = time.process_time() - start
    rows = [ReservoirRow("draw", spent, None, spent, 3.0)]
    rows += _run(model.bank_.pools[0], series.astype(np.float32), rounds)
    return rows + _fit(units, steps)


def _run(pool: Pool, series: np.ndarray, rounds: int) -> list[ReservoirRow]:
    """The states at all steps, by three ways."""
    pattern = Sparse(pool.w_rec.indptr, pool.w_rec.indices)
    arrays = {
        "W_h": np.asarray(pool.w_in),
        "U_h": pool.w_rec.data,
        "b_h": np.zeros(pool.units, np.float32),
    }
    x = series[:, None]
    sides: dict[str, Callable[[], np.ndarray]] = {
        "scipy": lambda: scipy_loop(LEAK, pattern, arrays, x)[:, 0],
        "ours": lambda: pool(x)[0][:, 0],
    }
    if find_spec("reservoirpy"):
        from reservoirpy.nodes import Reservoir

        node = Reservoir(
            units=pool.units,
            lr=LEAK,
            W=csr_array(pool.w_rec, dtype=np.float64),
            Win=arrays["W_h"].astype(np.float64),
            bias=np.zeros(pool.units),
        )
        wide = series.astype(np.float64)

        def theirs() -> np.ndarray:
            node.reset()
            return np.asarray(node.run(wide))

        node.run(wide[:1])  # makes its weights
        sides["reservoirpy"] = theirs
    _check({name: work() for name, work in sides.items()})
    found = {
        other: take_turns(
            {other: sides[other], "ours": sides["ours"]},
            warmups=1,
            rounds=rounds,
            seconds=0.0,
        )
        for other in sides
        if other != "ours"
    }
    required = {"scipy": 2.0, "reservoirpy": 5.0}
    return [
        ReservoirRow(
            f"run, {other}",
            ours.seconds.median,
            base.seconds.median,
            1 / ours.ratio.median,
            required[other],
            steady=ours.steady,
        )
        for other, (base, ours) in found.items()
    ]


def _check(states: dict[str, np.ndarray]) -> None:
    """Refuse sides that do not tell the same."""
    ours = states["ours"]
    for name, found in states.items():
        error = float(np.linalg.norm(found - ours) / np.linalg.norm(ours))
        if not error <= 2e-5:
            raise BackendError(
                f"bench reservoir: states must agree to 2e-5, got {error:.2g} for "
                f"{name}. Nothing was timed."
            )


def _fit(units: int, steps: int) -> list[ReservoirRow]:
    """The readout, each side in a process of its own."""
    if not find_spec("reservoirpy") or sys.platform != "linux":
        return []
    (ours, ours_peak), (theirs, their_peak) = (
        _ask(name, steps, units) for name in ("ours", "theirs")
    )
    return [
        ReservoirRow("fit, reservoirpy", ours, theirs, theirs / ours, 5.0),
        ReservoirRow(
            "memory of fit, reservoirpy",
            ours_peak,
            their_peak,
            their_peak / max(ours_peak, 1.0),
            5.0,
            unit="B",
        ),
    ]


def _ask(*words: object) -> tuple[float, float]:
    """Seconds of the processor, and bytes at the peak beyond those before."""
    done = subprocess.run(
        [sys.executable, "-c", _FIT, *map(str, words)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak
