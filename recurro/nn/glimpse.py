"""A network that moves its glance over a picture and names what it sees, in order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from torch.nn.utils.rnn import pad_sequence

from recurro.nn.heads import CategoricalHead
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import TargetNetwork
from recurro.nn.windows import Window
from recurro.types import Batch, Float, Int, State

__all__ = ["Glimpse", "GlimpseNetwork", "Glimpses"]

_NOTHING = -1
"""The target where a number has no digit."""

_FILTERS = (16, 32)

_OF_CHANCE = 0.1
"""What the loss of drawn aims is multiplied by: its gradient is noisy, and the
recurrence is to learn from the digits first of all."""


class Glimpse(nn.Module):
    """What is seen by an aim, and where: the vector of a glimpse.

    g = relu(W_x relu(conv_2 relu(conv_1 patches)) + W_l aim + b), with 3 x 3 filters,
    the second of which move by two.

    Args:
        window: What cuts the patches.
        width: Width of g.

    Example:
        >>> from recurro.nn import Retina
        >>> glimpse = Glimpse(Retina((16, 24), size=8, scales=2), width=5)
        >>> glimpse(torch.zeros(3, 16, 24), torch.zeros(3, 2)).shape
        torch.Size([3, 5])

    References:
        Mnih et al. (2014), arXiv 1406.6247, section 4; Ba, Mnih and Kavukcuoglu (2015),
        arXiv 1412.7755, section 3 (convolutions).
    """

    def __init__(self, window: Window, width: int) -> None:
        super().__init__()
        self.window = window
        first, second = _FILTERS
        self.fine = nn.Conv2d(window.channels, first, 3, padding=1)
        self.coarse = nn.Conv2d(first, second, 3, padding=1, stride=2)
        side = -(-window.size // 2)
        self.what = nn.Linear(second * side * side, width)
        self.where = nn.Linear(window.aims, width)

    def forward(
        self,
        pictures: Float[Tensor, "batch height width"],
        aim: Float[Tensor, "batch aims"],
    ) -> Float[Tensor, "batch features"]:
        """What is seen of each picture."""
        x = self.window.read(pictures, aim)
        x = self.coarse(self.fine(x).relu()).relu().flatten(1)
        return (self.what(x) + self.where(aim)).relu()


@dataclass(frozen=True)
class Glimpses:
    """What a network saw and said of a batch.

    Attributes:
        logits: Scores of the classes of each digit ``(digits, batch, classes)``.
        aims: Where each glimpse went ``(1 + looks, batch, aims)``.
        log_probs: Log p(aim) of each but the first, 0 if not drawn ``(looks, batch)``.
        baselines: What reward was expected before each of these ``(looks, batch)``.
    """

    logits: Tensor
    aims: Tensor
    log_probs: Tensor
    baselines: Tensor


class GlimpseNetwork(TargetNetwork):
    """Glimpse, recurrence, aim of the next glimpse; after some glimpses a digit.

    g_t = glimpse(picture, l_t), with l_0 = 0
    h_t = recurrent(g_t, h_{t-1})
    l_{t+1} ~ Normal(tanh(W_l h_t + b_l), spread^2), or l_{t+1} = W_l h_t + b_l
    P(digit s | glimpses) = head(h_t) for t = s * glimpses

    Glimpse 0 is for finding the first digit. A drawn aim is learnt by REINFORCE: with
    the reward r_t = P(digit s is s | glimpses) of the digit that glimpse t is for, and
    a learnt baseline b_t = w h_t + c, the loss is that of the digits plus

    sum_t -log p(l_t) (r_t - b_{t-1}) / 10 + (r_t - b_{t-1})^2

    The reward is the mean of that of the papers, which is 1 for a digit that is named
    right: of less variance, and for the same aims.

    An aim that is not drawn is learnt with all the rest. Outside of training the mean
    is taken for the aim, and the loss is that of the digits alone.

    Args:
        glimpse: What is seen by an aim.
        recurrent: The recurrence over glimpses.
        head: What names a digit, or the end, which is the last class.
        glimpses: How many there are for each digit.
        longest: Digits of the longest number; one that is shorter has an end.
        spread: Deviation of drawn aims; ``None`` where they are not drawn.
        dropout: Probability of dropping a unit of g_t.

    Example:
        >>> from recurro.cells import LSTM
        >>> from recurro.nn import SoftWindow
        >>> glimpse = Glimpse(SoftWindow((16, 24), size=8), width=5)
        >>> parts = glimpse, Recurrent(LSTM(), 5, 6), CategoricalHead(6, classes=11)
        >>> network = GlimpseNetwork(*parts, glimpses=2, longest=3, spread=None)
        >>> seen = network.look(torch.zeros(4, 16, 24), digits=3)
        >>> seen.logits.shape, seen.aims.shape
        (torch.Size([3, 4, 11]), torch.Size([7, 4, 5]))

    References:
        Mnih et al. (2014), arXiv 1406.6247, section 3; Ba, Mnih and Kavukcuoglu (2015),
        arXiv 1412.7755.
    """

    def __init__(
        self,
        glimpse: Glimpse,
        recurrent: Recurrent,
        head: CategoricalHead,
        *,
        glimpses: int,
        longest: int,
        spread: float | None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.glimpse, self.recurrent, self.head = glimpse, recurrent, head
        self.glimpses, self.longest, self.spread = glimpses, longest, spread
        self.dropout = nn.Dropout(dropout)
        width = recurrent.output_size
        self.aim = nn.Linear(width, glimpse.window.aims)
        self.baseline = None if spread is None else nn.Linear(width, 1)
        nn.init.zeros_(self.aim.bias)
        nn.init.normal_(self.aim.weight, std=0.01)

    @property
    def end(self) -> int:
        """The class that ends a number."""
        return self.head.linear.out_features - 1

    def look(
        self, pictures: Float[Tensor, "batch height width"], digits: int
    ) -> Glimpses:
        """Glance over pictures and name so many digits.

        Args:
            pictures: The pictures.
            digits: How many digits are asked for.
        """
        aim = pictures.new_zeros(len(pictures), self.aim.out_features)
        h, state = self._see(pictures, aim, None)
        logits, aims, log_probs, baselines = [], [aim], [], []
        for _ in range(digits):
            for _ in range(self.glimpses):
                if self.baseline is not None:
                    baselines.append(self.baseline(h.detach())[:, 0])
                aim, log_prob = self._next(h)
                log_probs.append(log_prob)
                aims.append(aim)
                h, state = self._see(pictures, aim, state)
            logits.append(self.head(h).logits)
        return Glimpses(
            *(torch.stack(logits), torch.stack(aims), torch.stack(log_probs)),
            baselines=torch.stack(baselines or log_probs),
        )

    def _see(self, pictures: Tensor, aim: Tensor, state: State) -> tuple[Tensor, State]:
        """The output and the state after one more glimpse."""
        g = self.dropout(self.glimpse(pictures, aim))
        y, state = self.recurrent(g[None], state)
        return y[0], state

    def _next(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The aim of the next glimpse, and log p of it."""
        mean = self.aim(h)
        if self.spread is None:
            return mean, mean.new_zeros(len(mean))
        chances = Normal(mean.tanh(), self.spread, validate_args=False)
        aim = chances.sample() if self.training else chances.mean
        return aim, chances.log_prob(aim).sum(1)

    def losses(self, batch: Batch) -> Tensor:
        """-log P of each digit; in training also what the aims are learnt by."""
        if not len(batch.targets):  # see ``Sequences.batch``
            return torch.zeros(0, device=batch.inputs.device)
        digits = self._rows(batch.targets)
        seen, there = self.look(batch.inputs[0], len(digits)), digits != _NOTHING
        log_probs = seen.logits.log_softmax(-1)
        told = log_probs.gather(-1, digits.clamp(min=0)[..., None])[..., 0]
        named = -told[there]
        if self.spread is None or not self.training:
            return named
        rewards = told.detach().exp().repeat_interleave(self.glimpses, 0)
        surprise = rewards - seen.baselines
        by_chance = -seen.log_probs * surprise.detach() * _OF_CHANCE
        by_chance = by_chance + surprise.square()
        counts = there.repeat_interleave(self.glimpses, 0)
        return torch.cat([named, by_chance[counts]])

    def _rows(self, targets: Int[Tensor, " targets"]) -> Int[Tensor, "digits batch"]:
        """The digits of each number, filled up with ``_NOTHING``."""
        lengths, length = [], 0
        for digit in targets.tolist():
            length += 1
            if digit == self.end or length == self.longest:
                lengths.append(length)
                length = 0
        return pad_sequence(list(targets.split(lengths)), padding_value=_NOTHING)

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.recurrent.constrain()

    def distribution(self, batch: Batch) -> Categorical:
        """The distribution of each digit ``(batch, longest)``, also behind the end."""
        seen = self.look(batch.inputs[0], self.longest)
        return Categorical(logits=seen.logits.transpose(0, 1), validate_args=False)
