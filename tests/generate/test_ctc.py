"""CTC decoding against the enumeration of every path."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import ctc_loss

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.generate import LanguageFusion, collapse, ctc_beam_search, ctc_greedy
from tests.generate.steppers import random_markov


def random_frames(time, batch, size, seed, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(time, batch, size, generator=generator, dtype=torch.float64)
    return (sharpness * logits).log_softmax(-1)


def every_meaning(frames, blank):
    """log P of all tokens that some path of ``(time, vocab)`` means."""
    time, size = frames.shape
    found = {}
    for path in itertools.product(range(size), repeat=time):
        log_prob = float(sum(frames[t, c] for t, c in enumerate(path)))
        found.setdefault(collapse(path, blank), []).append(log_prob)
    return {
        ids: math.log(sum(map(math.exp, log_probs))) for ids, log_probs in found.items()
    }


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ((), ()),
        ((0, 0), ()),
        ((1, 1, 1), (1,)),
        ((1, 0, 1), (1, 1)),
        ((0, 2, 2, 1, 0, 0, 1, 1), (2, 1, 1)),
    ],
)
def test_meaning_of_a_path(path, ids):
    assert collapse(path) == ids


def test_another_blank():
    assert collapse((2, 0, 0, 2, 1), blank=2) == (0, 1)


cases = {
    "time": st.integers(0, 4),
    "size": st.integers(2, 4),
    "seed": st.integers(0, 10**6),
    "last_is_blank": st.booleans(),
}


@given(**cases)
@settings(max_examples=60)
def test_a_wide_beam_sums_every_path(time, size, seed, last_is_blank):
    blank = size - 1 if last_is_blank else 0
    frames = random_frames(time, 2, size, seed)
    found = ctc_beam_search(frames, beam_size=10**4, blank=blank)
    for row in range(2):
        truth = every_meaning(frames[:, row], blank)
        assert {t.ids for t in found[row]} == truth.keys()
        for transcript in found[row]:
            assert transcript.log_prob == pytest.approx(truth[transcript.ids], abs=1e-9)
            assert transcript.score == transcript.log_prob
        scores = [t.score for t in found[row]]
        assert scores == sorted(scores, reverse=True)


@given(**cases, weight=st.sampled_from([0.0, 0.3, 1.5]), bonus=st.floats(-1, 2))
@settings(max_examples=60)
def test_a_language_model_is_weighed_in(time, size, seed, last_is_blank, weight, bonus):
    blank = size - 1 if last_is_blank else 0
    frames = random_frames(time, 1, size, seed)
    model = random_markov(size + 2, seed)  # its ids are shifted; id 1 starts, 0 stops
    ids = tuple(range(2, size + 2))
    fusion = LanguageFusion(model, start=1, weight=weight, stop=0, ids=ids)
    found = ctc_beam_search(
        frames, beam_size=10**4, blank=blank, language_model=fusion, length_bonus=bonus
    )[0]
    truth = every_meaning(frames[:, 0], blank)
    assert {t.ids for t in found} == truth.keys()
    for transcript in found:
        known = [ids[c] for c in transcript.ids]
        prior = weight * model.log_prob([1], [*known, 0]) + bonus * len(known)
        score = truth[transcript.ids] + prior
        assert transcript.score == pytest.approx(score, abs=1e-9)
        assert transcript.log_prob == pytest.approx(truth[transcript.ids], abs=1e-9)
    scores = [t.score for t in found]
    assert scores == sorted(scores, reverse=True)


def test_probabilities_are_those_of_the_loss():
    frames = random_frames(30, 3, 6, 1, sharpness=6.0)
    lengths = torch.tensor([30, 21, 8])
    for row, found in enumerate(ctc_beam_search(frames, lengths, beam_size=400)):
        best = found[0]
        loss = ctc_loss(
            frames[:, row : row + 1],
            torch.tensor([best.ids]),
            lengths[row : row + 1],
            torch.tensor([len(best.ids)]),
            reduction="sum",
        )
        assert best.log_prob <= -float(loss) + 1e-9  # what was pruned is missing
        assert best.log_prob == pytest.approx(-float(loss), abs=0.02)


@given(time=st.integers(0, 5), size=st.integers(2, 4), seed=st.integers(0, 10**6))
@settings(max_examples=50)
def test_greedy_means_the_likeliest_path(time, size, seed):
    frames = random_frames(time, 1, size, seed)
    found = ctc_greedy(frames)[0]
    paths = itertools.product(range(size), repeat=time)
    row = frames[:, 0]
    best = max(paths, key=lambda p: float(sum(row[t, c] for t, c in enumerate(p))))
    assert found.ids == collapse(best)
    truth = every_meaning(row, 0)
    assert found.log_prob <= truth[found.ids] + 1e-9


@pytest.mark.parametrize("decode", [ctc_greedy, ctc_beam_search])
def test_rows_are_independent_and_padding_is_not_read(decode):
    frames = random_frames(9, 4, 5, 3)
    lengths = torch.tensor([9, 0, 4, 7])
    together = decode(frames, lengths)
    padded = frames.clone()
    for row, count in enumerate(lengths.tolist()):
        padded[count:, row] = math.nan
        assert together[row] == decode(frames[:count, row : row + 1])[0]
    assert decode(padded, lengths) == together
    empty = together[1] if decode is ctc_greedy else together[1][0]
    assert (empty.ids, empty.log_prob) == ((), 0.0)


def test_a_language_model_mends_what_sounds_alike():
    # Both paths sound alike but for a hair; the model knows that 2 follows 1.
    frames = torch.tensor([[0.02, 0.96, 0.01, 0.01], [0.02, 0.01, 0.48, 0.49]])
    table = torch.full((4, 4, 4), 0.05)
    table[:, 1, 2] = 0.85
    frames, fusion = frames.log().unsqueeze(1), LanguageFusion(random_markov(4), 0)
    fusion = LanguageFusion(type(fusion.stepper)(table), 0, weight=0.2)
    assert ctc_beam_search(frames)[0][0].ids == (1, 3)
    assert ctc_beam_search(frames, language_model=fusion)[0][0].ids == (1, 2)


def test_a_length_bonus_gives_longer_transcripts():
    frames = random_frames(12, 1, 4, 5)
    lengths = [
        len(ctc_beam_search(frames, length_bonus=bonus)[0][0].ids)
        for bonus in (-3.0, 0.0, 3.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_a_narrow_beam_is_never_better_than_a_wide_one():
    frames = random_frames(15, 5, 4, 7, sharpness=1.0)
    narrow, wide = (ctc_beam_search(frames, beam_size=size) for size in (2, 2000))
    for few, many in zip(narrow, wide, strict=True):
        assert len(few) == 2
        assert few[0].log_prob <= many[0].log_prob + 1e-9


def test_impossible_tokens_are_never_found():
    frames = random_frames(4, 1, 3, 0)
    frames[..., 2] = -math.inf
    found = ctc_beam_search(frames, beam_size=100)[0]
    assert found
    assert not any(2 in transcript.ids for transcript in found)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"beam_size": 0}, ArgumentError, "beam_size must be an int >= 1, got 0"),
        ({"length_bonus": math.inf}, ArgumentError, "length_bonus must be a finite"),
        ({"blank": 4}, ArgumentError, "blank must be an id in 0 to 3, got 4"),
        ({"lengths": torch.tensor([3])}, ShapeError, "each of 2 rows, got"),
        ({"lengths": torch.tensor([3, 6])}, ShapeError, r"0 to 5 .* got \[3, 6\]"),
        (
            {"language_model": LanguageFusion(random_markov(4), 0, -1.0)},
            ArgumentError,
            "weight must be a finite number >= 0, got -1",
        ),
        (
            {"language_model": LanguageFusion(random_markov(4), 0, ids=(0, 1))},
            ArgumentError,
            "for each of 4 CTC tokens, got 2",
        ),
        (
            {"language_model": LanguageFusion(random_markov(3), 0)},
            ArgumentError,
            "the model must know id 3, got one of 3 ids",
        ),
    ],
)
def test_wrong_calls(unchecked, changes, kind, words):
    with pytest.raises(kind, match=words):
        ctc_beam_search(random_frames(5, 2, 4, 0), **changes)


@pytest.mark.parametrize("decode", [ctc_greedy, ctc_beam_search])
def test_no_numbers(decode):
    frames = random_frames(5, 2, 4, 0)
    frames[3, 1, 2] = math.nan
    with pytest.raises(DivergenceError, match="in frame 3 of row 1"):
        decode(frames)
    frames[3, 1] = -math.inf
    with pytest.raises(DivergenceError, match="in frame 3 of row 1"):
        decode(frames)


def test_a_flat_table_is_refused(unchecked):
    with pytest.raises(
        ShapeError, match=r"must be \(time, batch, vocab\), got \(5, 4\)"
    ):
        ctc_greedy(torch.zeros(5, 4))
