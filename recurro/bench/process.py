"""What needs a process of its own: the peak of memory, and the time to compile."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from recurro.bench.figure import Figure
from recurro.bench.sides import Shape
from recurro.bench.timing import Spread

__all__ = ["compile_times", "peak_memory"]

_PEAK = """
import sys, torch
from pathlib import Path
from recurro.cells import LSTM
from recurro.nn import Recurrent
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))

torch.set_num_threads(1)
name, *shape = sys.argv[1:]
inputs, hidden, batch, steps = map(int, shape)
layer = (
    torch.nn.LSTM(inputs, hidden)
    if name == "theirs"
    else Recurrent(LSTM(), inputs, hidden, backend="cpu", memory=name)
)
layer(torch.zeros(4, 2, inputs))[0].sum().backward()  # builds the kernels
x = torch.randn(steps, batch, inputs, requires_grad=True)
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
layer(x)[0].sum().backward()
print(status("VmHWM") - before)
"""

_READY = """
import sys, time, torch
from recurro.bench.sides import Surprise
from recurro.nn import Recurrent
torch.set_num_threads(1)
torch.nn.Linear(2, 2)(torch.zeros(1, 2)).sum().backward()  # starts autograd
inputs, hidden, batch, steps = map(int, sys.argv[1:])
x = torch.zeros(steps, batch, inputs)
start = time.perf_counter()
Recurrent(Surprise(), inputs, hidden, backend="cpu")(x)[0].sum().backward()
print(time.perf_counter() - start)
"""


def peak_memory(shape: Shape) -> dict[str, Figure]:
    """What a training step adds to the peak of memory, beside ``nn.LSTM``.

    Args:
        shape: Input size, hidden size, batch, steps.

    Returns:
        A figure for ``memory="high"`` and one for ``memory="low"``, in bytes; nothing
        on systems other than Linux.
    """
    if sys.platform != "linux":
        return {}
    peaks = {
        name: 1024 * max(1.0, _ask(_PEAK, (name, *map(str, shape)), {}))
        for name in ("theirs", "high", "low")
    }
    theirs = peaks.pop("theirs")
    return {name: _figure(theirs, ours, "B") for name, ours in peaks.items()}


def compile_times(
    shape: Shape, cold: float = 8.0, cached: float = 0.3, times: int = 5
) -> dict[str, Figure]:
    """How soon a new cell has run forward and backward, the best of some times.

    Args:
        shape: Input size, hidden size, batch, steps.
        cold: Seconds allowed where nothing was built before.
        cached: Seconds allowed in a new process after that.
        times: How often each is tried.

    Returns:
        ``cold`` and ``cached``; a ratio is the seconds allowed over those measured.
    """
    first, second = [], []
    words = [str(size) for size in shape]
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            settings = {"RECURRO_CACHE": folder}
            first.append(_ask(_READY, words, settings))
            second.append(_ask(_READY, words, settings))
    return {
        "cold": _figure(cold, min(first), "s"),
        "cached": _figure(cached, min(second), "s"),
    }


def _figure(theirs: float, ours: float, unit: str) -> Figure:
    ratio = theirs / ours
    return Figure(Spread(ratio, ratio, ratio), ours, theirs, unit=unit)


def _ask(code: str, words: Sequence[str], settings: Mapping[str, str]) -> float:
    """The number that a Python program of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return float(done.stdout)
