"""Where a network looks in a picture: patches around a place, and soft windows.

Both turn a picture into small square patches by an *aim*, some numbers that a network
says; pictures are ``(batch, height, width)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.types import Float

__all__ = ["Retina", "SoftWindow", "Window"]

_LEAST = 1e-6
"""Weights of a filter that lies outside of the picture add up to this at least."""


class Window(nn.Module, ABC):
    """What cuts patches out of pictures.

    Args:
        shape: Height and width of a picture.
        size: Side of a patch in pixels.

    Attributes:
        aims: How many numbers an aim has.
        channels: Patches of one look.
    """

    aims: int
    channels: int

    def __init__(self, shape: tuple[int, int], size: int) -> None:
        super().__init__()
        self.shape, self.size = shape, size

    @abstractmethod
    def read(
        self,
        pictures: Float[Tensor, "batch height width"],
        aim: Float[Tensor, "batch aims"],
    ) -> Float[Tensor, "batch channels size size"]:
        """The patches that an aim shows."""

    @abstractmethod
    def corners(
        self, aim: Float[Tensor, "batch aims"]
    ) -> Float[Tensor, "batch channels 4"]:
        """Left, top, right and bottom of each patch in the picture, in pixels."""


class Retina(Window):
    """Square patches around a place, each twice as wide as the last, all of one size.

    The aim is the place (x, y): -1 is the left or upper edge of the picture, 1 the
    other one. Patch k shows size * 2^k pixels, of which 2^k by 2^k are averaged to one;
    what lies outside of the picture is 0.

    Args:
        shape: Height and width of a picture.
        size: Side of a patch.
        scales: How many patches.

    Example:
        >>> retina = Retina((16, 24), size=8, scales=3)
        >>> retina.read(torch.zeros(2, 16, 24), torch.zeros(2, 2)).shape
        torch.Size([2, 3, 8, 8])

    References:
        Mnih et al. (2014), arXiv 1406.6247, section 3.1.
    """

    aims = 2

    def __init__(self, shape: tuple[int, int], size: int, scales: int = 1) -> None:
        super().__init__(shape, size)
        self.channels = scales
        steps = torch.arange(size) - (size - 1) / 2
        self.register_buffer("steps", steps, persistent=False)

    steps: Tensor

    def read(
        self,
        pictures: Float[Tensor, "batch height width"],
        aim: Float[Tensor, "batch 2"],
    ) -> Float[Tensor, "batch channels size size"]:
        """The patches around a place, the finest first."""
        height, width = self.shape
        patches, coarse = [], pictures[:, None]
        for scale in range(self.channels):
            if scale:
                coarse = functional.avg_pool2d(coarse, 2, ceil_mode=True)
            rows, columns = (n * 2**scale for n in coarse.shape[2:])
            # Coordinates of the coarse picture, whose edges may lie outside.
            x = ((aim[:, :1] + 1) * width + 2 ** (scale + 1) * self.steps) / columns - 1
            y = ((aim[:, 1:] + 1) * height + 2 ** (scale + 1) * self.steps) / rows - 1
            grid = torch.stack(
                [
                    x[:, None, :].expand(-1, self.size, -1),
                    y[:, :, None].expand(-1, -1, self.size),
                ],
                dim=3,
            )
            patches.append(functional.grid_sample(coarse, grid, align_corners=False))
        return torch.cat(patches, dim=1)

    def corners(
        self, aim: Float[Tensor, "batch 2"]
    ) -> Float[Tensor, "batch channels 4"]:
        """Left, top, right and bottom of each patch."""
        height, width = self.shape
        centre = (aim + 1) / 2 * aim.new_tensor([width, height])
        half = self.size / 2 * 2 ** torch.arange(self.channels, device=aim.device)
        offset = half[:, None] * aim.new_tensor([-1, -1, 1, 1])
        return centre.repeat(1, 2)[:, None] + offset


class SoftWindow(Window):
    """A grid of Gaussian filters, for reading and for writing.

    The aim (g~_X, g~_Y, log sigma^2, log delta~, log gamma) sets the centre, the
    spread, the stride and the strength of a grid of N by N filters on a picture of A by
    B pixels:

    g_X = (A + 1) / 2 (g~_X + 1), and g_Y likewise with B
    delta = (max(A, B) - 1) / (N - 1) delta~
    mu_i = g + (i - N / 2 - 1/2) delta
    F[i, a] = exp(-(a - mu_i)^2 / (2 sigma^2)) / Z, with rows that add up to 1
    read(x) = gamma F_Y x F_X^T
    write(w) = 1 / gamma F_Y^T w F_X

    An aim of zeros is spread over the whole picture.

    Args:
        shape: Height B and width A of a picture.
        size: N, at least 2.

    Example:
        >>> window = SoftWindow((16, 24), size=6)
        >>> aim = torch.zeros(2, 5)
        >>> window.write(window.read(torch.zeros(2, 16, 24), aim)[:, 0], aim).shape
        torch.Size([2, 16, 24])

    References:
        Gregor et al. (2015), arXiv 1502.04623, equations 19 to 29.
    """

    aims = 5
    channels = 1

    def read(
        self,
        pictures: Float[Tensor, "batch height width"],
        aim: Float[Tensor, "batch 5"],
    ) -> Float[Tensor, "batch 1 size size"]:
        """Gamma F_Y x F_X^T."""
        F_Y, F_X, gamma = self.filters(aim)
        return (gamma * (F_Y @ pictures @ F_X.mT))[:, None]

    def write(
        self, patch: Float[Tensor, "batch size size"], aim: Float[Tensor, "batch 5"]
    ) -> Float[Tensor, "batch height width"]:
        """1 / gamma F_Y^T w F_X."""
        F_Y, F_X, gamma = self.filters(aim)
        return (F_Y.mT @ patch @ F_X) / gamma

    def filters(
        self, aim: Float[Tensor, "batch 5"]
    ) -> tuple[
        Float[Tensor, "batch size height"],
        Float[Tensor, "batch size width"],
        Float[Tensor, "batch 1 1"],
    ]:
        """F_Y, F_X and gamma of an aim."""
        mu_X, mu_Y = self._means(aim)
        variance = aim[:, 2].exp()
        gamma = aim[:, 4].exp()[:, None, None]
        B, A = self.shape
        return _bank(mu_Y, variance, B), _bank(mu_X, variance, A), gamma

    def _means(self, aim: Tensor) -> tuple[Tensor, Tensor]:
        """mu_X and mu_Y ``(batch, size)``."""
        B, A = self.shape
        g_X = (A + 1) / 2 * (aim[:, 0] + 1)
        g_Y = (B + 1) / 2 * (aim[:, 1] + 1)
        delta = (max(A, B) - 1) / (self.size - 1) * aim[:, 3].exp()
        i = torch.arange(1, self.size + 1, device=aim.device)
        grid = (i - self.size / 2 - 0.5) * delta[:, None]
        return g_X[:, None] + grid, g_Y[:, None] + grid

    def corners(self, aim: Float[Tensor, "batch 5"]) -> Float[Tensor, "batch 1 4"]:
        """Left, top, right and bottom: one deviation beyond the outer filters."""
        mu_X, mu_Y = self._means(aim)
        sigma = (aim[:, 2] / 2).exp()
        first = torch.stack([mu_X[:, 0] - sigma, mu_Y[:, 0] - sigma], dim=1)
        last = torch.stack([mu_X[:, -1] + sigma, mu_Y[:, -1] + sigma], dim=1)
        return (torch.cat([first, last], dim=1) - 0.5)[:, None]


def _bank(mu: Tensor, variance: Tensor, length: int) -> Tensor:
    """F[i, a], for pixels a = 1 ... length."""
    a = torch.arange(1, length + 1, device=mu.device)
    F = (-((a - mu[..., None]) ** 2) / (2 * variance[:, None, None])).exp()
    return F / F.sum(-1, keepdim=True).clamp(min=_LEAST)
