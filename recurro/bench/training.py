"""What the training loop costs beside a bare loop that does the same work.

One model of each scheme: a language model (two LSTM layers of 512 units, batch 64,
chunks of 100 steps, states carried), a classifier of sequences, a tagger of steps, a
recogniser of speech by CTC, and a translator with attention, all of LSTMs that read in
both directions rows of unequal length. The bare loops are written by hand with
``nn.Embedding``, ``nn.LSTM`` and ``nn.Linear`` (`recurro.bench.bare`); both sides use
Adam and clip the gradient by its norm. Before the clock starts, a pass of each over the
same batches from the same weights must end at the same loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from recurro.bench.bare import (
    Bare,
    BareClassifier,
    BareLanguage,
    BareSpeech,
    BareTagger,
    BareTranslator,
)
from recurro.bench.timing import Row, take_turns
from recurro.cells import LSTM
from recurro.data import chunks, columns
from recurro.errors import ArgumentError, BackendError
from recurro.nn import (
    Attention,
    CategoricalHead,
    CTCHead,
    Decoder,
    EachStep,
    Pooling,
    Recurrent,
    SequenceEncoder,
    StepNetwork,
    VectorNetwork,
    WritingNetwork,
)
from recurro.nn.language import LanguageNetwork
from recurro.train import TrainSettings, train
from recurro.types import Batch, Shard

__all__ = ["SCHEMES", "Pair", "Sizes", "bench_training"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurement.

    Attributes:
        vocab: Symbols, or classes where features are read.
        hidden: Units of each of the layers and directions.
        layers: Layers.
        batch: Rows side by side.
        bptt: Steps of a chunk, or of the longest row.
        chunks: Updates in each round.
        ragged: Whether rows have unequal lengths, from a quarter of the longest on.
    """

    vocab: int = 96
    hidden: int = 512
    layers: int = 2
    batch: int = 64
    bptt: int = 100
    chunks: int = 2
    ragged: bool = True


@dataclass(frozen=True, eq=False)
class Pair:
    """A model of ours and one by hand, with the same weights, and what both learn.

    Attributes:
        network: Ours.
        bare: The other.
        data: The batches of a pass.
        names: What a part of ours is called in the other.
    """

    network: nn.Module
    bare: Bare
    data: list[Batch]
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        """Give the bare model the weights of ours."""
        weights = self.network.state_dict()
        for ours, theirs in self.names.items():
            part = {
                name.removeprefix(f"{ours}."): value
                for name, value in weights.items()
                if name.startswith(f"{ours}.")
            }
            getattr(self.bare, theirs).load_state_dict(part)

    def train_bare(self) -> None:
        """One pass by hand."""
        optimizer = torch.optim.Adam(self.bare.parameters(), lr=0.002)
        for batch in self.data:
            loss = self.bare.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.bare.parameters(), 1.0)
            optimizer.step()

    def train_ours(self) -> None:
        """One pass by the loop of ``recurro.train``."""
        settings = TrainSettings.model_validate({"epochs": 1, "learning_rate": 0.002})
        train(_Task(self.network, self.data), settings)

    def check(self) -> None:
        """Both must have the same loss after the same pass.

        Raises:
            BackendError: If they have not.
        """
        self.train_bare()
        self.train_ours()
        with torch.no_grad():
            theirs = self.bare.loss(self.data[0])
            loss, count, _ = self.network(self.data[0])
        if not torch.isclose(loss / count, theirs, rtol=1e-3):
            raise BackendError(
                f"bench training: both loops must learn the same, got losses "
                f"{loss / count:.6f} and {theirs:.6f}. Their times cannot be compared."
            )


@dataclass
class _Task:
    """The task: one pass over some batches, nothing held out."""

    network: nn.Module
    data: list[Batch]

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        return self.data

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {}


def bench_training(
    scheme: str = "language model",
    sizes: Sizes | None = None,
    *,
    rounds: int = 15,
    warmups: int = 2,
    seconds: float = 0.5,
) -> list[Row]:
    """Time the loop of ``recurro.train`` against a bare one.

    Args:
        scheme: Which model, a name of ``SCHEMES``.
        sizes: What is trained; by the scheme if not given.
        rounds: Rounds at least.
        warmups: Rounds before the clock starts.
        seconds: Time at least that each loop is measured for.

    Returns:
        The bare loop, the baseline; and ours. Ours costs ``ratio.median - 1`` more.

    Raises:
        ArgumentError: If there is no such scheme.
        BackendError: If the two do not compute the same.

    Example:
        >>> small = Sizes(vocab=5, hidden=4, layers=1, batch=2, bptt=3, chunks=2)
        >>> rows = bench_training("tagger", small, rounds=1, seconds=0.0)
        >>> [row.name for row in rows]
        ['bare loop', 'recurro']
    """
    if scheme not in SCHEMES:
        raise ArgumentError(
            f"bench training: scheme must be one of {', '.join(SCHEMES)}, got "
            f"{scheme!r}."
        )
    build, usual = SCHEMES[scheme]
    pair = build(sizes or usual)
    pair.check()
    return take_turns(
        {"bare loop": pair.train_bare, "recurro": pair.train_ours},
        rounds=rounds,
        warmups=warmups,
        seconds=seconds,
    )


def _language(sizes: Sizes) -> Pair:
    """Chunks of a random text."""
    count = sizes.batch * sizes.bptt * sizes.chunks + 1
    ids = np.random.default_rng(0).integers(0, sizes.vocab, count)
    recurrent = Recurrent(LSTM(), sizes.hidden, sizes.hidden, sizes.layers)
    network = LanguageNetwork(sizes.vocab, recurrent)
    bare = BareLanguage(
        *(sizes.vocab, sizes.hidden, sizes.layers, sizes.vocab), directions=1
    )
    names = {"recurrent": "lstm", "decoder": "linear", "embedding": "embedding"}
    data = list(chunks(columns(ids, sizes.batch), sizes.bptt))
    return Pair(network, bare, data, names)


_CLASSES = 8
"""Classes of sequences and of steps."""

_NAMES = {"encoder": "embedding", "recurrent": "lstm"}


def _classifier(sizes: Sizes) -> Pair:
    recurrent = _both_ways(sizes)
    pooling = Pooling(("max", "mean"), recurrent.output_size, directions=2)
    network = VectorNetwork(
        nn.Embedding(sizes.vocab, sizes.hidden),
        recurrent,
        pooling,
        CategoricalHead(pooling.width, _CLASSES),
    )
    bare = BareClassifier(
        *(sizes.vocab, sizes.hidden, sizes.layers, _CLASSES), vectors=2
    )
    data = [_rows(sizes, seed, lambda lengths: len(lengths)) for seed in _seeds(sizes)]
    return Pair(network, bare, data, {**_NAMES, "head.linear": "linear"})


def _tagger(sizes: Sizes) -> Pair:
    recurrent = _both_ways(sizes)
    network = StepNetwork(
        nn.Embedding(sizes.vocab, sizes.hidden),
        recurrent,
        EachStep(CategoricalHead(recurrent.output_size, _CLASSES)),
    )
    bare = BareTagger(sizes.vocab, sizes.hidden, sizes.layers, _CLASSES)
    data = [
        _rows(sizes, seed, lambda lengths: int(lengths.sum())) for seed in _seeds(sizes)
    ]
    return Pair(network, bare, data, {**_NAMES, "head.head.linear": "linear"})


def _speech(sizes: Sizes) -> Pair:
    recurrent = _both_ways(sizes)
    head = CTCHead(recurrent.output_size, sizes.vocab)
    network = StepNetwork(nn.Identity(), recurrent, head)
    bare = BareSpeech(0, sizes.hidden, sizes.layers, sizes.vocab)
    data = [_spoken(sizes, seed) for seed in _seeds(sizes)]
    return Pair(network, bare, data, {"recurrent": "lstm", "head.linear": "linear"})


def _translator(sizes: Sizes) -> Pair:
    """Ids of one side into as many of the other, as long as an encoder reads them."""
    hidden, width = sizes.hidden, 2 * sizes.hidden
    encoder = SequenceEncoder(nn.Embedding(sizes.vocab, hidden), [_both_ways(sizes)])
    decoder = Decoder(
        sizes.vocab,
        Recurrent(LSTM(), hidden, width, sizes.layers),
        stop=0,
        embedding=nn.Embedding(sizes.vocab, hidden),
        summary_size=width,
        attention=Attention("general", width, width),
    )
    names = {
        "encoder.inputs": "embedding",
        "encoder.recurrents.0": "lstm",
        "head.embedding": "written",
        "head.opening": "opening",
        "head.recurrent": "decoder",
        "head.attention.key": "key",
        "head.deep": "deep",
        "head.softmax": "linear",
    }
    data = [_pairs(sizes, seed) for seed in _seeds(sizes)]
    bare = BareTranslator(sizes.vocab, hidden, sizes.layers)
    return Pair(WritingNetwork(encoder, decoder), bare, data, names)


def _pairs(sizes: Sizes, seed: int) -> Batch:
    """Rows of random ids, each with a row of the same length to write."""
    generator = torch.Generator().manual_seed(seed)
    lengths = _lengths(sizes, generator)
    shape = int(lengths.max()), sizes.batch
    ids = torch.randint(1, sizes.vocab, shape, generator=generator)
    rows = [
        torch.randint(1, sizes.vocab, (length,), generator=generator)
        for length in lengths.tolist()
    ]
    told = torch.cat([nn.functional.pad(row[1:], (0, 1)) for row in rows])
    return Batch(ids, told, lengths)


def _both_ways(sizes: Sizes) -> Recurrent:
    return Recurrent(
        *(LSTM(), sizes.hidden, sizes.hidden, sizes.layers), bidirectional=True
    )


def _seeds(sizes: Sizes) -> range:
    return range(sizes.chunks)


def _rows(sizes: Sizes, seed: int, targets: Callable[[torch.Tensor], int]) -> Batch:
    """Rows of random ids, with as many random classes as their lengths ask for."""
    generator = torch.Generator().manual_seed(seed)
    lengths = _lengths(sizes, generator)
    shape = int(lengths.max()), sizes.batch
    ids = torch.randint(sizes.vocab, shape, generator=generator)
    told = torch.randint(_CLASSES, (targets(lengths),), generator=generator)
    return Batch(ids, told, lengths)


def _spoken(sizes: Sizes, seed: int) -> Batch:
    """Rows of random features, with a token for each ten steps of the shortest."""
    generator = torch.Generator().manual_seed(seed)
    lengths = _lengths(sizes, generator)
    shape = int(lengths.max()), sizes.batch, sizes.hidden
    tokens = max(1, int(lengths.min()) // 10)
    told = torch.randint(1, sizes.vocab, (sizes.batch, tokens), generator=generator)
    ended = nn.functional.pad(told, (0, 1))
    return Batch(torch.randn(shape, generator=generator), ended.flatten(), lengths)


def _lengths(sizes: Sizes, generator: torch.Generator) -> torch.Tensor:
    least = max(1, sizes.bptt // 4) if sizes.ragged else sizes.bptt
    return torch.randint(least, sizes.bptt + 1, (sizes.batch,), generator=generator)


SCHEMES: dict[str, tuple[Callable[[Sizes], Pair], Sizes]] = {
    "language model": (_language, Sizes()),
    "classifier": (_classifier, Sizes(2000, 128, 1, 32, 60, 16)),
    "tagger": (_tagger, Sizes(2000, 128, 1, 32, 60, 16)),
    "tagger, equal lengths": (_tagger, Sizes(2000, 128, 1, 32, 60, 16, ragged=False)),
    "speech": (_speech, Sizes(30, 128, 2, 16, 200, 4)),
    "translation": (_translator, Sizes(4000, 160, 1, 64, 20, 2)),
}
"""One model of each scheme, and its usual sizes."""
