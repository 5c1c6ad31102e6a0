"""From pictures to vectors: the encoder of video, and of pictures to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.errors import ArgumentError
from recurro.types import Float

__all__ = ["FrameEncoder", "GridEncoder"]

_FILTERS = (16, 32, 64, 64, 64)
"""Filters of each layer; each halves the sides, until one is short enough. What is to
be looked at part by part leaves out the first."""

_LAYERS = 4
"""Layers at most."""


_FAR = 3
"""How many parts away a part looks at others."""


class _Convolutions(nn.Module):
    """Filters of 3 x 3 that move by two over each picture for itself.

    x_k = relu(norm_k conv_k x_{k-1}), so that each layer halves the sides.

    Args:
        shape: Of a picture: ``(height, width)`` or ``(height, width, channels)``.
        least: The length of a side at which no further layer halves it.
        seen: Whether norm_k normalises over a batch, and conv_1 reads the greatest of
            the channels alone; without, norm_k does nothing, and it reads all.

    Raises:
        ArgumentError: If the shape is none of these.
    """

    def __init__(self, shape: Sequence[int], least: int, *, seen: bool) -> None:
        super().__init__()
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise ArgumentError(
                f"{type(self).__name__}: shape must be (height, width) or (height, "
                f"width, channels), got {tuple(shape)}."
            )
        height, width, channels = (*shape, 1)[:3]
        self.shape = (height, width, channels)
        layers = 1
        while min(height, width) >> layers > least and layers < _LAYERS:
            layers += 1
        self.seen = seen
        filters = (1 if seen else channels, *_FILTERS[seen : seen + layers])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(filters)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(count) if seen else nn.Identity() for count in filters[1:]
        )
        for _ in range(layers):
            height, width = -(-height // 2), -(-width // 2)
        self.grid = (height, width)
        self.filters = filters[-1]

    def planes(
        self, pictures: Float[Tensor, "... pixels"]
    ) -> Float[Tensor, "pictures channels rows columns"]:
        """A plane for each channel of each picture."""
        return pictures.reshape(-1, *self.shape).permute(0, 3, 1, 2)

    def convolve(
        self, pictures: Float[Tensor, "... pixels"]
    ) -> Float[Tensor, "pictures filters rows columns"]:
        """What the last filters say of each part of each picture.

        Args:
            pictures: The numbers of each in the order of its shape.
        """
        x = self.planes(pictures)
        if self.seen:
            x = x.amax(1, keepdim=True)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = norm(convolution(x)).relu()
        return x


class FrameEncoder(_Convolutions):
    """Convolutions over each frame for itself, then a linear layer.

    v_t = W relu(conv_k ... relu(conv_1 frame_t)) + b, with 3 x 3 filters that move by
    two, so that each layer halves the sides.

    Args:
        shape: Of a frame: ``(height, width)`` or ``(height, width, channels)``.
        size: Width of v_t.

    Raises:
        ArgumentError: If the shape is none of these.

    Example:
        >>> encoder = FrameEncoder((16, 16), size=8)
        >>> encoder(torch.zeros(5, 2, 16 * 16)).shape
        torch.Size([5, 2, 8])

    References:
        LeCun et al. (1998), doi:10.1109/5.726791, section II.
    """

    def __init__(self, shape: Sequence[int], size: int) -> None:
        super().__init__(shape, 4, seen=False)
        height, width = self.grid
        self.linear = nn.Linear(height * width * self.filters, size)

    def forward(
        self, frames: Float[Tensor, "time batch pixels"]
    ) -> Float[Tensor, "time batch size"]:
        """A vector for each frame.

        Args:
            frames: The numbers of each frame in the order of its shape.
        """
        return self.linear(self.convolve(frames).flatten(1)).view(*frames.shape[:2], -1)


class GridEncoder(_Convolutions):
    """Convolutions over a picture, and a vector for each part of it.

    y = relu(norm conv_{k+1} ... relu(norm conv_1 max x)) and m_i = y_i + relu(norm
    around y)_i + relu(norm C mean x)_i + P g_i, with 3 x 3 filters of which the first k
    move by two; ``around``, filters that look three parts far; and g_i, where part i
    lies. Form is seen without colour, in max x, the greatest of the channels, so that
    what was learnt of a shape in one colour holds for it in all; colour without form,
    in mean x, the mean over each part.

    Args:
        shape: Of a picture: ``(height, width)`` or ``(height, width, channels)``.
        size: Width of m_i.

    Attributes:
        grid: Rows and columns of the parts, 8 or so.

    Raises:
        ArgumentError: If the shape is none of these.

    Example:
        >>> encoder = GridEncoder((32, 32, 3), size=8)
        >>> encoder(torch.zeros(1, 2, 32 * 32 * 3)).shape, encoder.grid
        (torch.Size([64, 2, 8]), (8, 8))

    References:
        Xu et al. (2015), arXiv:1502.03044, section 3.1.1 (a vector for each part);
        Ioffe and Szegedy (2015), arXiv:1502.03167 (the norms); Yu and Koltun (2016),
        arXiv:1511.07122 (filters that look far); Livingstone and Hubel (1988),
        doi:10.1126/science.3283936 (form and colour apart, as eyes have them).
    """

    def __init__(self, shape: Sequence[int], size: int) -> None:
        super().__init__(shape, 8, seen=True)
        self.last = nn.Conv2d(self.filters, size, 3, padding=1)
        self.last_norm = nn.BatchNorm2d(size)
        self.around = nn.Conv2d(size, size, 3, padding=_FAR, dilation=_FAR)
        self.around_norm = nn.BatchNorm2d(size)
        self.colour = nn.Conv2d(self.shape[2], size, 1)
        self.colour_norm = nn.BatchNorm2d(size)
        self.places = Places(self.grid, size)

    def forward(
        self, pictures: Float[Tensor, "1 batch pixels"]
    ) -> Float[Tensor, "parts batch size"]:
        """A vector for each part of each picture.

        Args:
            pictures: The numbers of each in the order of its shape.
        """
        found = self.last_norm(self.last(self.convolve(pictures))).relu()
        found = found + self.around_norm(self.around(found)).relu()
        coarse = functional.adaptive_avg_pool2d(self.planes(pictures), self.grid)
        found = found + self.colour_norm(self.colour(coarse)).relu()
        return self.places(found.flatten(2).permute(2, 0, 1))


class Places(nn.Module):
    """Adds to what is known of each part where it lies: x_i + P g_i.

    g_i are row and column of part i, each from -1 to 1.

    Args:
        grid: Rows and columns.
        size: Width of x_i.
    """

    where: Tensor

    def __init__(self, grid: Sequence[int], size: int) -> None:
        super().__init__()
        sides = [torch.linspace(-1, 1, side) for side in grid]
        where = torch.cartesian_prod(*sides).unsqueeze(1)
        self.register_buffer("where", where, persistent=False)
        self.linear = nn.Linear(2, size, bias=False)

    def forward(
        self, x: Float[Tensor, "parts batch size"]
    ) -> Float[Tensor, "parts batch size"]:
        """The same, with places, row after row."""
        return x + self.linear(self.where)
