"""Sequences with a number each: remaining life, an amount, a count."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import ndtri
from sklearn.base import RegressorMixin
from torch import Tensor
from torch.distributions import Distribution

from recurro.baselines.sequences import fit_baselines, regressor_baselines
from recurro.data import RecordingWindows
from recurro.errors import ArgumentError, DataError, RunError
from recurro.nn import (
    Head,
    LogNormalHead,
    NormalHead,
    PoissonHead,
    VectorNetwork,
    at_deviate,
)
from recurro.tasks.comparison import Comparison
from recurro.tasks.metrics import regression_figures
from recurro.tasks.readers import Items
from recurro.tasks.sequence import Data, SequenceEstimator
from recurro.tasks.sequence_config import OF_TABLES, HeadName, SequenceNetwork
from recurro.tasks.vector_task import Answered, answers, deviates_of, mean_loss
from recurro.train import RunFolder

__all__ = ["SequenceRegressor", "unfit_numbers"]

LEVEL = 0.9
"""The share of the targets that an interval is to hold, if nothing else is asked."""
INTERVALS = "intervals.json"


class SequenceRegressor(
    RegressorMixin,
    SequenceEstimator,
    without=(*OF_TABLES, "text", "evidence", "class_weight"),
    defaults={"head": "normal"},
):
    """A recurrent model of the number that goes with a text or a series.

    p(y | x) = head(pool_t(h_t)), with h_t of a recurrence that reads x, in both
    directions if asked. ``head`` names the distribution: ``normal``, ``plain`` (a
    squared error), ``log-normal`` for amounts above 0, ``poisson`` for counts.

    The other arguments are those of ``recurro.tasks.sequence_config``, as for
    ``SequenceClassifier``, and so are the sequences. With ``window`` a number may be
    told at each step of a sequence, such as the life that is left (NaN where none is);
    what is told is that of the last step, from the window that ends there.

    Attributes:
        network_: The trained ``VectorNetwork``.
        reader_: Vocabulary or scaler.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        deviates_: How far out the numbers held out lie in what is told of them, rising;
            intervals rest on them.
        test_: The same on the part that was tested on, for baselines that have learnt
            from all the rest. Empty if there was none.

    Example:
        >>> draw = np.random.default_rng(0)
        >>> walks = [draw.normal(0, 1, n) for n in draw.integers(2, 9, 200)]
        >>> model = SequenceRegressor(hidden_size=8, epochs=40, learning_rate=0.02)
        >>> model = model.fit(walks, [walk.sum() for walk in walks])
        >>> bool(abs(model.predict([[1.0, 0.5, 0.5]])[0] - 2.0) < 0.5)
        True

    References:
        Nix and Weigend (1994), Estimating the mean and variance of the target
        probability distribution, equations 1 to 3.
    """

    task: ClassVar[str] = "regress"

    def _learn_targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        self.deviates_ = np.zeros(0)
        targets = self._targets(y)
        if len(targets) > 1 and np.ptp(targets) == 0:
            raise DataError(
                f"SequenceRegressor: numbers must differ to be learnt, all "
                f"{len(targets)} are {targets[0]:g}. Check which column they are read "
                "from."
            )
        return targets

    def _targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        try:
            numbers = np.asarray(y, np.float64)
        except (TypeError, ValueError):
            numbers = np.zeros((0, 0))
        if numbers.ndim != 1:
            raise DataError(
                "SequenceRegressor: y must give a number for each sequence, got "
                f"{type(y).__name__} that is no list of numbers. Use "
                "SequenceClassifier for classes."
            )
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size:
            raise DataError(
                f"SequenceRegressor: the target of item {wrong[0]} must be a finite "
                f"number, got {numbers[wrong[0]]}. Mend it, or leave the item out."
            )
        unfit, what = unfit_numbers(self.settings.model.head, numbers)
        if len(unfit):
            raise DataError(
                f"SequenceRegressor: the target of item {unfit[0]} {what}, got "
                f"{numbers[unfit[0]]:g}. Use the normal head, or leave the item out."
            )
        return numbers.astype(np.float32)

    def _of_windows(
        self,
        cuts: RecordingWindows,
        lengths: list[int],
        y: Any,  # noqa: ANN401 (a number for each item, or one for each step)
    ) -> tuple[RecordingWindows, np.ndarray]:
        told = [_by_step(i, steps, y[i]) for i, steps in enumerate(lengths)]
        numbers = np.array(
            [
                told[i][end - 1]
                for i, end in zip(cuts.recordings, cuts.ends, strict=True)
            ]
        )
        known = np.flatnonzero(~np.isnan(numbers))
        if not len(known):
            raise DataError(
                "SequenceRegressor: there must be a number at the end of a window, got "
                "none. Give the number of each sequence, or of each of its steps."
            )
        return cuts.select(known), numbers[known]

    def _head(self, features: int, settings: SequenceNetwork) -> Head:
        if settings.head == "plain":
            return NormalHead(features, spread=False)
        kinds = {
            "normal": NormalHead,
            "log-normal": LogNormalHead,
            "poisson": PoissonHead,
        }
        return kinds[settings.head](features)

    def _judge(self, network: VectorNetwork, data: Answered) -> dict[str, float]:
        return self._figures(network, data, LEVEL)

    def _figures(
        self, network: VectorNetwork, data: Answered, level: float
    ) -> dict[str, float]:
        targets, deviate = data.flat.astype(np.float64), self._deviate(level)
        found = answers(network, data.sequences, _mean_and_ends(deviate or 0.0))
        interval = None if deviate is None else (found[:, 1], found[:, 2])
        figures = regression_figures(found[:, 0], targets, interval)
        return {"nats": mean_loss(network, data), **figures}

    def _finish(self, network: VectorNetwork, valid: Answered | None) -> None:
        """Keep how far out the numbers held out lie in what is told of them."""
        if valid is None:
            return
        self.deviates_ = deviates_of(network, valid)
        if self.run_ is not None:
            self.run_.write_json(INTERVALS, self.deviates_.tolist())

    def _deviate(self, level: float) -> float | None:
        """How far out the ends of an interval lie, where that can be told."""
        if not 0 < level < 1:
            raise ArgumentError(
                f"SequenceRegressor: level must be in (0, 1), got {level}."
            )
        rank = math.ceil((len(self.deviates_) + 1) * level)
        if rank <= len(self.deviates_):
            return float(self.deviates_[rank - 1])
        plain = self.settings.model.head == "plain"
        return None if plain else float(ndtri((1 + level) / 2))

    def _read_learnt(self, run: RunFolder) -> None:
        self.deviates_ = np.zeros(0)
        if (run.path / INTERVALS).exists():
            self.deviates_ = _rising(run)

    def evaluate(
        self,
        X: Data,
        y: Any,  # noqa: ANN401 (whatever came)
        level: float = LEVEL,
    ) -> dict[str, float]:
        """How well numbers are told: the figures of ``regression_figures``.

        Args:
            X: The sequences.
            y: The number of each.
            level: The probability that the intervals are made for, in (0, 1).

        Raises:
            ArgumentError: If the level is out of range.
            DataError: If sequences or numbers cannot be used.
        """
        network = self._fitted()
        return self._figures(network, self._answered(X, y), level)

    def score(
        self,
        X: Data,
        y: Any,  # noqa: ANN401 (whatever came)
        sample_weight: Any = None,  # noqa: ANN401 (as scikit-learn has it)
    ) -> float:
        """R^2, as ``evaluate`` has it.

        Args:
            X: The sequences.
            y: The number of each, or with a window of each step.
            sample_weight: What each counts, where there is one number a sequence.

        Raises:
            DataError: If sequences or numbers cannot be used.
        """
        if sample_weight is not None:
            return super().score(X, y, sample_weight)
        return self.evaluate(X, y)["r2"]

    def _baselines(
        self,
        train: tuple[Items, np.ndarray],
        valid: tuple[Items, np.ndarray],
    ) -> Comparison:
        models = regressor_baselines(text=isinstance(train[0][0], str))
        fit_baselines(models, *train)
        return [
            {"name": name, **regression_figures(model.predict(valid[0]), valid[1])}
            for name, model in models.items()
        ]

    def predict(self, X: Data) -> np.ndarray:
        """The mean of each sequence's number ``(items,)``.

        Raises:
            DataError: If a sequence cannot be read.
        """
        return self._told(X, 0.0)[:, 0]

    def predict_interval(self, X: Data, level: float = LEVEL) -> np.ndarray:
        """Ends between which each number lies with a given probability ``(items, 2)``.

        The ends are the quantiles of the head's distribution as deep on either side as
        that share of the numbers held out in training calls for: conformal, with the
        distance of a number told as a deviate of the normal distribution. If these are
        as new sequences are, an interval holds its number with that probability or
        more, even where the head is wrong. Where fewer are held out than ``level / (1 -
        level)``, 9 for 0.9, the head is taken at its word.

        Args:
            X: The sequences.
            level: The probability, in (0, 1).

        Raises:
            ArgumentError: If the level is out of range, or the head is ``plain``, which
                knows no spread, and too few were held out.
            DataError: If a sequence cannot be read.

        References:
            Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world,
            section 4.1; Chernozhukov, Wüthrich and Zhu (2021), Distributional
            conformal prediction, algorithm 1.
        """
        self._fitted()
        deviate = self._deviate(level)
        if deviate is None:
            raise ArgumentError(
                f"predict_interval: level must be one that the {len(self.deviates_)} "
                f"items held out can tell where head='plain' knows no spread, got "
                f"{level}. Hold out more, or train with head='normal'."
            )
        return self._told(X, deviate)[:, 1:]

    def _told(self, X: Data, deviate: float) -> np.ndarray:
        """The mean, and the ends of an interval ``(items, 3)``."""
        return answers(self._fitted(), self._read(X), _mean_and_ends(deviate))


def _mean_and_ends(deviate: float) -> Callable[[Distribution], Tensor]:
    """The mean, and the ends of the interval that reaches so far ``(batch, 3)``."""

    def tell(found: Distribution) -> Tensor:
        ends = [at_deviate(found, sign * deviate) for sign in (-1, 1)]
        return torch.stack([found.mean, *ends], dim=1)

    return tell


def unfit_numbers(head: HeadName, numbers: np.ndarray) -> tuple[np.ndarray, str]:
    """The places of numbers that a head knows nothing of, and what they must be.

    Args:
        head: The head.
        numbers: The numbers ``(items,)``.

    Example:
        >>> unfit_numbers("poisson", np.array([2.0, 0.5, -1.0]))
        (array([1, 2]), 'must be a count for a Poisson head')
    """
    if head == "log-normal":
        return np.flatnonzero(numbers <= 0), "must be above 0 for a log-normal head"
    if head == "poisson":
        wrong = (numbers < 0) | (numbers != np.round(numbers))
        return np.flatnonzero(wrong), "must be a count for a Poisson head"
    return np.zeros(0, np.int64), ""


def _by_step(item: int, steps: int, y: Any) -> np.ndarray:  # noqa: ANN401
    """The number at each step, NaN where none is told; a single one is the last's."""
    try:
        told = np.asarray(y, np.float64)
    except (TypeError, ValueError):
        told = np.zeros((0, 0))
    if told.ndim == 0 and not np.isnan(told):
        told = np.append(np.full(steps - 1, np.nan), told)
    if told.shape != (steps,) or np.isinf(told).any():
        came = told if told.ndim == 0 else f"an array of shape {told.shape}"
        raise DataError(
            f"SequenceRegressor: the target of item {item} must be a finite number, or "
            f"one for each of its {steps} steps (nan where there is none), got {came}. "
            "Mend it, or leave the item out."
        )
    return told


def _rising(run: RunFolder) -> np.ndarray:
    """The deviates of a run that has them ``(items,)``."""
    try:
        found = np.array(run.read_json(INTERVALS), np.float64)
        assert found.ndim == 1
        assert (np.diff(found) >= 0).all()
    except (AssertionError, TypeError, ValueError):
        raise RunError(
            f"{run.path / INTERVALS}: must be a list of rising numbers, got something "
            "else. Put it back from a copy, or delete it to trust the head alone."
        ) from None
    return found
