"""Hidden Markov models with the verbs of scikit-learn and the names of hmmlearn."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from recurro.baselines.hmm_emissions import (
    Categorical,
    Emission,
    Gaussian,
    Params,
    Poisson,
    check_shape,
    check_shares,
)
from recurro.baselines.hmm_learning import (
    OWN,
    Dead,
    Learning,
    Monitor,
    Watch,
    expect,
    told,
)
from recurro.baselines.hmm_recursion import Expected
from recurro.baselines.viterbi import viterbi
from recurro.errors import ArgumentError, DataError
from recurro.types import Float, Int

__all__ = ["Belief", "HiddenMarkovModel"]

Lengths: TypeAlias = Any
"""Steps of each sequence of those that stand end to end; ``None`` for one sequence."""


class Belief(NamedTuple):
    """What is known of the state after some observations.

    Attributes:
        probs: P of each state at the latest step, given all observations up to it.
        log_prob: log P of the observations.
        steps: How many there were.
    """

    probs: Float[np.ndarray, " states"]
    log_prob: float
    steps: int


class HiddenMarkovModel(BaseEstimator):
    r"""A hidden Markov model of symbols, real vectors or counts.

    P(s_1 ... s_T, x_1 ... x_T) = pi(s_1) p(x_1 | s_1)
                                  times the product of A(s_{t-1}, s_t) p(x_t | s_t)

    Sequences stand end to end in X, and ``lengths`` says where each ends. Sums over all
    paths run on the engine: the forward algorithm is a cell, and the probabilities of
    states given the whole sequence are its derivative (`recurro.baselines.Forward`).

    Args:
        n_states: How many states there are, at least 1 (hmmlearn's ``n_components``).
        emission: ``categorical`` (symbols 0, 1, ...), ``gaussian`` or ``poisson``.
        covariance_type: Of gaussian: ``diag`` or ``full``.
        n_features: Of categorical: how many symbols there are; ``None`` for those that
            are seen.
        n_init: Starts of Baum-Welch; the likeliest model is kept.
        n_iter: Iterations of each start at most.
        tol: Iterations end when the log-likelihood gains less.
        startprob_prior, transmat_prior, emissionprob_prior: Parameters of Dirichlet
            distributions: 1 for the likeliest model, 1 + m to add m to each count.
        min_covar: Of gaussian: the least variance of a state in any direction, as a
            share of the variance of the data there, above 0.
        params: Letters of what is learnt: s (start), t (transitions), e (symbols), m
            (means), c (covariances), l (rates); ``None`` for all.
        init_params: Letters of what ``fit`` sets before the first iteration; the rest
            must have been set. ``None`` for all.
        seed: Of what is random.

    Attributes:
        startprob_: pi ``(states,)``.
        transmat_: A ``(states, states)``; rows are where a step comes from.
        emissionprob_: Of categorical: P of each symbol ``(states, symbols)``.
        means_, covars_: Of gaussian: ``(states, features)``; full covariances
            ``(states, features, features)``.
        lambdas_: Of poisson: the rates ``(states, features)``.
        monitor_: How Baum-Welch went.

    Example:
        >>> rolls = np.r_[np.zeros(50, int), np.arange(60) % 6, np.zeros(50, int)]
        >>> model = HiddenMarkovModel(2, n_init=2).fit(rolls)
        >>> states = model.predict(rolls)
        >>> states[25] == states[125] != states[80]
        np.True_

    References:
        Rabiner (1989), A tutorial on hidden Markov models and selected applications in
        speech recognition, doi:10.1109/5.18626.
    """

    startprob_: np.ndarray
    transmat_: np.ndarray
    monitor_: Monitor

    def __init__(
        self,
        n_states: int = 2,
        emission: Literal["categorical", "gaussian", "poisson"] = "categorical",
        *,
        covariance_type: Literal["diag", "full"] = "diag",
        n_features: int | None = None,
        n_init: int = 3,
        n_iter: int = 100,
        tol: float = 1e-2,
        startprob_prior: float = 1.0,
        transmat_prior: float = 1.0,
        emissionprob_prior: float = 1.0,
        min_covar: float = 1e-6,
        params: str | None = None,
        init_params: str | None = None,
        seed: int = 0,
    ) -> None:
        self.n_states, self.emission = n_states, emission
        self.covariance_type, self.n_features = covariance_type, n_features
        self.n_init, self.n_iter, self.tol = n_init, n_iter, tol
        self.startprob_prior, self.transmat_prior = startprob_prior, transmat_prior
        self.emissionprob_prior, self.min_covar = emissionprob_prior, min_covar
        self.params, self.init_params, self.seed = params, init_params, seed

    # -- learning ----------------------------------------------------------------------

    def fit(
        self,
        X: Any,  # noqa: ANN401 (arrays, lists)
        lengths: Lengths = None,
        *,
        states: Any = None,  # noqa: ANN401 (arrays, lists)
        watch: Watch | None = None,
    ) -> Self:
        """Learn by Baum-Welch, or by counting where the states are known.

        Args:
            X: Observations of all sequences end to end: symbols ``(steps,)``, or
                numbers ``(steps, features)``.
            lengths: Steps of each sequence; ``None`` for one.
            states: The state of each step ``(steps,)``, from 0, where they are known.
            watch: Told of each iteration.

        Raises:
            ArgumentError: If an argument is out of its range.
            DataError: If X or lengths cannot be used, or a sequence is impossible under
                the parameters that were set.
        """
        self._check_arguments()
        family = self._family()
        X, lengths = self._read(family, X, lengths)
        if not len(X):
            raise DataError(f"{_NAME}: X must have at least one row to fit, got none.")
        drawn = self.init_params is None or set(self.init_params) - {"s"}
        if states is None and drawn and len(X) < self.n_states:
            raise DataError(
                f"{_NAME}: there must be at least as many observations as states, "
                f"{self.n_states}, got {len(X)}. Ask for fewer states."
            )
        family = family.suited(X)
        learning = Learning(
            *(family, self.n_iter, self.tol),
            *(self.startprob_prior, self.transmat_prior, self.params),
        )
        if states is not None:
            vars(self).update(learning.count(X, lengths, states, self.n_states))
            return self
        rng = np.random.default_rng(self.seed)
        runs: list[tuple[Params, Monitor]] = []
        for number in range(self.n_init if drawn else 1):
            first = self._first(family, X, rng)
            tell = partial(watch, number) if watch else _silent
            runs.append(learning.climb(first, X, lengths, tell))
        best, self.monitor_ = max(runs, key=lambda run: run[1].history[-1])
        self.monitor_.starts = [monitor.history[-1] for _, monitor in runs]
        vars(self).update(best)
        return self

    def _first(
        self, family: Emission, X: np.ndarray, rng: np.random.Generator
    ) -> Params:
        """Where a start begins: drawn, but for what was set and is to be kept."""
        size, letters = self.n_states, {**OWN, **family.letters}
        drawn = set(letters if self.init_params is None else self.init_params)
        params = {
            "startprob_": np.full(size, 1 / size),
            "transmat_": rng.dirichlet(np.full(size, 5.0), size),
        }
        if drawn & set(family.letters):
            params |= family.guess(X, size, rng)
        for letter in letters.keys() - drawn:
            params[letters[letter]] = self._param(letters[letter])
        self._check_params(family, params)
        return params

    # -- what a model tells ------------------------------------------------------------

    def score(self, X: Any, lengths: Lengths = None) -> float:  # noqa: ANN401
        """Log P of all sequences together; -inf, with a warning, if one is impossible.

        Example:
            >>> rain = HiddenMarkovModel(2)
            >>> rain.startprob_ = np.array([0.5, 0.5])
            >>> rain.transmat_ = np.array([[0.7, 0.3], [0.3, 0.7]])
            >>> rain.emissionprob_ = np.array([[0.9, 0.1], [0.2, 0.8]])
            >>> round(rain.score([0, 0, 1, 0, 0]), 4)  # umbrella, but for the third day
            -3.3725
        """
        return math.fsum(self.log_probs(X, lengths))

    def log_probs(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
    ) -> Float[np.ndarray, " sequence"]:
        """Log P of each sequence; -inf, with a warning, if it is impossible."""
        return self._told(X, lengths, back=False).log_probs

    def score_samples(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
    ) -> tuple[float, Float[np.ndarray, "steps states"]]:
        """`score` and `predict_proba` in one pass."""
        expected = self._told(X, lengths)
        return math.fsum(expected.log_probs), expected.probs

    def predict_proba(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
    ) -> Float[np.ndarray, "steps states"]:
        """P of each state at each step, given the whole sequence.

        In an impossible sequence all are 0, and a warning names it.
        """
        return self._told(X, lengths).probs

    def filter(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
    ) -> Float[np.ndarray, "steps states"]:
        """P of each state at each step, given the sequence up to that step."""
        return self._told(X, lengths, back=False).probs

    def decode(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
        algorithm: Literal["viterbi", "map"] = "viterbi",
    ) -> tuple[float, Int[np.ndarray, " steps"]]:
        """The likeliest states, and how likely they are.

        Args:
            X: Observations, as in `fit`.
            lengths: Steps of each sequence.
            algorithm: ``viterbi`` for the likeliest path as a whole, with its log P;
                ``map`` for the likeliest state at each step by itself, with the sum of
                their posteriors.

        Returns:
            The figure, and the states; -1 throughout a sequence that is impossible,
            which a warning names.
        """
        if algorithm not in ("viterbi", "map"):
            raise ArgumentError(
                f"{_NAME}: algorithm must be 'viterbi' or 'map', got {algorithm!r}."
            )
        if algorithm == "map":
            probs = self.predict_proba(X, lengths)
            states = np.where(probs.any(1), probs.argmax(1), -1)
            return float(probs.max(1, initial=0).sum()), states
        family = self._fitted()
        X, lengths = self._read(family, X, lengths)
        params = self._params(family)
        logs = family.log_probs(X, params)
        start, moves = params["startprob_"], params["transmat_"]
        log_probs, states = viterbi(start, moves, logs, lengths)
        if (log_probs == -np.inf).any():
            _warn(expect(family, params, X, lengths, back=False)[1])
        return math.fsum(log_probs), states

    def predict(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths = None,
    ) -> Int[np.ndarray, " steps"]:
        """The states of the likeliest path, as of `decode`."""
        return self.decode(X, lengths)[1]

    def sample(
        self, n_samples: int = 1, *, seed: int | None = None
    ) -> tuple[np.ndarray, Int[np.ndarray, " steps"]]:
        """Draw a sequence.

        Args:
            n_samples: How many steps, at least 1.
            seed: Of what is drawn; the model's own if not given.

        Returns:
            Observations ``(steps, features)`` and states ``(steps,)``.
        """
        family = self._fitted()
        if n_samples < 1:
            raise ArgumentError(f"{_NAME}: n_samples must be >= 1, got {n_samples}.")
        params = self._params(family)
        rng = np.random.default_rng(self.seed if seed is None else seed)
        sums = params["transmat_"].cumsum(1)
        dice, states = rng.random(n_samples), np.empty(n_samples, np.int64)
        now = params["startprob_"].cumsum()
        for step, die in enumerate(dice):
            states[step] = np.searchsorted(now, die * now[-1], side="right")
            now = sums[states[step]]
        return family.draw(states, params, rng), states

    # -- one step at a time ------------------------------------------------------------

    def start(self) -> Belief:
        """What is known before the first observation."""
        family = self._fitted()
        return Belief(self._params(family)["startprob_"], 0.0, 0)

    def advance(self, belief: Belief, x: Any) -> Belief:  # noqa: ANN401
        """Read one observation: a symbol, or numbers ``(features,)``.

        After an impossible one ``log_prob`` is -inf and all ``probs`` are 0.

        Example:
            >>> coin = HiddenMarkovModel(2).fit([0, 1, 1, 0, 1], states=[0, 0, 1, 1, 1])
            >>> belief = coin.advance(coin.start(), 1)
            >>> coin.advance(belief, 0).probs.round(2).tolist()
            [0.6, 0.4]
        """
        family = self._fitted()
        params = self._params(family)
        X = family.read(np.asarray(x)[None])
        if len(X) != 1:
            raise DataError(f"{_NAME}: advance reads one observation, got {len(X)}.")
        if belief.steps == 0:
            ahead = belief.probs
        else:
            ahead = belief.probs @ params["transmat_"]
        with np.errstate(divide="ignore"):
            logs = np.log(ahead) + family.log_probs(X, params)[0]
        top = logs.max()
        if top == -np.inf:
            return Belief(np.zeros(len(logs)), -np.inf, belief.steps + 1)
        weights = np.exp(logs - top)
        total = weights.sum()
        log_prob = belief.log_prob + float(top) + math.log(total)
        return Belief(weights / total, log_prob, belief.steps + 1)

    # -- how good it is ----------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """How many numbers of a fitted model are free."""
        family = self._fitted()
        size = self.n_states
        params = self._params(family)
        own = size - 1 + size * (size - 1)
        if isinstance(family, Categorical):
            return own + params["emissionprob_"].size - size
        if isinstance(family, Gaussian) and family.full:
            width = params["means_"].shape[1]
            return own + size * (width + width * (width + 1) // 2)
        return own + sum(params[name].size for name in family.letters.values())

    def aic(self, X: Any, lengths: Lengths = None) -> float:  # noqa: ANN401
        """Akaike's criterion, to choose the number of states by: lower is better."""
        return -2 * self.score(X, lengths) + 2 * self.n_parameters

    def bic(self, X: Any, lengths: Lengths = None) -> float:  # noqa: ANN401
        """Schwarz's criterion, which wants fewer states: lower is better."""
        return -2 * self.score(X, lengths) + self.n_parameters * math.log(len(X))

    # -- inside ------------------------------------------------------------------------

    def _family(self) -> Emission:
        """The emission that the arguments name."""
        if self.emission == "gaussian":
            return Gaussian(self.covariance_type == "full", self.min_covar)
        if self.emission == "poisson":
            return Poisson()
        return Categorical(self.n_features, self.emissionprob_prior)

    def _fitted(self) -> Emission:
        """The emission of a fitted model, or of one whose parameters were set."""
        family = self._family()
        names = {**OWN, **family.letters}.values()
        if missing := [name for name in names if not hasattr(self, name)]:
            raise NotFittedError(
                f"{_NAME}: must be fitted first, got one without {missing[0]}. Call "
                "fit, or set it."
            )
        if isinstance(family, Categorical):
            return Categorical(self._param("emissionprob_").shape[-1], family.prior)
        return family

    def _param(self, name: str) -> np.ndarray:
        if not hasattr(self, name):
            raise ArgumentError(
                f"{_NAME}: {name} must be set where init_params leaves it out, got "
                "none. Set it before fit."
            )
        return np.asarray(getattr(self, name), np.float64)

    def _params(self, family: Emission) -> Params:
        names = {**OWN, **family.letters}.values()
        params = {name: self._param(name) for name in names}
        self._check_params(family, params)
        return params

    def _check_params(self, family: Emission, params: Params) -> None:
        size = self.n_states
        check_shape(params, "startprob_", (size,))
        check_shape(params, "transmat_", (size, size))
        check_shares(params["startprob_"], "startprob_")
        check_shares(params["transmat_"], "transmat_")
        family.check(params, size)

    def _check_arguments(self) -> None:
        letters = {"s", "t", *self._family().letters}
        whole = {
            "n_states": self.n_states,
            "n_init": self.n_init,
            "n_iter": self.n_iter,
        }
        for good, name, must, value in (
            *((_is_whole(v), k, "an int >= 1", v) for k, v in whole.items()),
            (
                self.emission in ("categorical", "gaussian", "poisson"),
                *("emission", "categorical, gaussian or poisson", self.emission),
            ),
            (
                self.covariance_type in ("diag", "full"),
                *("covariance_type", "diag or full", self.covariance_type),
            ),
            (
                self.n_features is None or _is_whole(self.n_features),
                *("n_features", "an int >= 1 or None", self.n_features),
            ),
            (self.min_covar > 0, "min_covar", "> 0", self.min_covar),
            (not math.isnan(self.tol), "tol", "a number", self.tol),
            *(
                (
                    letter is None or set(letter) <= letters,
                    *(name, f"letters among {''.join(sorted(letters))}", letter),
                )
                for name, letter in (
                    ("params", self.params),
                    ("init_params", self.init_params),
                )
            ),
            *(
                (0 <= value < math.inf, name, "a number >= 0", value)
                for name, value in (
                    ("startprob_prior", self.startprob_prior),
                    ("transmat_prior", self.transmat_prior),
                    ("emissionprob_prior", self.emissionprob_prior),
                )
            ),
        ):
            if not good:
                raise ArgumentError(f"{_NAME}: {name} must be {must}, got {value!r}.")

    def _read(
        self,
        family: Emission,
        X: Any,  # noqa: ANN401
        lengths: Lengths,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Observations and lengths, checked."""
        X = np.asarray(X)
        X = family.read(X if X.size else X.reshape(len(X), *X.shape[1:]).astype(float))
        if lengths is None:
            return X, np.array([len(X)])
        found = np.asarray(lengths)
        if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
            raise DataError(
                f"{_NAME}: lengths must be whole numbers, one for each sequence, got "
                f"{found.dtype} {found.shape}."
            )
        if (found < 0).any() or found.sum() != len(X):
            raise DataError(
                f"{_NAME}: lengths must be at least 0 and add up to the {len(X)} rows "
                f"of X, got a sum of {found.sum()}."
            )
        return X, found.astype(np.int64)

    def _told(
        self,
        X: Any,  # noqa: ANN401
        lengths: Lengths,
        *,
        back: bool = True,
    ) -> Expected:
        """A pass through sequences, with a warning of those that are impossible."""
        family = self._fitted()
        X, lengths = self._read(family, X, lengths)
        found, dead = expect(family, self._params(family), X, lengths, back=back)
        _warn(dead)
        return found


_NAME = HiddenMarkovModel.__name__


def _silent(iteration: int, log_prob: float) -> None:
    """Tell nobody."""


def _warn(dead: Dead) -> None:
    """Name sequences that are impossible, to whoever called the model."""
    if dead:
        warnings.warn(told(dead), stacklevel=4)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
