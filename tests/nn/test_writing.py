"""Encoder and decoder as one network."""

from __future__ import annotations

import torch
from torch import nn

from recurro.cells import GRU
from recurro.nn import (
    Attention,
    Decoder,
    Recurrent,
    SequenceEncoder,
    WritingNetwork,
)
from recurro.types import Batch


def network(dropout: float = 0.0) -> WritingNetwork:
    words = nn.Embedding(8, 5)
    layers = [Recurrent(GRU(), 5, 3, bidirectional=True), Recurrent(GRU(), 6, 6, 2)]
    encoder = SequenceEncoder(words, layers, dropout=dropout)
    attention = Attention("general", 6, 6)
    recurrent = Recurrent(GRU(), 5, 6)
    decoder = Decoder(
        8,
        recurrent,
        stop=0,
        embedding=words,
        summary_size=6,
        attention=attention,
        tied=True,
        dropout=dropout,
    )
    return WritingNetwork(encoder, decoder)


def test_memory_is_what_the_recurrence_ends_with() -> None:
    encoder = network().encoder
    inputs, lengths = torch.randint(1, 8, (5, 2)), torch.tensor([5, 3])
    memory = encoder(Batch(inputs, lengths, lengths))
    assert [len(layer) for layer in memory.state] == [1] * 4
    torch.testing.assert_close(memory.summary, memory.state[-1][0])
    assert not memory.steps[3:, 1].any()
    alone = encoder(Batch(inputs[:3, 1:], lengths[1:], lengths[1:]))
    torch.testing.assert_close(memory.summary[1:], alone.summary)


def test_a_network_learns_to_copy() -> None:
    model, ids = network(), torch.randint(1, 8, (2, 12))
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    targets = torch.cat([ids, torch.zeros(1, 12, dtype=torch.long)]).T.flatten()
    losses = []
    for _ in range(40):
        loss, count, _ = model(Batch(ids, targets, torch.full((12,), 2)))
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()
        losses.append(float(loss.detach()) / count)
    assert count == 36
    assert losses[-1] < 0.3 * losses[0]


def test_no_targets_cost_nothing() -> None:
    empty = torch.zeros(0, dtype=torch.long)
    loss, count, _ = network()(
        Batch(torch.zeros(1, 1, dtype=torch.long), empty, torch.tensor([1]))
    )
    assert (float(loss), count) == (0.0, 0)


def test_dropout_is_for_training_alone() -> None:
    model, ids = network(0.5), torch.ones(3, 2, dtype=torch.long)
    batch = Batch(ids, torch.tensor([4, 0, 5, 0]), torch.tensor([3, 2]))
    once, again = model(batch)[0], model(batch)[0]
    assert not torch.equal(once, again)
    model.eval()
    assert torch.equal(model(batch)[0], model(batch)[0])
