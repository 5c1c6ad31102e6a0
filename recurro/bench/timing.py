"""Time several ways of doing the same work, side by side, and tell how sure that is.

The method: two warm-ups, then the engines in turn (A B C A B C ...), so that a busy
neighbour slows all of them alike. In each round an engine's time is divided by the
baseline's time of the same round; the score is the median of those ratios, printed with
its quartiles. Where the baseline itself wavers (upper over lower quartile above 1.15)
the row is marked as unsteady and its figure should be thrown away.

Example:
    >>> rows = take_turns({"list": lambda: [0] * 99, "sum": lambda: sum(range(99))},
    ...                   rounds=3, seconds=0.0)
    >>> [row.name for row in rows], rows[0].ratio.median
    (['list', 'sum'], 1.0)
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["Row", "Spread", "as_tree", "machine", "take_turns"]

STEADY = 1.15
"""Largest upper over lower quartile of a baseline that may be trusted."""

Work = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles."""

    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """The quartiles of some values.

        Example:
            >>> Spread.of(np.array([1.0, 2.0, 3.0])).median
            2.0
        """
        lower, median, upper = np.percentile(values, (25, 50, 75))
        return cls(float(lower), float(median), float(upper))


@dataclass(frozen=True)
class Row:
    """What was measured of one engine.

    Attributes:
        name: The engine.
        seconds: Time of one call.
        ratio: Its time over the baseline's in the same round: below 1 is faster.
        rounds: Rounds measured.
        steady: Whether the baseline held still enough to trust the ratio.
    """

    name: str
    seconds: Spread
    ratio: Spread
    rounds: int
    steady: bool


def take_turns(
    engines: Mapping[str, Work],
    *,
    baseline: str | None = None,
    warmups: int = 2,
    rounds: int = 15,
    seconds: float = 0.5,
    synchronize: Callable[[], object] | None = None,
) -> list[Row]:
    """Time engines that do equal work, in turn, against one of them.

    Args:
        engines: A function without arguments for each name.
        baseline: The name that the others are divided by; the first if not given.
        warmups: Calls of each engine before the clock starts.
        rounds: Rounds at least.
        seconds: Time at least that each engine is measured for.
        synchronize: Waits for the device; called before each reading of the clock.

    Returns:
        A row per engine, in the order given.

    Raises:
        ArgumentError: If the baseline is not among the engines.
    """
    names = list(engines)
    baseline = baseline or names[0]
    if baseline not in engines:
        raise ArgumentError(
            f"take_turns: baseline must be one of {', '.join(names)}, got {baseline!r}."
            " Name an engine that is timed."
        )
    wait = synchronize or _nothing
    for work in engines.values():
        for _ in range(warmups):
            work()
    calls = {name: _calls(work, wait) for name, work in engines.items()}
    times: dict[str, list[float]] = {name: [] for name in names}
    while _short(times, calls, rounds, seconds):
        for name, work in engines.items():
            times[name].append(_clock(work, calls[name], wait))
    return _rows({name: np.array(spent) for name, spent in times.items()}, baseline)


def machine() -> dict[str, object]:
    """The machine and the versions that a figure belongs to."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def as_tree(
    question: str, rows: Sequence[Row], settings: Mapping[str, object]
) -> dict[str, object]:
    """Rows as plain values, with the question, the settings and the machine.

    Args:
        question: What was asked, in words.
        rows: What :func:`take_turns` gave.
        settings: Sizes and other settings of the measurement.
    """
    return {
        "question": question,
        "settings": dict(settings),
        "rows": [asdict(row) for row in rows],
        "machine": machine(),
    }


def _nothing() -> None:
    """The CPU has done its work when a call returns."""


def _clock(work: Work, calls: int, wait: Callable[[], object]) -> float:
    """Seconds of one call, over some calls in a row."""
    wait()
    start = time.perf_counter()
    for _ in range(calls):
        work()
    wait()
    return (time.perf_counter() - start) / calls


def _calls(work: Work, wait: Callable[[], object], least: float = 1e-3) -> int:
    """How many calls in a row make a time that the clock can tell from nothing."""
    return max(1, round(least / max(_clock(work, 1, wait), 1e-9)))


def _short(
    times: dict[str, list[float]], calls: dict[str, int], rounds: int, seconds: float
) -> bool:
    """Whether more rounds are needed."""
    return any(
        len(spent) < rounds or sum(spent) * calls[name] < seconds
        for name, spent in times.items()
    )


def _rows(times: dict[str, np.ndarray], baseline: str) -> list[Row]:
    base = times[baseline]
    spread = Spread.of(base)
    steady = spread.upper <= STEADY * spread.lower
    return [
        Row(name, Spread.of(spent), Spread.of(spent / base), len(spent), steady)
        for name, spent in times.items()
    ]


def _processor() -> str:
    """The processor's own name where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
