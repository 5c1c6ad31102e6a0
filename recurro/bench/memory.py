"""How long cells remember: the adding problem, the copy task, temporal order, resets.

Every cell has as many units, the same optimiser, the same batches and the same time. A
task counts as solved when the error on sequences that were never trained on is under a
tenth of the trivial answer's. An echo state network learns its readout alone.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor, nn

from recurro.bench.memory_tasks import TASKS, MemoryTask, Problem
from recurro.cells import GRU, LSTM, Cell, Elman, ForgetUpdate, Residual
from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from recurro.reservoir import Ridge
from recurro.reservoir.pool import draw_pool

__all__ = ["CELLS", "Fit", "MemoryRow", "bench_memory", "price_of_reset"]

CELLS: dict[str, Cell | None] = {
    "elman": Elman(),
    "residual": Residual(),
    "forget": ForgetUpdate(),
    "lstm": LSTM(),
    "gru": GRU(),
    "esn": None,
}
"""What is compared; ``None`` is the echo state network."""

LENGTHS = (50, 100, 200, 500)
SOLVED = 0.1
"""The share of the trivial answer's error under which a task is solved."""


@dataclass(frozen=True)
class Fit:
    """How each network is trained.

    Attributes:
        seconds: At most, from the first update on, for which kernels may have to be
            built; a network that has solved its task stops.
        units: Of each layer; the echo state network has ``reservoir``.
        rows: Sequences of a batch; every batch is new.
        learning_rate: Of Adam.
        clip_norm: The largest norm of the gradient.
        look: Updates between two looks at fresh sequences.
        reservoir: Units of the echo state network.
        updates: At most.
        judged: Fresh sequences for the error; the echo state network learns from five
            times as many.
    """

    seconds: float = 120.0
    units: int = 64
    rows: int = 32
    learning_rate: float = 2e-3
    clip_norm: float = 1.0
    look: int = 50
    reservoir: int = 500
    updates: int = 1_000_000
    judged: int = 1000


@dataclass(frozen=True)
class MemoryRow:
    """One network on one task at one length.

    Attributes:
        task: Its name.
        length: Steps, T.
        cell: The network.
        error: On fresh sequences: mean squared, or the share of wrong symbols.
        trivial: The same of the trivial answer.
        solved: Whether it is under a tenth of that.
        updates: Batches that were learnt from.
        seconds: Spent in all.
    """

    task: str
    length: int
    cell: str
    error: float
    trivial: float
    solved: bool
    updates: int
    seconds: float


def bench_memory(
    tasks: Sequence[str] = tuple(TASKS),
    cells: Sequence[str] = tuple(CELLS),
    lengths: Sequence[int] = LENGTHS,
    *,
    fit: Fit | None = None,
    jobs: int = 1,
    total: float | None = None,
    seed: int = 0,
) -> Iterator[MemoryRow]:
    """Train every cell on every task at every length.

    Args:
        tasks: Of ``TASKS``.
        cells: Of ``CELLS``.
        lengths: T, each >= 10.
        fit: How each is trained.
        jobs: Processes, of one thread each.
        total: Seconds for all; each learns for an equal part of what is left when it
            begins, and at most as ``fit`` says.
        seed: Of weights and sequences.

    Yields:
        A row for each as it is done, in the order of tasks, lengths, cells.

    Raises:
        ArgumentError: If a name is unknown or a number out of its range.
    """
    for kind, given, known in (("task", tasks, TASKS), ("cell", cells, CELLS)):
        unknown = [name for name in given if name not in known]
        if unknown or not given:
            raise ArgumentError(
                f"bench memory: a {kind} must be one of {', '.join(known)}, got "
                f"{unknown[0] if unknown else 'none'!r}."
            )
    if jobs < 1 or not lengths or min(lengths) < 10:
        raise ArgumentError(
            f"bench memory: jobs must be >= 1 and lengths >= 10, got {jobs} and "
            f"{list(lengths)}."
        )
    each = list(product(tasks, lengths, cells))
    share = None if total is None else _Share(time.time() + total, jobs, len(each))
    work = [
        _Work(*names, fit or Fit(), seed, place, share)
        for place, names in enumerate(each)
    ]
    return _spread(work, jobs)


@dataclass(frozen=True)
class _Share:
    """The time for all: its end, the processes, the fits."""

    end: float
    jobs: int
    fits: int

    def of(self, place: int) -> float:
        """Seconds for the fit in this place: an equal part of what is left."""
        left = max(0.0, self.end - time.time())
        return left * self.jobs / (self.fits - place)


class _Work(NamedTuple):
    task: str
    length: int
    cell: str
    fit: Fit
    seed: int
    place: int
    share: _Share | None


def _spread(work: Sequence[_Work], jobs: int) -> Iterator[MemoryRow]:
    if jobs == 1:
        yield from map(_measure, work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _one_thread) as pool:
        yield from pool.map(_measure, work)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _measure(work: _Work) -> MemoryRow:
    task_name, length, name, fit, seed, place, share = work
    if share is not None:
        fit = replace(fit, seconds=min(fit.seconds, share.of(place)))
    task, begun = TASKS[task_name], time.perf_counter()
    test = task.draw(length, fit.judged, Generator().manual_seed(seed + 1))
    cell = CELLS[name]
    if cell is None:
        error, updates = _reservoir(task, length, test, fit, seed)
    else:
        error, updates = _train(cell, task, length, test, fit, seed)
    trivial = task.trivial(test)
    solved = error < SOLVED * trivial
    spent = time.perf_counter() - begun
    return MemoryRow(task_name, length, name, error, trivial, solved, updates, spent)


class _Network(nn.Module):
    """A layer of a cell, and an answer at the last steps."""

    def __init__(self, cell: Cell, task: MemoryTask, units: int) -> None:
        super().__init__()
        self.layer = Recurrent(cell, task.width, units)
        self.head = nn.Linear(units, task.outputs)

    def forward(self, problem: Problem) -> Tensor:
        y, _ = self.layer(problem.x)
        return self.head(y[-len(problem.y) :])


def _train(
    cell: Cell, task: MemoryTask, length: int, test: Problem, fit: Fit, seed: int
) -> tuple[float, int]:
    """Learn until the task is solved or the time is over; the error and the updates."""
    torch.manual_seed(seed)
    generator, network = (
        Generator().manual_seed(seed + 2),
        _Network(cell, task, fit.units),
    )
    optimizer = torch.optim.Adam(network.parameters(), fit.learning_rate)
    begun, done = time.perf_counter(), 0
    while done < fit.updates and time.perf_counter() - begun < fit.seconds:
        problem = task.draw(length, fit.rows, generator)
        loss = _loss(task, network(problem), problem)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), fit.clip_norm)
        optimizer.step()
        done += 1
        if done == 1:  # kernels were built; the time of learning begins
            begun = time.perf_counter()
        if done % fit.look == 0:
            fresh = task.draw(length, 10 * fit.rows, generator)
            if _error(network, task, fresh) < 0.5 * SOLVED * task.trivial(fresh):
                break
    return _error(network, task, test), done


def _loss(task: MemoryTask, told: Tensor, problem: Problem) -> Tensor:
    if task.kind == "number":
        return (told - problem.y).square().mean()
    return nn.functional.cross_entropy(told.flatten(0, 1), problem.y.flatten())


@torch.no_grad()
def _error(network: _Network, task: MemoryTask, problem: Problem) -> float:
    return task.error(network(problem), problem)


def _reservoir(
    task: MemoryTask, length: int, test: Problem, fit: Fit, seed: int
) -> tuple[float, int]:
    """Learn the readout of a reservoir; the error and the batches."""
    rng, generator = np.random.default_rng(seed), Generator().manual_seed(seed + 2)
    pool = draw_pool(
        fit.reservoir,
        np.full(task.width + 1, 0.1),
        0,
        connectivity=10,
        spectral_radius=1.0,
        leak_rate=1.0,
        input_scaling=0.1,
        activation="tanh",
        dtype="float32",
        rng=rng,
    )
    answers = len(test.y)

    def features(problem: Problem) -> np.ndarray:
        x = problem.x.numpy()
        u = np.concatenate([np.ones_like(x[..., :1]), x], -1)
        states, _ = pool(u)
        z = np.concatenate([u[-answers:], states[-answers:]], -1)
        return z.reshape(-1, z.shape[-1])

    readout = Ridge("gcv").begin(task.width + 1 + fit.reservoir, task.outputs)
    batches = 5
    for _ in range(batches):
        problem = task.draw(length, fit.judged, generator)
        y = problem.y.flatten()
        if task.kind == "symbol":
            wanted = nn.functional.one_hot(y, task.outputs).double().numpy()
        else:
            wanted = y[:, None].double().numpy()
        readout.add(features(problem), wanted)
    told = features(test) @ readout.solve().coef_.T
    shaped = torch.from_numpy(told).view(answers, -1, task.outputs)
    return task.error(shaped, test), batches


def price_of_reset(rows: Iterable[MemoryRow]) -> dict[str, float]:
    """For each cell its error on ``reset`` over the trivial answer's, the mean of T."""
    shares: dict[str, list[float]] = {}
    for row in rows:
        if row.task == "reset":
            shares.setdefault(row.cell, []).append(row.error / row.trivial)
    return {cell: float(np.mean(found)) for cell, found in shares.items()}
