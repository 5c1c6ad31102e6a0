"""The decoder: one probability, however it is computed; first states; searches."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from recurro.cells import GRU, LSTM
from recurro.errors import ArgumentError, ShapeError
from recurro.generate import beam_search
from recurro.nn import Decoder, Memory, Recurrent
from tests.nn.decoders import (
    KINDS,
    STOP,
    TEXTS,
    VOCAB,
    build,
    flat,
    prompts,
    remembered,
)


def test_logits_are_of_each_place_given_the_right_ids_before() -> None:
    decoder = build(first="summary").eval()
    memory, targets = remembered(decoder), flat(TEXTS)
    chosen = decoder.logits(memory, targets).log_softmax(-1)[
        range(len(targets)), targets
    ]
    ends = [len(text) + 1 for text in TEXTS]
    sums = torch.stack([part.sum() for part in chosen.split(ends)])
    assert torch.allclose(-sums, decoder.losses(memory, targets))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_sum_of_the_steps(kind: str) -> None:
    decoder = build(**KINDS[kind]).eval()
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.7)
    memory = remembered(decoder)
    with torch.no_grad():
        found = decoder.losses(memory, flat(TEXTS))
        torch.testing.assert_close(decoder.loss(memory, flat(TEXTS)), found.sum())
    stepper = decoder.stepper(memory)
    state, tokens, sums = stepper.init(3), prompts(3)[0], torch.zeros(3).double()
    for step in range(6):
        state, log_probs = stepper.step(state, tokens)
        torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(3).double())
        following = [(*text, STOP) for text in TEXTS]
        tokens = torch.tensor([t[step] if step < len(t) else STOP for t in following])
        for row, text in enumerate(following):
            if step < len(text):
                sums[row] -= log_probs[row, text[step]]
    torch.testing.assert_close(found, sums)


def test_the_first_state_is_a_tanh_of_the_summary() -> None:
    decoder = build(first="summary", cell=LSTM())
    memory = remembered(decoder)
    layers = decoder.stepper(memory).init(3)[0]
    expected = torch.tanh(decoder.opening(memory.summary)).split(6, 1)
    assert all(map(torch.equal, layers[0], expected))


@pytest.mark.parametrize("kind", ["luong", "deep"])
def test_gradients(kind: str) -> None:
    decoder = build(**KINDS[kind])
    memory, targets = remembered(decoder), flat(TEXTS)
    steps = memory.steps.requires_grad_()

    def loss(steps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        named = {"softmax.weight": weight, "embedding.weight": weight}
        kept = {name: named[name] for name in named if decoder.deep is not None}
        return torch.func.functional_call(
            Losses(decoder), {f"decoder.{k}": v for k, v in kept.items()}, (steps,)
        )

    class Losses(nn.Module):
        def __init__(self, decoder: Decoder) -> None:
            super().__init__()
            self.decoder = decoder

        def forward(self, steps: torch.Tensor) -> torch.Tensor:
            return self.decoder.losses(
                Memory(steps, memory.lengths, memory.summary, memory.state), targets
            )

    weight = decoder.embedding.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (steps, weight), fast_mode=True)


def test_smoothing_is_that_of_pytorch() -> None:
    decoder = build(**KINDS["luong"], smoothing=0.2)
    memory, targets = remembered(decoder), flat(TEXTS)
    d, _, _ = decoder._features(memory, targets)
    expected = functional.cross_entropy(
        decoder.softmax(d), targets, label_smoothing=0.2, reduction="sum"
    )
    torch.testing.assert_close(decoder.loss(memory, targets), expected)
    plain = decoder.eval().loss(memory, targets)
    torch.testing.assert_close(plain, decoder.losses(memory, targets).sum())


def test_own_answers_are_read_in_training() -> None:
    decoder = build(**KINDS["luong"])
    nn.init.normal_(decoder.softmax.weight, std=1e4)  # certain of each answer
    memory, targets = remembered(decoder), flat([(2, 2, 2, 2)] * 3)
    decoder.own_share = 1.0
    own = decoder.losses(memory, targets)
    decoder.eval()
    assert not torch.allclose(decoder.losses(memory, targets), own)
    stepper, tokens = decoder.stepper(memory), prompts(3)[0]
    state, sums = stepper.init(3), torch.zeros(3).double()
    for wanted in (2, 2, 2, 2, STOP):
        state, log_probs = stepper.step(state, tokens)
        sums -= log_probs[:, wanted]
        tokens = log_probs.argmax(1)
    torch.testing.assert_close(own, sums)


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_stepping_with_teachers_is_running_at_once(kind: str) -> None:
    decoder = build(**KINDS[kind])
    memory, targets = remembered(decoder), flat(TEXTS)
    at_once = decoder.losses(memory, targets)
    decoder.own_share = 1e-12
    torch.testing.assert_close(decoder.losses(memory, targets), at_once)


def test_weights_stop_at_the_ends_of_rows() -> None:
    decoder = build(**KINDS["luong"]).eval()
    found = decoder.weights(remembered(decoder), flat(TEXTS))
    assert [tuple(w.shape) for w in found] == [(4, 7), (1, 2), (6, 5)]
    for weights in found:
        torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)).double())


def test_start_learns_how_often_ids_come() -> None:
    decoder = build()
    decoder.start(flat(TEXTS))
    counts = torch.bincount(flat(TEXTS), minlength=VOCAB) + 1.0
    expected = (counts / counts.sum()).double()
    torch.testing.assert_close(decoder.softmax.bias.exp(), expected)
    assert int(decoder.longest) == 6


def test_what_does_not_fit_is_refused() -> None:
    decoder = build(**KINDS["luong"])
    memory = remembered(decoder)
    with pytest.raises(ShapeError, match="each of 3 rows by the stop 1, got 2"):
        decoder.losses(memory, torch.tensor([2, STOP, STOP]))
    with pytest.raises(ShapeError, match="each of 3 rows"):
        decoder.losses(memory, torch.tensor([2, STOP, STOP, STOP, 2]))
    with pytest.raises(ShapeError, match="must have steps"):
        decoder.losses(Memory(summary=memory.summary), flat(TEXTS))
    with pytest.raises(ShapeError, match="row for each of 2 prompts, got 3"):
        beam_search(decoder.stepper(memory), prompts(2), 3)
    plain = build()
    with pytest.raises(ArgumentError, match="there is none"):
        plain.weights(memory, flat(TEXTS))
    with pytest.raises(ArgumentError, match="there is none"):
        plain.stepper(memory, coverage=True)
    with pytest.raises(ArgumentError, match="an input of 4 units, got 3"):
        Decoder(
            VOCAB,
            Recurrent(GRU(), 3, 6),
            stop=STOP,
            embedding=nn.Embedding(VOCAB, 4),
            first="zeros",
        )
