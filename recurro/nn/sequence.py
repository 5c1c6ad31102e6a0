"""What all networks share that read a sequence and tell something of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from torch import Tensor, nn
from torch.distributions import Distribution

from recurro.nn.dropout import VariationalDropout
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, State

__all__ = ["SequenceNetwork", "TargetNetwork", "TaughtNetwork", "Teller"]


class Teller(nn.Module, ABC):
    """What tells something of what was read: a head, by whatever it is fed."""

    def start(self, targets: Tensor) -> None:
        """Learn what there is to learn of the targets before training.

        Args:
            targets: Class ids or numbers of the training part, one after the other.

        Raises:
            DataError: If a target is not one that the head knows.
        """


HeadKind = TypeVar("HeadKind", bound=Teller)


class TaughtNetwork(nn.Module, ABC):
    """What learns from sequences and what is to be told of them."""

    @abstractmethod
    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss in nats, the number of targets, and no state."""


class TargetNetwork(TaughtNetwork):
    """A network that tells the targets of a batch, in whatever way it reads it."""

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss in nats, the number of targets, and no state."""
        return self.losses(batch).sum(), len(batch.targets), None

    @abstractmethod
    def losses(self, batch: Batch) -> Tensor:
        """-log p(targets) in nats, in parts that add up."""

    @abstractmethod
    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of the targets."""


class SequenceNetwork(TargetNetwork, Generic[HeadKind]):
    """Encoder, recurrence, and a head that tells what it is asked.

    Args:
        encoder: Any module from inputs ``(time, batch, ...)`` to ``(time, batch,
            input)``: an embedding, a linear layer, or none at all (``nn.Identity()``).
        recurrent: The recurrence.
        head: What makes a distribution of its output.
        dropout: Probability of dropping a unit that the recurrence reads.
    """

    def __init__(
        self,
        encoder: nn.Module,
        recurrent: Recurrent,
        head: HeadKind,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.recurrent = encoder, recurrent
        self.head: HeadKind = head
        self.read_dropout = VariationalDropout(dropout)

    def read(self, batch: Batch) -> Float[Tensor, "time batch features"]:
        """What the recurrence says at each step."""
        assert batch.lengths is not None
        x = self.read_dropout(self.encode(batch))
        return self.recurrent(x, lengths=batch.lengths)[0]

    def encode(self, batch: Batch) -> Float[Tensor, "time batch input"]:
        """What the recurrence reads."""
        return self.encoder(batch.inputs)

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.recurrent.constrain()
