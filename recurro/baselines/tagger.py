"""What every tagger that learns by counting can do, and the simplest of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from typing import Self, TypeAlias

import numpy as np

from recurro.errors import ArgumentError, DataError

__all__ = ["MostFrequentTag", "Sentences", "Tagger"]

Sentences: TypeAlias = Sequence[Sequence[str]]
"""The words, or the tags, of each sentence."""


class Tagger(ABC):
    """A model that gives each word of a sentence a tag, learnt by counting.

    Attributes:
        tags_: The tags, sorted.
    """

    tags_: tuple[str, ...] = ()

    def fit(self, words: Sentences, tags: Sentences) -> Self:
        """Learn from tagged sentences; those without words are passed over.

        Args:
            words: The words of each sentence.
            tags: The tag of each word.

        Raises:
            DataError: If words and tags do not match, or there is no word.
        """
        _check_match(type(self).__name__, words, tags)
        pairs = [(w, t) for w, t in zip(words, tags, strict=True) if len(w)]
        self.tags_ = tuple(sorted(set(chain.from_iterable(tags))))
        ids = {tag: number for number, tag in enumerate(self.tags_)}
        self._fit(
            [sentence for sentence, _ in pairs],
            [np.array([ids[tag] for tag in sentence]) for _, sentence in pairs],
        )
        return self

    def predict(self, words: Sentences) -> list[list[str]]:
        """The tags of each sentence.

        Raises:
            ArgumentError: If the model has not been fitted.
        """
        self._fitted()
        some = iter(self._predict([sentence for sentence in words if len(sentence)]))
        return [
            [self.tags_[tag] for tag in next(some)] if len(sentence) else []
            for sentence in words
        ]

    def score(self, words: Sentences, tags: Sentences) -> float:
        """The share of words that get their true tag.

        Raises:
            ArgumentError: If the model has not been fitted.
            DataError: If words and tags do not match, or there is no word.
        """
        _check_match(type(self).__name__, words, tags)
        guesses = chain.from_iterable(self.predict(words))
        matches = [a == b for a, b in zip(guesses, chain(*tags), strict=True)]
        return sum(matches) / len(matches)

    @abstractmethod
    def _fit(self, words: Sentences, tags: list[np.ndarray]) -> None:
        """Learn from sentences with at least a word each, tags as ids."""

    @abstractmethod
    def _predict(self, words: Sentences) -> list[np.ndarray]:
        """The ids of the tags of sentences with at least a word each."""

    def _fitted(self) -> None:
        if not self.tags_:
            raise ArgumentError(
                f"{type(self).__name__}: the model must have been fitted, got a new "
                "one. Call fit with tagged sentences."
            )


class MostFrequentTag(Tagger):
    """Each word gets the tag that it had most often, whatever stands around it.

    A word that was never seen gets the tag of its lower-case form; if that was never
    seen either, the tag that is most frequent among the words that came once. Of tags
    that are equally frequent the first by name is taken.

    Example:
        >>> words = [["a", "can"], ["I", "can"], ["can"]]
        >>> tags = [["D", "N"], ["P", "V"], ["V"]]
        >>> MostFrequentTag().fit(words, tags).predict([["a", "can", "fell"]])
        [['D', 'V', 'D']]
    """

    def _fit(self, words: Sentences, tags: list[np.ndarray]) -> None:
        counts = count_tags(words, tags, len(self.tags_))
        table = np.stack(list(counts.values()))
        once = table[table.sum(1) == 1]
        self._best = {word: int(c.argmax()) for word, c in counts.items()}
        self._unknown = int((once if len(once) else table).sum(0).argmax())

    def _predict(self, words: Sentences) -> list[np.ndarray]:
        return [np.array([self._tag(word) for word in sentence]) for sentence in words]

    def _tag(self, word: str) -> int:
        return self._best.get(word, self._best.get(word.lower(), self._unknown))


def count_tags(
    words: Sentences, tags: list[np.ndarray], size: int
) -> dict[str, np.ndarray]:
    """How often each word had each of ``size`` tags: ``(tags,)`` of int64."""
    counts: dict[str, np.ndarray] = {}
    for word, tag in zip(chain(*words), np.concatenate(tags), strict=True):
        if word not in counts:
            counts[word] = np.zeros(size, np.int64)
        counts[word][tag] += 1
    return counts


def _check_match(name: str, words: Sentences, tags: Sentences) -> None:
    """Refuse sentences whose words and tags are not as many, or no words at all."""
    if len(words) != len(tags):
        raise DataError(
            f"{name}: there must be tags for all {len(words)} sentences, got "
            f"{len(tags)}."
        )
    for number, (sentence, own) in enumerate(zip(words, tags, strict=True), 1):
        if len(sentence) != len(own):
            raise DataError(
                f"{name}: sentence {number} must have a tag for each of its "
                f"{len(sentence)} words, got {len(own)}."
            )
    if not any(map(len, words)):
        raise DataError(f"{name}: there must be at least one word, got none.")
