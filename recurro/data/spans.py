"""Spans of words told by tags such as B-person: their schemes, their borders, F1.

A tag is O (outside), or a prefix and the type of the span: B begins it, I is inside, E
ends it, S is all of it (L and U are read as E and S). Three schemes write that down:

- IOB2: each span starts with B; the rest is I.
- IOB1: spans are I; B only where a span follows one of its own type at once.
- IOBES: as IOB2, with E for the last word and S for a span of one word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from recurro.errors import ArgumentError, DataError

__all__ = [
    "Scheme",
    "Span",
    "SpanScores",
    "allowed_transitions",
    "find_scheme",
    "find_spans",
    "score_spans",
    "token_accuracy",
]

Scheme = Literal["IOB1", "IOB2", "IOBES"]

Span: TypeAlias = tuple[str, int, int]
"""The type of a span, its first word, and the word after its last."""

Tags: TypeAlias = Sequence[Sequence[str]]
"""The tags of each sentence."""

_PREFIXES = {"B": "B", "I": "I", "E": "E", "L": "E", "S": "S", "U": "S", "O": "O"}


def find_spans(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence by the rules of conlleval, whatever the scheme.

    A word continues the span of the word before it if both are of one type, that word
    is B or I, and it is itself I or E. Any other word that is not O starts a span. So
    every sequence of tags means something, also one that breaks its scheme: after O, or
    after another type, I starts a span.

    Args:
        tags: The tags of the sentence.

    Raises:
        DataError: If a tag is neither O nor one of the prefixes, alone or followed by
            a hyphen and a type.

    Example:
        >>> find_spans(["B-person", "I-person", "O", "I-place", "B-place"])
        [('person', 0, 2), ('place', 3, 4), ('place', 4, 5)]

    References:
        Tjong Kim Sang and Buchholz (2000), doi:10.3115/1117601.1117631, and their
        program conlleval.
    """
    spans: list[Span] = []
    before = ("O", "")
    for place, tag in enumerate(tags):
        now = prefix, kind = _parts(tag)
        if _continues(before, now):
            spans[-1] = (kind, spans[-1][1], place + 1)
        elif prefix != "O":
            spans.append((kind, place, place + 1))
        before = now
    return spans


def _continues(before: tuple[str, str], now: tuple[str, str]) -> bool:
    return before[0] in "BI" and now[0] in "IE" and before[1] == now[1]


@lru_cache(4096)
def _parts(tag: str) -> tuple[str, str]:
    """The prefix of a tag, as one of B I E S O, and its type."""
    prefix, hyphen, kind = tag.partition("-")
    if prefix not in _PREFIXES or (prefix == "O" and hyphen):
        raise DataError(
            f"find_spans: a tag must be O, or B-, I-, E- or S- and a type, got "
            f"{tag!r}. Score tags that tell no spans by their accuracy."
        )
    return _PREFIXES[prefix], kind


@dataclass(frozen=True)
class SpanScores:
    """How many spans there are, how many were found, and what follows from that.

    Attributes:
        gold: The number of true spans.
        predicted: The number of predicted ones.
        correct: Of these, how many have the type and both borders of a true one.
        by_type: The same for the spans of each type, sorted by name.
    """

    gold: int
    predicted: int
    correct: int
    by_type: dict[str, SpanScores]

    @property
    def precision(self) -> float:
        """Correct spans among the predicted ones; 0 if there are none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Correct spans among the true ones; 0 if there are none."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """2 precision recall / (precision + recall); 0 if nothing is correct."""
        both = self.gold + self.predicted
        return 2 * self.correct / both if both else 0.0


def score_spans(gold: Tags, predicted: Tags) -> SpanScores:
    """Count the exact matches between true and predicted spans, as conlleval does.

    Args:
        gold: The true tags of each sentence.
        predicted: The predicted tags of each sentence.

    Raises:
        DataError: If the sentences differ in number or length, or tags tell no spans.

    Example:
        >>> scores = score_spans([["B-a", "I-a", "B-b"]], [["B-a", "O", "B-b"]])
        >>> scores.precision, scores.recall, scores.by_type["a"].f1
        (0.5, 0.5, 0.0)
    """
    counts = Counter[str](), Counter[str](), Counter[str]()
    for true, guessed in _pairs("score_spans", gold, predicted):
        here = set(find_spans(true)), set(find_spans(guessed))
        for counter, spans in zip(counts, (*here, here[0] & here[1]), strict=True):
            counter.update(kind for kind, _, _ in spans)
    gold_counts, predicted_counts, correct_counts = counts
    by_type = {
        kind: SpanScores(
            gold_counts[kind], predicted_counts[kind], correct_counts[kind], {}
        )
        for kind in sorted(gold_counts | predicted_counts)
    }
    return SpanScores(
        gold_counts.total(), predicted_counts.total(), correct_counts.total(), by_type
    )


def token_accuracy(gold: Tags, predicted: Tags) -> float:
    """The share of words whose predicted tag is the true one.

    Raises:
        DataError: If the sentences differ in number or length, or hold no word.

    Example:
        >>> token_accuracy([["NOUN", "VERB"]], [["NOUN", "NOUN"]])
        0.5
    """
    matches = [
        true == guessed
        for pair in _pairs("token_accuracy", gold, predicted)
        for true, guessed in zip(*pair, strict=True)
    ]
    if not matches:
        raise DataError("token_accuracy: there must be a word to score, got none.")
    return sum(matches) / len(matches)


def _pairs(
    name: str, gold: Tags, predicted: Tags
) -> list[tuple[Sequence[str], Sequence[str]]]:
    """The true and the predicted tags of each sentence."""
    if len(gold) != len(predicted):
        raise DataError(
            f"{name}: there must be predictions for all {len(gold)} sentences, got "
            f"{len(predicted)}. Predict the same file."
        )
    pairs = list(zip(gold, predicted, strict=True))
    for number, (true, guessed) in enumerate(pairs, 1):
        if len(true) != len(guessed):
            raise DataError(
                f"{name}: sentence {number} must have a prediction for each of its "
                f"{len(true)} words, got {len(guessed)}. Predict the same file."
            )
    return pairs


def find_scheme(tags: Tags) -> Scheme | None:
    """The scheme that these tags follow, as far as they tell.

    Args:
        tags: The tags of each sentence, such as those of a training set.

    Returns:
        ``None`` if they tell no spans (some tag is not O or a prefix with a type, or
        all are O); IOBES if some prefix is E or S; IOB1 if some span starts with I and
        each B is where that scheme needs it; else IOB2, also if some tag breaks it.

    Example:
        >>> find_scheme([["O", "I-a", "B-a"]]), find_scheme([["NOUN", "VERB"]])
        ('IOB1', None)
    """
    names = {tag for sentence in tags for tag in sentence}
    split = {name: name.partition("-") for name in names - {"O"}}
    if not split or any(p not in _PREFIXES or not t for p, _, t in split.values()):
        return None
    if {_PREFIXES[prefix] for prefix, _, _ in split.values()} & {"E", "S"}:
        return "IOBES"
    parts = [[("O", ""), *map(_parts, sentence)] for sentence in tags]
    moves = [pair for sentence in parts for pair in pairwise(sentence)]
    if all(_iob2(*move) for move in moves):
        return "IOB2"
    return "IOB1" if all(_iob1(*move) for move in moves) else "IOB2"


def allowed_transitions(tags: Sequence[str], scheme: Scheme) -> np.ndarray:
    """Which tag may follow which in a scheme, with the edges of a sentence.

    Args:
        tags: The tags, in the order of their ids.
        scheme: The scheme; see `find_scheme`.

    Returns:
        ``(tags + 1, tags + 1)`` of bool, from row to column; the last row is the start
        of a sentence, the last column its end.

    Raises:
        ArgumentError: If there is no such scheme.
        DataError: If a tag does not belong to the scheme.

    Example:
        >>> allowed_transitions(["O", "B-a", "I-a"], "IOB2").astype(int)
        array([[1, 1, 0, 1],
               [1, 1, 1, 1],
               [1, 1, 1, 1],
               [1, 1, 0, 0]])
    """
    if scheme not in _RULES:
        raise ArgumentError(
            f"allowed_transitions: scheme must be one of {', '.join(_RULES)}, got "
            f"{scheme!r}."
        )
    parts = [*map(_parts, tags), ("O", "")]
    for tag, (prefix, _) in zip(tags, parts[:-1], strict=True):
        if prefix not in scheme:
            raise DataError(
                f"allowed_transitions: tags must be of the scheme {scheme}, got "
                f"{tag!r}. Choose another scheme, or mend the tag."
            )
    rule = _RULES[scheme]
    allowed = np.array([[rule(before, now) for now in parts] for before in parts])
    allowed[-1, -1] = False
    return allowed


def _iob1(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """B needs a span of its type right before."""
    return now[0] != "B" or (before[0] != "O" and before[1] == now[1])


def _iob2(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """I needs something to continue."""
    return now[0] != "I" or _continues(before, now)


def _iobes(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """After B and I the span goes on; I and E need something to continue."""
    if before[0] in "BI" or now[0] in "IE":
        return _continues(before, now)
    return True


_RULES = {"IOB1": _iob1, "IOB2": _iob2, "IOBES": _iobes}
