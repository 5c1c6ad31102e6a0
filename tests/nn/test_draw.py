from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from recurro.cells import GRU, LSTM
from recurro.nn import Recurrent
from recurro.nn.draw import Autoencoder, DrawNetwork
from recurro.types import Batch

SHAPE = (6, 9)


def draw(cell=LSTM(), steps: int = 3) -> DrawNetwork:  # noqa: B008
    torch.manual_seed(0)
    encoder = Recurrent(cell, DrawNetwork.looks(4, 7), 8)
    return DrawNetwork(SHAPE, encoder, Recurrent(cell, 2, 7), steps=steps, size=4)


def ink(count: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(count, *SHAPE, generator=generator) > 0.6).float()


def test_the_bound_of_one_step_is_by_hand() -> None:
    net, x = draw(GRU(), steps=1), ink()
    net.head.start(x)
    torch.manual_seed(4)
    noise = torch.randn(1, 5, 2)
    torch.manual_seed(4)
    bound = net.losses(Batch(x[None], x))

    h = torch.zeros(5, 7)
    c = net.head.log_odds.expand(5, -1, -1)
    aim = net.reading(h)
    seen = [net.window.read(part, aim) for part in (x, x - c.sigmoid())]
    r = torch.cat(seen, 1).flatten(1)
    y, _ = net.encoder(torch.cat([r, h], 1)[None])
    mu, log_sigma = net.posterior(y[0]).chunk(2, 1)
    posterior = Normal(mu, log_sigma.exp())
    y, _ = net.decoder((mu + log_sigma.exp() * noise[0])[None])
    patch = net.stroke(y[0]).view(5, 4, 4)
    c = c + net.window.write(patch, net.writing(y[0]))
    wanted = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    wanted = wanted - Bernoulli(logits=c).log_prob(x).sum((1, 2))
    assert bound.tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


def test_the_bound_is_above_the_truth() -> None:
    """With z of one number, P(x) is found by adding up over a grid of z."""
    torch.manual_seed(0)
    net = Autoencoder((2, 2), hidden_size=8, latent=1)
    x = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    grid = torch.linspace(-8, 8, 4001)
    with torch.no_grad():
        c = net.paint(None, grid[None, :, None]).canvases[-1]
        log_p = Bernoulli(logits=c).log_prob(x).sum((1, 2))
        log_p = torch.logsumexp(log_p + Normal(0.0, 1.0).log_prob(grid), 0)
        truth = -(log_p + torch.log(grid[1] - grid[0])).item()
        same = x.expand(4000, -1, -1)
        bound = net.losses(Batch(same[None], same)).mean().item()
    assert bound > truth - 0.01


def test_strokes_are_as_many_as_asked_for_and_the_canvas_is_their_sum() -> None:
    net = draw(steps=4)
    painted = net.paint(None, torch.randn(4, 3, 2))
    assert painted.canvases.shape == (4, 3, *SHAPE)
    assert painted.aims.shape == (4, 3, 5)
    assert painted.divergence.abs().max() == 0


def test_a_blank_canvas_begins_at_the_mean_of_each_pixel() -> None:
    net, x = draw(), ink(50)
    net.head.start(x)
    assert torch.allclose(net.head.log_odds.sigmoid(), (x.sum(0) + 0.5) / 51, atol=1e-5)


@pytest.mark.parametrize("size", [5_000, 40_000])
def test_a_plain_autoencoder_is_of_the_size_that_is_asked_for(size) -> None:
    units = Autoencoder.units(SHAPE, 4, size)
    net = Autoencoder(SHAPE, hidden_size=units, latent=4)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(size, rel=0.05)


def test_both_learn() -> None:
    x = torch.zeros(6, *SHAPE)
    x[torch.arange(6), :, torch.arange(6)] = 1
    x = x.repeat(4, 1, 1)
    for net in (draw(), Autoencoder(SHAPE, hidden_size=16, latent=4)):
        net.head.start(x)
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        before = net.losses(Batch(x[None], x)).mean().item()
        for _ in range(40):
            net(Batch(x[None], x))[0].div(len(x)).backward()
            optimizer.step()
            optimizer.zero_grad()
        assert net.losses(Batch(x[None], x)).mean().item() < before - 2
