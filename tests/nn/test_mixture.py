from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from recurro.errors import ArgumentError
from recurro.nn import MixtureHead, PenMixture
from recurro.nn.mixture import ENDED


def mixture(steps: int = 5, mixtures: int = 4) -> PenMixture:
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return PenMixture(
        normal(steps, mixtures),
        10 * normal(steps, mixtures, 2),
        normal(steps, mixtures, 2).exp() * 3,
        0.99 * normal(steps, mixtures).tanh(),
        normal(steps, 3),
    )


def repeated(told: PenMixture, count: int) -> PenMixture:
    """The same of a single step for many."""
    return PenMixture(
        told.weights.expand(count, -1),
        told.means.expand(count, -1, -1),
        told.spreads.expand(count, -1, -1),
        told.correlations.expand(count, -1),
        told.pen.expand(count, -1),
    )


def test_density_is_that_of_scipy() -> None:
    told = mixture()
    points = torch.randn(5, 3, dtype=torch.float64) * 10
    points[:, 2] = torch.tensor([0.0, 1.0, 2.0, 1.0, 0.0])
    expected = []
    for step in range(5):
        parts = []
        for m in range(4):
            (a, b), rho = told.spreads[step, m].tolist(), told.correlations[step, m]
            covariance = [[a * a, float(rho) * a * b], [float(rho) * a * b, b * b]]
            normal = stats.multivariate_normal(told.means[step, m], covariance)
            parts.append(float(told.weights[step, m]) + normal.logpdf(points[step, :2]))
        state = float(told.pen[step, int(points[step, 2])])
        expected.append(logsumexp(parts) + state)
    assert told.log_prob(points).numpy() == pytest.approx(np.array(expected))
    assert told.pen.exp().sum(1).numpy() == pytest.approx(1)


def test_density_sums_to_one() -> None:
    """Over a grid that holds all of the mass."""
    with torch.no_grad():
        told = MixtureHead(3, mixtures=3)(torch.ones(1, 3))
    side = torch.arange(-12, 12, 0.05)
    grid = torch.cartesian_prod(side, side)
    density = repeated(told, len(grid)).log_density(grid)
    assert float(density.exp().sum() * 0.05**2) == pytest.approx(1, abs=1e-3)


def test_the_plain_head_is_a_squared_error() -> None:
    head = MixtureHead(4, 0)
    x, points = torch.randn(20, 4), torch.randn(20, 3) * 30
    points[:, 2] = torch.arange(20) % 3
    head.start(points)
    a = head.linear(x)
    error = (points[:, :2] / head.scale - a[:, 3:]).square().sum(1)
    pen = torch.nn.functional.cross_entropy(
        a[:, :3], points[:, 2].long(), reduction="none"
    )
    constant = math.log(2 * math.pi) + 2 * math.log(head.scale)
    assert torch.allclose(head.losses(x, points), error / 2 + constant + pen, atol=1e-5)


def test_nothing_overflows() -> None:
    """However far off a point is, and whatever the features are."""
    head = MixtureHead(2, mixtures=5)
    for size in (1e-6, 1e2, 1e4):
        x = (torch.randn(50, 2) * size).requires_grad_()
        points = torch.randn(50, 3) * 1e3
        points[:, 2] = 0
        loss = head.losses(x, points).sum()
        loss.backward()
        assert loss.isfinite()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        told = head(x)
        assert (told.spreads >= 0.01).all()
        assert (told.correlations.abs() <= 0.99).all()


def test_gradients_in_double_precision() -> None:
    points = torch.randn(4, 3, dtype=torch.float64)
    points[:, 2] = torch.tensor([0.0, 1.0, 2.0, 0.0])
    log_prob = PenMixture.log_prob

    def loss(a, b, c, d, e):
        return log_prob(PenMixture(a, b, c.exp(), d.tanh(), e), points)

    shapes = [(4, 2), (4, 2, 2), (4, 2, 2), (4, 2), (4, 3)]
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(loss, inputs)


def test_draws_have_the_moments_of_the_mixture() -> None:
    told, count = mixture(steps=1), 40_000
    many = repeated(told, count)
    drawn = many.draw(generator=torch.Generator().manual_seed(1)).numpy()
    w = told.weights[0].exp().numpy()
    means, (sx, sy) = told.means[0].numpy(), told.spreads[0].numpy().T
    mean = w @ means
    cross = w @ (means[:, 0] * means[:, 1] + told.correlations[0].numpy() * sx * sy)
    spread = np.sqrt(w @ (means**2 + told.spreads[0].numpy() ** 2) - mean**2)
    assert drawn[:, :2].mean(0) == pytest.approx(mean, abs=5 * spread.max() / 200)
    found = np.cov(drawn[:, :2].T)
    assert np.sqrt(np.diag(found)) == pytest.approx(spread, rel=0.03)
    expected = cross - mean[0] * mean[1]
    assert found[0, 1] == pytest.approx(expected, abs=0.05 * spread.prod())
    shares = np.bincount(drawn[:, 2].astype(int)) / count
    assert shares == pytest.approx(told.pen[0].exp().numpy(), abs=0.01)


def test_temperature_narrows_and_at_zero_takes_the_likeliest() -> None:
    told = mixture(steps=1, mixtures=1)
    many = repeated(told, 5000)
    drawn = many.draw(0.25, torch.Generator().manual_seed(0))
    found, spread = drawn[:, :2].std(0) / told.spreads[0, 0], 0.5
    assert found.tolist() == pytest.approx([spread, spread], rel=0.05)
    told = mixture()
    likeliest = told.draw(0)
    assert torch.equal(likeliest[:, 2].long(), told.pen.argmax(1))
    chosen = told.means[torch.arange(5), told.weights.argmax(1)]
    assert torch.equal(likeliest[:, :2], chosen)


def test_a_head_begins_at_the_shares_of_the_states() -> None:
    head = MixtureHead(2)
    points = torch.tensor([[3.0, 4.0, 0.0]] * 7 + [[3.0, 4.0, 1.0]] * 2 + [[3, 4, 2.0]])
    head.start(points)
    assert head.scale.item() == pytest.approx(math.sqrt(12.5))
    pen = head(torch.zeros(1, 2)).pen[0].exp()
    assert pen.tolist() == pytest.approx([7.5 / 11.5, 2.5 / 11.5, 1.5 / 11.5])
    assert ENDED == 2
    head.start(torch.zeros(3, 3))  # a pen that stands still
    assert head.scale.item() == 1


def test_mixtures_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="MixtureHead: mixtures must be at least 1"):
        MixtureHead(4, -1)
