"""Models written by hand in PyTorch alone, one for each scheme, to time ours beside.

Each has ``loss(batch)``, the mean loss of a batch in nats, and weights by the names
``embedding`` or none, ``lstm`` and ``linear``; a decoder has more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)

from recurro.types import Batch

__all__ = [
    "Bare",
    "BareClassifier",
    "BareLanguage",
    "BareSpeech",
    "BareTagger",
    "BareTranslator",
]


class Bare(nn.Module):
    """A model that is fed ids, or features where the vocabulary is 0.

    Args:
        vocab: Symbols, or 0.
        hidden: Units of each layer and direction, and width of what is read.
        layers: Layers.
        outputs: Width of what is told.
        directions: 2 to read backward too.
        vectors: How many times the features are joined before they are told.
    """

    def __init__(
        self,
        vocab: int,
        hidden: int,
        layers: int,
        outputs: int,
        *,
        directions: int = 2,
        vectors: int = 1,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, hidden) if vocab else nn.Identity()
        self.lstm = nn.LSTM(hidden, hidden, layers, bidirectional=directions == 2)
        self.linear = nn.Linear(hidden * directions * vectors, outputs)

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a batch."""
        raise NotImplementedError

    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the layers say at each step, and which steps count ``(time, batch)``."""
        assert batch.lengths is not None
        x, lengths = self.embedding(batch.inputs), batch.lengths
        counts = torch.arange(len(x))[:, None] < lengths
        if counts.all():
            return self.lstm(x)[0], counts
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0])[0], counts


class BareLanguage(Bare):
    """Names the next symbol; its state goes from chunk to chunk."""

    state: tuple[Tensor, Tensor] | None = None

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a chunk."""
        state = None if batch.fresh else self.state
        y, (h, c) = self.lstm(self.embedding(batch.inputs), state)
        self.state = h.detach(), c.detach()
        return functional.cross_entropy(
            self.linear(y).flatten(0, 1), batch.targets.flatten(), ignore_index=-1
        )


class BareClassifier(Bare):
    """Names the class of each sequence, by the largest and the mean of all steps."""

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of the sequences."""
        y, counts = self.read(batch)
        assert batch.lengths is not None
        most = y.masked_fill(~counts[..., None], -torch.inf).amax(0)
        mean = (y * counts[..., None]).sum(0) / batch.lengths[:, None]
        logits = self.linear(torch.cat([most, mean], 1))
        return functional.cross_entropy(logits, batch.targets)


class BareTagger(Bare):
    """Names the class of each step."""

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of the steps."""
        y, counts = self.read(batch)
        logits = self.linear(y.transpose(0, 1)[counts.T])
        return functional.cross_entropy(logits, batch.targets)


class BareSpeech(Bare):
    """Names tokens without being told when they come; the blank is 0."""

    def loss(self, batch: Batch) -> Tensor:
        """The loss over the targets, of which a blank ends each row."""
        y, _ = self.read(batch)
        ends = (batch.targets == 0).nonzero()[:, 0]
        sizes = torch.diff(ends, prepend=torch.tensor([-1])) - 1
        assert batch.lengths is not None
        total = functional.ctc_loss(
            self.linear(y).log_softmax(-1),
            batch.targets[batch.targets != 0],
            batch.lengths,
            sizes,
            reduction="sum",
        )
        return total / len(batch.targets)


class BareTranslator(Bare):
    """Writes ids with Luong's attention (general), each row ended by the id 0."""

    def __init__(self, vocab: int, hidden: int, layers: int) -> None:
        super().__init__(vocab, hidden, layers, vocab)
        self.linear = nn.Linear(hidden, vocab)
        self.written = nn.Embedding(vocab, hidden)
        self.opening = nn.Linear(2 * hidden, 4 * hidden * layers)
        self.decoder = nn.LSTM(hidden, 2 * hidden, layers)
        self.key = nn.Linear(2 * hidden, 2 * hidden, bias=False)
        self.deep = nn.Linear(4 * hidden, hidden)

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of the ids."""
        memory, counts = self.read(batch)
        assert batch.lengths is not None
        rows = torch.arange(memory.shape[1])
        half = memory.shape[2] // 2
        last = memory[batch.lengths - 1, rows, :half]
        summary = torch.cat([last, memory[0, :, half:]], 1)
        parts = torch.tanh(self.opening(summary)).split(2 * half, 1)
        state = torch.stack(parts[0::2]), torch.stack(parts[1::2])
        ends = (batch.targets == 0).nonzero()[:, 0]
        sizes = torch.diff(ends, prepend=torch.tensor([-1])).tolist()
        targets = pad_sequence(list(batch.targets.split(sizes)), padding_value=-1)
        inputs = functional.pad(targets[:-1].clamp(min=0), (0, 0, 1, 0))
        y = self.decoder(self.written(inputs), state)[0].transpose(0, 1)
        values = memory.transpose(0, 1)
        scores = torch.bmm(y, self.key(values).transpose(1, 2))
        weights = scores.masked_fill(~counts.T[:, None], -torch.inf).softmax(-1)
        d = torch.tanh(self.deep(torch.cat([y, torch.bmm(weights, values)], -1)))
        named = targets.T >= 0
        return functional.cross_entropy(self.linear(d[named]), targets.T[named])
