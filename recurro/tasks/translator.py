"""Translation, and whatever else turns one text into another."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator
from torch import nn

from recurro.baselines import TranslationMemory
from recurro.cells import GRU
from recurro.data import Sequences, Tokenizer
from recurro.data.sequences import encode_texts
from recurro.errors import DataError
from recurro.nn import SequenceEncoder
from recurro.tasks.comparison import Comparison
from recurro.tasks.readers import VOCABULARY, Items
from recurro.tasks.sequence_config import RecurrentNetwork, TaskSettings
from recurro.tasks.translation_figures import need_sacrebleu, translation_figures
from recurro.tasks.vector_task import Answered
from recurro.tasks.writer import Writer, texts_of
from recurro.tasks.writer_config import (
    WriterData,
    WriterNetwork,
    WriterSettings,
    WriterTraining,
)
from recurro.train import Progress, RunFolder

__all__ = ["TranslationSettings", "Translator"]


class TranslationData(WriterData):
    """How texts of both sides are read.

    Attributes:
        valid: The files that choices are made on, or ``None`` for a part of the others;
            for the record, where texts are given, as is the next.
        test: The files that are tested on at the end, or ``None``.
        encoding: The encoding of files; for the record, likewise.
        tokens: ``bpe:N`` (byte pairs), ``word``, ``char`` or ``byte``.
        joint: Whether both sides share a vocabulary, learnt of both, and an embedding.
        reverse: Whether sources are read from their end (Sutskever).
    """

    valid: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    encoding: str = "utf-8"
    tokens: str = "bpe:8000"
    joint: bool = True
    reverse: bool = False

    @field_validator("valid", "test", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        """Paths as text."""
        return [str(path) for path in value] if isinstance(value, list) else value


class TranslationNetwork(WriterNetwork):
    """What translates; as all that writes, from other defaults."""

    cell: dict[str, Any] = Field(default_factory=lambda: {"name": "GRU"})
    hidden_size: int = Field(default=512, ge=1)
    embedding_size: int | None = Field(default=256, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    smoothing: float = Field(default=0.1, ge=0, lt=1)


class TranslationSettings(WriterSettings):
    """All settings of a run that translates.

    Example:
        >>> TranslationSettings(task="translate").model.attention
        'general'
    """

    task: Literal["translate"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: TranslationData = TranslationData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: TranslationNetwork = TranslationNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: WriterTraining = WriterTraining.model_validate({})


@dataclass(frozen=True)
class SourceReader:
    """Texts that are read, by a vocabulary.

    Attributes:
        tokenizer: The vocabulary, of lines.
        lower: Whether texts are turned into lower case first.
        reverse: Whether they are read from their end.
    """

    tokenizer: Tokenizer
    lower: bool = False
    reverse: bool = False

    def __call__(self, items: Items) -> Sequences:
        """The tokens of some texts."""
        texts = [str(item).lower() if self.lower else str(item) for item in items]
        read = encode_texts(texts, self.tokenizer)
        return Sequences.of([ids[::-1] for ids in read]) if self.reverse else read

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """An embedding, as wide as a layer if its size is not given."""
        width = model.embedding_size or model.hidden_size
        return nn.Embedding(self.tokenizer.size, width), width

    def file(self) -> tuple[str, str]:
        """The vocabulary as JSON."""
        return VOCABULARY, self.tokenizer.to_json()


class Translator(
    Writer, without=("valid", "test", "encoding"), defaults={"cell": GRU()}
):
    """A recurrent translator: texts of one language in, of another out.

    P(target | source) by an encoder that reads in both directions, attention, and a
    decoder; see ``recurro.nn.Decoder``. Texts are sought by a beam search. Without
    attention it is the plain sequence-to-sequence model. Whatever is given as pairs of
    texts can be learnt: replies to what was said, summaries.

    The arguments are those of ``recurro.tasks.translator`` and ``writer_config``
    (``TranslationData``, ``TranslationNetwork``, ``WriterTraining``). ``cell`` is an
    object, also one of your own; ``out`` names a run folder, without which all stays in
    memory; ``overwrite`` lets it replace a run that is there. Arguments of the search
    (``beam_size``, ``length_power``, ``length_offset``, ``coverage``, ``max_length``)
    may be set after training by ``set_params``. Vocabularies are learnt from the
    training part alone.

    Attributes:
        tokenizer_: The vocabulary of what is written.
        network_: The trained ``WritingNetwork``.
        reader_: What reads sources.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        test_: The same on the part that was tested on.

    Example:
        >>> words = ["one", "two", "three"] * 8
        >>> model = Translator(
        ...     tokens="char", hidden_size=32, embedding_size=16, dropout=0,
        ...     smoothing=0, epochs=25, batch_size=4, learning_rate=0.01, held_out=0,
        ... )
        >>> model.fit(words, [word.upper() for word in words]).predict(["two"])
        ['TWO']

    References:
        Sutskever, Vinyals and Le (2014), arXiv 1409.3215; Cho et al. (2014), arXiv
        1406.1078; Bahdanau, Cho and Bengio (2015), arXiv 1409.0473; Luong, Pham and
        Manning (2015), arXiv 1508.04025; Wu et al. (2016), arXiv 1609.08144; Sennrich,
        Haddow and Birch (2016), arXiv 1508.07909 (joint byte pairs).
    """

    task: ClassVar[str] = "translate"
    kind: ClassVar[type[TaskSettings]] = TranslationSettings

    def fit(
        self,
        X: Any,  # noqa: ANN401 (texts)
        y: Any,  # noqa: ANN401 (texts)
        *,
        valid: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from texts and their translations; see ``SequenceEstimator.fit``.

        Raises:
            DataError: If texts cannot be used; the item is named.
            MissingExtraError: If sacrebleu is not installed, which figures need.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        need_sacrebleu()
        return super().fit(X, y, valid=valid, test=test, progress=progress)

    # Texts.

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        items = super()._items(X)
        if not isinstance(items[0], str):
            raise DataError(
                "Translator: must be given texts, got numbers. Give a list of strings."
            )
        return items

    def _learn_tokens(
        self, items: Items, texts: list[str], data: WriterData
    ) -> Tokenizer:
        assert isinstance(data, TranslationData)
        both = [*self._lowered(items), *texts] if data.joint else texts
        return super()._learn_tokens(items, both, data)

    def _learn_source(self, items: Items, settings: Any) -> SourceReader:  # noqa: ANN401
        data = settings.data
        tokenizer = self.tokenizer_
        if not data.joint:
            tokenizer = super()._learn_tokens(items, self._lowered(items), data)
        return SourceReader(tokenizer, data.lower, data.reverse)

    def _read(self, X: Any) -> Sequences:  # noqa: ANN401
        self._fitted()
        self._say_unknown(X, self.reader_.tokenizer)
        return super()._read(X)

    def _answered(self, X: Any, y: Any) -> Answered:  # noqa: ANN401
        self._fitted()
        self._say_unknown(X, self.reader_.tokenizer)
        self._say_unknown(y, self.tokenizer_)
        return super()._answered(X, y)

    def _say_unknown(self, texts: Sequence[str], tokenizer: Tokenizer) -> None:
        """Warn of symbols that are not in a vocabulary, if any."""
        seen: dict[str, None] = {}
        for text in self._lowered([text for text in texts if isinstance(text, str)]):
            seen |= dict.fromkeys(tokenizer.missing(text))
        if seen:
            shown = [repr(symbol) for symbol in list(seen)[:5]]
            shown += ["..."] * (len(seen) > 5)
            many = len(seen) > 1
            what = f"{len(seen)} symbols were" if many else "1 symbol was"
            warnings.warn(
                f"Translator: {what} not seen in training and taken as unknown: "
                f"{', '.join(shown)}.",
                stacklevel=4,
            )

    def _lowered(self, items: Items) -> list[str]:
        lower = self.settings.data.lower
        return [str(item).lower() if lower else str(item) for item in items]

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> SourceReader:
        assert isinstance(settings, TranslationSettings)
        data, tokenizer = settings.data, Tokenizer.load(run.path / VOCABULARY)
        return SourceReader(tokenizer, data.lower, data.reverse)

    def _shared(self, encoder: Any) -> nn.Embedding | None:  # noqa: ANN401
        """The encoder's, where both sides share a vocabulary."""
        assert isinstance(encoder, SequenceEncoder)
        inputs, joint = encoder.inputs, self.settings.data.joint
        return inputs if joint and isinstance(inputs, nn.Embedding) else None

    # Figures.

    def _figures(
        self, texts: Sequence[str], found: Sequence[str], items: Items
    ) -> dict[str, float]:
        return translation_figures(texts, found, lower=self.settings.data.lower)

    def _baselines(
        self, train: tuple[Items, Any], valid: tuple[Items, Any]
    ) -> Comparison:
        """The source as it is, and the translation of the nearest text of training."""
        sources = self._lowered(valid[0])
        memory = TranslationMemory().fit(self._lowered(train[0]), texts_of(train[1]))
        found = {"source as it is": sources, "nearest text": memory.predict(sources)}
        wanted = texts_of(valid[1])
        return [
            {"name": name, **self._figures(wanted, texts, valid[0])}
            for name, texts in found.items()
        ]

    def score(self, X: Sequence[str], y: Sequence[str]) -> float:
        """BLEU of the translations, in [0, 1].

        Raises:
            DataError: If texts cannot be used.
        """
        return self.evaluate(X, y)["bleu"] / 100

    def attention_of(
        self, X: Sequence[str], y: Sequence[str] | None = None
    ) -> list[tuple[list[str], list[str], np.ndarray]]:
        """Where the decoder looked as it wrote.

        Args:
            X: The sources.
            y: What is written; ``None`` for what the search finds.

        Returns:
            For each source its tokens, those written, and the weights ``(written,
            source)``; both ended by the stop, which is written ``""``.

        Raises:
            ArgumentError: If the model has no attention.
            DataError: If texts cannot be used.
        """
        network = self._fitted()
        if y is None:
            read, stop = self._read(X), self._stop
            found = [best[0].ids for best in self._found(network, read)]
            written = Sequences.of([np.array([*ids, stop]) for ids in found])
        else:
            told = self._answered(X, y)
            read, written = told.sequences, told.targets
        assert isinstance(written, Sequences)
        batch = read.batch(np.arange(len(read)), written)
        batch = batch.to(next(network.parameters()).device)
        looks = network.head.weights(network.encoder(batch), batch.targets)
        return [
            (
                self._pieces(self.reader_.tokenizer, read[row]),
                self._pieces(self.tokenizer_, written[row]),
                look.detach().cpu().numpy(),
            )
            for row, look in enumerate(looks)
        ]

    @staticmethod
    def _pieces(tokenizer: Tokenizer, ids: np.ndarray) -> list[str]:
        """Each token as text."""
        stop = tokenizer.eos_id
        return ["" if i == stop else tokenizer.decode([i]) for i in ids.tolist()]
