"""A decoder that is searched: beams, the rows of memory, where it has looked."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from recurro.errors import ArgumentError
from recurro.generate import beam_search
from recurro.nn import Memory
from tests.nn.decoders import (
    KINDS,
    STOP,
    VOCAB,
    build,
    flat,
    prompts,
    remembered,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wide_beam_is_brute_force(kind: str) -> None:
    decoder = build(**KINDS[kind]).eval()
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.7)
    memory = remembered(decoder)
    others = [i for i in range(VOCAB) if i != STOP]
    texts = [t for n in range(3) for t in itertools.product(others, repeat=n)]
    with torch.no_grad():
        costs = torch.stack(
            [decoder.losses(memory, flat([text] * 3)) for text in texts], 1
        )
    found = beam_search(
        decoder.stepper(memory), prompts(3), 3, beam_size=len(texts), stop=STOP
    )
    for row, results in enumerate(found):
        stopped = [result for result in results if result.stopped]
        for result in stopped:
            cost = costs[row, texts.index(result.ids)]
            assert result.log_prob == pytest.approx(-float(cost))
        assert len(stopped) > 0
        best = int(costs[row].argmin())
        assert stopped[0].ids == texts[best]


def test_rows_are_apart_and_beams_share_memory() -> None:
    decoder = build(**KINDS["bahdanau"]).eval()
    memory = remembered(decoder)
    assert memory.steps is not None
    together = beam_search(
        decoder.stepper(memory), prompts(3), 5, beam_size=3, stop=STOP
    )
    for row, length in enumerate([7, 2, 5]):
        alone = Memory(
            memory.steps[:length, [row]],
            None,
            memory.summary[[row]],
            None,
        )
        (results,) = beam_search(
            decoder.stepper(alone), prompts(1), 5, beam_size=3, stop=STOP
        )
        assert [r.ids for r in results] == [r.ids for r in together[row]]


def test_coverage_adds_up_where_it_looked() -> None:
    decoder = build(**KINDS["bahdanau"]).eval()
    memory = remembered(decoder)
    stepper = decoder.stepper(memory, coverage=True)
    state, tokens = stepper.init(3), prompts(3)[0]
    for _ in range(3):
        state, _ = stepper.step(state, tokens)
    looked = decoder.weights(memory, flat([(STOP + 1,) * 0] * 3))
    assert looked[0].shape == (1, 7)
    for row, length in enumerate([7, 2, 5]):
        expected = state[2][row, :length].clamp(max=1).log().sum()
        assert float(stepper.covered(state)[row]) == pytest.approx(float(expected))
        assert state[2][row].sum() == pytest.approx(3)


def test_keeping_some_rows_changes_nothing_for_them() -> None:
    decoder = build(**KINDS["bahdanau"]).eval()
    memory = remembered(decoder)
    stepper, kept = decoder.stepper(memory, coverage=True), torch.tensor([2, 0])
    state, tokens = stepper.init(3), prompts(3)[0]
    state, _ = stepper.step(state, tokens)
    some = stepper.keep(kept)
    following, log_probs = stepper.step(state, tokens)
    ours, found = some.step(stepper.select(state, kept), tokens[kept])
    torch.testing.assert_close(found, log_probs[kept])
    torch.testing.assert_close(some.covered(ours), stepper.covered(following)[kept])


@pytest.mark.parametrize("kind", KINDS)
def test_other_memory_is_searched_as_by_one_of_its_own(kind: str) -> None:
    decoder = build(**KINDS[kind]).eval()
    memory = remembered(decoder)
    used = decoder.stepper(memory)
    first = beam_search(used, prompts(3), 4, beam_size=2, stop=STOP)
    again = beam_search(used.over(memory), prompts(3), 4, beam_size=2, stop=STOP)
    assert first == again


def test_coverage_that_was_not_asked_for_is_refused() -> None:
    decoder = build(**KINDS["bahdanau"]).eval()
    stepper = decoder.stepper(remembered(decoder))
    with pytest.raises(ArgumentError, match="covered needs coverage=True"):
        stepper.covered(stepper.init(3))
