"""From sentences as lists of words to what a network reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recurro.data import Sequences
from recurro.errors import DataError, RunError
from recurro.nn.words import WordEncoder
from recurro.tasks.readers import Items
from recurro.tasks.sequence_config import RecurrentNetwork
from recurro.tasks.step_config import TagData, TagNetwork
from recurro.train import RunFolder

__all__ = ["LETTERS", "WordReader", "as_sentences"]

WORDS = "words.json"

LETTERS = 24
"""Letters of a word that are read: of a longer one the first and the last half."""

_RESERVED = 2
"""Ids of letters that stand for none and for an unknown one."""


def as_sentences(data: Sequence[Any]) -> Items:
    """Sentences as a person gives them, checked.

    Args:
        data: The words of each sentence.

    Raises:
        DataError: If there is none, one has no word, or a word is none.

    Example:
        >>> as_sentences([["He", "ran"], []])
        Traceback (most recent call last):
        recurro.errors.DataError: sentences: item 1 must have a word, got none. Leave \
it out.
    """
    sentences: list[list[str]] = []
    for item, sentence in enumerate(data):
        if isinstance(sentence, str) or not isinstance(sentence, Sequence | np.ndarray):
            raise DataError(
                f"sentences: item {item} must be a list of words, got {sentence!r}. "
                "Split it into words."
            )
        words = list(sentence)
        if not words:
            raise DataError(
                f"sentences: item {item} must have a word, got none. Leave it out."
            )
        for place, word in enumerate(words):
            if not isinstance(word, str) or not word.strip():
                raise DataError(
                    f"sentences: word {place} of item {item} must be a text, got "
                    f"{word!r}. Mend it, or leave the item out."
                )
        sentences.append([str(word) for word in words])
    if not sentences:
        raise DataError("sentences: must be at least one, got none. Give some data.")
    return sentences


@dataclass(frozen=True)
class WordReader:
    """Sentences by the words and the letters of the training part.

    Attributes:
        words: The words, the most frequent first.
        counts: How often each came.
        letters: The letters, sorted.
        lower: Whether words are looked up in lower case; their letters stay as they
            are.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    letters: str
    lower: bool

    @staticmethod
    def learn(items: Items, settings: TagData) -> WordReader:
        """Learn words and letters from the training part."""
        spelled = Counter(word for sentence in items for word in sentence)
        looked_up: Counter[str] = Counter()
        for word, count in spelled.items():
            looked_up[word.lower() if settings.lower else word] += count
        kept = [
            (word, count)
            for word, count in sorted(looked_up.items(), key=lambda p: (-p[1], p[0]))
            if count >= settings.min_count
        ]
        letters = sorted({letter for word in spelled for letter in word})
        return WordReader(
            tuple(word for word, _ in kept),
            tuple(count for _, count in kept),
            "".join(letters),
            settings.lower,
        )

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, 1)}

    @cached_property
    def _letter_ids(self) -> dict[str, int]:
        return {letter: n for n, letter in enumerate(self.letters, _RESERVED)}

    def __call__(self, items: Items) -> Sequences:
        """The numbers of each word; see ``recurro.nn.words``."""
        rows: dict[str, int] = {}
        order = [rows.setdefault(word, len(rows)) for words in items for word in words]
        table = np.stack([self._row(number, word) for word, number in rows.items()])
        starts = np.concatenate([[0], np.cumsum([len(words) for words in items])])
        return Sequences(table[order], starts.astype(np.int64))

    def _row(self, number: int, word: str) -> np.ndarray:
        row = np.zeros(2 + LETTERS, np.int64)
        row[:2] = self._ids.get(word.lower() if self.lower else word, 0), number + 1
        half = LETTERS // 2
        some = word if len(word) <= LETTERS else word[:half] + word[-half:]
        ids = [self._letter_ids.get(letter, 1) for letter in some]
        row[2 : 2 + len(ids)] = ids
        return row

    def encoder(self, model: RecurrentNetwork) -> tuple[WordEncoder, int]:
        """An embedding of words joined with what their letters say."""
        assert isinstance(model, TagNetwork)
        encoder = WordEncoder(
            (0, *self.counts),
            len(self.letters) + _RESERVED,
            (
                model.embedding_size or model.hidden_size,
                model.letter_embedding_size,
                model.letter_hidden_size,
            ),
            word_dropout=model.word_dropout,
            backend=model.backend,
        )
        return encoder, encoder.width

    def file(self) -> tuple[str, str]:
        """Words and letters as JSON."""
        return WORDS, json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @staticmethod
    def load(run: RunFolder) -> WordReader:
        """The reader of a run.

        Raises:
            RunError: If its file is missing or damaged.
        """
        tree = run.read_json(WORDS)
        try:
            assert isinstance(tree, dict)
            words, counts = tuple(tree["words"]), tuple(tree["counts"])
            assert len(words) == len(counts)
            return WordReader(words, counts, tree["letters"], tree["lower"])
        except (AssertionError, KeyError, TypeError):
            raise RunError(
                f"{run.path / WORDS}: must give the words and the letters of the "
                "training part, got something else. Put it back from a copy."
            ) from None
