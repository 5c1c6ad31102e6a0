"""From a sequence of features to one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from recurro.errors import ArgumentError
from recurro.types import Float, Int

__all__ = ["Pool", "Pooling"]

Pool: TypeAlias = Literal["last", "max", "mean", "attention"]


class Pooling(nn.Module):
    """Brings the steps of each row to one vector, in one way or several joined.

    With y_t the features of step t of a row of T steps:

    - ``last``: y_T; of the half that reads backward, y_1, which it ends with.
    - ``max``: max_t y_t, unit by unit.
    - ``mean``: (1 / T) sum_t y_t.
    - ``attention``: sum_t a_t y_t, with a = softmax_t(v . tanh(W y_t + b)).

    Args:
        kinds: One way, or several whose vectors are joined in this order.
        features: Width of y_t.
        directions: 2 if the upper half of y_t comes from reading backward.

    Raises:
        ArgumentError: If a way is unknown or named twice, or there is none.

    Example:
        >>> pooling = Pooling(["max", "mean"], features=2)
        >>> y = torch.tensor([[[1.0, 2.0]], [[3.0, 0.0]]])
        >>> pooling(y, torch.tensor([2]))
        tensor([[3., 2., 2., 1.]])

    References:
        Yang et al. (2016), Hierarchical attention networks for document
        classification, equations 5 to 7.
    """

    def __init__(
        self, kinds: Pool | Sequence[Pool], features: int, *, directions: int = 1
    ) -> None:
        super().__init__()
        self.kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        known = get_args(Pool)
        if not self.kinds or len({*self.kinds} & {*known}) < len(self.kinds):
            raise ArgumentError(
                f"Pooling: kinds must be some of {', '.join(known)}, each once, got "
                f"{kinds!r}."
            )
        self.features, self.directions = features, directions
        if "attention" in self.kinds:
            self.key = nn.Linear(features, features)
            self.query = nn.Linear(features, 1, bias=False)

    @property
    def width(self) -> int:
        """Width of the vector."""
        return self.features * len(self.kinds)

    def forward(
        self, y: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch width"]:
        """Pool the steps that count.

        Args:
            y: The features.
            lengths: The steps of each row that count, at least 1.
        """
        time = torch.arange(len(y), device=y.device)
        past = (time[:, None] >= lengths)[..., None]
        return torch.cat([self._pool(kind, y, lengths, past) for kind in self.kinds], 1)

    def _pool(self, kind: Pool, y: Tensor, lengths: Tensor, past: Tensor) -> Tensor:
        if kind == "max":
            return y.masked_fill(past, -torch.inf).amax(0)
        if kind == "mean":
            return y.masked_fill(past, 0).sum(0) / lengths[:, None]
        if kind == "attention":
            score = self.query(torch.tanh(self.key(y))).masked_fill(past, -torch.inf)
            return (score.softmax(0) * y.masked_fill(past, 0)).sum(0)
        last = y[lengths - 1, torch.arange(y.shape[1], device=y.device)]
        if self.directions == 1:
            return last
        half = self.features // 2
        return torch.cat([last[:, :half], y[0, :, half:]], 1)
