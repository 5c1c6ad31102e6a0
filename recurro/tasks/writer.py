"""What all models share that read something and write a text."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from recurro.data import Sequences, Tokenizer, pair_batches
from recurro.data.sequences import clean_texts, encode_texts
from recurro.errors import ArgumentError, DataError
from recurro.generate import Forbidden, Found, beam_search
from recurro.nn import Attention, Decoder, Recurrent, SequenceEncoder, WritingNetwork
from recurro.tasks.readers import Items, Reader
from recurro.tasks.sequence import SequenceEstimator
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.sequence_runs import Examples
from recurro.tasks.vector_task import Answered, Passes, VectorTask, mean_loss
from recurro.tasks.writer_config import WriterData, WriterNetwork, WriterSettings
from recurro.train import RunFolder
from recurro.types import Batch

__all__ = ["Candidate", "Writer", "texts_of"]

WRITTEN = "written.json"

_TOGETHER = 128
"""Items whose texts are sought at once."""


@dataclass(frozen=True)
class Candidate:
    """A text that was found.

    Attributes:
        text: The text.
        score: What the search sorts by: its log P over a power of its length.
        log_prob: Its natural log P.
        whole: Whether it came to its end within the most tokens that were allowed.
    """

    text: str
    score: float
    log_prob: float
    whole: bool


@dataclass(frozen=True, eq=False)
class Told(Answered):
    """Items as the network reads them, and what is to be written of each.

    Attributes:
        texts: The texts as they were given, in lower case if that is asked for; what
            figures compare with, whatever the vocabulary knows of them.
    """

    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rising:
    """What is learnt from, with more of the decoder's own tokens in each pass."""

    passes: Passes
    decoder: Decoder
    most: float
    epochs: int

    def __len__(self) -> int:
        """Items of a pass."""
        return len(self.passes)

    def __call__(self, epoch: int) -> Answered:
        """The items of a pass; the share is set for it."""
        self.decoder.own_share = self.most * min(1.0, epoch / max(1, self.epochs - 1))
        return self.passes(epoch)


class Writer(SequenceEstimator):
    """A model that writes a text of each item; see the classes made from it.

    P(text | item) by an encoder and a decoder. A task says how items are read, what
    reads them, what scores texts, and what stands beside it; targets, tokens, network,
    search and verbs are here. ``y`` is a text for each item.

    Attributes:
        tokenizer_: The vocabulary of what is written, learnt from the training part.
    """

    kind: ClassVar[type[TaskSettings]] = WriterSettings

    tokenizer_: Tokenizer

    # What a task says.

    @abstractmethod
    def _learn_source(self, items: Items, settings: Any) -> Reader:  # noqa: ANN401
        """What reads items, learnt from the training part; tokens are known then."""

    @abstractmethod
    def _figures(
        self, texts: Sequence[str], found: Sequence[str], items: Items
    ) -> dict[str, float]:
        """How good texts are.

        Args:
            texts: Those wanted.
            found: Those written.
            items: What they were written of.
        """

    def _learn_tokens(
        self, items: Items, texts: list[str], data: WriterData
    ) -> Tokenizer:
        """The vocabulary of what is written, by the texts of the training part."""
        fixed = data.tokens not in ("char", "word")
        return Tokenizer.fit(
            texts,
            data.tokens,
            lines=True,
            min_count=data.least_count,
            max_size=data.max_size,
            unknown=None if fixed else "replace",
        )

    def _encoder(self, reader: Reader, model: WriterNetwork) -> SequenceEncoder:
        """What reads; see ``recurro.nn.writing.Encoder`` for what is needed of it."""
        inputs, width = reader.encoder(model)
        units, layers = model.encoder_units, model.num_layers
        alone = layers if not model.bidirectional else 1
        first = self._layers(model, width, units, alone, model.bidirectional)
        recurrents = [first]
        if layers > alone:
            units = first.output_size
            recurrents.append(self._layers(model, units, units, layers - alone))
        return SequenceEncoder(inputs, recurrents, dropout=model.dropout)

    def _shared(self, encoder: Any) -> nn.Embedding | None:  # noqa: ANN401 (a module)
        """The embedding that what reads and what writes have in common, if any."""
        return None

    # Texts.

    def _learn_targets(self, y: Any) -> Sequences:  # noqa: ANN401
        """The bytes of each text; tokens are learnt when the training part is known."""
        return self._targets(y)

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        name = type(self).__name__
        if y is None or isinstance(y, str):
            raise DataError(f"{name}: y must give a text for each item, got {y!r}.")
        try:
            texts = clean_texts(y)
        except DataError as error:
            raise DataError(f"{name}: y, {str(error).partition(': ')[2]}") from None
        if self.settings.data.lower:
            texts = [text.lower() for text in texts]
        return Sequences.of([np.frombuffer(t.encode(), np.uint8) for t in texts])

    def _check_steps(self, X: Any, items: Items, targets: Sequences) -> None:  # noqa: ANN401
        """A text may be of any length."""

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> Reader:
        assert isinstance(settings.data, WriterData)
        texts = texts_of(targets)
        self.tokenizer_ = self._learn_tokens(items, texts, settings.data)
        return self._learn_source(items, settings)

    def _learnt(self) -> dict[str, str]:
        return {WRITTEN: self.tokenizer_.to_json()}

    def _read_learnt(self, run: RunFolder) -> None:
        self.tokenizer_ = Tokenizer.load(run.path / WRITTEN)

    def _answers(self, reader: Any, items: Items, targets: Any) -> Told:  # noqa: ANN401
        texts = texts_of(targets)
        ids = encode_texts(texts, self.tokenizer_)
        return Told(reader(items), ids, tuple(texts))

    def _batches(self, *args: Any, **options: Any) -> Iterator[Batch]:  # noqa: ANN401
        return pair_batches(*args, **options)

    @property
    def _stop(self) -> int:
        """The end of a line, which no text holds."""
        assert self.tokenizer_.eos_id is not None
        return self.tokenizer_.eos_id

    # The network.

    def _assemble(self, settings: TaskSettings, reader: Any) -> WritingNetwork:  # noqa: ANN401
        model = settings.model
        assert isinstance(model, WriterNetwork)
        encoder = self._encoder(reader, model)
        shared = self._shared(encoder)
        return WritingNetwork(encoder, self._head(encoder.output_size, model, shared))

    def _head(
        self,
        features: int,
        settings: WriterNetwork,
        embedding: nn.Embedding | None = None,
    ) -> Decoder:
        """What writes.

        Args:
            features: Width of the steps of memory and of its summary.
            settings: What it is made of.
            embedding: Of what is written; ``None`` for one of its own.
        """
        model, units = settings, settings.hidden_size
        if embedding is None:
            size = model.embedding_size or units
            embedding = nn.Embedding(self.tokenizer_.size, size)
        attention = None
        if model.attention != "none":
            attention = self._attention(features, model)
        reads = model.each_step or model.first_state == "summary"
        size = Decoder.input_size(
            embedding.embedding_dim,
            summary_size=features,
            each_step=model.each_step,
            attention=attention,
        )
        return Decoder(
            self.tokenizer_.size,
            self._layers(model, size, units, model.num_layers),
            stop=self._stop,
            embedding=embedding,
            first=model.first_state,
            summary_size=features if reads else 0,
            each_step=model.each_step,
            attention=attention,
            tied=model.tied,
            dropout=model.dropout,
            smoothing=model.smoothing,
        )

    def _attention(self, features: int, model: Any) -> Attention:  # noqa: ANN401
        """What looks into a memory of that width."""
        return Attention(model.attention, model.hidden_size, features)

    def _layers(
        self,
        model: WriterNetwork,
        width: int,
        units: int,
        layers: int,
        bidirectional: bool = False,
    ) -> Recurrent:
        return Recurrent(
            *(self.cell, width, units, layers),
            bidirectional=bidirectional,
            residual=model.residual,
            variational_dropout=model.dropout,
            recurrent_dropout=model.recurrent_dropout,
            zoneout=model.zoneout,
            weight_drop=model.weight_drop,
            backend=model.backend,
        )

    def _start(self, network: Any, reader: Any, material: Examples) -> None:  # noqa: ANN401
        texts = texts_of(material.parts()[0][1])
        ids = encode_texts(texts, self.tokenizer_)
        network.head.start(torch.from_numpy(ids.values))

    def _task(
        self,
        network: Any,  # noqa: ANN401
        reader: Reader,
        settings: Any,  # noqa: ANN401
        material: Examples,
    ) -> VectorTask:
        task = super()._task(network, reader, settings, material)
        share = settings.model.scheduled_sampling
        if share:
            epochs = settings.train.epochs
            task.train = _Rising(task.train, network.head, share, epochs)
        return task

    # Figures.

    def _chosen_by(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        loss = mean_loss(network, data, self._batches)
        return {"perplexity": float(np.exp(min(loss, 700.0)))}

    def _judge(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        assert isinstance(data, Told)
        found = self._found(network, data.sequences)
        written = [self._text(best[0]) for best in found]
        figures = self._figures(data.texts, written, [])
        return {**self._chosen_by(network, data), **figures}

    # Search.

    def _found(
        self, network: WritingNetwork, sequences: Sequences
    ) -> list[list[Found]]:
        """What the search finds for each item, the best first."""
        model, head = self.settings.model, network.head
        limit = model.max_length or 2 * int(head.longest)
        unknown = self.tokenizer_.unk_id
        rules = [] if unknown is None else [Forbidden([[unknown]])]
        device = next(network.parameters()).device
        found: list[list[Found]] = [[]] * len(sequences)
        nothing = np.zeros(len(sequences), np.float32)
        order = np.argsort(sequences.lengths, kind="stable")
        stepper = None
        for start in range(0, len(order), _TOGETHER):
            rows = order[start : start + _TOGETHER]
            batch = sequences.batch(rows, nothing).to(device)
            with torch.no_grad():
                memory = network.encoder(batch)
            stepper = (
                head.stepper(memory, coverage=model.coverage > 0)
                if stepper is None
                else stepper.over(memory)
            )
            prompts = torch.full((1, len(rows)), self._stop, device=device)
            results = beam_search(
                stepper,
                prompts,
                limit,
                beam_size=model.beam_size,
                stop=self._stop,
                length_power=model.length_power,
                length_offset=model.length_offset,
                coverage=model.coverage,
                rules=rules,
                early=True,
            )
            for row, result in zip(rows, results, strict=True):
                found[row] = result
        cut = sum(not best[0].stopped for best in found)
        if cut:
            warnings.warn(
                f"{type(self).__name__}: {cut} of {len(found)} texts had no end after "
                f"{limit} tokens and are cut there. Train longer, or set max_length.",
                stacklevel=4,
            )
        return found

    def _text(self, found: Found) -> str:
        return self.tokenizer_.decode(found.ids)

    # Verbs.

    def predict(self, X: Any) -> list[str]:  # noqa: ANN401
        """The text of each item that the search finds best.

        Raises:
            DataError: If an item cannot be read.
        """
        found = self._found(self._fitted(), self._read(X))
        return [self._text(best[0]) for best in found]

    def candidates(self, X: Any, count: int | None = None) -> list[list[Candidate]]:  # noqa: ANN401
        """The best texts of each item, the best first.

        Args:
            X: The items.
            count: How many of each at most; ``None`` for as many as ``beam_size``.

        Raises:
            ArgumentError: If more are asked for than the search keeps.
            DataError: If an item cannot be read.
        """
        size = self.settings.model.beam_size
        if count is not None and not 1 <= count <= size:
            raise ArgumentError(
                f"{type(self).__name__}: count must be in 1 to beam_size={size}, got "
                f"{count}. Widen the beam."
            )
        found = self._found(self._fitted(), self._read(X))
        return [
            [Candidate(self._text(f), f.score, f.log_prob, f.stopped) for f in row]
            for row in (results[:count] for results in found)
        ]


def texts_of(targets: Any) -> list[str]:  # noqa: ANN401 (Sequences of bytes)
    """Texts from their bytes."""
    return [row.tobytes().decode() for row in targets]
