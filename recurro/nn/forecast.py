"""A network from a window of series to what comes next, all steps at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from recurro.nn.dropout import VariationalDropout
from recurro.nn.heads import Head, NormalHead, probability, quantile
from recurro.nn.quantiles import QuantileSteps, shifted
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, State

__all__ = ["ForecastNetwork"]

_KEPT = 256
"""Windows whose errors are kept."""

_RIDGE = 0.01
"""What is added to the squares of the linear way at its start, as a share of them."""

_LEVELS = tuple((k + 0.5) / 41 for k in range(41))
"""The levels at which the spread of errors is kept."""


class ForecastNetwork(nn.Module):
    """Recurrence over the history, a head for the whole horizon, a linear way past it.

        y_{t+1..t+F} = A y_{t-H+1..t} + a + e,   e ~ head(h_t, k_{t+1..t+F})

    with h_t of a recurrence that reads targets and covariates up to t; k what is known
    ahead, read with h_t through a layer of tanh units, if there is any; and A the same
    for all targets. `start` puts A and a where a ridge
    regression does.

    Where the head knows no spread, that of the errors on windows apart stands for it,
    and for all heads the errors of such windows say how steps and targets err together;
    see `calibrate`.

    ``Batch.inputs`` is ``(history + horizon, batch, inputs)``: the targets first, the
    ``known`` columns last; ahead all but these count for nothing. ``Batch.targets`` is
    ``(batch, horizon, targets)``.

    Args:
        recurrent: The recurrence; its input is as wide as the batch's.
        head: What makes a distribution ``(batch, horizon, targets)`` of features of
            ``ForecastNetwork.width``.
        history: Steps H that are read.
        horizon: Steps F that are forecast.
        targets: How many there are.
        known: Columns that are known ahead.
        dropout: Probability of dropping a unit that the recurrence or the head reads.
        linear: Whether there is the linear way A; without, it is zero.

    Example:
        >>> from recurro.cells import GRU
        >>> from recurro.nn.heads import NormalHead
        >>> recurrent, head = Recurrent(GRU(), 2, 8), NormalHead(8, shape=(3, 2))
        >>> network = ForecastNetwork(recurrent, head, 10, 3, targets=2)
        >>> batch = Batch(torch.randn(13, 4, 2), torch.zeros(4, 3, 2))
        >>> network.distribution(batch).mean.shape
        torch.Size([4, 3, 2])

    References:
        Wen et al. (2017), arXiv 1711.11053, section 3 (direct horizons after a
        recurrence); Zeng et al. (2022), arXiv 2205.13504, section 4 (the linear way
        from the window, with the last value subtracted).
    """

    ranks: Tensor
    spread: Tensor

    def __init__(
        self,
        recurrent: Recurrent,
        head: Head,
        history: int,
        horizon: int,
        *,
        targets: int,
        known: int = 0,
        dropout: float = 0.0,
        linear: bool = True,
    ) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, head
        self.history, self.targets, self.known = history, targets, known
        self.read_dropout = VariationalDropout(dropout)
        self.head_dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(history, horizon) if linear else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
        hidden = recurrent.output_size
        ahead = hidden + known * horizon
        self.ahead = nn.Linear(ahead, hidden) if known else None
        self.plain = isinstance(head, NormalHead) and not head.spread
        self.register_buffer("ranks", torch.full((_KEPT, horizon, targets), 0.5))
        if self.plain:
            self.register_buffer("spread", torch.zeros(horizon, targets, len(_LEVELS)))

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Begin where a ridge regression on training windows does.

        The head begins with the distribution of what that leaves, the same for all
        windows; the ridge is ``_RIDGE`` of the mean square of the windows.

        Args:
            batch: Training windows.
        """
        if self.linear is not None:
            x = batch.inputs[: self.history, :, : self.targets].flatten(1).T.double()
            y = batch.targets.transpose(1, 2).flatten(0, 1).double()
            x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
            square = x.T @ x
            ridge = _RIDGE * square.diagonal()[:-1].mean().clamp(min=1e-12)
            square.diagonal()[:-1].add_(ridge)
            found = torch.linalg.solve(square, x.T @ y).T
            self.linear.weight.copy_(found[:, :-1])
            self.linear.bias.copy_(found[:, -1])
        for parameter in self.head.parameters():
            parameter.zero_()
        self.head.start(batch.targets - self.straight(batch))

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss, the number of targets, and no state."""
        left = batch.targets - self.straight(batch)
        losses = self.head.losses(self.features(batch), left)
        return losses.sum(), losses.numel(), None

    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of the targets ``(batch, horizon, targets)``."""
        found = shifted(self.head(self.features(batch)), self.straight(batch))
        if not self.plain:
            return found
        values = found.mean.unsqueeze(-1) + self.spread
        return QuantileSteps(_LEVELS, values)

    def mean(self, batch: Batch) -> Float[Tensor, "batch horizon targets"]:
        """What is expected; the medians of a head of quantiles."""
        return self.head(self.features(batch)).mean + self.straight(batch)

    def surprise(self, batch: Batch) -> Float[Tensor, "batch horizon targets"]:
        """What `calibrate` reads: how high targets came among what was expected.

        Their errors, where the head knows no spread; else the probability that the
        distribution gave to what lies below them.
        """
        if self.plain:
            return batch.targets - self.mean(batch)
        return probability(self.distribution(batch), batch.targets)

    @torch.no_grad()
    def calibrate(self, surprises: Float[Tensor, "windows horizon targets"]) -> None:
        """Learn from windows apart how steps and targets err together.

        Args:
            surprises: What `surprise` gave for them, at least one window.
        """
        if self.plain:
            levels = surprises.new_tensor(_LEVELS)
            self.spread.copy_(surprises.quantile(levels, 0).permute(1, 2, 0))
        ranks = (surprises.argsort(0).argsort(0) + 0.5) / len(surprises)
        chosen = torch.linspace(0, len(surprises) - 1, _KEPT).round().long()
        self.ranks.copy_(ranks[chosen])

    @torch.no_grad()
    def sample(
        self, batch: Batch, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count batch horizon targets"]:
        """Draw paths: the levels of a window apart, read in the new distributions.

        So each step and target has the head's own distribution, and all together hang
        together as the errors of that window did.

        Args:
            batch: What is known.
            count: Paths of each row.
            generator: What is random, on the CPU.

        References:
            Clark et al. (2004), doi:10.1175/1525-7541(2004)005<0243:TSSAMF>2.0.CO;2,
            section 3 (the Schaake shuffle).
        """
        law = self.distribution(batch)
        kept = torch.randint(_KEPT, (count,), generator=generator)
        jitter = torch.rand((count, *self.ranks.shape[1:]), generator=generator) - 0.5
        levels = self.ranks[kept] + jitter.to(self.ranks) / _KEPT
        levels = levels.clamp(1e-4, 1 - 1e-4)
        return torch.stack([quantile(law, level) for level in levels])

    def straight(self, batch: Batch) -> Float[Tensor, "batch horizon targets"]:
        """What the linear way forecasts, A y + a."""
        if self.linear is None:
            return torch.zeros_like(batch.targets)
        window = batch.inputs[: self.history, :, : self.targets].permute(1, 2, 0)
        return self.linear(window).transpose(1, 2)

    def features(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """What the head reads of each row."""
        x = self.read_dropout(batch.inputs[: self.history])
        h = self.head_dropout(self.recurrent(x)[0][-1])
        if self.ahead is None:
            return h
        known = batch.inputs[self.history :, :, -self.known :].transpose(0, 1)
        return torch.tanh(self.ahead(torch.cat([h, known.flatten(1)], 1)))

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.recurrent.constrain()
