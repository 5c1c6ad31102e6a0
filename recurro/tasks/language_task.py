"""A language model as the training loop sees it, and its score on a text."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch

from recurro.data import (
    Corpus,
    Tokenizer,
    chunks,
    columns,
    line_batch,
    line_batches,
    line_groups,
    shrink,
)
from recurro.tasks.config import LanguageTraining
from recurro.train import current_shard, sum_over_ranks
from recurro.types import Batch, Shard, State

__all__ = [
    "LanguageTask",
    "Part",
    "figures",
    "line_losses",
    "line_sums",
    "log_likelihoods",
    "sum_by_line",
    "token_losses",
    "total_loss",
]

_COLUMN = 5_000
"""Tokens at least in each column of a text that is scored: what a column loses by
beginning without what stood before it is then below 0.001 nats per token."""

_COLUMNS = 32
_STEPS = 256
_LINES = 256
"""Columns at most, steps of a chunk, and lines side by side, when a text is scored."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the data: a corpus, and whether and how its lines are items.

    Attributes:
        corpus: The token ids.
        lines: Whether each line is an item of its own.
        labels: The class of each line ``(lines,)``, int64, or ``None``.
    """

    corpus: Corpus
    lines: bool = False
    labels: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class _Sized:
    """Batches whose number is known without making them."""

    batches: Iterator[Batch]
    length: int

    def __iter__(self) -> Iterator[Batch]:
        return self.batches

    def __len__(self) -> int:
        return self.length


class LossNetwork(Protocol):
    """A network that tells the loss of each token."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Its parameters."""
        ...

    def losses(self, batch: Batch, state: State = None) -> tuple[torch.Tensor, State]:
        """-log P of each target, 0 where there is none, and the new state."""
        ...


class LanguageTask:
    """Learn P(next token | tokens before) from a corpus; a ``Task``.

    A text shorter than a batch shrinks the batch, then the chunk.

    Args:
        network: What learns.
        train: What it learns from.
        valid: What choices are made on.
        settings: Batch size, steps of a chunk, and the seed of what is random.

    Warns:
        UserWarning: Once, if the text is shorter than a batch; it says what shrank.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        train: Part,
        valid: Part,
        settings: LanguageTraining,
    ) -> None:
        self.network = network
        self.train, self.valid = train, valid
        self.settings = settings
        self.batch_size, self.chunk = settings.batch_size, min(settings.k1, settings.k2)
        if not train.lines:
            self.batch_size, self.chunk, note = shrink(
                len(train.corpus.ids),
                self.batch_size,
                self.chunk,
                current_shard().world,
            )
            if note is not None:
                warnings.warn(note, stacklevel=2)

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        """The batches of a pass; lines are shuffled anew for each."""
        generator = torch.Generator().manual_seed(
            self.settings.seed * 1_000_003 + epoch
        )
        corpus = self.train.corpus
        if self.train.lines:
            batches = line_batches(
                corpus,
                self.batch_size,
                generator=generator,
                shard=shard,
                labels=self.train.labels,
            )
            return _Sized(batches, -(-(len(corpus.starts) - 1) // self.batch_size))
        laid = columns(corpus.ids, self.batch_size, shard)
        if self.settings.random_bptt:
            return chunks(laid, self.chunk, generator=generator)
        return _Sized(chunks(laid, self.chunk), -(-laid.steps // self.chunk))

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Nats per token, bits per character and perplexity of the held-out part."""
        loss, tokens = total_loss(network, self.valid, current_shard())
        loss, tokens = sum_over_ranks(loss, tokens)
        return figures(loss, int(tokens), self.valid.corpus.characters)


def figures(loss: float, tokens: int, characters: int) -> dict[str, float]:
    """A summed loss as the three figures of a language model.

    Args:
        loss: -log P of the whole text, in nats.
        tokens: Tokens that it was summed over, the ends of lines included.
        characters: Characters that these tokens stand for.

    Example:
        >>> figures(np.log(2) * 10, 10, 10)["bits_per_char"]
        1.0
    """
    nats = loss / tokens
    return {
        "nats_per_token": float(nats),
        "bits_per_char": float(loss / max(characters, 1) / np.log(2)),
        "perplexity": float(np.exp(min(nats, 700.0))),
    }


@torch.no_grad()
def total_loss(
    network: torch.nn.Module, part: Part, shard: Shard | None = None
) -> tuple[float, int]:
    """-log P of a corpus in nats, and the number of its tokens.

    The state is carried over the whole of a running text (in up to 32 columns of at
    least 5,000 tokens each); the logits of the whole text are never held.

    Args:
        network: A language network in evaluation mode.
        part: What is scored.
        shard: Which process this is; it scores its own share.
    """
    device = next(network.parameters()).device
    shard = shard or Shard()
    if part.lines:
        batches = line_batches(part.corpus, _LINES, shard=shard, labels=part.labels)
    else:
        wide = _columns(part.corpus)
        if wide < shard.world:  # too short to be shared: the first reads it all
            if shard.rank > 0:
                return 0.0, 0
            shard = Shard()
        batches = chunks(columns(part.corpus.ids, wide, shard), _STEPS)
    loss, tokens, state = torch.zeros((), dtype=torch.float64), 0, None
    for batch in batches:
        part_loss, items, state = network(
            batch.to(device), None if batch.fresh else state
        )
        loss += part_loss.double().cpu()
        tokens += items
    return float(loss), tokens


@torch.no_grad()
def token_losses(
    network: LossNetwork, part: Part, *, streams: int | None = None
) -> np.ndarray:
    """-log P of each token of a corpus but the first, in their order ``(targets,)``.

    Args:
        network: A language network in evaluation mode.
        part: What is scored.
        streams: Columns in which a running text is read; 1 carries the state from its
            first token to its last. ``None`` as in ``total_loss``.
    """
    device = next(network.parameters()).device
    losses = np.zeros(len(part.corpus.ids))
    state = None
    for batch, places in _placed(part, streams):
        if batch.fresh:
            state = None
        found, state = network.losses(batch.to(device), state)
        counted = (batch.targets >= 0).numpy()
        losses[places[counted]] = found.double().cpu().numpy()[counted]
    return losses[1:]


def _placed(part: Part, streams: int | None) -> Iterator[tuple[Batch, np.ndarray]]:
    """Batches of a corpus, and the place in it of each target ``(time, batch)``."""
    corpus = part.corpus
    if part.lines:
        for rows in line_groups(np.diff(corpus.starts), _LINES):
            batch = line_batch(corpus, rows, part.labels)
            time = np.arange(len(batch.targets))[:, None]
            yield batch, corpus.starts[rows] + time
        return
    laid = columns(corpus.ids, streams or _columns(corpus))
    start = 0
    for batch in chunks(laid, _STEPS):
        time = np.arange(start, start + len(batch.targets))[:, None]
        yield batch, laid.starts + time + 1
        start += len(batch.targets)


def _columns(corpus: Corpus) -> int:
    return min(max(1, corpus.targets // _COLUMN), _COLUMNS)


def line_losses(network: LossNetwork, part: Part) -> np.ndarray:
    """-log P of each line, its end included, ``(lines,)``."""
    return line_sums(token_losses(network, part), part.corpus)


def line_sums(values: np.ndarray, corpus: Corpus) -> np.ndarray:
    """The sum over each line of a value per token but the first, ``(lines,)``."""
    return np.add.reduceat(values, corpus.starts[:-1] - 1)


def log_likelihoods(network: LossNetwork, corpus: Corpus, classes: int) -> np.ndarray:
    """Log P(line | class) of each line, its end included, ``(lines, classes)``.

    Args:
        network: A network with a condition.
        corpus: The lines.
        classes: How many classes there are.
    """
    lines = len(corpus.starts) - 1
    losses = [
        line_losses(network, Part(corpus, True, np.full(lines, c, np.int64)))
        for c in range(classes)
    ]
    return -np.stack(losses, axis=1)


def sum_by_line(losses: np.ndarray, corpus: Corpus, tokenizer: Tokenizer) -> np.ndarray:
    """Sum the losses of a running text over each line that is not blank, ``(lines,)``.

    What a blank line costs is added to the line before it.

    Args:
        losses: A loss for each token but the first.
        corpus: The text.
        tokenizer: Its vocabulary.
    """
    end = tokenizer.eos_id
    if end is None and not tokenizer.missing("\n"):
        end = int(tokenizer.encode("\n")[-1])
    first = 0 if corpus.eos_id is None else 1  # no line end that stands before the text
    ends = np.flatnonzero(corpus.ids[first:] == end) + first + 1
    bounds = [first, *ends.tolist(), len(corpus.ids)]
    padded = np.concatenate([[0.0], losses])
    sums: list[float] = []
    carried = 0.0
    for start, stop in pairwise(bounds):
        cost = carried + float(padded[start:stop].sum())
        if tokenizer.decode(corpus.ids[start:stop]).strip():
            sums.append(cost)
            carried = 0.0
        elif sums:
            sums[-1] += cost
        else:
            carried = cost
    return np.array(sums)
