"""What reads a drawing: the points so far, in units of their size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurro.types import Float

__all__ = ["PenEncoder"]

_WIDTH = 4


class PenEncoder(nn.Module):
    """Points as the recurrence reads them: their offsets divided by one number.

    v_t = (dx / s, dy / s, down, lifted), or W v_t + b of some size, with s the root of
    the mean square of the offsets in training.

    Args:
        size: Width of a linear layer, or ``None`` for none.

    Example:
        >>> encoder = PenEncoder()
        >>> encoder.scale.fill_(10.0)
        tensor(10.)
        >>> encoder(torch.tensor([[[5.0, -5.0, 1.0, 0.0]]])).tolist()
        [[[0.5, -0.5, 1.0, 0.0]]]
    """

    scale: Tensor

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.linear = nn.Identity() if size is None else nn.Linear(_WIDTH, size)
        self.width = size or _WIDTH

    def forward(
        self, points: Float[Tensor, "time batch 4"]
    ) -> Float[Tensor, "time batch width"]:
        """The points, scaled."""
        units = torch.stack([self.scale, self.scale, *self.scale.new_ones(2)])
        return self.linear(points / units)
