"""From texts or series, as a person gives them, to what a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from torch import nn

from recurro.data import Scaler, Sequences, Tokenizer, encode_texts, join_series
from recurro.data.sequences import clean_texts
from recurro.data.word_features import character_features, word_features
from recurro.errors import DataError, ItemError, RunError
from recurro.nn.subwords import WordEmbedding
from recurro.tasks.sequence_config import RecurrentNetwork, SequenceData
from recurro.train import RunFolder

__all__ = [
    "Items",
    "Learnt",
    "Reader",
    "Sequencer",
    "as_items",
    "learn_reader",
    "load_reader",
    "load_scaler",
]

Items: TypeAlias = list[str] | list[list[str]] | list[np.ndarray]
"""Texts, lists of words, or series ``(time, channels)``."""

BUCKETS = 20_000
"""Vectors that the pieces of words share."""

VOCABULARY = "vocabulary.json"
SCALER = "scaler.json"


class Learnt(Protocol):
    """What was learnt of the data before training, and is kept in a run folder."""

    def file(self) -> tuple[str, str]:
        """The name and the contents of the file that it is read back from."""
        ...


class Sequencer(Learnt, Protocol):
    """What turns items into sequences, all it knows learnt from the training part."""

    def __call__(self, items: Items) -> Sequences:
        """The sequences of some items."""
        ...


class Reader(Sequencer, Protocol):
    """The same, where a recurrence reads the sequences step by step."""

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """A module that the recurrence reads the sequences through, and its width."""
        ...


def as_items(data: Sequence[Any] | np.ndarray) -> Items:
    """What a person gives, checked: texts, or series of numbers.

    Args:
        data: Texts; arrays ``(time, channels)`` or ``(time,)``; or one array ``(items,
            time, channels)``.

    Raises:
        DataError: If there is none, one is empty, or they are not of one kind.

    Example:
        >>> as_items([[1, 2], [3]])[1].shape
        (1, 1)
    """
    if isinstance(data, str):
        raise DataError(
            "sequences: must be a list of texts, got a single text. Put it in a list."
        )
    rows = list(data)
    if rows and isinstance(rows[0], str):
        return clean_texts(rows)
    joined = join_series(rows)
    return [joined[row] for row in range(len(joined))]


@dataclass(frozen=True)
class TextReader:
    """Texts by a vocabulary.

    Attributes:
        tokenizer: The vocabulary, of lines.
        lower: Whether texts are turned into lower case first.
        subwords: Whether words are read by their pieces too.
        evidence: Whether features of words are counted.
    """

    tokenizer: Tokenizer
    lower: bool = False
    subwords: bool = False
    evidence: bool = False

    @staticmethod
    def learn(texts: list[str], settings: SequenceData) -> TextReader:
        """Learn the vocabulary from the training part."""
        lowered = [text.lower() for text in texts] if settings.lower else texts
        fixed = settings.tokens not in ("char", "word")
        tokenizer = Tokenizer.fit(
            lowered,
            settings.tokens,
            lines=True,
            min_count=settings.least_count,
            max_size=settings.max_size,
            unknown=None if fixed else "replace",
        )
        return TextReader.of(tokenizer, settings)

    @staticmethod
    def of(tokenizer: Tokenizer, settings: SequenceData) -> TextReader:
        """The reader with a vocabulary that is known."""
        return TextReader(
            tokenizer, settings.lower, settings.subwords, settings.evidence
        )

    def __call__(self, items: Items) -> Sequences:
        """The symbols of some texts; with the features of words, where these are used.

        They are ``(steps,)``, or ``(steps, 1 + features)``.
        """
        if not isinstance(items[0], str):
            raise DataError(
                "sequences: must be texts as in training, got numbers. Give a list of "
                "texts."
            )
        texts = [str(item).lower() if self.lower else str(item) for item in items]
        symbols = encode_texts(texts, self.tokenizer)
        if not (self.subwords or self.evidence):
            return symbols
        told = _of_words if self.tokenizer.kind == "word" else character_features
        features = np.concatenate([told(text) for text in texts])
        values = np.column_stack([symbols.values, features])
        return Sequences(values, symbols.starts)

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """An embedding, as wide as a layer if its size is not given."""
        width = model.embedding_size or model.hidden_size
        if self.subwords or self.evidence:
            pieces = BUCKETS if self.subwords else 0
            return WordEmbedding(self.tokenizer.size, width, pieces=pieces), width
        return nn.Embedding(self.tokenizer.size, width), width

    def file(self) -> tuple[str, str]:
        """The vocabulary as JSON."""
        return VOCABULARY, self.tokenizer.to_json()


def _of_words(text: str) -> np.ndarray:
    """The features of the words of a text; none at its end."""
    return np.pad(word_features(text.split()), ((0, 1), (0, 0)))


@dataclass(frozen=True)
class SeriesReader:
    """Series by a scaler.

    Attributes:
        scaler: Means and deviations of the training part.
    """

    scaler: Scaler

    def __call__(self, items: Items) -> Sequences:
        """The scaled numbers of some series."""
        if isinstance(items[0], str):
            raise DataError(
                "sequences: must be numbers (time, channels) as in training, got texts."
                " Give a list of arrays."
            )
        found, channels = join_series(items), len(self.scaler.mean)
        if found.values.shape[1] != channels:
            raise ItemError(
                *("sequences", 0),
                f"must have {channels} channels as in training, got "
                f"{found.values.shape[1]}. Give the same channels in the same order.",
            )
        return self.scaler(found)

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """A linear layer of that size, or nothing."""
        width, size = self.scaler.width, model.embedding_size
        return (
            (nn.Identity(), width) if size is None else (nn.Linear(width, size), size)
        )

    def file(self) -> tuple[str, str]:
        """The scaler as JSON."""
        import json

        return SCALER, json.dumps(asdict(self.scaler), indent=1)


def learn_reader(items: Items, settings: SequenceData) -> Reader:
    """The reader of some items, learnt from them.

    Args:
        items: The training part.
        settings: How texts are read.

    Raises:
        DataError: If they cannot be read.
    """
    texts = [item for item in items if isinstance(item, str)]
    if texts:
        return TextReader.learn(texts, settings)
    for key in ("tokens", "lower", "min_count", "max_size", "subwords", "evidence"):
        if getattr(settings, key) != SequenceData.model_fields[key].default:
            raise DataError(
                f"sequences: must be texts with {key}={getattr(settings, key)!r}, got "
                f"series of numbers. Leave out {key}."
            )
    return SeriesReader(Scaler.fit(join_series(items), settings.features))


def load_reader(run: RunFolder, settings: SequenceData) -> Reader:
    """The reader of a run.

    Raises:
        RunError: If its file is missing or damaged.
    """
    if not (run.path / SCALER).exists():
        return TextReader.of(Tokenizer.load(run.path / VOCABULARY), settings)
    return SeriesReader(load_scaler(run))


def load_scaler(run: RunFolder) -> Scaler:
    """The scaler of a run.

    Raises:
        RunError: If its file is missing or damaged.
    """
    tree = run.read_json(SCALER)
    try:
        assert isinstance(tree, dict)
        return Scaler(**{key: tuple(tree[key]) for key in tree})
    except (AssertionError, TypeError):
        raise RunError(
            f"{run.path / SCALER}: must give the means and deviations of the channels, "
            "got something else. Put it back from a copy."
        ) from None
