"""What all models share that tell the next step of a sequence from those before."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from torch import nn

from recurro.data import Sequences
from recurro.nn import Recurrent, StepNetwork
from recurro.nn.in_step import StepHead
from recurro.tasks.own_targets import OwnTargets
from recurro.tasks.sequence import Data
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.vector_task import Answered, Network, step_losses

__all__ = ["NextStepModel"]


class NextStepModel(OwnTargets):
    """A model of P(step | steps before); see the classes made from it.

    What is told of a sequence is the sequence itself. A task says how its items are
    checked and read, which head tells a step, and what its figures are.
    """

    # What a task says.

    @abstractmethod
    def _figures(self, losses: np.ndarray, starts: np.ndarray) -> dict[str, float]:
        """The figures of what is scored.

        Args:
            losses: -log P of each step, one item after the other ``(steps,)``.
            starts: Where each item begins, and the end of the last ``(items + 1,)``.
        """

    @abstractmethod
    def _head(self, features: int, settings: Any) -> StepHead:  # noqa: ANN401 (its own)
        """The head."""

    # What is the same for all.

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        items: Any = self._items(y)
        return Sequences.of(items)

    def _joined(
        self, encoder: nn.Module, recurrent: Recurrent, settings: TaskSettings
    ) -> StepNetwork:
        head = self._head(recurrent.output_size, settings.model)
        return StepNetwork(encoder, recurrent, head, dropout=settings.model.dropout)

    def _judge(self, network: Network, data: Answered) -> dict[str, float]:
        assert isinstance(network, StepNetwork)
        return self._figures(step_losses(network, data), data.sequences.starts)

    def score(self, X: Data, y: object = None) -> float:
        """The mean log P of a step, in nats: higher is better."""
        return -next(iter(self.evaluate(X).values()))

    def log_prob(self, X: Data) -> np.ndarray:
        """Log P of each sequence, its first step included, in nats ``(items,)``.

        Raises:
            DataError: If a sequence cannot be used.
        """
        network, data = self._fitted(), self._answered(X, X)
        return -np.add.reduceat(step_losses(network, data), data.sequences.starts[:-1])
