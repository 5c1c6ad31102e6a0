"""The network of a language model against its equations, and as a stepper."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch.nn import functional

from recurro.cells import GRU, LSTM
from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork, NetworkStepper
from recurro.types import Batch
from tests.contract import close

VOCAB, EMBEDDING, HIDDEN, TIME, BATCH = 11, 4, 6, 5, 3
DRAW = torch.Generator().manual_seed(3)
TOKENS = torch.randint(VOCAB, (TIME, BATCH), generator=DRAW)
TARGETS = torch.randint(VOCAB, (TIME, BATCH), generator=DRAW)
CLASSES = torch.tensor([1, 0, 1])

KINDS = {
    "plain": {},
    "condition": {"conditions": 2},
    "deep output": {"deep_output": 7},
    "tied": {"tied": True, "deep_output": EMBEDDING},
    "adaptive": {"adaptive_cutoffs": [5]},
    "everything": {
        "conditions": 2,
        "tied": True,
        "deep_output": EMBEDDING,
        "dropout": 0.2,
    },
}


def network_of(kind="plain", cell=None, **options):
    torch.manual_seed(1)
    recurrent = Recurrent(cell or GRU(), EMBEDDING, HIDDEN, num_layers=2)
    network = LanguageNetwork(VOCAB, recurrent, **KINDS[kind], **options)
    for p in network.parameters():  # so that no bias hides
        torch.nn.init.normal_(p, std=0.5)
    return network.eval()


def condition(network, rows=slice(None)):
    return CLASSES[rows] if network.conditions else None


@pytest.mark.parametrize("kind", ["plain", "condition", "deep output", "tied"])
def test_the_equations(kind):
    network = network_of(kind)
    e = network.embedding.weight[TOKENS]
    if network.conditions:
        e = e + network.condition.weight[CLASSES]
    y, state = network.recurrent(e)
    if network.deep is not None:
        y = torch.tanh(y @ network.deep.weight.T + network.deep.bias)
    weight = network.embedding.weight if kind == "tied" else network.decoder.weight
    scores = (y @ weight.T + network.decoder.bias).double()
    wanted = scores - scores.exp().sum(-1, keepdim=True).log()
    got, final = network.log_probs(TOKENS, None, condition(network))
    close(got.double(), wanted, rtol=1e-5)
    close(final, state)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_sum_over_the_targets(kind):
    network = network_of(kind)
    targets = TARGETS.clone()
    targets[3, 1], targets[0, 0] = -1, -100
    batch = Batch(TOKENS, targets, condition=condition(network))
    log_probs, state = network.log_probs(TOKENS, None, condition(network))
    close(log_probs.exp().sum(-1), torch.ones(TIME, BATCH), rtol=1e-5)
    each = -log_probs.gather(-1, targets.clamp_min(0)[..., None])[..., 0]
    each = torch.where(targets >= 0, each, 0)
    loss, count, final = network(batch)
    assert count == TIME * BATCH - 2
    close((loss, final), (each.sum(), state), rtol=1e-5)
    losses, final = network.losses(batch)
    close((losses, final), (each, state), rtol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "tied", "everything"])
def test_every_parameter_is_learnt(kind):
    network = network_of(kind).train()
    loss, _, _ = network(Batch(TOKENS, TARGETS, condition=condition(network)))
    loss.backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert p.grad.any(), name


def test_an_index_is_a_one_hot_vector_through_a_matrix():
    network = network_of()
    one_hot = functional.one_hot(TOKENS, VOCAB).float()
    e = one_hot @ network.embedding.weight
    wanted, _ = network.recurrent(e)
    close(network.hidden(TOKENS)[0], wanted, rtol=1e-6)
    by_matrix = torch.autograd.grad(wanted.sum(), network.embedding.weight)
    got = torch.autograd.grad(network.hidden(TOKENS)[0].sum(), network.embedding.weight)
    close(got, by_matrix, rtol=1e-6)


def test_lengths_and_a_carried_state():
    network = network_of(cell=LSTM())
    lengths = torch.tensor([2, 5, 1])
    targets = torch.where(torch.arange(TIME)[:, None] < lengths, TARGETS, -1)
    loss, count, _ = network(Batch(TOKENS, targets, lengths))
    assert count == 8
    rows = [
        network(Batch(TOKENS[:n, [k]], TARGETS[:n, [k]]))[0]
        for k, n in enumerate(lengths.tolist())
    ]
    close(loss, sum(rows), rtol=1e-5)

    first, _, state = network(Batch(TOKENS[:2], TARGETS[:2]))
    second, _, _ = network(Batch(TOKENS[2:], TARGETS[2:], fresh=False), state)
    close(first + second, network(Batch(TOKENS, TARGETS))[0], rtol=1e-5)


def test_dropout_of_embedding_and_output_in_training_only():
    network = network_of("everything")
    batch = Batch(TOKENS, TARGETS, condition=CLASSES)
    assert network(batch)[0] == network(batch)[0]
    network.train()
    assert network(batch)[0] != network(batch)[0]
    plain = network_of(dropout=0.4).train()
    y, _ = plain.hidden(TOKENS)  # here the softmax reads the layer itself
    dropped = y == 0
    assert 0.1 < dropped.float().mean().item() < 0.7
    assert (dropped == dropped[0]).all()


def test_a_fresh_network_is_nearly_uniform():
    for options in ({}, {"tied": True, "deep_output": EMBEDDING}):
        network = LanguageNetwork(VOCAB, Recurrent(GRU(), EMBEDDING, HIDDEN), **options)
        loss, count, _ = network(Batch(TOKENS, TARGETS))
        assert loss.item() / count == pytest.approx(math.log(VOCAB), rel=0.1)


def test_tied_embeddings_are_one_parameter():
    network = network_of("tied")
    assert network.decoder.weight is network.embedding.weight
    names = [name for name, _ in network.named_parameters()]
    assert "decoder.weight" not in names
    other = LanguageNetwork(
        VOCAB, Recurrent(GRU(), EMBEDDING, HIDDEN, num_layers=2), **KINDS["tied"]
    )
    other.load_state_dict(network.state_dict())
    assert other.decoder.weight is other.embedding.weight
    assert torch.equal(other.decoder.weight, network.decoder.weight)


def test_the_spectral_bound_is_passed_on():
    recurrent = Recurrent(GRU(), EMBEDDING, HIDDEN, spectral_bound=0.5)
    network = LanguageNetwork(VOCAB, recurrent)
    before = recurrent.weight_hh_l0.clone()
    network.constrain()
    assert not torch.equal(recurrent.weight_hh_l0, before)


# -- the stepper -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "condition", "adaptive"])
def test_steps_equal_the_whole_run(kind):
    network = network_of(kind, LSTM())
    chosen = 1 if network.conditions else None
    stepper = NetworkStepper(network, chosen)
    every = None if chosen is None else torch.full((BATCH,), chosen)
    wanted, _ = network.log_probs(TOKENS, None, every)
    state = stepper.init(BATCH)
    for t in range(TIME):
        state, log_probs = stepper.step(state, TOKENS[t])
        close(log_probs, wanted[t].detach(), rtol=1e-5)
        assert not log_probs.requires_grad


def test_rows_may_be_chosen_and_repeated():
    stepper = NetworkStepper(network_of(cell=LSTM()))
    state, _ = stepper.step(stepper.init(BATCH), TOKENS[0])
    rows = torch.tensor([2, 0, 0, 1])
    _, wanted = stepper.step(state, TOKENS[1])
    _, got = stepper.step(stepper.select(state, rows), TOKENS[1][rows])
    close(got, wanted[rows], rtol=1e-5)


# -- bad arguments ---------------------------------------------------------------------

ARGUMENTS = {
    "must have one input": ({"x": EMBEDDING}, {}, {}),
    "must read forward only": (EMBEDDING, {"bidirectional": True}, {}),
    "tied embeddings need a last layer of embedding_size=4 and the full softmax, "
    "got 6 units and cutoffs ()": (EMBEDDING, {}, {"tied": True}),
    "got 4 units and cutoffs (3,)": (
        EMBEDDING,
        {},
        {"tied": True, "deep_output": 4, "adaptive_cutoffs": [3]},
    ),
    "dropout must be in [0, 1), got 1.0": (EMBEDDING, {}, {"dropout": 1.0}),
}


@pytest.mark.parametrize("message", ARGUMENTS)
def test_sizes_that_do_not_fit_are_named(message):
    inputs, general, options = ARGUMENTS[message]
    recurrent = Recurrent(GRU(), inputs, HIDDEN, **general)
    with pytest.raises(ArgumentError, match=f"LanguageNetwork: .*{re.escape(message)}"):
        LanguageNetwork(VOCAB, recurrent, **options)


def test_a_condition_is_given_where_there_are_classes_and_only_there():
    with pytest.raises(ArgumentError, match="conditions=2 must be given a condition"):
        network_of("condition").log_probs(TOKENS)
    with pytest.raises(ArgumentError, match="conditions=0 must not be given"):
        network_of().log_probs(TOKENS, None, CLASSES)


@pytest.mark.parametrize("compiling", ["0", "1"])
def test_a_stepper_reads_the_weights_anew_when_it_begins(monkeypatch, compiling):
    monkeypatch.setenv("RECURRO_COMPILE", compiling)
    network = network_of(cell=LSTM()).eval()
    stepper, tokens = NetworkStepper(network), torch.tensor([1, 2])
    _, before = stepper.step(stepper.init(2), tokens)
    with torch.no_grad():
        for parameter in network.recurrent.parameters():
            parameter.mul_(2)
    _, after = stepper.step(stepper.init(2), tokens)
    with torch.no_grad():
        wanted, _ = network.log_probs(tokens[None])
    torch.testing.assert_close(after, wanted[0], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(before, after)
