"""The baselines without context."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recurro.baselines import BaselineStepper, Uniform, Unigram, figures
from recurro.errors import ArgumentError, DataError, VocabularyError


def test_uniform_has_the_perplexity_of_its_vocabulary():
    model = Uniform(7).fit([0, 1])
    np.testing.assert_allclose(model.log_probs([3, 4, 6]), [-math.log(7)] * 2)
    assert model.evaluate([1, 2, 3])["perplexity"] == pytest.approx(7)


def test_unigram_counts_all_but_the_first():
    model = Unigram(3, pseudo_count=0.5).fit([2, 0, 0, 1])
    wanted = np.array([2.5, 1.5, 0.5]) / 4.5
    np.testing.assert_allclose(np.exp(model.log_probs([0, 0, 1, 2])), wanted)


def test_unigram_is_best_at_its_own_text():
    text = np.random.default_rng(0).geometric(0.4, 4000).clip(max=9)
    entropy = -sum(p * math.log(p) for p in np.bincount(text[1:])[1:] / 3999)
    assert -Unigram(10, pseudo_count=1e-9).fit(text).score(text) == pytest.approx(
        entropy
    )
    assert -Unigram(10).fit(text).score(text) == pytest.approx(entropy, rel=1e-3)


@pytest.mark.parametrize("kind", [Uniform, Unigram])
def test_the_stepper_gives_the_same_for_every_text(kind):
    model = kind(4).fit([0, 1, 1, 2])
    stepper = BaselineStepper(model)
    state = stepper.select(stepper.init(3), torch.tensor([0, 2]))
    state, log_probs = stepper.step(state, torch.tensor([1, 3]))
    assert log_probs.shape == (2, 4)
    wanted = [model.log_probs([0, word])[0] for word in range(4)]
    for row in log_probs:
        np.testing.assert_allclose(row, wanted, rtol=1e-6)


def test_bad_input_is_named():
    for kind in (Uniform, Unigram):
        with pytest.raises(ArgumentError, match="must be fitted"):
            kind(3).log_probs([0, 1])
        with pytest.raises(DataError, match="at least 2 ids, got 1"):
            kind(3).fit([0])
        with pytest.raises(VocabularyError, match="from 0 to 2"):
            kind(3).fit([0, 3])
        with pytest.raises(VocabularyError, match="from 0 to 2"):
            kind(3).fit([0, 1]).log_probs([0, 3])
    for count in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ArgumentError, match="pseudo_count must be"):
            Unigram(3, pseudo_count=count)


def test_figures_with_and_without_the_unknown():
    log_probs, targets = np.log([0.25, 0.5, 0.5]), np.array([0, 3, 4])
    assert figures(log_probs, targets) == {
        "perplexity": pytest.approx(16 ** (1 / 3)),
        "perplexity_known": pytest.approx(16 ** (1 / 3)),
        "oov": 0,
        "tokens": 3,
    }
    found = figures(log_probs, targets, unk_id=0)
    assert (found["perplexity_known"], found["oov"]) == (pytest.approx(2), 1)
    none = figures(log_probs[:1], targets[:1], unk_id=0)
    assert none["perplexity"] == pytest.approx(4)
    assert math.isnan(none["perplexity_known"])
    with pytest.raises(DataError, match="at least two tokens"):
        figures(log_probs[:0], targets[:0])
