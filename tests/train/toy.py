"""A task small enough to train in a moment: next symbol of a periodic sequence."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from recurro.train import current_shard, sum_over_ranks
from recurro.types import Batch

SYMBOLS = 5


class ToyNetwork(nn.Module):
    def __init__(self, hidden: int = 8, dropout: float = 0.0, seed: int = 1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embed = nn.Embedding(SYMBOLS, hidden)
        self.rnn = nn.RNN(hidden, hidden)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, SYMBOLS)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.3, 0.3, generator=generator)

    def forward(self, batch, state):
        y, state = self.rnn(self.embed(batch.inputs), state)
        logits = self.head(self.drop(y)).flatten(0, 1)
        loss = F.cross_entropy(logits, batch.targets.flatten(), reduction="sum")
        return loss, batch.targets.numel(), state


def text(length: int = 800, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, SYMBOLS, (length,), generator=generator)
    base = torch.arange(length) % SYMBOLS
    return torch.where(torch.rand(length, generator=generator) < 0.2, noise, base)


class ToyTask:
    """Columns of a text side by side; each rank owns its share of the columns."""

    def __init__(self, columns=4, chunk=10, length=800, **network) -> None:
        self.network = ToyNetwork(**network)
        self.columns, self.chunk, self.length = columns, chunk, length
        self.given = 0

    def _chunks(self, ids, shard):
        steps = len(ids) // self.columns
        table = ids[: steps * self.columns].view(self.columns, steps).T
        table = table[:, shard.rank :: shard.world]
        for start in range(0, steps - 1, self.chunk):
            size = min(self.chunk, steps - 1 - start)
            yield Batch(
                table[start : start + size].contiguous(),
                table[start + 1 : start + 1 + size].contiguous(),
                fresh=start == 0,
            )

    def batches(self, epoch, shard):
        for batch in self._chunks(text(self.length), shard):
            self.given += 1
            yield batch

    def validate(self, network):
        device = next(network.parameters()).device
        loss, count, state = 0.0, 0, None
        for batch in self._chunks(text(400, seed=4), current_shard()):
            state = None if batch.fresh else state
            part, items, state = network(batch.to(device), state)
            loss, count = loss + part.item(), count + items
        loss, count = sum_over_ranks(loss, count)
        return {"nats": loss / count}
