"""The baselines of a language model, scored beside it on the same held-out part."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from recurro.nn.language import LanguageNetwork
from recurro.tasks.language_task import Part, figures, log_likelihoods, total_loss
from recurro.tasks.network import Network
from recurro.train import RunFolder

__all__ = ["Comparison", "compare", "read_comparison"]

Comparison: TypeAlias = list[dict[str, str | float]]
"""One row per model: its ``name`` and its figures, the network last."""


def compare(network: LanguageNetwork, train: Part, valid: Part) -> Comparison:
    """Train the baselines and score all models on the held-out part."""
    loss, tokens = total_loss(network, valid)
    return [{"name": "network", **figures(loss, tokens, valid.corpus.characters)}]


def compare_classes(
    network: Network, train: Part, valid: Part, log_prior: np.ndarray
) -> Comparison:
    """Train the baselines and score how well each names the class of held-out items."""
    scores = log_likelihoods(network, valid.corpus, len(log_prior)) + log_prior
    assert valid.labels is not None
    accuracy = float((scores.argmax(1) == valid.labels).mean())
    return [{"name": "network", "accuracy": accuracy}]


def read_comparison(run: RunFolder) -> Comparison:
    """The rows that a finished run has; none of one that was stopped before."""
    if not (run.path / "baselines.json").exists():
        return []
    return run.read_json("baselines.json")
