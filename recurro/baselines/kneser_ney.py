"""Interpolated modified Kneser–Ney: from the n-grams of a text to probabilities.

With V symbols, a context h of n - 1 tokens, and h' the same without its first token:

    p_n(w | h) = (a(h w) - D_n(a(h w))) / sum_v a(h v) + gamma(h) p_{n-1}(w | h')
    gamma(h)   = sum_v D_n(a(h v)) / sum_v a(h v)
    p_0(w)     = 1 / V

where a is the adjusted count and D_n the discount of order n. An n-gram is numbered by
its place among all of its order; it is found by the *key* ``(number of its context) * V
+ (its last token)``, so that all work is sorting and searching rows of integers.

References:
    Chen and Goodman (1999), doi:10.1006/csla.1999.0128, equations 20, 21 and 26.
    Heafield et al. (2013), Scalable modified Kneser-Ney language model estimation,
    ACL, section 3; with all orders interpolated, no pruning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["FALLBACK", "Order", "kneser_ney"]

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts for counts of 1, 2 and more where the text is too small to tell them."""


@dataclass(frozen=True)
class Order:
    """The estimate for the n-grams of one order.

    Attributes:
        keys: Their keys ``(ngrams,)``, sorted.
        probs: p_n(w | h) of each ``(ngrams,)``.
        gammas: gamma(h) of each (n-1)-gram h, 1 where nothing ever followed it.
        discounts: D_n for adjusted counts of 1, 2, and 3 or more.
        fallback: Whether these are `FALLBACK`.
    """

    keys: np.ndarray
    probs: np.ndarray
    gammas: np.ndarray
    discounts: tuple[float, float, float]
    fallback: bool


@dataclass(frozen=True)
class NGrams:
    """The n-grams of one order in a text.

    Attributes:
        keys: The different ones ``(ngrams,)``, sorted.
        numbers: Which of them ends at each token ``(time,)``; -1 where none does.
        ends: A token at which each of them ends ``(ngrams,)``; not kept for n = 1.
    """

    keys: np.ndarray
    numbers: np.ndarray
    ends: np.ndarray


def kneser_ney(
    tokens: np.ndarray, size: int, order: int, boundary: int | None
) -> Iterator[Order]:
    """Estimate the orders 1, 2, ..., one after the other.

    Args:
        tokens: The ids of the text ``(time,)``, int64; the first is only a context.
        size: The number V of symbols.
        order: The longest n.
        boundary: The id that ends a sentence and starts the next; no n-gram reaches
            over it. ``None`` for running text.

    Example:
        >>> first, second = kneser_ney(np.array([0, 1, 0, 1, 1]), 2, 2, None)
        >>> second.keys  # 0 0 never came
        array([1, 2, 3])
    """
    shorter, suffixes = np.array([1 / size]), np.zeros(size, np.int64)
    for ngrams, longer in pairwise(_ngrams(tokens, size, order, boundary)):
        next_suffixes = ngrams.numbers[longer.ends]
        counts = _adjusted_counts(ngrams, longer, next_suffixes)
        discounts, fallback = _discounts(counts)
        discount = np.array([0.0, *discounts])[np.minimum(counts, 3)]
        contexts = ngrams.keys // size
        totals = np.bincount(contexts, counts, len(shorter))
        gammas = np.bincount(contexts, discount, len(shorter))
        gammas = np.divide(gammas, totals, out=np.ones(len(totals)), where=totals > 0)
        probs = (counts - discount) / totals[contexts]
        probs += gammas[contexts] * shorter[suffixes]
        yield Order(ngrams.keys, probs, gammas, discounts, fallback)
        shorter, suffixes = probs, next_suffixes


def _ngrams(
    tokens: np.ndarray, size: int, order: int, boundary: int | None
) -> Iterator[NGrams]:
    """The n-grams for n = 1 to ``order``, and none for the n after that."""
    nowhere, none = np.full(len(tokens), -1), np.zeros(0, np.int64)
    numbers = tokens.copy()
    numbers[0] = -1
    yield NGrams(np.arange(size), numbers, none)
    contexts = tokens
    for _ in range(1, order):
        ends = np.flatnonzero(contexts[:-1] >= 0) + 1
        keys = contexts[ends - 1] * size + tokens[ends]
        different, places, firsts = _distinct(keys)
        numbers = nowhere.copy()
        numbers[ends] = places
        yield NGrams(different, numbers, ends[firsts])
        contexts = numbers if boundary is None else numbers.copy()
        contexts[tokens == boundary] = -1
    yield NGrams(none, nowhere, none)


def _distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different keys, sorted; the place of each key among them; one index each."""
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    places = np.empty(len(keys), np.int64)
    places[order] = np.cumsum(new) - 1
    return ordered[new], places, order[new]


def _adjusted_counts(
    ngrams: NGrams, longer: NGrams, suffixes: np.ndarray
) -> np.ndarray:
    """The adjusted count of each n-gram: how many different tokens stand before it.

    Where nothing stands before it (at the start of a sentence or of the text, or
    because there is no longer order), each time counts.
    """
    alone = (ngrams.numbers >= 0) & (longer.numbers < 0)
    extended = np.concatenate([suffixes, ngrams.numbers[alone]])
    return np.bincount(extended, minlength=len(ngrams.keys))


def _discounts(counts: np.ndarray) -> tuple[tuple[float, float, float], bool]:
    """The discounts for counts of 1, 2 and more, and whether they are `FALLBACK`.

    D(k) = k - (k + 1) Y n_{k+1} / n_k,  Y = n_1 / (n_1 + 2 n_2)

    with n_k the number of n-grams whose adjusted count is k (equation 26). As in KenLM,
    an order falls back if n_1, n_2 or n_3 is zero or a discount is negative; here also
    if one is zero, as words that were not seen would then get probability 0.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=5).tolist()
    if 0 in n[1:4]:
        return FALLBACK, True
    y = n[1] / (n[1] + 2 * n[2])
    one, two, more = (k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
    if min(one, two, more) <= 0:
        return FALLBACK, True
    return (one, two, more), False
