"""Dropout with one mask for all steps of a sequence, and of whole words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurro.errors import ArgumentError
from recurro.types import Float, Int


def check_probability(p: float, name: str, owner: str) -> float:
    """Give a dropout probability back, or refuse it.

    Example:
        >>> check_probability(0.5, "dropout", "Recurrent")
        0.5
    """
    if not 0 <= p < 1:
        raise ArgumentError(f"{owner}: {name} must be in [0, 1), got {p}.")
    return p


def variational_dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Drop the same units at every step.

    Args:
        x: ``(time, batch, feature)``.
        p: Probability of dropping a unit, in [0, 1); the rest is scaled by 1 / (1 - p).
        training: Whether anything is dropped.

    References:
        Gal and Ghahramani (2016), arXiv 1512.05287, section 4.
    """
    if not training or p == 0:
        return x
    return x * nn.functional.dropout(x.new_ones(1, *x.shape[1:]), p)


class VariationalDropout(nn.Module):
    """``variational_dropout`` as a module.

    Args:
        p: Probability of dropping a unit, in [0, 1).

    Example:
        >>> import torch
        >>> y = VariationalDropout(0.5)(torch.ones(4, 1, 8))
        >>> bool((y == y[0]).all())
        True
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = check_probability(p, "p", "VariationalDropout")

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``(time, batch, feature)``."""
        return variational_dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class WordDropout(nn.Embedding):
    """An embedding that, in training, hides some ids altogether: their vector is 0.

    What reads it must then find out from elsewhere, such as a picture, what comes next.

    Args:
        size: How many ids there are.
        width: Width of a vector.
        probability: Of hiding an id, each for itself, in [0, 1).

    Example:
        >>> words = WordDropout(10, 4, probability=0.5)
        >>> bool((words(torch.ones(99, dtype=torch.long)) == 0).all(1).any())
        True

    References:
        Bowman et al. (2016), arXiv 1511.06349, section 3.1.
    """

    def __init__(self, size: int, width: int, *, probability: float) -> None:
        super().__init__(size, width)
        self.probability = check_probability(probability, "probability", "WordDropout")

    def forward(self, input: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape width"]:
        """The vector of each id."""
        found = super().forward(input)
        if not (self.training and self.probability):
            return found
        shown = torch.rand(input.shape, device=input.device) >= self.probability
        return found * shown.unsqueeze(-1)
