"""The baselines of a language model, scored beside it on the same held-out part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy.special import log_softmax

from recurro.baselines.mixture import fit_weight, interpolate
from recurro.baselines.ngram import NGramModel
from recurro.baselines.simple import Uniform, Unigram
from recurro.baselines.stepper import BaselineStepper
from recurro.data import Corpus, Tokenizer
from recurro.errors import RunError
from recurro.nn.language import LanguageNetwork
from recurro.tasks.class_mixture import ORDERS, ClassMixture
from recurro.tasks.language_task import (
    LossNetwork,
    Part,
    figures,
    line_sums,
    log_likelihoods,
    token_losses,
)
from recurro.tasks.lines import written_figures
from recurro.tasks.network import stepper
from recurro.tasks.speak import Manner, Voice
from recurro.train import RunFolder

__all__ = [
    "Comparison",
    "class_figures",
    "compare",
    "compare_classes",
    "mixture",
    "read_comparison",
]

Comparison: TypeAlias = list[dict[str, Any]]
"""One row per model: its ``name`` and its figures, the network last."""

MOST = 5_000_000
"""Tokens at most that a counting model learns from: those nearest to the held-out."""

LINES = 1000
"""Lines at most that a model writes for the table; fewer of a large vocabulary."""

TABLE = ("validity", "uniqueness", "novelty")
"""What the table tells of them."""


def compare(
    network: LanguageNetwork,
    tokenizer: Tokenizer,
    train: Part,
    valid: Part,
    grammar: str | None = None,
) -> Comparison:
    """Train the baselines and score all models on the held-out part.

    Uniform; the unigram; interpolated modified Kneser-Ney n-grams; the network; and a
    mixture of the last two, whose weight for each half of the part is the one that
    suits the other half. Of lines, n-grams and network write some, too.

    Args:
        network: The trained network.
        tokenizer: Its vocabulary.
        train: What it learnt from.
        valid: What it was chosen on.
        grammar: What valid lines follow, or ``None``; see ``line_figures``.
    """
    corpus = valid.corpus
    order = ORDERS[tokenizer.kind]
    ngram, name = _ngram(train.corpus, order)
    counted = ngram.log_probs(corpus.ids)
    learnt = -token_losses(network, valid)
    seen, size = train.corpus.ids[-MOST:], corpus.size
    rows = {
        "uniform": Uniform(size).fit(seen).log_probs(corpus.ids),
        "unigram": Unigram(size).fit(seen).log_probs(corpus.ids),
        name: counted,
        f"network + {order}-gram": mixture(learnt, counted),
        "network": learnt,
    }
    told = {
        name: figures(-log_probs.sum(), corpus.targets, corpus.characters)
        for name, log_probs in rows.items()
    }
    if train.lines:
        writers = {name: BaselineStepper(ngram), "network": stepper(network)}
        device = next(network.parameters()).device
        for name, writer in writers.items():
            voice = Voice(writer, tokenizer, device)
            told[name] |= _written(voice, train.corpus, grammar)
    return [{"name": name, **row} for name, row in told.items()]


def _written(voice: Voice, seen: Corpus, grammar: str | None) -> dict[str, float]:
    """The figures of lines that a model writes, those of the table."""
    number = max(1, min(LINES, MOST // 10 // voice.tokenizer.size))
    found = written_figures(voice, seen, grammar, number, Manner(seed=0))
    return {key: found[key] for key in TABLE if key in found}


def _ngram(corpus: Corpus, order: int) -> tuple[NGramModel, str]:
    """An n-gram model of a corpus, and its name."""
    ids, name = corpus.ids, f"{order}-gram, Kneser-Ney"
    if len(ids) > MOST:
        ids, name = ids[-MOST:], f"{name}, last {MOST:,} tokens"
    return NGramModel(corpus.size, order, boundary=corpus.eos_id).fit(ids), name


def mixture(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log-probabilities of a mixture of two models, its weight from the other half.

    Args:
        first: Log P of each token by one model ``(tokens,)``.
        second: The same by the other.
    """
    half = len(first) // 2
    parts = [slice(None, half), slice(half, None)]
    mixed = np.empty_like(first)
    for scored, seen in (parts, parts[::-1]):
        known = len(first[seen]) > 0  # none where there is a single token
        weight = fit_weight(first[seen], second[seen]) if known else 0.5
        mixed[scored] = interpolate(first[scored], second[scored], weight)
    return mixed


def compare_classes(
    network: LossNetwork,
    ngrams: Sequence[NGramModel],
    valid: Part,
    log_prior: np.ndarray,
    mixture: ClassMixture | None = None,
) -> Comparison:
    """Score how well each model names the class of held-out items.

    The largest class for all; n-grams of each class; the network; both as one.

    Args:
        network: The trained network.
        ngrams: The n-grams of each class.
        valid: What choices were made on.
        log_prior: Log P(class), ``(classes,)``.
        mixture: The network mixed with the n-grams, where that is the model.
    """
    corpus = valid.corpus
    counted = [line_sums(model.log_probs(corpus.ids), corpus) for model in ngrams]
    order = ngrams[0].order
    joint = {
        "largest class": np.zeros((len(corpus.starts) - 1, 1)),
        f"{order}-gram of each class": np.stack(counted, axis=1),
        "network": log_likelihoods(network, corpus, len(log_prior)),
    }
    if mixture is not None:
        joint[f"network + {order}-gram"] = mixture.log_likelihoods(corpus)
    assert valid.labels is not None
    return [
        {"name": name, **class_figures(likelihood + log_prior, valid.labels)}
        for name, likelihood in joint.items()
    ]


def class_figures(joint: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How well classes are named.

    Args:
        joint: Log P(text, class) up to a term per text, ``(texts, classes)``.
        labels: The true classes ``(texts,)``.

    Returns:
        Accuracy, the mean over the classes of F1, and the mean of -log P(class | text).
    """
    from sklearn.metrics import f1_score

    named = joint.argmax(1)
    chances = log_softmax(joint, axis=1)
    return {
        "accuracy": float((named == labels).mean()),
        "macro_f1": float(f1_score(labels, named, average="macro")),
        "log_loss": float(-chances[np.arange(len(labels)), labels].mean()),
    }


def read_comparison(run: RunFolder, name: str = "baselines.json") -> Comparison:
    """The rows of a finished run; none of one that was stopped before.

    Args:
        run: The folder.
        name: The file that holds them.

    Raises:
        RunError: If the file is damaged.
    """
    if not (run.path / name).exists():
        return []
    rows = run.read_json(name)
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise RunError(
            f"{run.path / name}: must be a list of rows, got something "
            "else. Delete it; it is not needed to use the model."
        )
    return rows
