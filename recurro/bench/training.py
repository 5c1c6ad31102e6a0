"""What the training loop costs beside a bare loop that does the same work.

Both train a character model, two LSTM layers of 512 units, batch 64, chunks of 100
steps, Adam, gradients clipped by norm, states carried; both run PyTorch's own kernel.
The bare loop is written by hand with ``nn.Embedding``, ``nn.LSTM`` and ``nn.Linear``.
Before the clock starts, a pass of each over the same chunks from the same weights must
end at the same loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.bench.timing import Row, take_turns
from recurro.cells import LSTM
from recurro.data import chunks, columns
from recurro.errors import BackendError
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork
from recurro.train import TrainSettings, train
from recurro.types import Batch, Shard

__all__ = ["Sizes", "bench_training"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurement.

    Attributes:
        vocab: Symbols.
        hidden: Units of each of the layers.
        layers: Layers.
        batch: Texts side by side.
        bptt: Steps of a chunk.
        chunks: Updates in each round.
    """

    vocab: int = 96
    hidden: int = 512
    layers: int = 2
    batch: int = 64
    bptt: int = 100
    chunks: int = 2


class _Bare(nn.Module):
    """The hand-written model."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocab, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, sizes.layers)
        self.linear = nn.Linear(sizes.hidden, sizes.vocab)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, after = self.lstm(self.embedding(ids), state)
        return self.linear(y), after


@dataclass
class _Text:
    """The task: one pass over some chunks, nothing held out."""

    network: nn.Module
    data: list[Batch]

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        return self.data

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {}


def bench_training(
    sizes: Sizes | None = None, *, rounds: int = 15, warmups: int = 2
) -> list[Row]:
    """Time the loop of ``recurro.train`` against a bare one.

    Args:
        sizes: What is trained.
        rounds: Rounds at least.
        warmups: Rounds before the clock starts.

    Returns:
        The bare loop, the baseline; and ours. Ours costs ``ratio.median - 1`` more.

    Raises:
        BackendError: If the two do not compute the same.

    Example:
        >>> small = Sizes(vocab=5, hidden=4, layers=1, batch=2, bptt=3, chunks=2)
        >>> [row.name for row in bench_training(small, rounds=1)]
        ['bare loop', 'recurro']
    """
    sizes = sizes or Sizes()
    data = _chunks(sizes)
    network = _network(sizes)
    bare = _twin(network, sizes)
    _check_equal(bare, network, data, sizes)
    return take_turns(
        {
            "bare loop": lambda: _train_bare(bare, data),
            "recurro": lambda: _train_ours(network, data, sizes),
        },
        rounds=rounds,
        warmups=warmups,
    )


def _chunks(sizes: Sizes) -> list[Batch]:
    """Chunks of a random text."""
    count = sizes.batch * sizes.bptt * sizes.chunks + 1
    ids = np.random.default_rng(0).integers(0, sizes.vocab, count)
    return list(chunks(columns(ids, sizes.batch), sizes.bptt))


def _network(sizes: Sizes) -> LanguageNetwork:
    recurrent = Recurrent(LSTM(), sizes.hidden, sizes.hidden, sizes.layers)
    return LanguageNetwork(sizes.vocab, recurrent)


def _twin(network: LanguageNetwork, sizes: Sizes) -> _Bare:
    """The bare model with the same weights."""
    bare = _Bare(sizes)
    weights = network.state_dict()
    named = {"recurrent": "lstm", "decoder": "linear", "embedding": "embedding"}
    for ours, theirs in named.items():
        part = {
            name.removeprefix(f"{ours}."): value
            for name, value in weights.items()
            if name.startswith(f"{ours}.")
        }
        getattr(bare, theirs).load_state_dict(part)
    return bare


def _check_equal(
    bare: _Bare, network: LanguageNetwork, data: list[Batch], sizes: Sizes
) -> None:
    """Both must have the same loss after the same pass from the same weights."""
    _train_bare(bare, data)
    _train_ours(network, data, sizes)
    with torch.no_grad():
        logits, _ = bare(data[0].inputs, None)
        theirs = functional.cross_entropy(
            logits.flatten(0, 1), data[0].targets.flatten()
        )
        loss, count, _ = network(data[0])
    ours = loss / count
    if not torch.isclose(ours, theirs, rtol=1e-4):
        raise BackendError(
            f"bench training: both loops must learn the same, got losses {ours:.6f} "
            f"and {theirs:.6f}. Their times cannot be compared."
        )


def _train_bare(model: _Bare, data: list[Batch]) -> None:
    """One pass by hand."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    state = None
    for batch in data:
        if state is not None:
            state = (state[0].detach(), state[1].detach())
        logits, state = model(batch.inputs, state)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), batch.targets.flatten(), ignore_index=-1
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def _train_ours(network: LanguageNetwork, data: list[Batch], sizes: Sizes) -> None:
    """One pass by the loop of ``recurro.train``."""
    settings = TrainSettings.model_validate(
        {"epochs": 1, "k1": sizes.bptt, "k2": sizes.bptt, "learning_rate": 0.002}
    )
    train(_Text(network, data), settings)
