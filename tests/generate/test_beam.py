"""Beam search against the enumeration of every sequence."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.generate import beam_search, sample
from tests.generate.steppers import Markov, random_markov


def every_sequence(model, size, prompt, length, stop, power):
    """(score, log P, ids, stopped) of all outcomes, the best first."""
    outcomes = []
    for count in range(1, length + 1):
        for ids in itertools.product(range(size), repeat=count):
            ends = ids[-1] == stop
            if stop in ids[:-1] or (count < length and not ends):
                continue
            log_prob = model.log_prob(prompt, ids)
            kept = ids[:-1] if ends else ids
            outcomes.append((log_prob / count**power, log_prob, kept, ends))
    return sorted(outcomes, key=lambda outcome: -outcome[0])


@given(
    size=st.integers(2, 3),
    length=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    stop=st.none() | st.integers(0, 1),
    power=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
@settings(deadline=None, max_examples=80)
def test_wide_beam_finds_all_in_order(size, length, seed, stop, power):
    model = random_markov(size, seed)
    prompts = torch.tensor([[0, 1], [1, 1]])
    found = beam_search(
        model,
        prompts,
        length,
        beam_size=size**length,
        stop=stop,
        length_power=power,
    )
    for column, results in enumerate(found):
        prompt = prompts[:, column].tolist()
        expected = every_sequence(model, size, prompt, length, stop, power)
        assert len(results) == min(len(expected), size**length)
        scores = [score for score, *_ in expected][: len(results)]
        assert [ours.score for ours in results] == pytest.approx(scores, rel=1e-9)
        log_probs = {(ids, ends): log_prob for _, log_prob, ids, ends in expected}
        for ours in results:  # equal scores may come in any order
            log_prob = log_probs.pop((ours.ids, ours.stopped))
            assert ours.log_prob == pytest.approx(log_prob, rel=1e-9)


@given(seed=st.integers(0, 10**6), stop=st.none() | st.just(0))
@settings(deadline=None, max_examples=40)
def test_beam_as_wide_as_the_unfinished_is_exact(seed, stop):
    model, size, length = random_markov(3, seed), 3, 4
    width = (size - (stop is not None)) ** (length - 1)
    (results,) = beam_search(
        model, torch.tensor([[2]]), length, beam_size=width, stop=stop
    )
    best = every_sequence(model, size, [2], length, stop, 0)[0]
    assert results[0].ids == best[2]
    assert results[0].log_prob == pytest.approx(best[1])


@given(
    seed=st.integers(0, 10**6),
    beam_size=st.integers(1, 7),
    stop=st.none() | st.integers(0, 3),
    power=st.sampled_from([0.0, 1.0]),
)
@settings(deadline=None, max_examples=60)
def test_any_beam_gives_true_sorted_different_results(seed, beam_size, stop, power):
    model = random_markov(4, seed)
    (results,) = beam_search(
        model,
        torch.tensor([[3]]),
        6,
        beam_size=beam_size,
        stop=stop,
        length_power=power,
    )
    assert 1 <= len(results) <= beam_size
    assert len({(found.ids, found.stopped) for found in results}) == len(results)
    scores = [found.score for found in results]
    assert scores == sorted(scores, reverse=True)
    for found in results:
        ids = (*found.ids, stop) if found.stopped else found.ids
        assert stop not in found.ids
        assert len(ids) == 6 or (found.stopped and len(ids) < 6)
        assert found.log_prob == pytest.approx(model.log_prob([3], ids))
        assert found.score == pytest.approx(found.log_prob / len(ids) ** power)


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_beam_of_one_is_greedy(seed):
    model = random_markov(5, seed)
    (results,) = beam_search(model, torch.tensor([[1]]), 8, beam_size=1)
    assert results[0].ids == tuple(sample(model, [1], 8, temperature=0))


def test_prompts_are_searched_apart():
    model = random_markov(5)
    prompts = torch.tensor([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    together = beam_search(model, prompts, 5, beam_size=3, stop=2)
    apart = [
        beam_search(model, prompts[:, [column]], 5, beam_size=3, stop=2)[0]
        for column in range(5)
    ]
    assert together == apart


def test_beam_finds_what_greed_misses():
    # From 0, the likelier first id leads to a wide choice, the other to a sure one.
    table = torch.full((3, 3, 3), 1 / 3).double()
    table[:, 0] = torch.tensor([0.0, 0.6, 0.4])
    table[:, 2] = torch.tensor([1.0, 0.0, 0.0])
    (greedy,) = beam_search(Markov(table), torch.tensor([[0]]), 2, beam_size=1)
    (wide,) = beam_search(Markov(table), torch.tensor([[0]]), 2, beam_size=2)
    assert greedy[0].ids[0] == 1
    assert wide[0].ids == (2, 0)
    assert wide[0].log_prob == pytest.approx(torch.tensor(0.4).log().item())


def test_length_power_prefers_the_longer():
    # Stop (2) now with 0.5, or go on with 0.5 and then surely stop at the third id.
    table = torch.zeros(3, 3, 3).double()
    table[0, 0] = torch.tensor([0.0, 0.5, 0.5])
    table[0, 1] = torch.tensor([0.0, 0.9, 0.1])
    table[1, 1] = torch.tensor([0.0, 0.1, 0.9])
    table[:, 2] = 1 / 3
    prompts = torch.tensor([[0]])
    (short,) = beam_search(Markov(table), prompts, 3, stop=2)
    (long,) = beam_search(Markov(table), prompts, 3, stop=2, length_power=1)
    assert short[0].ids == ()
    assert long[0].ids == (1, 1)


class Counting(Markov):
    steps = 0

    def step(self, state, tokens):
        Counting.steps += 1
        assert not torch.is_grad_enabled()
        return super().step(state, tokens)


def test_search_ends_when_nothing_better_can_come():
    table = torch.zeros(2, 2, 2).double()
    table[..., 1], table[..., 0] = 0.9, 0.1
    Counting.steps = 0
    (found,) = beam_search(
        Counting(table), torch.tensor([[0]]), 500, beam_size=2, stop=1
    )
    assert Counting.steps <= 3
    assert [one.ids for one in found] == [(), (0,)]


def test_impossible_sequences_are_left_out():
    table = torch.zeros(3, 3, 3).double()
    table[..., 1] = 1
    (found,) = beam_search(Markov(table), torch.tensor([[0]]), 3, beam_size=9)
    assert [one.ids for one in found] == [(1, 1, 1)]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"beam_size": 0}, ArgumentError, "beam_size must be an int >= 1, got 0"),
        ({"beam_size": 2.5}, ArgumentError, "beam_size must be .*got 2.5"),
        ({"length": 0}, ArgumentError, "length must be an int >= 1, got 0"),
        ({"length_power": -1}, ArgumentError, "length_power must be .*got -1"),
        ({"prompts": torch.zeros(0, 2).long()}, ArgumentError, "at least one id"),
        (
            {"prompts": torch.zeros(2).long()},
            ShapeError,
            r"\(time, batch\), got \(2,\)",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments(changes, error, message):
    arguments = {"prompts": torch.zeros(1, 1).long(), "length": 2} | changes
    with pytest.raises(error, match=f"^beam_search: .*{message}"):
        beam_search(random_markov(2), **arguments)


def test_a_diverged_model_is_named():
    broken = Markov(torch.full((2, 2, 2), float("nan")))
    with pytest.raises(DivergenceError, match="got NaN"):
        beam_search(broken, torch.tensor([[0]]), 2)


class Looking:
    """A Markov model that looks at one of two places, by the id it reads."""

    def __init__(self, model: Markov) -> None:
        self.model = model

    def init(self, batch_size):
        return self.model.init(batch_size), torch.zeros(batch_size, 2)

    def step(self, state, tokens):
        inner, log_probs = self.model.step(state[0], tokens)
        looks = torch.stack([0.4 + 0.2 * tokens, 0.6 - 0.2 * tokens], 1)
        return (inner, state[1] + looks), log_probs

    def select(self, state, rows):
        return self.model.select(state[0], rows), state[1][rows]

    def covered(self, state):
        return state[1].clamp(max=1).log().sum(1)


@pytest.mark.parametrize("seed", range(5))
def test_offset_and_coverage_are_those_of_wu(seed):
    model, length, alpha, beta = random_markov(3, seed), 4, 0.7, 0.9
    expected = []
    for _, log_prob, ids, ends in every_sequence(model, 3, [2], length, 0, 0.0):
        whole = (*ids, 0) if ends else ids
        looks = [0.0, 0.0]
        for read in (2, *whole[:-1]):
            looks[0] += 0.4 + 0.2 * read
            looks[1] += 0.6 - 0.2 * read
        lp = (5 + len(whole)) ** alpha / (5 + 1) ** alpha
        cp = beta * sum(math.log(min(look, 1.0)) for look in looks)
        expected.append((log_prob / lp + cp, ids))
    expected.sort(reverse=True)
    (found,) = beam_search(
        Looking(model),
        torch.tensor([[2]]),
        length,
        beam_size=81,
        stop=0,
        length_power=alpha,
        length_offset=5.0,
        coverage=beta,
    )
    scores = [score for score, _ in expected]
    assert [f.score for f in found] == pytest.approx(scores, rel=1e-5)
    assert found[0].ids == expected[0][1]


def test_early_stops_before_the_length():
    steps = []

    class Counting(Markov):
        def step(self, state, tokens):
            steps.append(len(tokens))
            return super().step(state, tokens)

    # the stop is likely after each id, so that what is long is unlikely
    table = torch.tensor([0.6, 0.3, 0.1]).expand(3, 3, 3)
    counts = []
    for early in (True, False):
        steps.clear()
        (found,) = beam_search(
            Counting(table),
            torch.tensor([[1]]),
            60,
            beam_size=3,
            stop=0,
            length_power=1.0,
            early=early,
        )
        assert found[0].stopped
        counts.append(len(steps))
    assert counts[0] <= 12 < counts[1]


def test_coverage_needs_a_model_that_says_where_it_looked():
    model, prompts = random_markov(3), torch.tensor([[0]])
    with pytest.raises(ArgumentError, match="not say where it looked"):
        beam_search(model, prompts, 3, coverage=0.2)
    for name in ("coverage", "length_offset"):
        with pytest.raises(ArgumentError, match=f"{name} must be a finite number >= 0"):
            beam_search(model, prompts, 3, **{name: -1.0})
