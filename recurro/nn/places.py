"""What a decoder looks at when it writes of a picture: a vector for each place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurro.nn.frames import Places
from recurro.nn.memory import Memory
from recurro.nn.pooling import Pooling
from recurro.types import Batch, Float

__all__ = ["FeatureEncoder", "PlaceEncoder", "Scale"]


class Scale(nn.Module):
    """Numbers of any kind, brought to mean 0 and deviation 1: (x - m) / s.

    Args:
        mean: m, of all numbers in training.
        deviation: s, above 0.

    Example:
        >>> Scale(100.0, 50.0)(torch.tensor([200, 0], dtype=torch.uint8)).tolist()
        [2.0, -2.0]
    """

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        """The same, scaled."""
        return (x.to(torch.get_default_dtype()) - self.mean) / self.deviation


class FeatureEncoder(nn.Module):
    """Features of places, as another network found them.

    m_i = relu(W x_i + b) + P g_i, with g_i row and column of place i.

    Args:
        features: Width of x_i.
        size: Width of m_i.
        grid: Rows and columns of the places; ``None`` where they lie in no grid, and
            there is no P.

    Example:
        >>> FeatureEncoder(5, 8, grid=(2, 3))(torch.zeros(6, 4, 5)).shape
        torch.Size([6, 4, 8])
    """

    def __init__(
        self, features: int, size: int, grid: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features, size)
        self.places = nn.Identity() if grid is None else Places(grid, size)

    def forward(
        self, x: Float[Tensor, "places batch features"]
    ) -> Float[Tensor, "places batch size"]:
        """A vector for each place."""
        return self.places(self.linear(x).relu())


class PlaceEncoder(nn.Module):
    """Leaves for a decoder the vectors of all places, and as summary their mean.

    Args:
        inputs: From the inputs of a batch to m_i ``(places, batch, size)``:
            ``GridEncoder`` of pictures, ``FeatureEncoder`` of features.
        size: Width of m_i.

    Attributes:
        output_size: Width of m_i and of their mean.

    Example:
        >>> encoder = PlaceEncoder(FeatureEncoder(5, 8), 8)
        >>> lengths = torch.tensor([6, 2])
        >>> memory = encoder(Batch(torch.zeros(6, 2, 5), torch.zeros(2), lengths))
        >>> memory.steps.shape, memory.summary.shape
        (torch.Size([6, 2, 8]), torch.Size([2, 8]))

    References:
        Xu et al. (2015), arXiv:1502.03044, section 3.1 (the first state from the mean).
    """

    def __init__(self, inputs: nn.Module, size: int) -> None:
        super().__init__()
        self.inputs, self.mean = inputs, Pooling("mean", size)
        self.output_size = size

    def forward(self, batch: Batch) -> Memory:
        """Read the inputs."""
        found = self.inputs(batch.inputs)
        lengths = batch.lengths if len(found) == len(batch.inputs) else None
        every = torch.full(found.shape[1:2], len(found), device=found.device)
        summary = self.mean(found, every if lengths is None else lengths)
        return Memory(steps=found, lengths=lengths, summary=summary)
