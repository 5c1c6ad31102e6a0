"""Hidden Markov models: a tagger of words by counts, suffixes and Viterbi."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import numpy as np

from recurro.baselines.tagger import Sentences, Tagger, count_tags
from recurro.errors import ArgumentError

__all__ = ["HMMTagger"]


class HMMTagger(Tagger):
    r"""A hidden Markov model whose states are tags, learnt by counting.

    argmax over t_1 ... t_T of the product of
    P(t_i | t_{i-1}, t_{i-2}) P(w_i | t_i), times P(end | t_T)

    Transitions are interpolated from the counts of one, two and three tags, with the
    weights of deleted interpolation (Brants, figure 1; each order has one vote from the
    start, so that no transition is impossible). A word's emission follows from
    its tags by Bayes' rule (Brants, equation 9; P(w) does not matter):

    P(w | t) ~ P(t | w) / P(t),  P(t | w) = (c(w, t) + m P(t | end of w)) / (c(w) + m)

    where m is the smoothing and P(t | end of w) is learnt from the endings of rare
    words, one letter more at a time: with l_n ... l_1 the last letters of w,

    P(t | l_n ... l_1) = (share of t + theta P(t | l_{n-1} ... l_1)) / (1 + theta)

    (equation 8), theta the standard deviation of the shares of the tags (equation 10).
    Words with a capital, with a digit and others have endings of their own. A word that
    was never seen has P(t | w) = P(t | end of w). Brants' model is ``order=3``,
    ``smoothing=0``.

    Args:
        order: How many tags a transition looks at: 2 or 3.
        smoothing: The weight m of a word's ending against its counts, at least 0. At 0
            a known word has the tags it was seen with and no others.
        suffix_length: The longest ending in letters, at least 0.
        rare: A word that came at most so often tells about endings, at least 1.

    Attributes:
        tags_: The tags, sorted.
        transmat_: log P(t | t_{i-2}, t_{i-1}), ``(tags + 1, tags + 1, tags + 1)``; the
            last index is the edge of a sentence.
        weights_: The weights of the counts of one, two and three tags.
        theta_: The weight theta of the shorter ending.

    Raises:
        ArgumentError: If an argument is out of its range.

    Example:
        >>> words = [["the", "cat", "sat"], ["the", "dog", "ran"], ["a", "bat"]]
        >>> tags = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
        >>> HMMTagger().fit(words, tags).predict([["a", "rat", "ran"]])
        [['DET', 'NOUN', 'VERB']]

    References:
        Brants (2000), TnT: a statistical part-of-speech tagger,
        doi:10.3115/974147.974178.
    """

    def __init__(
        self,
        order: int = 3,
        *,
        smoothing: float = 1.0,
        suffix_length: int = 10,
        rare: int = 10,
    ) -> None:
        for good, name, must, value in (
            (order in (2, 3), "order", "2 or 3", order),
            (0 <= smoothing < math.inf, "smoothing", "a number >= 0", smoothing),
            (suffix_length >= 0, "suffix_length", "an int >= 0", suffix_length),
            (rare >= 1, "rare", "an int >= 1", rare),
        ):
            if not good:
                raise ArgumentError(f"HMMTagger: {name} must be {must}, got {value}.")
        self.order, self.smoothing = order, smoothing
        self.suffix_length, self.rare = suffix_length, rare

    def _fit(self, words: Sentences, tags: list[np.ndarray]) -> None:
        size = len(self.tags_)
        self.weights_, self.transmat_ = _transitions(tags, size, self.order)
        self._counts = count_tags(words, tags, size)
        self._shares = np.bincount(np.concatenate(tags)) / sum(map(len, tags))
        self.theta_ = float(self._shares.std(ddof=1)) if size > 1 else 0.0
        self._endings: dict[tuple[str, str], np.ndarray] = {}
        for word, counts in self._counts.items():
            if counts.sum() <= self.rare:
                for ending in self._endings_of(word):
                    total = self._endings.setdefault(ending, np.zeros(size, np.int64))
                    total += counts

    def _endings_of(self, word: str) -> Iterator[tuple[str, str]]:
        """The class of a word with each of its endings, the shortest (none) first."""
        if any(letter.isdigit() for letter in word):
            kind = "digit"
        else:
            kind = "capital" if word[:1].isupper() else "other"
        for length in range(min(self.suffix_length, len(word)) + 1):
            yield kind, word[len(word) - length :]

    def tag_probs(self, word: str) -> np.ndarray:
        """P(t | w) of a word seen alone ``(tags,)``, in the order of ``tags_``."""
        self._fitted()
        counts = self._counts.get(word)
        if counts is not None and not self.smoothing:
            return counts / counts.sum()
        probs = self._shares
        for ending in self._endings_of(word):
            if (found := self._endings.get(ending)) is None:
                break
            share = found / found.sum()
            probs = (share + self.theta_ * probs) / (1 + self.theta_)
        if counts is None:
            return probs
        return (counts + self.smoothing * probs) / (counts.sum() + self.smoothing)

    def _predict(self, words: Sentences) -> list[np.ndarray]:
        emissions: dict[str, np.ndarray] = {}
        with np.errstate(divide="ignore"):
            for word in set(chain(*words)):
                emissions[word] = np.log(self.tag_probs(word) / self._shares)
        return [
            _viterbi(np.stack([emissions[word] for word in sentence]), self.transmat_)
            for sentence in words
        ]


def _transitions(
    tags: list[np.ndarray], size: int, order: int
) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the logs of the interpolated transitions."""
    edge = size
    padded = [np.concatenate([[edge, edge], ids, [edge]]) for ids in tags]
    triples = np.concatenate(
        [np.stack([ids[:-2], ids[1:-1], ids[2:]]) for ids in padded], axis=1
    )
    threes = np.zeros((size + 1,) * 3)
    np.add.at(threes, tuple(triples), 1)
    counts = [threes.sum((0, 1), keepdims=True), threes.sum(0, keepdims=True), threes]
    totals = [count.sum(2, keepdims=True) for count in counts]
    # Each triple votes for the order that tells it best when it is left out itself.
    left_out = _shares([c - 1 for c in counts], [t - 1 for t in totals])
    seen = threes > 0
    choice = left_out[:order].argmax(0)[seen]
    votes = 1 + np.bincount(choice, threes[seen], minlength=order)
    weights = np.pad(votes / votes.sum(), (0, 3 - order))
    return weights, np.log(np.tensordot(weights, _shares(counts, totals), 1))


def _shares(counts: list[np.ndarray], totals: list[np.ndarray]) -> np.ndarray:
    """The quotient, count / total, of each order, 0 where there is nothing to share."""
    shape = counts[-1].shape
    pairs = zip(counts, totals, strict=True)
    shares = [np.divide(c, t, out=np.zeros_like(c), where=t > 0) for c, t in pairs]
    return np.stack([np.broadcast_to(share, shape) for share in shares])


def _viterbi(emissions: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """The best tags of a sentence ``(time,)``; the states are pairs of tags."""
    size = emissions.shape[1]
    moves = np.ascontiguousarray(transitions[..., :size])
    delta = np.full((size + 1, size + 1), -np.inf)
    delta[size, size] = 0.0
    origins = []
    for emission in emissions:
        paths = delta[:, :, None] + moves  # tag before the last, last tag, new tag
        origins.append(paths.argmax(0))
        delta = np.full_like(delta, -np.inf)
        delta[:, :size] = paths.max(0) + emission
    before, last = np.divmod((delta + transitions[..., size]).argmax(), size + 1)
    tags = []
    for origin in reversed(origins):
        tags.append(last)
        before, last = origin[before, last], before
    return np.array(tags[::-1])
