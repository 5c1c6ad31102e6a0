"""Rules on what may be written, against the enumeration of every sequence."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.generate import (
    Forbidden,
    Forced,
    MinLength,
    RepetitionPenalty,
    Written,
    beam_search,
    sample,
    sample_batch,
)
from tests.generate.steppers import Markov, random_markov

SIZE, LENGTH, STOP = 3, 4, 2
PROMPTS = torch.tensor([[0, 1], [1, 0]])


def holds_word(prompt, ids, word):
    """Whether a word ends among the ids, wherever it began."""
    text = (*prompt, *ids)
    ends = range(len(prompt) + 1, len(text) + 1)
    return any(text[max(end - len(word), 0) : end] == word for end in ends)


BARRING = {
    "none": ([], lambda prompt, ids: True),
    "at least two": ([MinLength(2)], lambda prompt, ids: len(words(ids)) >= 2),
    "as long as can be": ([MinLength(4)], lambda prompt, ids: len(words(ids)) == 4),
    "never 1": ([Forbidden([[1]])], lambda prompt, ids: 1 not in ids),
    "never 0 1": (
        [Forbidden([[0, 1], [1, 1, 0]])],
        lambda prompt, ids: (
            not any(holds_word(prompt, ids, word) for word in [(0, 1), (1, 1, 0)])
        ),
    ),
    "never the end": ([Forbidden([[STOP]])], lambda prompt, ids: STOP not in ids),
    "begin with 1": ([Forced([[1]])], lambda prompt, ids: ids[:1] == (1,)),
    "begin by prompt": (
        [Forced([[0, 0], [1]])],
        lambda prompt, ids: ids[:2] == (0, 0) if prompt == (0, 1) else ids[:1] == (1,),
    ),
    "three at once": (
        [MinLength(3), Forbidden([[0, 0]]), Forced([[1]])],
        lambda prompt, ids: (
            len(words(ids)) >= 3 and not holds_word(prompt, ids, (0, 0)) and ids[0] == 1
        ),
    ),
}


def words(ids):
    """The ids without a stop at the end."""
    return ids[:-1] if ids[-1] == STOP else ids


def every_sequence(prompt, keeps):
    """Every outcome that is allowed, its stop included."""
    for count in range(1, LENGTH + 1):
        for ids in itertools.product(range(SIZE), repeat=count):
            ends = ids[-1] == STOP
            if (
                STOP not in ids[:-1]
                and (ends or count == LENGTH)
                and keeps(prompt, ids)
            ):
                yield ids


def penalised(model, prompt, ids, penalty):
    """The sum of log P, that of an id that was written before times the penalty."""
    steps = [
        model.log_prob((*prompt, *ids[:t]), ids[t : t + 1]) for t in range(len(ids))
    ]
    return sum(x * (penalty if ids[t] in ids[:t] else 1) for t, x in enumerate(steps))


@given(
    name=st.sampled_from(sorted(BARRING)),
    seed=st.integers(0, 10**6),
    penalty=st.sampled_from([None, 0.5, 1.3, 4.0]),
    power=st.sampled_from([0.0, 1.0]),
)
@settings(deadline=None, max_examples=60)
def test_wide_beam_is_enumeration(name, seed, penalty, power):
    rules, keeps = BARRING[name]
    model = random_markov(SIZE, seed)
    found = beam_search(
        model,
        PROMPTS,
        LENGTH,
        beam_size=SIZE**LENGTH,
        stop=STOP,
        length_power=power,
        rules=[*rules, RepetitionPenalty(penalty)] if penalty else rules,
    )
    for column, results in enumerate(found):
        prompt = tuple(PROMPTS[:, column].tolist())
        expected = {
            ids: penalised(model, prompt, ids, penalty or 1) / len(ids) ** power
            for ids in every_sequence(prompt, keeps)
        }
        ours = {(*one.ids, STOP) if one.stopped else one.ids: one for one in results}
        assert ours.keys() == expected.keys()
        scores = [one.score for one in results]
        assert scores == pytest.approx(sorted(expected.values(), reverse=True))
        for ids, one in ours.items():
            assert one.score == pytest.approx(expected[ids])
            assert one.log_prob == pytest.approx(model.log_prob(prompt, ids))


@pytest.mark.parametrize("name", BARRING)
def test_samples_are_those_allowed(name):
    rules, keeps = BARRING[name]
    model, count = random_markov(SIZE, 5, sharpness=0.5), 600
    prompts = PROMPTS.repeat(1, count)
    more = [Forced(rule.prefixes * count) if one_each(rule) else rule for rule in rules]
    generator = torch.Generator().manual_seed(1)
    found = sample_batch(
        model, prompts, LENGTH, stop=STOP, rules=more, generator=generator
    )
    for column in range(2):
        prompt = tuple(PROMPTS[:, column].tolist())
        drawn = {tuple(ids) for ids in found[column::2]}
        assert drawn == {words(ids) for ids in every_sequence(prompt, keeps)}


def one_each(rule):
    return isinstance(rule, Forced) and len(rule.prefixes) > 1


def test_one_is_drawn_as_in_a_batch():
    model, rules = random_markov(4, 3), [MinLength(3), Forbidden([[1, 2]])]
    seeds = [torch.Generator().manual_seed(seed) for seed in range(5)]
    together = sample_batch(
        model, torch.ones(1, 5).long(), 9, stop=0, generator=seeds, rules=rules
    )
    for seed, ids in enumerate(together):
        alone = torch.Generator().manual_seed(seed)
        again = sample(model, [1], 9, stop=0, generator=alone, rules=rules)
        assert list(again) == ids


def test_a_penalty_changes_the_odds_of_what_is_written():
    even = Markov(torch.full((2, 2, 2), 0.5))
    generator = torch.Generator().manual_seed(0)
    rows = sample_batch(
        even,
        torch.zeros(1, 4000).long(),
        2,
        generator=generator,
        rules=[RepetitionPenalty(2)],
    )
    again = sum(first == second for first, second in rows) / 4000
    assert again == pytest.approx(1 / 3, abs=0.03)  # 1/4 against 1/2


def test_a_rule_of_ones_own():
    def rising(log_probs, written):
        """No id below the last one."""
        vocab = torch.arange(log_probs.shape[1])
        return log_probs.masked_fill(vocab < written.ids[:, -1:], -math.inf)

    drawn = list(sample(random_markov(6), [1], 20, rules=[rising]))
    assert drawn == sorted(drawn)
    [[best, *_]] = beam_search(random_markov(6), torch.tensor([[1]]), 6, rules=[rising])
    assert list(best.ids) == sorted(best.ids)


def test_rules_leave_what_they_are_given():
    log_probs = torch.zeros(2, 3)
    written = Written(torch.tensor([[0, 1], [0, 2]]), 1, 5, stop=0)
    for rule in (
        MinLength(5),
        Forbidden([[1]]),
        Forced([[2, 2]]),
        RepetitionPenalty(2),
    ):
        rule(log_probs, written)
        assert log_probs.abs().max() == 0


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ([MinLength(9)], ArgumentError, "at most the length, 4, got 9"),
        ([Forbidden([[3]])], ArgumentError, "vocabulary, 0 to 2, got 3"),
        ([Forbidden([[0, -1]])], ArgumentError, "vocabulary, 0 to 2, got -1"),
        ([Forced([[7]])], ArgumentError, "vocabulary, 0 to 2, got 7"),
        ([Forced([[0] * 5])], ArgumentError, "as long as the text, 4, got one of 5"),
        ([Forced([[0], [1], [1]])], ShapeError, "got 3 for"),
        ([Forced([])], ShapeError, "got 0 for"),
        ([Forbidden([[0], [1], [2]])], ArgumentError, "rules must .*got none"),
        ([Forced([[1]]), Forbidden([[1]])], ArgumentError, "rules must .*got none"),
        ([MinLength(1), Forbidden([[0], [1]])], ArgumentError, "must .*got none"),
    ],
)
def test_what_cannot_be(rules, error, message):
    model, prompts = random_markov(3), torch.zeros(1, 2).long()
    with pytest.raises(error, match=message):
        list(sample(model, [0], LENGTH, stop=STOP, rules=rules))
    with pytest.raises(error, match=message):
        sample_batch(model, prompts, LENGTH, stop=STOP, rules=rules)
    with pytest.raises(error, match=message):
        beam_search(model, prompts, LENGTH, stop=STOP, rules=rules)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MinLength(-1), "count must be an int >= 0, got -1"),
        (lambda: MinLength(0.5), "count must be an int >= 0, got 0.5"),
        (lambda: Forbidden([[]]), "got an empty one"),
        (lambda: RepetitionPenalty(0), "finite number > 0, got 0"),
        (lambda: RepetitionPenalty(math.nan), "finite number > 0, got nan"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_rules_out_of_range(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_diverged_model_is_no_matter_of_rules():
    broken = Markov(torch.full((2, 2, 2), math.nan))
    with pytest.raises(DivergenceError, match="got NaN"):
        list(sample(broken, [0], 2, rules=[Forbidden([[1]])]))


def test_generators_are_counted():
    with pytest.raises(ArgumentError, match="one for each of 2 prompts, got 1"):
        sample_batch(
            random_markov(3), PROMPTS, 2, generator=[torch.Generator().manual_seed(0)]
        )
