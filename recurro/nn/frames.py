"""From pictures to vectors: the encoder of video."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from recurro.errors import ArgumentError
from recurro.types import Float

__all__ = ["FrameEncoder"]

_FILTERS = (16, 32, 64, 64)
"""Filters of each layer; each halves the sides, until one is 4 or less."""


class FrameEncoder(nn.Module):
    """Convolutions over each frame for itself, then a linear layer.

    v_t = W relu(conv_k ... relu(conv_1 frame_t)) + b, with 3 x 3 filters that move by
    two, so that each layer halves the sides.

    Args:
        shape: Of a frame: ``(height, width)`` or ``(height, width, channels)``.
        size: Width of v_t.

    Raises:
        ArgumentError: If the shape is none of these.

    Example:
        >>> import torch
        >>> encoder = FrameEncoder((16, 16), size=8)
        >>> encoder(torch.zeros(5, 2, 16 * 16)).shape
        torch.Size([5, 2, 8])

    References:
        LeCun et al. (1998), doi:10.1109/5.726791, section II.
    """

    def __init__(self, shape: Sequence[int], size: int) -> None:
        super().__init__()
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise ArgumentError(
                "FrameEncoder: shape must be (height, width) or (height, width, "
                f"channels), got {tuple(shape)}."
            )
        height, width, channels = (*shape, 1)[:3]
        self.shape = (height, width, channels)
        layers = 1
        while min(height, width) >> layers > 4 and layers < len(_FILTERS):
            layers += 1
        filters = (channels, *_FILTERS[:layers])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(filters)
        )
        for _ in range(layers):
            height, width = -(-height // 2), -(-width // 2)
        self.linear = nn.Linear(height * width * filters[-1], size)

    def forward(
        self, frames: Float[Tensor, "time batch pixels"]
    ) -> Float[Tensor, "time batch size"]:
        """A vector for each frame.

        Args:
            frames: The numbers of each frame in the order of its shape.
        """
        x = frames.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        for convolution in self.convolutions:
            x = convolution(x).relu()
        return self.linear(x.flatten(1)).view(*frames.shape[:2], -1)
