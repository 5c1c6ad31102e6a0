"""How hidden Markov models learn: Baum-Welch, and counting where states are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from recurro.baselines.hmm_emissions import NAME, Emission, Params, shares
from recurro.baselines.hmm_recursion import Expected, in_logarithms, scaled, width_of
from recurro.errors import DataError

__all__ = ["OWN", "Dead", "Learning", "Monitor", "Watch", "expect", "told"]

OWN = {"s": "startprob_", "t": "transmat_"}
"""The letters of what all models have."""

Watch: TypeAlias = Callable[[int, int, float], object]
"""Told of each iteration: which start, which iteration, the log-likelihood."""

Dead: TypeAlias = list[tuple[int, int]]
"""Of each impossible sequence its number, and the step that no state can emit."""


@dataclass
class Monitor:
    """How Baum-Welch went, in the best of its starts.

    Attributes:
        history: The log-likelihood before each iteration.
        converged: Whether it ended as the gain fell under ``tol``.
        starts: The last log-likelihood of each start.
    """

    history: list[float] = field(default_factory=list)
    converged: bool = False
    starts: list[float] = field(default_factory=list)

    @property
    def iter(self) -> int:
        """How many iterations there were."""
        return len(self.history)


def expect(
    family: Emission,
    params: Params,
    X: np.ndarray,
    lengths: np.ndarray,
    *,
    back: bool = True,
) -> tuple[Expected, Dead]:
    """What a pass through sequences tells, and which of them are impossible.

    Sequences for which scaled arithmetic may not do are run in logarithms.

    Args:
        family: What states emit.
        params: The model.
        X: Observations that the family has read, end to end.
        lengths: Steps of each sequence.
        back: Whether to go backward, too.
    """
    start, moves = params["startprob_"], params["transmat_"]
    b, top = family.scaled(X, params, width_of(len(start)))
    found = scaled(start, moves, b, lengths, back=back)
    number_of = np.repeat(np.arange(len(lengths)), lengths)
    found.log_probs[:] += np.bincount(number_of, top, len(lengths))
    ends, dead = np.cumsum(lengths), []
    for number in np.flatnonzero(found.weak):
        own = slice(ends[number] - lengths[number], ends[number])
        logs = family.log_probs(X[own], params)
        exact = in_logarithms(start, moves, logs, back=back)
        found.log_probs[number], found.probs[own] = exact.log_prob, exact.probs
        found.moves[:] += exact.moves
        if exact.dead is not None:
            dead.append((int(number), exact.dead))
    return found, dead


def told(dead: Dead) -> str:
    """Which sequence is impossible and where, in words."""
    number, step = dead[0]
    more = f" ({len(dead) - 1} more are impossible)" if dead[1:] else ""
    return (
        f"{NAME}: sequence {number} must be possible under the model, got one whose "
        f"step {step} no state can have emitted, so that its log-likelihood is "
        f"-inf{more}."
    )


@dataclass(frozen=True)
class Learning:
    """How a model is learnt; the arguments of ``HiddenMarkovModel`` of these names.

    Attributes:
        family: What states emit.
        n_iter, tol: When iterations end.
        startprob_prior, transmat_prior: Parameters of Dirichlet distributions.
        params: Letters of what is learnt; ``None`` for all.
    """

    family: Emission
    n_iter: int
    tol: float
    startprob_prior: float
    transmat_prior: float
    params: str | None

    def climb(
        self,
        params: Params,
        X: np.ndarray,
        lengths: np.ndarray,
        watch: Callable[[int, float], object],
    ) -> tuple[Params, Monitor]:
        """Iterations of Baum-Welch from one start."""
        monitor = Monitor()
        while monitor.iter < self.n_iter:
            expected, dead = expect(self.family, params, X, lengths)
            if dead:
                raise DataError(f"{told(dead)} Change the parameters that were set.")
            monitor.history.append(math.fsum(expected.log_probs))
            watch(monitor.iter, monitor.history[-1])
            if monitor.iter > 1:
                gain = monitor.history[-1] - monitor.history[-2]
                monitor.converged = gain < self.tol
            if monitor.converged:
                break
            params = self._improved(params, X, lengths, expected)
        return params, monitor

    def count(
        self,
        X: np.ndarray,
        lengths: np.ndarray,
        states: Any,  # noqa: ANN401 (arrays, lists)
        size: int,
    ) -> Params:
        """The parameters of known states, of which there are ``size``."""
        known = np.asarray(states)
        if known.shape != (len(X),) or known.dtype.kind not in "iu":
            raise DataError(
                f"{NAME}: states must be whole numbers ({len(X)},), one for each row "
                f"of X, got {known.dtype} {known.shape}."
            )
        if not 0 <= int(known.min()) <= int(known.max()) < size:
            raise DataError(
                f"{NAME}: states must be from 0 to {size - 1}, got {known.min()} to "
                f"{known.max()}. Number them from 0, and ask for as many states."
            )
        inside = np.ones(len(X), bool)  # steps that have a step after them
        inside[np.cumsum(lengths)[lengths > 0] - 1] = False
        moves = np.zeros((size, size))
        np.add.at(moves, (known[inside], known[1:][inside[:-1]]), 1)
        flat, none = np.full((size, size), 1 / size), np.zeros(len(lengths))
        everywhere = self.family.estimate(X, np.ones((len(X), size)), {})
        old = {"startprob_": flat[0], "transmat_": flat, **everywhere}
        counts = Expected(none, np.eye(size)[known], moves, none.astype(bool))
        return self._improved(old, X, lengths, counts)

    def _improved(
        self, old: Params, X: np.ndarray, lengths: np.ndarray, expected: Expected
    ) -> Params:
        """Where an iteration leads (Rabiner, equations 40 and 110)."""
        first = (np.cumsum(lengths) - lengths)[lengths > 0]
        starts = expected.probs[first].sum(0)
        counts = {
            "startprob_": (starts, self.startprob_prior),
            "transmat_": (expected.moves, self.transmat_prior),
        }
        new = self.family.estimate(X, expected.probs, old)
        for name, (count, prior) in counts.items():
            allowed = old[name] > 0  # what is impossible remains so
            new[name] = shares(np.where(allowed, count + (prior - 1), 0), old[name])
        for letter, name in {**OWN, **self.family.letters}.items():
            if self.params is not None and letter not in self.params:
                new[name] = old[name]
        return new
