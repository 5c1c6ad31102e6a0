"""Mixing two models."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.baselines import NGramModel, Unigram, fit_weight, interpolate
from recurro.errors import ArgumentError, DataError, ShapeError
from tests.datasets import dataset


def likelihood(a, b, weight):
    return interpolate(a, b, weight).mean()


def test_the_mixture_is_linear_in_probabilities():
    a, b = np.log([0.9, 0.2]), np.log([0.1, 0.6])
    np.testing.assert_allclose(np.exp(interpolate(a, b, 0.25)), [0.3, 0.5])
    np.testing.assert_array_equal(interpolate(a, b, 1), a)
    np.testing.assert_array_equal(interpolate(a, b, 0), b)


@pytest.mark.parametrize("seed", range(5))
def test_the_weight_is_the_best_there_is(seed):
    generator = np.random.default_rng(seed)
    a, b = np.log(generator.uniform(0.01, 1, (2, 200)))
    grid = np.linspace(0, 1, 2001)
    best = grid[np.argmax([likelihood(a, b, weight) for weight in grid])]
    assert fit_weight(a, b) == pytest.approx(best, abs=1e-3)
    assert fit_weight(b, a) == pytest.approx(1 - best, abs=1e-3)


def test_a_model_that_is_always_better_gets_all():
    a = np.log([0.5, 0.4, 0.9])
    assert fit_weight(a, a - 1) > 0.9999
    assert fit_weight(a - 1, a) < 0.0001
    assert fit_weight(a, a) == 0.5
    assert fit_weight(a, a - 2000) == pytest.approx(1)
    assert fit_weight(a - 2000, a) == pytest.approx(0)


def test_a_mixture_beats_both_of_its_models():
    text = np.frombuffer(
        dataset("tinyshakespeare/input.txt").read_bytes()[:60_000], np.uint8
    )
    train, held_out, test = np.split(text, [2_000, 30_000])
    models = Unigram(256).fit(train), NGramModel(256, 2).fit(train[:300])
    a, b = (model.log_probs(held_out) for model in models)
    weight = fit_weight(a, b)
    assert 0.05 < weight < 0.95
    a, b = (model.log_probs(test) for model in models)
    assert likelihood(a, b, weight) > max(a.mean(), b.mean())


def test_bad_input_is_named():
    a = np.log([0.5, 0.5])
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ArgumentError, match=r"weight must be in \[0, 1\]"):
            interpolate(a, a, weight)
    with pytest.raises(ShapeError, match="same tokens"):
        interpolate(a, a[:1], 0.5)
    with pytest.raises(ShapeError, match="same tokens"):
        fit_weight(a, a[:1])
    for wrong in (a[:0], np.array([-np.inf, 0]), np.array([np.nan, 0])):
        with pytest.raises(DataError, match="finite"):
            fit_weight(wrong, wrong)
