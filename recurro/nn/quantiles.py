"""A distribution that is known by some of its quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, StudentT

from recurro.types import Float

__all__ = ["QuantileSteps", "shifted"]


class QuantileSteps(Distribution):
    """A distribution through some quantiles, normal between and beyond them.

    With z_p the p-quantile of the standard normal distribution, q is linear in z from
    level to level, and goes on as the first and the last piece do; so a single level
    knows no spread, and the quantiles of a normal distribution give it back.

    Args:
        levels: The levels p, rising within (0, 1).
        values: The quantiles, rising along the last axis ``(..., levels)``.

    Example:
        >>> found = QuantileSteps([0.1, 0.5, 0.9], torch.tensor([[0.0, 1.0, 4.0]]))
        >>> found.icdf(torch.tensor(0.9)), found.cdf(torch.tensor([1.0]))
        (tensor([4.]), tensor([0.5000]))
    """

    def __init__(
        self, levels: Sequence[float], values: Float[Tensor, "... levels"]
    ) -> None:
        super().__init__(values.shape[:-1], validate_args=False)
        self.levels, self.values = tuple(levels), values
        self.scores = torch.special.ndtri(values.new_tensor(levels))

    @property
    def mean(self) -> Tensor:
        """The median, as the mean is not known."""
        return self.icdf(torch.tensor(0.5))

    def icdf(self, value: Tensor) -> Tensor:
        """The quantiles of some levels."""
        z = torch.special.ndtri(value.to(self.values)).expand(self.batch_shape)
        return _line(self.scores.expand_as(self.values), self.values, z)

    def cdf(self, value: Tensor) -> Tensor:
        """The probabilities below some numbers."""
        y = value.to(self.values).expand(self.batch_shape)
        return torch.special.ndtr(
            _line(self.values, self.scores.expand_as(self.values), y)
        )


def shifted(found: Distribution, by: Tensor) -> Distribution:
    """The distribution of a number with something added.

    Args:
        found: That of the number: normal, Student's t, or of quantiles.
        by: What is added, for each number.

    Example:
        >>> shifted(Normal(torch.zeros(1), torch.ones(1)), torch.ones(1)).mean
        tensor([1.])
    """
    if isinstance(found, Normal):
        return Normal(found.loc + by, found.scale, validate_args=False)
    if isinstance(found, StudentT):
        place = found.loc + by
        return StudentT(found.df, place, found.scale, validate_args=False)
    assert isinstance(found, QuantileSteps)
    return QuantileSteps(found.levels, found.values + by.unsqueeze(-1))


def _line(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """The line through points that rise in x, drawn on at both ends.

    Args:
        x: Places ``(..., points)``.
        y: Heights ``(..., points)``.
        at: Where the line is read ``(...)``.
    """
    if x.shape[-1] == 1:
        return y[..., 0]
    right = torch.searchsorted(x.contiguous(), at.unsqueeze(-1).contiguous())
    right = right.clamp(1, x.shape[-1] - 1)
    x_0, x_1 = x.gather(-1, right - 1)[..., 0], x.gather(-1, right)[..., 0]
    y_0, y_1 = y.gather(-1, right - 1)[..., 0], y.gather(-1, right)[..., 0]
    return y_0 + (y_1 - y_0) * (at - x_0) / (x_1 - x_0).clamp(min=1e-12)
