"""Intervals of what a head told: how far out a number lies, and how far they reach.

A distance is a deviate of the normal distribution, whatever the head; so one list of
distances says how wide intervals must be, row by row.
"""

from __future__ import annotations

from torch import Tensor, maximum
from torch.distributions import Distribution, LogNormal, Normal

from recurro.types import Float

__all__ = ["at_deviate", "deviates"]

_ROUNDING = 1e-6
"""What a count may differ from a whole number by rounding alone."""
_ZERO = 0.375**0.5
"""What the root of no count is; see ``at_deviate``."""


def at_deviate(found: Distribution, deviate: float) -> Float[Tensor, " batch"]:
    """The number as deep in a distribution as a deviate is in the normal one.

    F^-1(Phi(z)), with F of each row and Phi of N(0, 1); so z = -1.645 and 1.645 give
    the ends between which a number lies with probability 0.9. For counts
    2 sqrt(y + 3/8) is taken for normal, and the end is rounded away from the middle.

    Args:
        found: What a head gave for numbers.
        deviate: z.

    Example:
        >>> import torch
        >>> from torch.distributions import Poisson
        >>> at_deviate(Normal(torch.tensor([5.0]), torch.tensor([2.0])), 1.5)
        tensor([8.])
        >>> at_deviate(Poisson(torch.tensor([4.0])), 1.645)
        tensor([9.])

    References:
        Anscombe (1948), The transformation of Poisson, binomial and negative-binomial
        data, equation 1.
    """
    if isinstance(found, Normal):
        return found.loc + deviate * found.scale
    if isinstance(found, LogNormal):
        return (found.loc + deviate * found.scale).exp()
    root = (_root(found.mean) + deviate / 2).clamp(min=_ZERO)
    count = root.square() - 0.375
    if deviate < 0:
        return (count - _ROUNDING).floor().clamp(min=0).to(found.mean)
    return (count + _ROUNDING).ceil().to(found.mean)


def deviates(
    found: Distribution, targets: Float[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """How far out each number lies: the least z whose interval holds it, at least 0.

    The interval is that from ``at_deviate(found, -z)`` to ``at_deviate(found, z)``.

    Args:
        found: What a head gave for numbers.
        targets: The true numbers.

    Example:
        >>> import torch
        >>> deviates(Normal(torch.tensor([5.0]), torch.tensor([2.0])), torch.ones(1))
        tensor([2.])
    """
    if isinstance(found, Normal):
        return ((targets - found.loc) / found.scale).abs()
    if isinstance(found, LogNormal):
        return ((targets.log() - found.loc) / found.scale).abs()
    middle = _root(found.mean)  # ends reach up to the next count, see above
    above = _root((targets - 1).clamp(min=0)) - middle
    return 2 * maximum(above, middle - _root(targets + 1)).clamp(min=0)


def _root(count: Tensor) -> Tensor:
    """Sqrt(y + 3/8), in double precision."""
    return (count.double() + 0.375).sqrt()
