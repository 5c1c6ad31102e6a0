"""A network from a sequence to a vector, and to a target: the first scheme."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from recurro.nn.evidence import Evidence
from recurro.nn.heads import Head
from recurro.nn.pooling import Pooling
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import SequenceNetwork
from recurro.types import Batch, Float

__all__ = ["VectorNetwork"]


class VectorNetwork(SequenceNetwork[Head]):
    """Encoder, recurrence, pooling, head.

    p(target | x_1 ... x_T) = head(pool_t(recurrent(encoder(x))_t))

    Args:
        encoder: Any module from inputs ``(time, batch, ...)`` to ``(time, batch,
            input)``: an embedding, a linear layer, or none at all (``nn.Identity()``).
        recurrent: The recurrence.
        pooling: What makes a vector of its output.
        head: What makes a distribution of that.
        dropout: Probability of dropping a unit that the recurrence or the head reads.
        evidence: What counted features say, which the head reads too; the encoder then
            reads the first of the inputs ``(time, batch, kinds)`` alone, and this the
            others.

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
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(encoder, recurrent, head, dropout=dropout)
        self.pooling, self.evidence = pooling, evidence
        self.head_dropout = nn.Dropout(dropout)

    def losses(self, batch: Batch) -> Float[Tensor, " batch"]:
        """-log p(target) of each row that has one."""
        left_out = batch.targets if self.training else None
        known = self.features(batch, left_out)
        known = known[: len(batch.targets)]  # see ``Sequences.batch``
        return self.head.losses(known, batch.targets)

    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of the target of each row."""
        return self.head(self.features(batch))

    def features(
        self, batch: Batch, left_out: Tensor | None = None
    ) -> Float[Tensor, "batch features"]:
        """The vector of each row.

        Args:
            batch: The sequences.
            left_out: The classes of the rows, where these were counted as evidence and
                must not speak for themselves.
        """
        assert batch.lengths is not None
        found = self.head_dropout(self.pooling(self.read(batch), batch.lengths))
        if self.evidence is None:
            return found
        said = self.evidence(batch.inputs[..., 1:], left_out)
        return torch.cat([found, said.to(found)], dim=1)
