"""The head of handwriting: where the pen goes, and whether it is lifted there."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint
from torch.nn import functional

from recurro.errors import ArgumentError
from recurro.nn.heads import Head
from recurro.types import Float

__all__ = ["DOWN", "ENDED", "LIFTED", "MixtureHead", "PenMixture"]

DOWN, LIFTED, ENDED = 0, 1, 2
"""What the pen does where it has come to: it stays down, is lifted, or is lifted for
good."""

_STATES = 3

_LEAST = 0.01
"""The least deviation of a component, in units of the scale: about the width of a line.
Without it, a model of drawings on a grid would be likelier without bound."""

_MOST = 0.99
"""The greatest correlation, so that 1 - rho^2 is never lost to rounding."""


class PenMixture(Distribution):
    """Where the pen goes next: a mixture of bivariate Gaussians; and its state there.

    p(dx, dy, s) = P(s) sum_m w_m N(dx, dy | mu_m, sigma_m, rho_m)

    A value is ``(dx, dy, s)``, with s of ``DOWN``, ``LIFTED``, ``ENDED``.

    Args:
        weights: Log w ``(steps, mixtures)``, up to a constant.
        means: mu of each ``(steps, mixtures, 2)``.
        spreads: sigma of each, alike.
        correlations: rho of each ``(steps, mixtures)``.
        pen: Log P of each state ``(steps, 3)``, up to a constant.

    References:
        Graves (2013), arXiv 1308.0850, equations 23 to 26; Ha and Eck (2017), arXiv
        1704.03477, equation 4 (the states of the pen).
    """

    def __init__(
        self,
        weights: Float[Tensor, "steps mixtures"],
        means: Float[Tensor, "steps mixtures 2"],
        spreads: Float[Tensor, "steps mixtures 2"],
        correlations: Float[Tensor, "steps mixtures"],
        pen: Float[Tensor, "steps states"],
    ) -> None:
        super().__init__(weights.shape[:1], torch.Size([3]), validate_args=False)
        self.weights, self.pen = weights.log_softmax(-1), pen.log_softmax(-1)
        self.means, self.spreads, self.correlations = means, spreads, correlations

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """None are checked."""
        return {}

    def log_prob(self, value: Float[Tensor, "steps 3"]) -> Float[Tensor, " steps"]:
        """Log p of each point, in nats."""
        place, state = value[..., :2], value[..., 2].long()
        told = self.pen.gather(-1, state.unsqueeze(-1)).squeeze(-1)
        return told + self.log_density(place)

    def log_density(self, place: Float[Tensor, "steps 2"]) -> Float[Tensor, " steps"]:
        """Log p of each offset alone, in nats per unit of area."""
        off = (place.unsqueeze(-2) - self.means) / self.spreads
        x, y, rho = off[..., 0], off[..., 1], self.correlations
        free = 1 - rho * rho
        z = (x * x + y * y - 2 * rho * x * y) / free
        area = self.spreads.log().sum(-1) + 0.5 * free.log() + math.log(2 * math.pi)
        return torch.logsumexp(self.weights - area - 0.5 * z, -1)

    def draw(
        self, temperature: float = 1.0, generator: Generator | None = None
    ) -> Float[Tensor, "steps 3"]:
        """Draw a point at each step.

        Args:
            temperature: What all logits are divided by, and all variances multiplied
                with; at 0 the mean of the likeliest component, and the likeliest state.
            generator: Where it is drawn from; torch's own if not given.

        References:
            Ha and Eck (2017), equation 8.
        """
        chosen = _pick(self.weights, temperature, generator)
        state = _pick(self.pen, temperature, generator)
        rows = torch.arange(len(chosen), device=chosen.device)
        mean, spread = self.means[rows, chosen], self.spreads[rows, chosen]
        if temperature == 0:
            return torch.cat([mean, state[:, None].to(mean)], 1)
        rho = self.correlations[rows, chosen]
        e = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean)
        second = rho * e[:, 0] + (1 - rho * rho).sqrt() * e[:, 1]
        noise = torch.stack([e[:, 0], second], 1) * math.sqrt(temperature)
        return torch.cat([mean + spread * noise, state[:, None].to(mean)], 1)


def _pick(log_probs: Tensor, temperature: float, generator: Generator | None) -> Tensor:
    """One of the columns of each row."""
    if temperature == 0:
        return log_probs.argmax(1)
    chances = (log_probs / temperature).softmax(1).cpu()
    drawn = torch.multinomial(chances, 1, generator=generator)[:, 0]
    return drawn.to(log_probs.device)


class MixtureHead(Head):
    """Where the pen goes next, by a mixture of Gaussians; or by a squared error.

    With a_1 ... of W x + b, and s the root of the mean square of the offsets in
    training:

        w = softmax(a),  mu = s a,  sigma = s (e + softplus(a)),  rho = tanh(a)
        P(state) = softmax(a)

    where e = 0.01 keeps a deviation from vanishing and rho stays within 0.99.

    Args:
        features: Width of x.
        mixtures: Gaussians M of the mixture. With 0 there is one with deviation s and
            no correlation: the loss of an offset is half of its squared error in units
            of s, up to a constant.

    Example:
        >>> head = MixtureHead(4, mixtures=5)
        >>> head.start(torch.tensor([[3.0, 4.0, 0.0], [3.0, -4.0, 2.0]]))
        >>> round(head.scale.item(), 4)
        3.5355
        >>> head(torch.zeros(2, 4)).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])

    References:
        Graves (2013), arXiv 1308.0850, equations 17 to 22.
    """

    scale: Tensor

    def __init__(self, features: int, mixtures: int = 20) -> None:
        super().__init__()
        if mixtures < 0:
            raise ArgumentError(
                "MixtureHead: mixtures must be at least 1, or 0 for a squared error, "
                f"got {mixtures}."
            )
        self.mixtures = mixtures
        self.linear = nn.Linear(features, (6 * mixtures or 2) + _STATES)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, features: Float[Tensor, "steps features"]) -> PenMixture:
        """The distribution of each row's point."""
        a = self.linear(features).float()
        pen, a = a[:, :_STATES], a[:, _STATES:]
        many = self.mixtures
        if not many:
            none, mean = a.new_zeros(len(a), 1), self.scale * a.unsqueeze(1)
            alike = self.scale.expand_as(mean)
            return PenMixture(none, mean, alike, none, pen)
        weights, rho, mean, spread = a.split([many, many, 2 * many, 2 * many], 1)
        return PenMixture(
            weights,
            self.scale * mean.unflatten(-1, (-1, 2)),
            self.scale * (_LEAST + functional.softplus(spread)).unflatten(-1, (-1, 2)),
            _MOST * torch.tanh(rho),
            pen,
        )

    @torch.no_grad()
    def start(self, targets: Float[Tensor, "points 3"]) -> None:
        """Learn s, and how often the pen is in each state."""
        size = targets[:, :2].square().mean().sqrt()
        self.scale.copy_(torch.where(size > 0, size, 1.0))
        counts = torch.bincount(targets[:, 2].long(), minlength=_STATES) + 0.5
        self.linear.bias[:_STATES] = counts.log() - counts.sum().log()
