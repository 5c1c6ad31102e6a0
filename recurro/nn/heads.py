"""Heads: a vector of features in, a probability distribution of the target out.

A head's loss is -log p(target) in nats, whatever the target is; so a new kind of target
takes a new distribution and nothing else.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    LogNormal,
    Normal,
    Poisson,
    StudentT,
)
from torch.nn import functional

from recurro.errors import ArgumentError, DataError
from recurro.nn.quantiles import QuantileSteps
from recurro.nn.sequence import Teller
from recurro.types import Float

__all__ = [
    "BernoulliHead",
    "CategoricalHead",
    "Head",
    "LogNormalHead",
    "NormalHead",
    "OrdinalHead",
    "PoissonHead",
    "QuantileHead",
    "StudentTHead",
    "probability",
    "quantile",
]

_LEAST = 1e-3
"""The least deviation of a normal head, as a share of that of the targets."""

_FREEDOM = 8.0
"""What the degrees of freedom begin at, less the least."""


class Head(Teller):
    """What turns features into a distribution of the target."""

    @abstractmethod
    def forward(self, features: Float[Tensor, "batch features"]) -> Distribution:
        """The distribution of the target of each row."""

    def losses(
        self, features: Float[Tensor, "batch features"], targets: Tensor
    ) -> Float[Tensor, "batch ..."]:
        """-log p(target) of each row, in nats, times the weight of its class if any.

        Args:
            features: One row per sequence.
            targets: Class ids or numbers ``(batch,)``, or ``(batch, *shape)`` for a
                head of several numbers.
        """
        found = -self(features).log_prob(targets)
        weights = getattr(self, "class_weights", None)
        return found if weights is None else found * weights[targets]


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


class BernoulliHead(Head):
    """Several things that each are there or not, such as the keys of a frame of music.

    P(y | x) = prod_k p_k^y_k (1 - p_k)^(1 - y_k), with p = sigmoid(W x + b) and b begun
    at the log odds of each in training.

    Args:
        features: Width of x.
        outputs: How many things there are.

    Example:
        >>> head = BernoulliHead(4, 88)
        >>> head.losses(torch.zeros(2, 4), torch.zeros(2, 88)).shape
        torch.Size([2])

    References:
        Boulanger-Lewandowski, Bengio and Vincent (2012), arXiv 1206.6392, section 2.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, features: Float[Tensor, "batch features"]) -> Independent:
        """The chances of each row."""
        logits = self.linear(features).float()
        return Independent(
            Bernoulli(logits=logits, validate_args=False), 1, validate_args=False
        )

    @torch.no_grad()
    def start(self, targets: Float[Tensor, "items outputs"]) -> None:
        """Begin at how often each is there; half an item is added to both sides."""
        present = targets.sum(0) + 0.5
        self.linear.bias.copy_((present / (len(targets) + 1 - present)).log())


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
    """A head for numbers: it knows the place and the scale of those seen."""

    place: Tensor
    scale: Tensor

    def __init__(self, features: int, outputs: int, shape: Sequence[int] = ()) -> None:
        super().__init__()
        self.shape = (*shape, outputs)
        self.linear = nn.Linear(features, math.prod(self.shape))
        self.register_buffer("place", torch.zeros(tuple(shape)))
        self.register_buffer("scale", torch.ones(tuple(shape)))

    def _outputs(self, features: Tensor) -> Tensor:
        """The numbers of the linear layer ``(batch, *shape, outputs)``."""
        return self.linear(features).float().unflatten(1, self.shape)

    def _set(self, values: Tensor) -> None:
        self.place.copy_(values.mean(0))
        spread = values.std(0, correction=0)
        self.scale.copy_(torch.where(spread > 0, spread, 1.0))


class NormalHead(_Real):
    """A number with a normal distribution, or a squared error.

    y ~ N(m + s u, (s v)^2), with u and v from W x + b, and m and s the mean and the
    deviation of the targets in training.

    Args:
        features: Width of x.
        spread: Whether v is learnt; without, it is 1 and the loss is half of the
            squared error in units of s, up to a constant.
        shape: Of the targets of a row, each with a distribution of its own; one number
            if left out.

    Example:
        >>> head = NormalHead(4)
        >>> head.start(torch.tensor([90.0, 110.0]))
        >>> head.place.item(), head.scale.item()
        (100.0, 10.0)
    """

    def __init__(
        self, features: int, *, spread: bool = True, shape: Sequence[int] = ()
    ) -> None:
        super().__init__(features, 1 + spread, shape)
        self.spread = spread

    def forward(self, features: Float[Tensor, "batch features"]) -> Normal:
        """The distribution of each row's number."""
        place, width = _place_and_width(self._outputs(features), self.spread)
        mean, deviation = self.place + self.scale * place, self.scale * width
        return Normal(mean, deviation, validate_args=False)

    def start(self, targets: Float[Tensor, "items ..."]) -> None:
        """Learn m and s; without a spread, one s for all numbers of a row.

        So that their squared errors weigh alike.
        """
        self._set(targets)
        if not self.spread:
            self.scale.fill_(self.scale.square().mean().sqrt())


class StudentTHead(_Real):
    """A number whose distribution has heavy tails, such as a return.

    (y - m - s u) / (s v) ~ t(n), with u, v and the degrees of freedom n > 2 from
    W x + b, and m and s as in ``NormalHead``.

    Args:
        features: Width of x.
        shape: Of the targets of a row; one number if left out.

    Example:
        >>> StudentTHead(4, shape=(3, 2))(torch.zeros(5, 4)).df.shape
        torch.Size([5, 3, 2])
    """

    def __init__(self, features: int, *, shape: Sequence[int] = ()) -> None:
        super().__init__(features, 3, shape)

    def forward(self, features: Float[Tensor, "batch features"]) -> StudentT:
        """The distribution of each row's number."""
        outputs = self._outputs(features)
        place, width = _place_and_width(outputs, True)
        freedom = 2.0 + _LEAST + functional.softplus(outputs[..., 2] + _FREEDOM)
        mean, width = self.place + self.scale * place, self.scale * width
        return StudentT(freedom, mean, width, validate_args=False)

    def start(self, targets: Float[Tensor, "items ..."]) -> None:
        """Learn m and s."""
        self._set(targets)


class QuantileHead(_Real):
    """Some quantiles of a number, which never cross.

    q_p = m + s (u + sums of softplus terms away from the middle level), with m and s as
    in ``NormalHead``; they begin as those of a normal distribution. The loss is the sum
    over the levels p of (p - [y < q_p]) (y - q_p) / s, least at the quantiles.

    Args:
        features: Width of x.
        levels: The levels p, rising within (0, 1).
        shape: Of the targets of a row; one number if left out.

    Example:
        >>> head = QuantileHead(4, [0.1, 0.5, 0.9])
        >>> quantile(head(torch.zeros(2, 4)), 0.5).shape
        torch.Size([2])

    References:
        Koenker and Bassett (1978), Regression quantiles, equation 3.1; Wen et al.
        (2017), arXiv 1711.11053, section 3.
    """

    steps: Tensor

    def __init__(
        self, features: int, levels: Sequence[float], *, shape: Sequence[int] = ()
    ) -> None:
        rising = all(a < b for a, b in pairwise(levels))
        if not levels or not rising or not 0 < levels[0] <= levels[-1] < 1:
            raise ArgumentError(
                f"QuantileHead: levels must rise within (0, 1), got {tuple(levels)}. "
                "Use for instance 0.1, 0.5, 0.9."
            )
        super().__init__(features, len(levels), shape)
        self.levels = tuple(levels)
        steps = torch.special.ndtri(torch.tensor(self.levels)).diff()
        self.register_buffer("steps", steps.expm1().log(), persistent=False)

    def forward(self, features: Float[Tensor, "batch features"]) -> QuantileSteps:
        """The quantiles of each row's number."""
        outputs, middle = self._outputs(features), len(self.levels) // 2
        low, centre, high = outputs.tensor_split([middle, middle + 1], -1)
        below = functional.softplus(low + self.steps[:middle])
        above = functional.softplus(high + self.steps[middle:])
        low = centre - below.flip(-1).cumsum(-1).flip(-1)
        centre = centre + torch.special.ndtri(torch.tensor(self.levels[middle]))
        found = torch.cat([low, centre, centre + above.cumsum(-1)], -1)
        place, scale = self.place.unsqueeze(-1), self.scale.unsqueeze(-1)
        return QuantileSteps(self.levels, place + scale * found)

    def losses(
        self, features: Float[Tensor, "batch features"], targets: Tensor
    ) -> Float[Tensor, "batch ..."]:
        """The loss of each row, in units of s."""
        found = self(features)
        error = (targets.unsqueeze(-1) - found.values) / self.scale.unsqueeze(-1)
        levels = error.new_tensor(self.levels)
        return torch.maximum(levels * error, (levels - 1) * error).sum(-1)

    def start(self, targets: Float[Tensor, "items ..."]) -> None:
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
        place, width = _place_and_width(self._outputs(features), True)
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
    place = outputs[..., 0]
    if not spread:
        return place, torch.ones_like(place)
    return place, functional.softplus(outputs[..., 1] + 0.5413) + _LEAST


def quantile(found: Distribution, level: float | Tensor) -> Float[Tensor, "batch ..."]:
    """The number below which a distribution has a given probability, row by row.

    Args:
        found: What a head gave for numbers.
        level: The probability, in (0, 1), or one for each number.

    Example:
        >>> quantile(Poisson(torch.tensor([4.0])), 0.5)
        tensor([4.])
    """
    levels = torch.as_tensor(level)
    if isinstance(found, Poisson):
        numbers = stats.poisson.ppf(levels, *_plain(found.rate))
        return torch.as_tensor(numbers).to(found.rate)
    if isinstance(found, StudentT):
        numbers = stats.t.ppf(levels, *_plain(found.df, found.loc, found.scale))
        return torch.as_tensor(numbers).to(found.loc)
    return found.icdf(levels)


def probability(found: Distribution, values: Tensor) -> Float[Tensor, "batch ..."]:
    """The probability that a distribution gives to what lies below a number.

    Args:
        found: What a head gave for numbers.
        values: The numbers.

    Example:
        >>> probability(Normal(torch.zeros(1), torch.ones(1)), torch.zeros(1))
        tensor([0.5000])
    """
    if isinstance(found, StudentT):
        chances = stats.t.cdf(*_plain(values, found.df, found.loc, found.scale))
        return torch.as_tensor(chances).to(found.loc)
    return found.cdf(values)


def _plain(*tensors: Tensor) -> list[np.ndarray]:
    """Tensors as arrays of double precision."""
    return [tensor.detach().double().cpu().numpy() for tensor in tensors]
