"""A network and n-grams of each class as one model of P(text | class)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurro.baselines import NGramModel, fit_weight, interpolate
from recurro.data import Corpus
from recurro.tasks.language_task import LossNetwork, Part, line_sums, token_losses

__all__ = ["ORDERS", "ClassMixture", "class_ngrams", "fit_mixture"]

ORDERS = {"char": 6, "byte": 6, "bpe": 4, "word": 5}
"""The longest n-gram that pays, by the kind of symbols."""


@dataclass(frozen=True, eq=False)
class ClassMixture:
    """Symbol by symbol, a mixture of a network and counts.

    P(symbol | before, class) = weight P_network + (1 - weight) P_ngrams of the class

    The network lets the classes learn from each other, which helps where there is
    little to count; the n-grams keep them apart.

    Attributes:
        network: Reads the class as a condition.
        ngrams: One model for each class.
        weight: The share of the network, in [0, 1].
    """

    network: LossNetwork
    ngrams: tuple[NGramModel, ...]
    weight: float

    def log_likelihoods(self, corpus: Corpus) -> np.ndarray:
        """Log P(line | class) of each line, its end included, ``(lines, classes)``."""
        mixed = [
            interpolate(
                _by_network(self.network, corpus, c),
                ngrams.log_probs(corpus.ids),
                self.weight,
            )
            for c, ngrams in enumerate(self.ngrams)
        ]
        return np.stack([line_sums(part, corpus) for part in mixed], axis=1)


def _by_network(network: LossNetwork, corpus: Corpus, label: int) -> np.ndarray:
    """Log P of each token by the network, all lines read as of one class."""
    labels = np.full(len(corpus.starts) - 1, label, np.int64)
    return -token_losses(network, Part(corpus, True, labels))


def class_ngrams(part: Part, kind: str, classes: int) -> tuple[NGramModel, ...]:
    """Kneser-Ney n-grams of each class of items.

    Args:
        part: The items with their labels.
        kind: The kind of symbols, which says how long n-grams pay.
        classes: How many classes there are.
    """
    corpus = part.corpus
    assert part.labels is not None
    models = []
    for c in range(classes):
        rows = np.flatnonzero(part.labels == c).tolist()
        ids = np.concatenate([corpus.ids[:1], *(corpus.line(row) for row in rows)])
        model = NGramModel(corpus.size, ORDERS[kind], boundary=corpus.eos_id)
        models.append(model.fit(ids))
    return tuple(models)


def fit_mixture(
    network: LossNetwork, ngrams: tuple[NGramModel, ...], valid: Part
) -> ClassMixture:
    """Mix with the weight that makes held-out items of known classes likeliest.

    Args:
        network: The trained network.
        ngrams: The n-grams of each class.
        valid: The items that were held out, with their labels.
    """
    corpus = valid.corpus
    assert valid.labels is not None
    of_token = np.repeat(valid.labels, np.diff(corpus.starts))
    by_ngrams = np.empty(len(of_token))
    for c in np.unique(valid.labels):
        of_class = of_token == c
        by_ngrams[of_class] = ngrams[c].log_probs(corpus.ids)[of_class]
    weight = fit_weight(-token_losses(network, valid), by_ngrams)
    return ClassMixture(network, ngrams, weight)
