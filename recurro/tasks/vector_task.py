"""What is told of sequences, or of their steps, as the training loop sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from recurro.data import Sequences, sequence_batches
from recurro.data.batching import line_groups
from recurro.data.sequences import Targets, flat
from recurro.nn import StepNetwork, VectorNetwork, deviates
from recurro.nn.sequence import TargetNetwork, TaughtNetwork
from recurro.tasks.sequence_config import SequenceTraining
from recurro.types import Batch, Shard

__all__ = [
    "Answered",
    "Network",
    "Passes",
    "VectorTask",
    "answers",
    "deviates_of",
    "held_out_rows",
    "mean_loss",
    "step_losses",
]

_ROWS = 256
"""Sequences side by side, when they are read for their answers."""

Network: TypeAlias = TargetNetwork
"""A network of one answer per sequence, or of one per step."""

Judge = Callable[[Any, "Answered"], dict[str, float]]
"""What scores a network on sequences whose answers are known; lower is better for the
first figure."""


Cut = Callable[..., Iterator[Batch]]
"""What makes batches, as ``sequence_batches`` does."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Sequences and what is to be told of each.

    Attributes:
        sequences: The sequences.
        targets: Class ids, int64, or numbers, float32, of each or of its steps.
    """

    sequences: Sequences
    targets: Targets

    def __len__(self) -> int:
        """How many sequences there are."""
        return len(self.sequences)

    def __call__(self, epoch: int) -> Answered:
        """The same in each pass."""
        return self

    @property
    def flat(self) -> np.ndarray:
        """All targets one after the other."""
        return flat(self.targets)


class Passes(Protocol):
    """What is learnt from; it may be made anew for each pass."""

    def __len__(self) -> int:
        """Sequences of a pass."""
        ...

    def __call__(self, epoch: int) -> Answered:
        """Those of a pass, always the same for the same number."""
        ...


@dataclass(frozen=True, eq=False)
class _Pass:
    """The batches of a pass, whose number is known without making them."""

    batches: Iterable[Batch]
    length: int

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return self.length


class VectorTask:
    """Learn what is to be told of sequences, or of their steps; a ``Task``.

    Args:
        network: What learns.
        train: What it learns from.
        valid: What choices are made on, or ``None`` to make none.
        settings: Batch size, and the seed of what is random.
        judge: What scores the network.
        cut: What makes batches of sequences and targets.
    """

    def __init__(
        self,
        network: TaughtNetwork,
        train: Passes,
        valid: Answered | None,
        settings: SequenceTraining,
        judge: Judge,
        cut: Cut = sequence_batches,
    ) -> None:
        self.network: torch.nn.Module = network
        self.train, self.valid = train, valid
        self.settings, self.judge, self.cut = settings, judge, cut

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        """The batches of a pass, shuffled anew for each."""
        count = -(-len(self.train) // self.settings.batch_size)
        return _Pass(self._batches(epoch, shard), count)

    def _batches(self, epoch: int, shard: Shard) -> Iterator[Batch]:
        seed, data = self.settings.seed * 1_000_003 + epoch, self.train(epoch)
        yield from self.cut(
            data.sequences,
            data.targets,
            self.settings.batch_size,
            generator=torch.Generator().manual_seed(seed),
            shard=shard,
        )

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """The figures of the part held out; every process finds the same."""
        assert isinstance(network, TaughtNetwork)
        return {} if self.valid is None else self.judge(network, self.valid)


@torch.no_grad()
def answers(
    network: Network,
    sequences: Sequences,
    tell: Callable[[Distribution], Tensor],
) -> np.ndarray:
    """What a network tells of each sequence ``(sequences, ...)``, or of each step.

    Steps come one sequence after the other ``(steps, ...)``; all is float64.

    Args:
        network: A network in evaluation mode.
        sequences: The sequences; those of similar length are read together.
        tell: What is wanted of the distribution of the answers.
    """
    nothing = np.zeros(len(sequences), np.float32)
    data = Answered(sequences, nothing)
    return _in_order(network, data, lambda batch: tell(network.distribution(batch)))


@torch.no_grad()
def step_losses(network: StepNetwork, data: Answered) -> np.ndarray:
    """-log p(target) of each step, in nats, one sequence after the other ``(steps,)``.

    Args:
        network: A network in evaluation mode, whose head tells each step for itself.
        data: What is scored.
    """
    return _in_order(network, data, network.losses)


def _in_order(
    network: Network, data: Answered, tell: Callable[[Batch], Tensor]
) -> np.ndarray:
    """What is told of batches of similar length, in the order of the sequences."""
    device = next(network.parameters()).device
    order: list[np.ndarray] = []
    found: list[np.ndarray] = []
    sequences = data.sequences
    for rows in line_groups(sequences.lengths, _ROWS):
        batch = sequences.batch(rows, data.targets).to(device)
        found.append(tell(batch).double().cpu().numpy())
        order.append(rows)
    rows, values = np.concatenate(order), np.concatenate(found)
    back = np.argsort(rows)
    if not isinstance(network, StepNetwork):
        return values[back]
    starts = np.concatenate([[0], sequences.lengths[rows].cumsum()])
    return Sequences(values, starts)[back].values


@torch.no_grad()
def mean_loss(
    network: TaughtNetwork, data: Answered, cut: Cut = sequence_batches
) -> float:
    """The mean of -log p(target) in nats.

    Args:
        network: A network in evaluation mode.
        data: What is scored.
        cut: What makes batches of it.
    """
    device = next(network.parameters()).device
    loss = torch.zeros((), dtype=torch.float64)
    for batch in cut(data.sequences, data.targets, _ROWS):
        loss += network(batch.to(device))[0].double().cpu()
    return float(loss) / len(data.flat)


@torch.no_grad()
def deviates_of(network: VectorNetwork, data: Answered) -> np.ndarray:
    """How far out each number lies in what is told of it ``(items,)``, rising.

    Args:
        network: A network in evaluation mode, with a head for numbers.
        data: The sequences and their numbers.
    """
    device = next(network.parameters()).device
    found = []
    for batch in sequence_batches(data.sequences, data.targets, _ROWS):
        told = network.distribution(batch.to(device))
        found.append(deviates(told, batch.targets.to(device)).double().cpu())
    return np.sort(torch.cat(found).numpy())


def held_out_rows(
    targets: Targets,
    share: float,
    seed: int,
    *,
    classes: bool,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the items that choices are made on.

    They are spread evenly over the targets in their order, so that each class has its
    proportion. Where each step has a target, they are spread over the lengths. What has
    a class that nothing else has is never taken, so that all classes are learnt from.

    Args:
        targets: Class ids or numbers ``(items,)``, or those of the steps; or anything
            else ``(items, ...)``.
        share: How much is wanted, in [0, 1); if above 0 at least one item, where
            another is left to learn from.
        seed: Of what is random.
        classes: Whether the targets are classes.
        groups: What each belongs to ``(items,)``; a group is taken whole or not at all,
            and counts as one item, with the target of its first.

    Returns:
        Item numbers, sorted.

    Example:
        >>> held_out_rows(np.array([0] * 6 + [1] * 3), 0.3, 0, classes=True).size
        3
    """
    if share == 0:
        return np.zeros(0, np.int64)
    each = np.arange(len(targets)) if groups is None else groups
    _, first, of = np.unique(each, return_index=True, return_inverse=True)
    ranks = targets.lengths if isinstance(targets, Sequences) else targets
    # Pictures and the like have no order.
    ranks = ranks[first] if ranks.ndim == 1 else np.zeros(len(first), np.int64)
    order = np.random.default_rng(seed).permutation(len(ranks))
    order = order[np.argsort(ranks[order], kind="stable")]
    count = min(max(1, round(share * len(ranks))), len(ranks) - 1)
    places = ((np.arange(count) + 0.5) * len(ranks) / count).astype(np.int64)
    held = np.isin(of, order[places])
    if classes:
        steps = targets.lengths if isinstance(targets, Sequences) else 1
        item, ids = np.repeat(np.arange(len(targets)), steps), flat(targets)
        alone = ~np.isin(ids, ids[~held[item]])
        held &= ~np.isin(of, of[item[alone]])
    return np.flatnonzero(held)
