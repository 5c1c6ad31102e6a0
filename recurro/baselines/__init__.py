"""Models that learn by counting, to stand beside a network: n-grams, taggers, others.

Example:
    >>> from recurro.baselines import NGramModel
    >>> text = [0, 1, 2, 0, 1, 3, 0, 1, 2]
    >>> model = NGramModel(size=4, order=3).fit(text)
    >>> model.next_log_probs(model.advance(model.start(1), [0])).argmax()
    np.int64(1)
"""

from __future__ import annotations

from recurro.baselines.arpa import read_arpa, write_arpa
from recurro.baselines.baseline import Baseline, figures
from recurro.baselines.hmm import HMMTagger
from recurro.baselines.mixture import fit_weight, interpolate
from recurro.baselines.ngram import NGramModel
from recurro.baselines.simple import Uniform, Unigram
from recurro.baselines.stepper import BaselineStepper
from recurro.baselines.tagger import MostFrequentTag, Tagger

__all__ = [
    "Baseline",
    "BaselineStepper",
    "HMMTagger",
    "MostFrequentTag",
    "NGramModel",
    "Tagger",
    "Uniform",
    "Unigram",
    "figures",
    "fit_weight",
    "interpolate",
    "read_arpa",
    "write_arpa",
]
