"""Heads: a vector of features in, a probability distribution of the target out.

A head's loss is -log p(target) in nats, whatever the target is; so a new kind of target
takes a new distribution and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from scipy import stats
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    LogNormal,
    Normal,
    Poisson,
)
from torch.nn import functional

from recurro.errors import ArgumentError, DataError
from recurro.types import Float

__all__ = [
    "CategoricalHead",
    "Head",
    "LogNormalHead",
    "NormalHead",
    "OrdinalHead",
    "PoissonHead",
    "quantile",
]

_LEAST = 1e-3
"""The least deviation of a normal head, as a share of that of the targets."""


class Head(nn.Module, ABC):
    """What turns features into a distribution of the target."""

    @abstractmethod
    def forward(self, features: Float[Tensor, "batch features"]) -> Distribution:
        """The distribution of the target of each row."""

    def losses(
        self, features: Float[Tensor, "batch features"], targets: Tensor
    ) -> Float[Tensor, " batch"]:
        """-log p(target) of each row, in nats, times the weight of its class if any.

        Args:
            features: One row per sequence.
            targets: Class ids or numbers ``(batch,)``.
        """
        found = -self(features).log_prob(targets)
        weights = getattr(self, "class_weights", None)
        return found if weights is None else found * weights[targets]

    def start(self, targets: Tensor) -> None:
        """Learn what there is to learn of the targets before training.

        Args:
            targets: Class ids or numbers of the training part ``(items,)``.

        Raises:
            DataError: If a target is not one that the head knows.
        """


class CategoricalHead(Head):
    """One of several classes: softmax((W x + b) / temperature).

    Args:
        features: Width of x.
        classes: How many there are.
        class_weights: What the loss of each class is multiplied by, or ``None``.

    Example:
        >>> head = CategoricalHead(4, 3)
        >>> head(torch.zeros(2, 4)).probs.shape
        torch.Size([2, 3])
    """

    temperature: Tensor

    def __init__(
        self, features: int, classes: int, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.register_buffer("temperature", torch.ones(()))
        _register_weights(self, class_weights)

    def forward(self, features: Float[Tensor, "batch features"]) -> Categorical:
        """P(class) of each row."""
        logits = self.linear(features).float() / self.temperature
        return Categorical(logits=logits, validate_args=False)


class OrdinalHead(Head):
    """One of several classes that have an order, such as stars.

    P(class <= k) = sigmoid((c_k - w . x) / temperature), with c_1 < c_2 < ...: one
    direction w for all classes, and the places where it is cut.

    Args:
        features: Width of x.
        classes: How many there are, at least 2.
        class_weights: What the loss of each class is multiplied by, or ``None``.

    Example:
        >>> head = OrdinalHead(4, 5)
        >>> bool(head(torch.zeros(1, 4)).probs.sum().isclose(torch.tensor(1.0)))
        True

    References:
        McCullagh (1980), Regression models for ordinal data, equation 2.4.
    """

    temperature: Tensor

    def __init__(
        self, features: int, classes: int, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ArgumentError(
                f"OrdinalHead: classes must be at least 2, got {classes}."
            )
        self.linear = nn.Linear(features, 1, bias=False)
        self.first = nn.Parameter(torch.tensor([1.0 - classes / 2]))
        self.gaps = nn.Parameter(torch.full((classes - 2,), 0.5413))  # softplus: 1
        self.register_buffer("temperature", torch.ones(()))
        _register_weights(self, class_weights)

    def forward(self, features: Float[Tensor, "batch features"]) -> Categorical:
        """P(class) of each row.

        sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), in logs.
        """
        gaps = functional.softplus(self.gaps)
        cuts = torch.cat([self.first, self.first + gaps.cumsum(0)])
        z = (cuts - self.linear(features).float()) / self.temperature
        edge = z.new_zeros(len(z), 1)
        below = torch.cat([functional.logsigmoid(z), edge], 1)
        above = torch.cat([edge, functional.logsigmoid(-z)], 1)
        inner = torch.log(-torch.expm1(z[:, :-1] - z[:, 1:]))
        between = torch.cat([edge, inner, edge], 1)
        return Categorical(logits=below + above + between, validate_args=False)


def _register_weights(head: Head, weights: Sequence[float] | None) -> None:
    values = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    head.register_buffer("class_weights", values)


class _Real(Head):
    """A head for a number: it knows the place and the scale of those seen."""

    place: Tensor
    scale: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs)
        self.register_buffer("place", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def _set(self, values: Tensor) -> None:
        self.place.fill_(values.mean())
        spread = values.std(correction=0)
        self.scale.fill_(spread if spread > 0 else 1.0)


class NormalHead(_Real):
    """A number with a normal distribution, or a squared error.

    y ~ N(m + s u, (s v)^2), with u and v from W x + b, and m and s the mean and the
    deviation of the targets in training.

    Args:
        features: Width of x.
        spread: Whether v is learnt; without, it is 1 and the loss is half of the
            squared error in units of s, up to a constant.

    Example:
        >>> head = NormalHead(4)
        >>> head.start(torch.tensor([90.0, 110.0]))
        >>> head.place.item(), head.scale.item()
        (100.0, 10.0)
    """

    def __init__(self, features: int, *, spread: bool = True) -> None:
        super().__init__(features, 1 + spread)
        self.spread = spread

    def forward(self, features: Float[Tensor, "batch features"]) -> Normal:
        """The distribution of each row's number."""
        place, width = _place_and_width(self.linear(features).float(), self.spread)
        mean, deviation = self.place + self.scale * place, self.scale * width
        return Normal(mean, deviation, validate_args=False)

    def start(self, targets: Float[Tensor, " items"]) -> None:
        """Learn m and s."""
        self._set(targets)


class LogNormalHead(_Real):
    """A positive amount, such as a salary: log y is normal, as in ``NormalHead``.

    Args:
        features: Width of x.

    Example:
        >>> LogNormalHead(4)(torch.zeros(2, 4)).mean.shape
        torch.Size([2])
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, 2)

    def forward(self, features: Float[Tensor, "batch features"]) -> LogNormal:
        """The distribution of each row's amount."""
        place, width = _place_and_width(self.linear(features).float(), True)
        mean, deviation = self.place + self.scale * place, self.scale * width
        return LogNormal(mean, deviation, validate_args=False)

    def start(self, targets: Float[Tensor, " items"]) -> None:
        """Learn the mean and the deviation of log y.

        Raises:
            DataError: If a target is not above 0.
        """
        wrong = (targets <= 0).nonzero()
        if len(wrong):
            raise DataError(
                f"targets: must be above 0 for a log-normal head, got "
                f"{targets[wrong[0, 0]].item():g} in item {int(wrong[0, 0])}. Use the "
                "normal head."
            )
        self._set(targets.log())


class PoissonHead(Head):
    """A count: y ~ Poisson(exp(w . x + b)), with b begun at the log of the mean count.

    Args:
        features: Width of x.

    Example:
        >>> head = PoissonHead(4)
        >>> head.start(torch.tensor([1.0, 3.0]))
        >>> round(head(torch.zeros(1, 4)).mean.item(), 4)
        2.0
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Float[Tensor, "batch features"]) -> Poisson:
        """The distribution of each row's count."""
        rate = self.linear(features)[:, 0].float().clamp(max=80.0).exp()
        return Poisson(rate, validate_args=False)

    @torch.no_grad()
    def start(self, targets: Float[Tensor, " items"]) -> None:
        """Begin at the mean count.

        Raises:
            DataError: If a target is no count.
        """
        wrong = ((targets < 0) | (targets != targets.round())).nonzero()
        if len(wrong):
            raise DataError(
                f"targets: must be counts for a Poisson head, got "
                f"{targets[wrong[0, 0]].item():g} in item {int(wrong[0, 0])}. Use the "
                "normal head."
            )
        self.linear.bias.fill_(targets.mean().clamp(min=1e-3).log())


def _place_and_width(outputs: Tensor, spread: bool) -> tuple[Tensor, Tensor]:
    place = outputs[:, 0]
    if not spread:
        return place, torch.ones_like(place)
    return place, functional.softplus(outputs[:, 1] + 0.5413) + _LEAST


def quantile(found: Distribution, level: float) -> Float[Tensor, " batch"]:
    """The number below which a distribution has a given probability, row by row.

    Args:
        found: What a head gave for numbers.
        level: The probability, in (0, 1).

    Example:
        >>> quantile(Poisson(torch.tensor([4.0])), 0.5)
        tensor([4.])
    """
    if not isinstance(found, Poisson):
        return found.icdf(torch.tensor(level))
    rate = found.rate.detach()
    counts = stats.poisson.ppf(level, rate.double().cpu().numpy())
    return torch.as_tensor(counts, dtype=rate.dtype, device=rate.device)
