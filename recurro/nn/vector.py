"""A network from a sequence to a vector, and to a target: the first scheme."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution

from recurro.nn.dropout import VariationalDropout
from recurro.nn.heads import Head
from recurro.nn.pooling import Pooling
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, State

__all__ = ["VectorNetwork"]


class VectorNetwork(nn.Module):
    """Encoder, recurrence, pooling, head.

    p(target | x_1 ... x_T) = head(pool_t(recurrent(encoder(x))_t))

    Args:
        encoder: Any module from inputs ``(time, batch, ...)`` to ``(time, batch,
            input)``: an embedding, a linear layer, or none at all (``nn.Identity()``).
        recurrent: The recurrence.
        pooling: What makes a vector of its output.
        head: What makes a distribution of that.
        dropout: Probability of dropping a unit that the recurrence or the head reads.

    Example:
        >>> import torch
        >>> from recurro.cells import GRU
        >>> from recurro.nn.heads import NormalHead
        >>> recurrent, pooling = Recurrent(GRU(), 2, 8), Pooling("mean", 8)
        >>> network = VectorNetwork(nn.Identity(), recurrent, pooling, NormalHead(8))
        >>> lengths = torch.tensor([5, 4, 1])
        >>> batch = Batch(torch.randn(5, 3, 2), torch.zeros(3), lengths=lengths)
        >>> loss, count, _ = network(batch)
        >>> loss.shape, count
        (torch.Size([]), 3)
    """

    def __init__(
        self,
        encoder: nn.Module,
        recurrent: Recurrent,
        pooling: Pooling,
        head: Head,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.recurrent = encoder, recurrent
        self.pooling, self.head = pooling, head
        self.read_dropout = VariationalDropout(dropout)
        self.head_dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss in nats, the number of targets, and no state."""
        losses = self.head.losses(self._known(batch), batch.targets)
        return losses.sum(), len(batch.targets), None

    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of the target of each row."""
        return self.head(self._known(batch))

    def features(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """The vector of each row."""
        assert batch.lengths is not None
        x = self.read_dropout(self.encoder(batch.inputs))
        y, _ = self.recurrent(x, lengths=batch.lengths)
        return self.head_dropout(self.pooling(y, batch.lengths))

    def _known(self, batch: Batch) -> Tensor:
        """The vectors of the rows that have a target; see ``Sequences.batch``."""
        return self.features(batch)[: len(batch.targets)]

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.recurrent.constrain()
