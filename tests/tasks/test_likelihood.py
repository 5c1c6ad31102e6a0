"""The running likelihood against its definition, written with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recurro.errors import ArgumentError
from recurro.tasks.likelihood import RunningLikelihood


def by_definition(learnt, errors, short, memory):
    def averages(values):
        return [
            np.mean(values[max(0, i + 1 - short) : i + 1]) for i in range(len(values))
        ]

    past, found = averages(learnt), []
    for average in averages(errors):
        recent = np.array(past[-memory:])
        tail = stats.norm.logsf(average, recent.mean(), recent.std()) / np.log(10)
        found.append(tail if len(found) >= short - 1 else 0.0)
        past.append(average)
    return found


@pytest.mark.parametrize(("short", "memory"), [(1, 50), (10, 8000), (4, 7)])
def test_scores_are_those_of_the_definition(short, memory):
    draw = np.random.default_rng(0)
    learnt, errors = draw.exponential(size=60), draw.exponential(size=300)
    errors[200:210] += 5
    rule = RunningLikelihood(short, memory)
    rule.learn(learnt)
    found = [rule.step(error) for error in errors]
    wanted = by_definition(learnt, errors, short, memory)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_errors_that_rise_are_found_and_then_grow_usual():
    errors = abs(np.random.default_rng(0).normal(size=2000))
    errors[1000:] += 3
    rule = RunningLikelihood()
    scores = np.array([rule.step(error) for error in errors])
    assert scores[100:1000].min() > -5
    assert scores[1000:1010].min() < -5
    assert scores[1700:].min() > -5


def test_nothing_is_unlikely_before_anything_is_known():
    rule = RunningLikelihood(short=3)
    assert [rule.step(error) for error in (1.0, 1e6, -7.0, 0.0)] == [0.0] * 4
    assert rule.step(1e9) < 0


def test_the_same_error_again_is_usual():
    rule = RunningLikelihood()
    scores = [rule.step(2.0) for _ in range(100)]
    assert scores[11:] == pytest.approx([np.log10(0.5)] * 89)


@pytest.mark.parametrize("arguments", [(0, 10), (5, 1)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ArgumentError, match="short must be an int >= 1"):
        RunningLikelihood(*arguments)
