"""Sequences with a number each: remaining life, an amount, a count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.base import RegressorMixin
from torch import Tensor
from torch.distributions import Distribution

from recurro.baselines.sequences import fit_baselines, regressor_baselines
from recurro.cells import LSTM, Cell
from recurro.errors import ArgumentError, DataError
from recurro.nn import Head, LogNormalHead, NormalHead, PoissonHead, VectorNetwork
from recurro.nn.heads import quantile
from recurro.tasks.comparison import Comparison
from recurro.tasks.metrics import regression_figures
from recurro.tasks.readers import Items
from recurro.tasks.sequence import Data, SequenceEstimator
from recurro.tasks.sequence_config import SequenceNetwork
from recurro.tasks.vector_task import Answered, answers, mean_loss

__all__ = ["SequenceRegressor"]

LEVEL = 0.9
"""The share of the targets that the intervals of ``evaluate`` are to hold."""


class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """A recurrent model of the number that goes with a text or a series.

    p(y | x) = head(pool_t(h_t)), with h_t of a recurrence that reads x, in both
    directions if asked. ``head`` names the distribution: ``normal``, ``plain`` (a
    squared error), ``log-normal`` for amounts above 0, ``poisson`` for counts.

    The other arguments are those of ``recurro.tasks.sequence_config``, as for
    ``SequenceClassifier``, and so are the sequences.

    Attributes:
        network_: The trained ``VectorNetwork``.
        reader_: Vocabulary or scaler.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

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

    task: ClassVar[Literal["classify", "regress"]] = "regress"

    def __init__(
        self,
        *,
        tokens: str = "word",
        lower: bool = False,
        min_count: int | None = None,
        max_size: int | None = None,
        held_out: float = 0.1,
        cell: Cell = LSTM(),  # noqa: B008 (a frozen value)
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding_size: int | None = None,
        pooling: str | Sequence[str] = ("max", "mean"),
        head: Literal["normal", "plain", "log-normal", "poisson"] = "normal",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        backend: Literal["auto", "reference", "vendor", "cpu", "scan"] = "auto",
        batch_size: int = 32,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.002,
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        nonmonotone: int = 5,
        schedule: Literal["constant", "cosine", "plateau"] = "constant",
        warmup_steps: int = 0,
        final_rate: float = 0.0,
        plateau_factor: float = 4.0,
        plateau_patience: int = 0,
        clip: float | Literal["auto"] | None = 1.0,
        clip_mode: Literal["norm", "element"] = "norm",
        accumulate: int = 1,
        validate_every: int | None = None,
        patience: int | None = None,
        keep: Literal["best", "last"] = "best",
        checkpoint_seconds: float | None = 120.0,
        checkpoint_steps: int | None = None,
        log_every: int = 50,
        seed: int = 0,
        precision: Literal["32", "bf16"] = "32",
        device: str = "auto",
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        values = dict(locals())
        del values["self"]
        vars(self).update(values)

    def _learn_targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        return self._targets(y)

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
        return numbers.astype(np.float32)

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
        targets = data.targets.astype(np.float64)
        figures = {"nats": mean_loss(network, data)}
        if self.settings.model.head == "plain":
            found = answers(network, data.sequences, _mean)
            return {**figures, **regression_figures(found, targets)}
        found = answers(network, data.sequences, _mean_and_ends(LEVEL))
        interval = found[:, 1], found[:, 2]
        return {**figures, **regression_figures(found[:, 0], targets, interval)}

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
        return answers(self._fitted(), self._read(X), _mean)

    def predict_interval(
        self,
        X: Data,
        level: float = LEVEL,
    ) -> np.ndarray:
        """Ends between which each number lies with a given probability ``(items, 2)``.

        As much probability lies below as above.

        Args:
            X: The sequences.
            level: The probability, in (0, 1).

        Raises:
            ArgumentError: If the level is out of range, or the head is ``plain``, which
                knows no spread.
            DataError: If a sequence cannot be read.
        """
        if not 0 < level < 1:
            raise ArgumentError(
                f"predict_interval: level must be in (0, 1), got {level}."
            )
        if self.settings.model.head == "plain":
            raise ArgumentError(
                "predict_interval: must come with a head that knows its spread, got "
                "'plain'. Train with head='normal'."
            )
        return answers(self._fitted(), self._read(X), _mean_and_ends(level))[:, 1:]


def _mean(found: Distribution) -> Tensor:
    return found.mean


def _mean_and_ends(level: float) -> Callable[[Distribution], Tensor]:
    """The mean, and the ends of the interval of that probability ``(batch, 3)``."""

    def tell(found: Distribution) -> Tensor:
        ends = [quantile(found, (1 + sign * level) / 2) for sign in (-1, 1)]
        return torch.stack([found.mean, *ends], dim=1)

    return tell
