"""Interpolated modified Kneser–Ney by dictionaries, letter by letter from the papers.

Sentences stand between ``<s>`` and ``</s>``, two symbols; slow and small.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

START, END, NOTHING = "<s>", "</s>", "nothing"


class KneserNey:
    """The model of some sentences, lists of ids from 0 to size - 1.

    Args:
        sentences: For a model with a boundary; ``END`` counts as one of the ``size``
            symbols. Or the one running text, whose first id is read only.
        bounded: Which of the two.
    """

    def __init__(self, sentences, size, order, bounded):
        self.size, self.order = size, order
        grams = [Counter() for _ in range(order + 1)]
        before = defaultdict(set)
        for sentence in sentences:
            text = [START, *sentence, END] if bounded else list(sentence)
            for end in range(1, len(text)):
                for start in range(max(end - order + 1, 0), end + 1):
                    gram = tuple(text[start : end + 1])
                    grams[len(gram)][gram] += 1
                    before[gram].add(text[start - 1] if start else NOTHING)
        self.adjusted = [
            {
                gram: count if n == order or gram[0] == START else len(before[gram])
                for gram, count in grams[n].items()
            }
            for n in range(order + 1)
        ]
        self.fallback = []
        self.discount = [None, *(self._discounts(n) for n in range(1, order + 1))]
        self.followers = defaultdict(list)
        for n in range(1, order + 1):
            for gram in self.adjusted[n]:
                self.followers[gram[:-1]].append(gram)
        self.prob = cache(self._prob)

    def _discounts(self, n):
        n_1, n_2, n_3, n_4 = (
            sum(a == k for a in self.adjusted[n].values()) for k in (1, 2, 3, 4)
        )
        if n_1 and n_2 and n_3:
            y = n_1 / (n_1 + 2 * n_2)
            found = 1 - 2 * y * n_2 / n_1, 2 - 3 * y * n_3 / n_2, 3 - 4 * y * n_4 / n_3
            if all(d > 0 for d in found):
                return (0, *found)
        self.fallback.append(n)
        return (0, 0.5, 1, 1.5)

    def _prob(self, word, context):
        """P(word | context), the context a tuple of at most order - 1 symbols."""
        lower = self.prob(word, context[1:]) if context else 1 / self.size
        if context not in self.followers:
            return lower
        n = len(context) + 1
        a, d = self.adjusted[n], self.discount[n]
        total = sum(a[gram] for gram in self.followers[context])
        gamma = sum(d[min(a[gram], 3)] for gram in self.followers[context]) / total
        count = a.get((*context, word), 0)
        return (count - d[min(count, 3)]) / total + gamma * lower

    def at(self, text, end):
        """P(text[end] | text[:end]), the text with its ``START`` if it has one."""
        start = max(end - self.order + 1, 0)
        return self.prob(text[end], tuple(text[start:end]))
