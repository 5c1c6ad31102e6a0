"""A network from a window of series to what comes next, all steps at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from recurro.nn.dropout import VariationalDropout
from recurro.nn.heads import Head
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, State

__all__ = ["ForecastNetwork"]


class ForecastNetwork(nn.Module):
    """Recurrence over the history, a head for the whole horizon, a linear way past it.

        y_{t+1..t+F} = A y_{t-H+1..t} + a + e,   e ~ head(h_t, k_{t+1..t+F})

    with h_t of a recurrence that reads targets and covariates up to t; k what is known
    ahead, read with h_t through a layer of tanh units, if there is any; and A the same
    for all targets. A and a begin at zero.

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

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss, the number of targets, and no state."""
        left = batch.targets - self.straight(batch)
        losses = self.head.losses(self.features(batch), left)
        return losses.sum(), losses.numel(), None

    def distribution(self, batch: Batch) -> Distribution:
        """The distribution of what `straight` leaves ``(batch, horizon, targets)``."""
        return self.head(self.features(batch))

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
