"""What single features say of the class of a sequence, beside the recurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.types import Float, Int

__all__ = ["Evidence"]


class Evidence(nn.Module):
    """Counts of features by class, and what they say of a sequence.

    A feature f that n_f sequences of the training part have, n_fk of them of class k,
    says of each class by itself

        s_fk = log [(n_fk + K p_k) / (n_f + K)] - log p_k

    with K classes and p_k the share of class k: naive Bayes with a prior of the shares.
    The scores of all steps are summed by the kind of feature: first, second, and the
    mean of the others. In training a sequence is not counted for itself (leave one
    out), so that what is seen there is what is seen later.

    Args:
        features: Feature ids go from 1 to this; 0 stands for none.
        classes: How many classes there are.

    Example:
        >>> evidence = Evidence(2, 2)
        >>> items = [torch.tensor([[1, 0, 0]])] * 2 + [torch.tensor([[2, 0, 0]])]
        >>> evidence.count(items, torch.tensor([0, 0, 1]))
        >>> evidence(torch.tensor([[[1, 0, 0], [2, 0, 0]]]))[:, :2]
        tensor([[ 0.2231, -0.6931],
                [-0.4055,  0.5108]])

    References:
        Wang and Manning (2012), Baselines and bigrams, section 2 (log-count ratios as
        features).
    """

    counts: Tensor
    share: Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(features + 1, classes))
        self.register_buffer("share", torch.full((classes,), 1 / classes))

    @property
    def width(self) -> int:
        """Width of what it gives."""
        return 3 * self.counts.shape[1]

    def count(self, sequences: list[Tensor], targets: Int[Tensor, " items"]) -> None:
        """Count the features of the training part, each once per sequence.

        Args:
            sequences: The feature ids of each ``(time, kinds)``.
            targets: The class of each.
        """
        self.counts.zero_()
        for sequence, target in zip(sequences, targets.tolist(), strict=True):
            self.counts[sequence.unique(), target] += 1
        shares = torch.bincount(targets, minlength=self.counts.shape[1]).float()
        self.share.copy_(shares.clamp(min=0.5) / shares.clamp(min=0.5).sum())

    def forward(
        self,
        x: Int[Tensor, "time batch kinds"],
        targets: Int[Tensor, " rows"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """The scores of each row, by kind of feature and class.

        Args:
            x: Feature ids; 0 for none.
            targets: The classes of the first rows, where these are training sequences
                that must not be counted for themselves.
        """
        found, classes = self.counts[x], self.counts.shape[1]
        if targets is not None:
            own = functional.one_hot(targets, classes).to(found)
            own = functional.pad(own, (0, 0, 0, x.shape[1] - len(own)))
            found = (found - own[None, :, None]).clamp(min=0)
        known = (x > 0).to(found)[..., None]
        shrunk = (found + classes * self.share) / (found.sum(-1, True) + classes)
        score = (shrunk.log() - self.share.log()) * known
        pieces = score[:, :, 2:].sum(2) / known[:, :, 2:].sum(2).clamp(min=1)
        kinds = torch.cat([score[:, :, :2], pieces[:, :, None]], dim=2)
        return kinds.sum(0).flatten(1)
