"""Sampling: the exact distributions, their frequencies, seeds, streams and stops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.generate import probabilities, sample, sample_batch
from recurro.types import Stepper
from tests.generate.steppers import Markov, random_markov

WAYS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.5},
    {"top_k": 3},
    {"top_p": 0.7},
    {"temperature": 1.5, "top_k": 4, "top_p": 0.8},
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_hand(p, temperature=1.0, top_k=None, top_p=1.0):
    """The truncated distribution, written as its definition is read."""
    p = np.array(p, dtype=float) ** (1 / temperature)
    p /= p.sum()
    order = sorted(range(len(p)), key=lambda i: (-p[i], i))[:top_k]
    share = p[order] / p[order].sum()
    kept = next(
        n
        for n in range(1, len(order) + 1)
        if n == len(order) or (top_p < 1 and share[:n].sum() >= top_p * (1 - 1e-6))
    )
    q = np.zeros_like(p)
    q[order[:kept]] = p[order[:kept]]
    return q / q.sum()


@given(
    weights=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    temperature=st.sampled_from([0.3, 1.0, 1.7, 10.0]),
    top_k=st.none() | st.integers(1, 9),
    top_p=st.none() | st.sampled_from([1e-9, 0.313, 0.617, 0.911, 1.0]),
)
@settings(deadline=None, max_examples=300)
def test_truncated_distribution_is_exact(weights, temperature, top_k, top_p):
    p = torch.tensor(weights).double() / sum(weights)
    found = probabilities(p.log(), temperature=temperature, top_k=top_k, top_p=top_p)
    expected = by_hand(p.numpy(), temperature, top_k, top_p or 1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ({"top_k": 2}, [0.5 / 0.8, 0.3 / 0.8, 0, 0]),
        ({"top_p": 0.5}, [1, 0, 0, 0]),
        ({"top_p": 0.51}, [0.5 / 0.8, 0.3 / 0.8, 0, 0]),
        ({"top_p": 1.0}, [0.5, 0.3, 0.1, 0.1]),
        ({"top_k": 3}, [0.5 / 0.9, 0.3 / 0.9, 0.1 / 0.9, 0]),
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"temperature": 1e-300}, [1, 0, 0, 0]),
        ({"temperature": 1e300}, [0.25, 0.25, 0.25, 0.25]),
        ({"temperature": 0.5}, [0.25 / 0.36, 0.09 / 0.36, 0.01 / 0.36, 0.01 / 0.36]),
    ],
)
def test_distribution_by_hand(way, expected):
    log_probs = torch.tensor([0.5, 0.3, 0.1, 0.1]).double().log()
    torch.testing.assert_close(
        probabilities(log_probs, **way), torch.tensor(expected).double()
    )


def test_impossible_ids_stay_impossible():
    log_probs = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]).log()
    for way in [*WAYS, {"temperature": 1e300}, {"temperature": 0}]:
        found = probabilities(log_probs, **way)
        assert (found[torch.isinf(log_probs)] == 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_frequencies_fit_the_distribution(way):
    model, draws = random_markov(6), 20_000
    prompts = torch.tensor([[2], [5]]).expand(2, draws)
    ids = torch.tensor(sample_batch(model, prompts, 1, generator=seeded(), **way))
    counts = ids.flatten().bincount(minlength=6).numpy()
    expected = by_hand(model.table[2, 5].numpy(), **way) * draws
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert chisquare(counts[possible], expected[possible]).pvalue > 1e-3


def test_frequencies_of_a_stream_and_of_its_pairs():
    model, length = random_markov(3, sharpness=0.7), 8_000
    ids = list(sample(model, [0], length, generator=seeded(3)))
    triples = zip(ids, ids[1:], ids[2:], strict=False)
    counts = np.zeros((3, 3, 3))
    for triple in triples:
        counts[triple] += 1
    expected = counts.sum(-1, keepdims=True) * model.table.numpy()
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic < 42.3  # 18 degrees of freedom, at one in a thousand


def test_rows_of_a_batch_are_drawn_apart():
    fair = Markov(torch.full((2, 2, 2), 0.5).double())
    rows = torch.tensor(
        sample_batch(fair, torch.zeros(1, 4000).long(), 2, generator=seeded())
    )
    pairs = rows[::2, 0] * 8 + rows[::2, 1] * 4 + rows[1::2, 0] * 2 + rows[1::2, 1]
    assert chisquare(pairs.bincount(minlength=16).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("way", [{}, {"top_k": 2}, {"temperature": 0}])
def test_same_seed_same_ids(way):
    model = random_markov(5)
    first, again, other = (
        list(sample(model, [1, 2], 50, generator=seeded(seed), **way))
        for seed in (7, 7, 8)
    )
    assert first == again
    assert len(first) == 50
    assert (first == other) == (way == {"temperature": 0})


def test_global_source_without_a_generator():
    model = random_markov(5)
    torch.manual_seed(5)
    first = list(sample(model, [1], 30))
    torch.manual_seed(5)
    assert list(sample(model, [1], 30)) == first


def test_batch_of_one_equals_the_stream():
    model = random_markov(5)
    stream = list(sample(model, [1, 2], 40, generator=seeded(2)))
    prompts = torch.tensor([[1], [2]])
    assert sample_batch(model, prompts, 40, generator=seeded(2)) == [stream]


@given(seed=st.integers(0, 2**31), start=st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_greedy_takes_the_likeliest(seed, start):
    model = random_markov(4, seed)
    ids = list(sample(model, [start], 8, temperature=0))
    row = [0, start, *ids]
    for before, last, following in zip(row, row[1:], row[2:], strict=False):
        assert following == int(model.table[before, last].argmax())


def test_prompt_is_read_in_full_and_in_order():
    model = random_markov(6)
    for prompt in itertools.product(range(6), repeat=2):
        (first,) = sample(model, prompt, 1, temperature=0)
        assert first == int(model.table[prompt].argmax())


def test_stop_ends_each_row_and_is_left_out():
    model = random_markov(4, seed=2, sharpness=1)
    prompts = torch.zeros(1, 50).long()
    free = sample_batch(model, prompts, 30, generator=seeded())
    stopped = sample_batch(model, prompts, 30, generator=seeded(), stop=3)
    for row, cut in zip(free, stopped, strict=True):
        assert cut == (row[: row.index(3)] if 3 in row else row)
    assert len({len(cut) for cut in stopped}) > 5
    stream = list(sample(model, [0], 30, generator=seeded(4)))
    assert 3 in stream
    assert (
        list(sample(model, [0], 30, generator=seeded(4), stop=3))
        == (stream[: stream.index(3)])
    )


class Counting:
    """Counts steps, and fails when one is taken too many."""

    def __init__(self, allowed=10**9):
        self.model, self.steps, self.allowed = random_markov(3), 0, allowed
        self.weight = torch.ones((), requires_grad=True)

    def init(self, batch_size):
        return self.model.init(batch_size)

    def step(self, state, tokens):
        assert not torch.is_grad_enabled()
        self.steps += 1
        assert self.steps <= self.allowed
        state, log_probs = self.model.step(state, tokens)
        return state, log_probs * self.weight

    def select(self, state, rows):
        return self.model.select(state, rows)


def test_streams_as_it_goes():
    model = Counting()
    stream = sample(model, [0, 1], 100)
    assert model.steps == 0
    for expected in (2, 3, 4):
        next(stream)
        assert torch.is_grad_enabled()
        assert model.steps == expected


def test_no_step_after_the_last_id():
    assert len(list(sample(Counting(allowed=4), [0, 1], 3))) == 3
    assert isinstance(Counting(), Stepper)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "length must be an int >= 1, got 0"),
        ({"length": -3}, "length must be an int >= 1, got -3"),
        ({"prompt": []}, "prompt must have at least one id"),
        ({"prompt": [0, -1]}, "prompt ids must be >= 0, got -1"),
        ({"temperature": -0.1}, "temperature must be a finite number >= 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature must be .*got nan"),
        ({"temperature": float("inf")}, "temperature must be .*got inf"),
        ({"top_k": 0}, "top_k must be an int >= 1, got 0"),
        ({"top_k": 1.5}, "top_k must be an int >= 1, got 1.5"),
        ({"top_p": 0}, r"top_p must be in \(0, 1\], got 0"),
        ({"top_p": 1.1}, r"top_p must be in \(0, 1\], got 1.1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_refused_at_the_call(changes, message):
    arguments = {"prompt": [0], "length": 1} | changes
    with pytest.raises(ArgumentError, match=f"^sample: .*{message}"):
        sample(random_markov(2), **arguments)
    prompts = torch.tensor(arguments.pop("prompt"), dtype=torch.long)[:, None]
    with pytest.raises(ArgumentError, match=f"^sample_batch: .*{message}"):
        sample_batch(random_markov(2), prompts, **arguments)


@pytest.mark.usefixtures("unchecked")
def test_bad_shapes():
    with pytest.raises(
        ShapeError, match=r"sample: prompt must be \(time,\), got \(1, "
    ):
        sample(random_markov(2), torch.zeros(1, 2).long(), 1)
    with pytest.raises(
        ShapeError, match=r"prompts must be \(time, batch\), got \(2,\)"
    ):
        sample_batch(random_markov(2), torch.zeros(2).long(), 1)


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_diverged_model_is_named(temperature):
    broken = Markov(torch.full((2, 2, 2), float("nan")))
    with pytest.raises(DivergenceError, match="got NaN"):
        list(sample(broken, [0], 1, temperature=temperature))
