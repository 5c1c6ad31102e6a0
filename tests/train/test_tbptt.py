from __future__ import annotations

import pytest
import torch
from torch import nn

from recurro.errors import ArgumentError
from recurro.train import tbptt
from recurro.train.tbptt import Carry
from recurro.types import Batch

STEPS, ROWS, HIDDEN = 24, 3, 4


class Tiny(nn.Module):
    """h_t = tanh(x_t + W h_{t-1}), with loss sum_t |h_t - y_t|^2, in double."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(HIDDEN, HIDDEN, generator=generator, dtype=torch.double)
        self.weight = nn.Parameter(0.6 * weight)
        self.calls = 0

    def forward(self, batch, state):
        self.calls += 1
        h = state
        if h is None:
            h = torch.zeros(batch.inputs.shape[1:], dtype=torch.double)
        loss = torch.zeros((), dtype=torch.double)
        for x, y in zip(batch.inputs, batch.targets, strict=True):
            h = torch.tanh(x + h @ self.weight.T)
            loss = loss + (h - y).square().sum()
        return loss, batch.targets.numel(), h


def sequence():
    generator = torch.Generator().manual_seed(1)
    shape = (STEPS, ROWS, HIDDEN)
    x = torch.randn(shape, generator=generator, dtype=torch.double)
    return x, torch.randn(shape, generator=generator, dtype=torch.double)


def chunks(size):
    x, y = sequence()
    return [
        Batch(x[at : at + size], y[at : at + size], fresh=at == 0)
        for at in range(0, STEPS, size)
    ]


def brute_force(network, first, last, reach):
    """The gradient of the loss of steps first .. last - 1, cut ``reach`` steps back."""
    x, y = sequence()
    h = torch.zeros(ROWS, HIDDEN, dtype=torch.double)
    loss = torch.zeros((), dtype=torch.double)
    for t in range(last):
        if t == last - reach:
            h = h.detach()
        h = torch.tanh(x[t] + h @ network.weight.T)
        if t >= first:
            loss = loss + (h - y[t]).square().sum()
    return torch.autograd.grad(loss, network.weight)[0]


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (4, 8), (2, 6), (1, 5), (4, 24)])
def test_the_gradient_reaches_back_k2_steps_at_every_update(k1, k2):
    network = Tiny()
    truncation = tbptt(k1, k2)
    carry = Carry(truncation.window)
    for index, batch in enumerate(chunks(truncation.chunk)):
        loss, count = carry.forward(network, batch)
        (gradient,) = torch.autograd.grad(loss, network.weight)
        last = (index + 1) * k1
        expected = brute_force(network, last - k1, last, min(k2, last))
        torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)
        assert count == batch.targets.numel()


def test_shorter_reach_than_updates_adds_the_pieces_up():
    network = Tiny()
    truncation = tbptt(12, 4)
    carry = Carry(truncation.window)
    for index, batch in enumerate(chunks(truncation.chunk)):
        carry.forward(network, batch)[0].backward()
        if (index + 1) % truncation.every == 0:
            last = (index + 1) * 4
            pieces = [
                brute_force(network, end - 4, end, 4) for end in (last - 8, last - 4)
            ]
            expected = sum(pieces) + brute_force(network, last - 4, last, 4)
            torch.testing.assert_close(network.weight.grad, expected)
            network.weight.grad = None


def test_the_window_follows_the_weights_of_today():
    """After an update, the state at the window's end comes from the new weights."""
    network, carry = Tiny(), Carry(window=3)
    batches = chunks(4)
    for batch in batches[:3]:
        carry.forward(network, batch)
    start = carry.state.clone()
    with torch.no_grad():
        network.weight.mul_(0.5)
    loss, _ = carry.forward(network, batches[3])
    state = start
    for batch in batches[1:4]:
        expected, _, state = network(batch, state)
    assert loss.item() == expected.item()


def test_plain_truncation_runs_each_chunk_once_and_keeps_none():
    network, carry = Tiny(), Carry(window=1)
    for batch in chunks(4):
        carry.forward(network, batch)
        assert carry.chunks == []
        assert not carry.state.requires_grad
    assert network.calls == STEPS // 4


def test_a_fresh_batch_begins_without_a_past():
    network, carry = Tiny(), Carry(window=2)
    first = chunks(4)[0]
    before = carry.forward(network, first)[0]
    carry.forward(network, chunks(4)[1])
    assert carry.forward(network, first)[0].item() == before.item()
    assert len(carry.chunks) == 1


@pytest.mark.parametrize(("k1", "k2"), [(0, 4), (4, 6), (3, -3)])
def test_what_does_not_divide_is_refused(k1, k2):
    with pytest.raises(ArgumentError, match=f"got k1={k1} and k2={k2}"):
        tbptt(k1, k2)
