"""What an iteration of Baum-Welch costs, beside both implementations of hmmlearn.

One iteration is a call of ``fit`` with ``n_iter=1``: checks, likelihoods of all
observations, both recursions and new parameters. Both sides start from the same
parameters and must come to the same ones before anything is timed. One thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np

from recurro.baselines import HiddenMarkovModel
from recurro.bench.timing import Row, take_turns
from recurro.errors import BackendError, MissingExtraError

__all__ = ["OURS", "REQUIRED", "HMMRow", "bench_hmm"]

OURS, SCALING, LOG = "recurro", "hmmlearn scaling", "hmmlearn log"

REQUIRED = {SCALING: 3.0, LOG: 20.0}
"""How much faster ours must be, at 20 states and 100,000 observations."""

SYMBOLS = 30

Kind: TypeAlias = Literal["categorical", "gaussian"]


@dataclass(frozen=True)
class HMMRow:
    """One kind of data.

    Attributes:
        emission: ``categorical`` or ``gaussian``.
        states: Hidden states.
        observations: Steps of all sequences.
        sequences: How many sequences of equal length they make.
        engines: Each by name, timed in turn; a ratio is its time over that of
            ``recurro``, above 1 where ``recurro`` is faster.
    """

    emission: str
    states: int
    observations: int
    sequences: int
    engines: dict[str, Row]


def bench_hmm(
    states: int = 20,
    observations: int = 100_000,
    *,
    rounds: int = 5,
    seconds: float = 0.5,
) -> list[HMMRow]:
    """Time one iteration on one sequence and on a hundred.

    Args:
        states: Hidden states.
        observations: Steps in all, at least 300, for sequences of three.
        rounds: Rounds at least.
        seconds: Time at least that each engine is measured for.

    Raises:
        MissingExtraError: If hmmlearn is not installed.
        BackendError: If the sides do not agree.

    Example:
        >>> rows = bench_hmm(2, 400, rounds=1, seconds=0.0)
        >>> [(row.emission, row.sequences) for row in rows]
        [('categorical', 1), ('categorical', 100), ('gaussian', 1)]
    """
    if find_spec("hmmlearn") is None:
        raise MissingExtraError(
            "bench hmm: hmmlearn must be installed to compare with, got none. Install "
            "it: pip install hmmlearn."
        )
    kinds: tuple[tuple[Kind, int], ...] = (
        ("categorical", 1),
        ("categorical", 100),
        ("gaussian", 1),
    )
    return [
        HMMRow(
            kind,
            states,
            observations,
            parts,
            _measure(kind, states, observations, parts, rounds, seconds),
        )
        for kind, parts in kinds
    ]


def _measure(
    kind: Kind,
    states: int,
    count: int,
    parts: int,
    rounds: int,
    seconds: float,
) -> dict[str, Row]:
    rng = np.random.default_rng(0)
    params = {
        "startprob_": rng.dirichlet(np.ones(states)),
        "transmat_": rng.dirichlet(np.ones(states), states),
    }
    if kind == "categorical":
        params["emissionprob_"] = rng.dirichlet(np.ones(SYMBOLS), states)
        X = rng.integers(0, SYMBOLS, (count, 1))
        X[:SYMBOLS, 0] = np.arange(SYMBOLS)
    else:
        params["means_"] = rng.normal(size=(states, 2))
        params["covars_"] = rng.uniform(0.5, 2.0, (states, 2))
        X = rng.normal(size=(count, 2))
    lengths = [len(part) for part in np.array_split(X, parts)]
    engines: dict[str, Callable[[], Any]] = {
        OURS: partial(_ours, kind, params, X, lengths)
    }
    for name in (SCALING, LOG):
        how = name.removeprefix("hmmlearn ")
        engines[name] = partial(_theirs, kind, how, params, X, lengths)
    _gate(kind, list(params), engines)
    rows = take_turns(
        {name: _quiet(work) for name, work in engines.items()},
        baseline=OURS,
        rounds=rounds,
        seconds=seconds,
        warmups=1,
    )
    return {row.name: row for row in rows}


def _ours(
    kind: Kind,
    params: dict[str, np.ndarray],
    X: np.ndarray,
    lengths: Sequence[int],
) -> HiddenMarkovModel:
    model = HiddenMarkovModel(len(params["startprob_"]), kind, n_iter=1, init_params="")
    vars(model).update(params)
    return model.fit(X, lengths)


def _theirs(
    kind: str,
    how: str,
    params: dict[str, np.ndarray],
    X: np.ndarray,
    lengths: Sequence[int],
) -> object:
    from hmmlearn import hmm

    settings: dict[str, Any] = {
        "n_iter": 1,
        "init_params": "",
        "implementation": how,
    }
    states = len(params["startprob_"])
    if kind == "categorical":
        model: Any = hmm.CategoricalHMM(states, **settings)
        model.n_features = SYMBOLS
    else:
        model = hmm.GaussianHMM(states, covars_prior=0.0, **settings)
    for name, value in params.items():
        setattr(model, name, value.copy())
    return model.fit(X, lengths)


def _gate(
    kind: str, names: Sequence[str], engines: dict[str, Callable[[], Any]]
) -> None:
    """Refuse to time what does not come to the same parameters."""
    ours, *others = (work() for work in engines.values())
    for other in others:
        for name in names:
            found, wanted = getattr(ours, name), getattr(other, name)
            if wanted.ndim > found.ndim:  # variances, as diagonal matrices
                wanted = np.einsum("sii->si", wanted)
            if not np.allclose(found, wanted, rtol=1e-6, atol=1e-8):
                raise BackendError(
                    f"bench hmm: {name} of {kind} must be what hmmlearn finds, got "
                    f"a gap of {abs(found - wanted).max():.2g}. Nothing was timed."
                )


def _quiet(work: Callable[[], object]) -> Callable[[], object]:
    """The work without hmmlearn's remarks on convergence."""
    import logging

    def silent() -> object:
        logging.getLogger("hmmlearn").setLevel(logging.ERROR)
        return work()

    return silent
