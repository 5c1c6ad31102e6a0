"""Models to stand beside a network: n-grams, taggers, forecasts, music, scores.

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
from recurro.baselines.captions import NearestText
from recurro.baselines.forecast import Drift, Forecaster, Naive, SeasonalNaive, backtest
from recurro.baselines.hmm import Belief, HiddenMarkovModel
from recurro.baselines.hmm_learning import Monitor
from recurro.baselines.hmm_recursion import Forward
from recurro.baselines.hmm_tagger import HMMTagger
from recurro.baselines.mixture import fit_weight, interpolate
from recurro.baselines.music import IndependentKeys, MarkovKeys
from recurro.baselines.ngram import NGramModel
from recurro.baselines.scores import (
    coverage,
    crps_gaussian,
    crps_quantiles,
    crps_samples,
    hit_rate,
    mae,
    mase,
    mse,
)
from recurro.baselines.simple import Uniform, Unigram
from recurro.baselines.smoothing import ExponentialSmoothing, Holt, HoltWinters
from recurro.baselines.stepper import BaselineStepper
from recurro.baselines.streams import ThreeSigma
from recurro.baselines.tagger import MostFrequentTag, Tagger
from recurro.baselines.templates import JoinedTemplates, MostFrequentText
from recurro.baselines.translation import TranslationMemory
from recurro.baselines.volatility import (
    ConstantVolatility,
    Ewma,
    Garch,
    VolatilityModel,
)

__all__ = [
    "Baseline",
    "BaselineStepper",
    "Belief",
    "ConstantVolatility",
    "Drift",
    "Ewma",
    "ExponentialSmoothing",
    "Forecaster",
    "Forward",
    "Garch",
    "HMMTagger",
    "HiddenMarkovModel",
    "Holt",
    "HoltWinters",
    "IndependentKeys",
    "JoinedTemplates",
    "MarkovKeys",
    "Monitor",
    "MostFrequentTag",
    "MostFrequentText",
    "NGramModel",
    "Naive",
    "NearestText",
    "SeasonalNaive",
    "Tagger",
    "ThreeSigma",
    "TranslationMemory",
    "Uniform",
    "Unigram",
    "VolatilityModel",
    "backtest",
    "coverage",
    "crps_gaussian",
    "crps_quantiles",
    "crps_samples",
    "figures",
    "fit_weight",
    "hit_rate",
    "interpolate",
    "mae",
    "mase",
    "mse",
    "read_arpa",
    "write_arpa",
]
