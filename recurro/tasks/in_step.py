"""What all models share that tell a class at each step of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from torch.distributions import Categorical

from recurro.data import Sequences
from recurro.errors import DataError
from recurro.nn import CategoricalHead, ChainHead, EachStep, Recurrent, StepNetwork
from recurro.nn.in_step import Chain, StepHead
from recurro.tasks.labels import (
    CLASSES,
    as_labels,
    check_known,
    class_weights,
    classes_text,
    read_classes,
)
from recurro.tasks.metrics import classification_figures
from recurro.tasks.sequence import Data, SequenceEstimator
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.step_config import StepNetworkSettings, StepSettings
from recurro.tasks.vector_task import Answered, Network, answers
from recurro.train import RunFolder

__all__ = ["StepClassifier"]


class StepClassifier(SequenceEstimator):
    """A model of one class per step; see the classes made from it.

    A task says how its items are read and what stands beside it; classes, head,
    figures and verbs are here. ``y`` has a sequence of classes for each item, as long
    as the item.

    Attributes:
        classes_: The classes, sorted.
    """

    kind: ClassVar[type[TaskSettings]] = StepSettings

    classes_: np.ndarray

    _of_classes: ClassVar[bool] = True
    _learns_anew: ClassVar[bool] = True

    def _figures(
        self, log_probs: np.ndarray, named: np.ndarray, targets: Sequences
    ) -> dict[str, float]:
        """The figures of the steps, the one that rules first; lower is better.

        Args:
            log_probs: log P(class) of each step ``(steps, classes)``.
            named: The classes that are told ``(steps,)``.
            targets: The true ones of each sequence.
        """
        return classification_figures(log_probs, targets.values, named)

    def _allowed(self, targets: Sequences) -> np.ndarray | None:
        """Which class may follow which, by those of the training data; see ``CRF``."""
        return None

    # Classes.

    def _learn_targets(self, y: Any) -> Sequences:  # noqa: ANN401
        labels, starts, name = *self._labels(y), type(self).__name__
        self.classes_, ids = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"{name}: there must be at least two classes, got only "
                f"{self.classes_.tolist()}. Give items with another."
            )
        self._counts = np.bincount(ids)
        self._weights()
        targets = Sequences(ids.astype(np.int64), starts)
        self._transitions = self._allowed(targets)
        return targets

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        labels, starts = self._labels(y)
        name = type(self).__name__
        ids = check_known(labels, self.classes_, name, _places(starts))
        return Sequences(ids, starts)

    def _labels(self, y: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
        """The labels of all steps, and where each item begins."""
        name = type(self).__name__
        if y is None:
            raise DataError(f"{name}: y must give the class of each step, got None.")
        rows = list(y)
        for item, row in enumerate(rows):
            if isinstance(row, str) or not isinstance(row, Sequence | np.ndarray):
                raise DataError(
                    f"{name}: y must give a list of classes for each item, one for "
                    f"each step, got {row!r} for item {item}."
                )
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        flat = [label for row in rows for label in row]
        return as_labels(flat, name, _places(starts)), starts.astype(np.int64)

    def _weights(self) -> list[float] | None:
        """What the loss of each class is multiplied by."""
        model = self.settings.model
        return class_weights(
            model.class_weight, self.classes_, self._counts, type(model).__name__
        )

    def _learnt(self) -> dict[str, str]:
        rows = None if self._transitions is None else self._transitions.tolist()
        return {CLASSES: classes_text(self.classes_, self._counts, allowed=rows)}

    def _read_learnt(self, run: RunFolder) -> None:
        self.classes_, self._counts, tree = read_classes(run)
        rows = tree.get("allowed")
        self._transitions = None if rows is None else np.array(rows, bool)

    # The network.

    def _joined(
        self, encoder: nn.Module, recurrent: Recurrent, settings: TaskSettings
    ) -> StepNetwork:
        model = settings.model
        assert isinstance(model, StepNetworkSettings)
        head = self._head(recurrent.output_size, model)
        return StepNetwork(encoder, recurrent, head, dropout=model.dropout)

    def _head(self, features: int, settings: StepNetworkSettings) -> StepHead:
        classes = len(self.classes_)
        if settings.head == "softmax":
            return EachStep(CategoricalHead(features, classes, self._weights()))
        rows = self._transitions
        return ChainHead(
            features, classes, None if rows is None else torch.from_numpy(rows)
        )

    def _judge(self, network: Network, data: Answered) -> dict[str, float]:
        assert isinstance(data.targets, Sequences)
        found = answers(network, data.sequences, _logits_and_mode)
        return self._figures(found[:, :-1], found[:, -1].astype(int), data.targets)

    # Verbs.

    def predict(self, X: Data) -> list[list[Any]]:
        """The classes of each item, one for each step.

        By a CRF they are those of the likeliest sequence as a whole.

        Raises:
            DataError: If an item cannot be read.
        """
        sequences = self._read(X)
        ids = answers(self._fitted(), sequences, _mode).astype(np.int64)
        labels = Sequences(self.classes_[ids], sequences.starts)
        return [labels[item].tolist() for item in range(len(labels))]

    def predict_proba(self, X: Data) -> list[np.ndarray]:
        """P(class) at each step of each item ``(steps, classes)``.

        Raises:
            DataError: If an item cannot be read.
        """
        sequences = self._read(X)
        found = softmax(answers(self._fitted(), sequences, _logits), axis=1)
        chances = Sequences(found, sequences.starts)
        return [chances[item] for item in range(len(chances))]

    def score(self, X: Data, y: Any) -> float:  # noqa: ANN401
        """The share of steps whose class is told right.

        Raises:
            DataError: If items or classes cannot be used.
        """
        return self.evaluate(X, y)["accuracy"]


def _places(starts: np.ndarray) -> Callable[[int], str]:
    """Where each of the labels stands, in words."""

    def place(number: int) -> str:
        item = int(np.searchsorted(starts, number, side="right")) - 1
        return f"step {number - int(starts[item])} of item {item}"

    return place


def _logits(found: Any) -> Tensor:  # noqa: ANN401 (what a head gives)
    assert isinstance(found, Categorical | Chain)
    return found.logits


def _mode(found: Any) -> Tensor:  # noqa: ANN401
    return found.mode


def _logits_and_mode(found: Any) -> Tensor:  # noqa: ANN401
    return torch.cat([_logits(found), _mode(found)[:, None]], 1)
