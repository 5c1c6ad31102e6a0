"""A head that names tokens without being told when they come."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn import functional

from recurro.errors import ShapeError
from recurro.nn.in_step import StepHead, join_steps
from recurro.types import Float, Int

__all__ = ["CTCHead"]


class CTCHead(StepHead):
    """Tokens by connectionist temporal classification.

    P(path_t) = softmax(W y_t + b) at each step, where a path names a token or the blank
    in each; P(tokens) is the sum over all paths that mean them: those that give
    them when repeats are merged and then blanks taken out. ``recurro.generate.ctc``
    finds likely tokens.

    Args:
        features: Width of y_t.
        tokens: How many ids there are, the blank among them.
        blank: The id of the blank.

    Example:
        >>> import torch
        >>> head = CTCHead(4, tokens=3)
        >>> y, lengths = torch.zeros(5, 2, 4), torch.tensor([5, 2])
        >>> head.losses(y, lengths, torch.tensor([1, 2, 1, 0, 2, 0])).shape
        torch.Size([2])

    References:
        Graves et al. (2006), doi:10.1145/1143844.1143891, equations 2, 3 and 8.
    """

    def __init__(self, features: int, tokens: int, *, blank: int = 0) -> None:
        super().__init__()
        self.blank = blank
        self.linear = nn.Linear(features, tokens)

    def forward(
        self, y: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Categorical:
        """P of each name at each step that counts."""
        logits = self.linear(join_steps(y, lengths)).float()
        return Categorical(logits=logits, validate_args=False)

    def losses(
        self,
        y: Float[Tensor, "time batch features"],
        lengths: Int[Tensor, " batch"],
        targets: Int[Tensor, " tokens"],
    ) -> Float[Tensor, " batch"]:
        """-log P(tokens) of each row; 0 where it has too few steps for its tokens.

        Args:
            y: The features.
            lengths: The steps of each row that count.
            targets: The tokens of each row, one row after the other, each ended by a
                blank.

        Raises:
            ShapeError: If there are not as many rows of targets.
        """
        named = targets != self.blank
        ends = (~named).nonzero()[:, 0]
        if len(ends) != len(lengths):
            raise ShapeError(
                f"CTCHead: targets must end each of {len(lengths)} rows by the "
                f"blank {self.blank}, got {len(ends)}. Put one behind each row and "
                "none within."
            )
        before = functional.pad(ends[:-1] + 1, (1, 0))
        return functional.ctc_loss(
            self.linear(y).float().log_softmax(-1),
            targets[named],
            lengths,
            ends - before,
            blank=self.blank,
            reduction="none",
            zero_infinity=True,
        )
