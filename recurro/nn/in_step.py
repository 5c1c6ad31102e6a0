"""A network with an answer at each step of a sequence: the fourth scheme.

Answers are kept without padding: one row of a sequence after the other, ``(steps,
...)``, as `recurro.data.Sequences` holds them.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from recurro.nn.crf import CRF
from recurro.nn.dropout import VariationalDropout
from recurro.nn.heads import Head
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import SequenceNetwork, Teller
from recurro.types import Batch, Bool, Float, Int

__all__ = ["Chain", "ChainHead", "EachStep", "StepHead", "StepNetwork", "join_steps"]


_LEAST = 1e-30
"""Below this a probability counts as none, in its logarithm as this."""


def join_steps(y: Tensor, lengths: Int[Tensor, " batch"]) -> Tensor:
    """The steps that count, one row after the other.

    Args:
        y: Anything ``(time, batch, ...)``.
        lengths: The steps of each row that count.

    Returns:
        ``(steps, ...)``.

    Example:
        >>> join_steps(torch.tensor([[1, 3], [2, 0]]), torch.tensor([2, 1]))
        tensor([1, 2, 3])
    """
    return y.transpose(0, 1)[_counted(y, lengths)]


def _counted(y: Tensor, lengths: Tensor) -> Bool[Tensor, "batch time"]:
    """Which steps count."""
    return torch.arange(len(y), device=y.device) < lengths[:, None]


class StepHead(Teller):
    """What turns the features of all steps into a distribution of their targets."""

    @abstractmethod
    def forward(
        self, y: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Distribution:
        """The distribution of the target of each step that counts."""

    @abstractmethod
    def losses(
        self,
        y: Float[Tensor, "time batch features"],
        lengths: Int[Tensor, " batch"],
        targets: Tensor,
    ) -> Tensor:
        """-log p(targets) in nats, in parts that add up; targets ``(steps, ...)``."""


class EachStep(StepHead):
    """A head that tells each step for itself.

    Args:
        head: What makes a distribution of the features of a step.

    Example:
        >>> from recurro.nn import CategoricalHead
        >>> head = EachStep(CategoricalHead(4, classes=3))
        >>> head(torch.zeros(5, 2, 4), torch.tensor([5, 2])).probs.shape
        torch.Size([7, 3])
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(
        self, y: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Distribution:
        """The distribution of the target of each step that counts."""
        return self.head(join_steps(y, lengths))

    def losses(
        self,
        y: Float[Tensor, "time batch features"],
        lengths: Int[Tensor, " batch"],
        targets: Tensor,
    ) -> Float[Tensor, "steps ..."]:
        """-log p(target) of each step that counts."""
        return self.head.losses(join_steps(y, lengths), targets)

    def start(self, targets: Tensor) -> None:
        """Learn what the head learns of them."""
        self.head.start(targets)


class Chain(Distribution):
    """The distribution of the tags of sequences by a CRF.

    Args:
        crf: The scores of transitions.
        emissions: The score of each tag at each step.
        lengths: The steps of each row that count.
    """

    def __init__(
        self,
        crf: CRF,
        emissions: Float[Tensor, "time batch tags"],
        lengths: Int[Tensor, " batch"],
    ) -> None:
        super().__init__(validate_args=False)
        self.crf, self.emissions, self.lengths = crf, emissions, lengths

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """None are checked."""
        return {}

    def log_prob(self, value: Int[Tensor, " steps"]) -> Float[Tensor, " batch"]:
        """Log p(tags) of each row."""
        tags = value.new_zeros(self.emissions.shape[1::-1])
        tags[_counted(self.emissions, self.lengths)] = value
        return -self.crf(self.emissions, tags.T, self.lengths)

    @cached_property
    def logits(self) -> Float[Tensor, "steps tags"]:
        """The log p(tag) of each step, whatever the others are; finite at p = 0 too."""
        chances = self.crf.marginals(self.emissions, self.lengths)
        return join_steps(chances, self.lengths).clamp(min=_LEAST).log()

    @property
    def mode(self) -> Int[Tensor, " steps"]:
        """The likeliest tags of each row, by Viterbi."""
        return join_steps(self.crf.decode(self.emissions, self.lengths), self.lengths)


class ChainHead(StepHead):
    """Tags that depend on their neighbours: a CRF over W y_t + b.

    Args:
        features: Width of y_t.
        tags: How many tags there are.
        allowed: Which tag may follow which; see ``CRF``.

    Example:
        >>> head = ChainHead(4, tags=3)
        >>> y, lengths = torch.zeros(5, 2, 4), torch.tensor([5, 2])
        >>> head.losses(y, lengths, torch.zeros(7, dtype=torch.long)).shape
        torch.Size([2])

    References:
        Huang, Xu and Yu (2015), arXiv 1508.01991, section 2.5; Lample et al. (2016),
        arXiv 1603.01360, section 2.2.
    """

    def __init__(
        self, features: int, tags: int, allowed: Bool[Tensor, "from to"] | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features, tags)
        self.crf = CRF(tags, allowed)

    def forward(
        self, y: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Chain:
        """The distribution of the tags of each row."""
        return Chain(self.crf, self.linear(y), lengths)

    def losses(
        self,
        y: Float[Tensor, "time batch features"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, " steps"],
    ) -> Float[Tensor, " batch"]:
        """-log p(tags) of each row."""
        return -self(y, lengths).log_prob(targets)


class StepNetwork(SequenceNetwork[StepHead]):
    """Encoder, recurrence, and a head at each step.

    p(target_1 ... target_T | x_1 ... x_T) = head(recurrent(encoder(x)))

    Args:
        encoder: Any module from inputs ``(time, batch, ...)`` to ``(time, batch,
            input)``.
        recurrent: The recurrence.
        head: What makes a distribution of its output.
        dropout: Probability of dropping a unit that the recurrence or the head reads.

    Example:
        >>> from recurro.cells import GRU
        >>> from recurro.nn import CategoricalHead
        >>> recurrent = Recurrent(GRU(), 2, 8)
        >>> head = EachStep(CategoricalHead(8, classes=3))
        >>> network = StepNetwork(nn.Identity(), recurrent, head)
        >>> targets = torch.zeros(10, dtype=torch.long)
        >>> batch = Batch(torch.randn(5, 3, 2), targets, torch.tensor([5, 4, 1]))
        >>> loss, count, _ = network(batch)
        >>> loss.shape, count
        (torch.Size([]), 10)
    """

    def __init__(
        self,
        encoder: nn.Module,
        recurrent: Recurrent,
        head: StepHead,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder, recurrent, head, dropout=dropout)
        self.head_dropout = VariationalDropout(dropout)

    def losses(self, batch: Batch) -> Tensor:
        """-log p(targets) in parts that add up."""
        if not len(batch.targets):  # see ``Sequences.batch``
            return torch.zeros(0, device=batch.inputs.device)
        return self.head.losses(*self._features(batch), batch.targets)

    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of the targets of all steps that count."""
        return self.head(*self._features(batch))

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the head reads, and the steps that count."""
        assert batch.lengths is not None
        return self.head_dropout(self.read(batch)), batch.lengths
