"""Tags of words: parts of speech, and names that were never seen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recurro.baselines import HMMTagger, MostFrequentTag
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import read_tagged
from recurro.tasks import SequenceTagger
from recurro.tasks.tagger import tag_figures

__all__ = ["CASES"]


def _found(
    folder: Path, seed: int, files: tuple[str, str], settings: Mapping[str, Any]
) -> Found:
    """Train on one file, the best epoch chosen on a part of it; score the other."""
    train, test = (read_tagged(folder / name, "2") for name in files)
    model = SequenceTagger(**settings, seed=seed).fit(train.words, train.tags)
    figures = model.evaluate(test.words, test.tags)
    baselines = {}
    for name, counted in (
        ("most frequent tag", MostFrequentTag()),
        ("hidden Markov", HMMTagger()),
    ):
        told = counted.fit(train.words, train.tags).predict(test.words)
        baselines[name] = tag_figures(test.tags, told, spans="span_f1" in figures)
    return Found(figures, baselines)


SPEECH = {"epochs": 8, "dropout": 0.33, "held_out": 0.05}
NAMES = {
    "head": "crf",
    "word_dropout": 1.0,
    "dropout": 0.5,
    "batch_size": 16,
    "learning_rate": 0.003,
}

CASES = (
    Case(
        "tag",
        "ud-english-ewt",
        (Goal("accuracy", 0.94),),
        partial(_found, files=("train.tsv", "dev.tsv"), settings=SPEECH),
    ),
    Case(
        "tag",
        "wnut17",
        (Goal("span_f1", beats="hidden Markov"),),
        partial(
            _found, files=("wnut17train.conll", "emerging.dev.conll"), settings=NAMES
        ),
    ),
)
"""What is measured of taggers."""
