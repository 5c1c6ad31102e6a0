from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit
from torch.nn import functional

from recurro.errors import ArgumentError, DataError
from recurro.nn import (
    CategoricalHead,
    LogNormalHead,
    NormalHead,
    OrdinalHead,
    PoissonHead,
    QuantileHead,
    StudentTHead,
    probability,
    quantile,
)

FEATURES = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]])


def test_categorical_is_cross_entropy_with_weights() -> None:
    head, targets = CategoricalHead(3, 4, [1.0, 2.0, 0.5, 1.0]), torch.tensor([2, 1])
    expected = functional.cross_entropy(
        head.linear(FEATURES),
        targets,
        weight=torch.tensor([1.0, 2.0, 0.5, 1.0]),
        reduction="none",
    )
    torch.testing.assert_close(head.losses(FEATURES, targets), expected)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_ordinal_is_the_difference_of_two_sigmoids(classes: int) -> None:
    head = OrdinalHead(3, classes)
    with torch.no_grad():
        head.gaps.add_(torch.randn(classes - 2))
    cuts = torch.cat(
        [head.first, head.first + functional.softplus(head.gaps).cumsum(0)]
    )
    z = (cuts - head.linear(FEATURES)).detach().double().numpy()
    up_to = np.concatenate([np.zeros((2, 1)), expit(z), np.ones((2, 1))], axis=1)
    found = head(FEATURES).probs.detach().numpy()
    np.testing.assert_allclose(found, np.diff(up_to), atol=1e-6)
    assert (np.diff(z) > 0).all()


def test_ordinal_far_out_has_finite_gradients() -> None:
    head = OrdinalHead(1, 5)
    x = torch.tensor([[1e3], [-1e3]], requires_grad=True)
    head.losses(x, torch.tensor([0, 4])).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    with pytest.raises(ArgumentError, match="at least 2"):
        OrdinalHead(1, 1)


def test_normal_against_scipy() -> None:
    head = NormalHead(3)
    head.start(torch.tensor([80.0, 100.0, 135.0]))
    y = torch.tensor([90.0, 120.0])
    found = head(FEATURES)
    mean, deviation = found.mean.detach(), found.stddev.detach()
    expected = -stats.norm.logpdf(y, mean, deviation)
    np.testing.assert_allclose(head.losses(FEATURES, y).detach(), expected, rtol=1e-5)
    assert (deviation > 0).all()


def test_plain_is_a_squared_error() -> None:
    head = NormalHead(3, spread=False)
    head.start(torch.tensor([0.0, 4.0]))
    y = torch.tensor([1.0, -3.0])
    mean = head(FEATURES).mean
    torch.testing.assert_close(mean, 2 + 2 * head.linear(FEATURES)[:, 0])
    gap = head.losses(FEATURES, y) - head.losses(FEATURES, mean)
    torch.testing.assert_close(gap, ((y - mean) / 2) ** 2 / 2)


def test_log_normal_against_scipy() -> None:
    head = LogNormalHead(3)
    head.start(torch.tensor([1e3, 1e4]))
    y = torch.tensor([2e3, 5e3])
    found = head(FEATURES).base_dist
    s, mu = found.stddev.detach().numpy(), found.mean.detach().numpy()
    expected = -stats.lognorm.logpdf(y, s, scale=np.exp(mu))
    np.testing.assert_allclose(head.losses(FEATURES, y).detach(), expected, rtol=1e-5)
    np.testing.assert_allclose(
        head(FEATURES).mean.detach(), stats.lognorm.mean(s, scale=np.exp(mu)), rtol=1e-4
    )


def test_poisson_against_scipy() -> None:
    head = PoissonHead(3)
    head.start(torch.tensor([2.0, 8.0]))
    y = torch.tensor([0.0, 7.0])
    rate = head(FEATURES).mean.detach().numpy()
    expected = -stats.poisson.logpmf(y, rate)
    np.testing.assert_allclose(head.losses(FEATURES, y).detach(), expected, rtol=1e-5)
    assert head(torch.zeros(1, 3)).mean.item() == pytest.approx(5.0)


def test_a_constant_target_has_scale_one() -> None:
    head = NormalHead(2)
    head.start(torch.tensor([7.0, 7.0]))
    assert (head.place.item(), head.scale.item()) == (7.0, 1.0)


@pytest.mark.parametrize(
    ("head", "targets", "said"),
    [
        (LogNormalHead(2), [1.0, 0.0], "above 0 .* got 0 in item 1"),
        (PoissonHead(2), [-1.0], "must be counts .* got -1 in item 0"),
        (PoissonHead(2), [1.0, 1.5], "must be counts .* got 1.5 in item 1"),
    ],
)
def test_targets_that_a_head_does_not_know(head, targets, said) -> None:
    with pytest.raises(DataError, match=said):
        head.start(torch.tensor(targets))


def test_a_head_of_several_numbers_is_one_head_for_each() -> None:
    head, targets = NormalHead(3, shape=(2, 4)), torch.randn(2, 2, 4)
    head.start(torch.randn(9, 2, 4) * torch.arange(1.0, 9.0).reshape(2, 4))
    found = head.losses(FEATURES, targets)
    for row in range(2):
        for column in range(4):
            single = NormalHead(3)
            place = 2 * (4 * row + column)
            single.linear.weight.data = head.linear.weight[place : place + 2].detach()
            single.linear.bias.data = head.linear.bias[place : place + 2].detach()
            single.place.fill_(head.place[row, column])
            single.scale.fill_(head.scale[row, column])
            expected = single.losses(FEATURES, targets[:, row, column])
            torch.testing.assert_close(found[:, row, column], expected)


def test_student_t_against_scipy() -> None:
    head, targets = StudentTHead(3, shape=(2,)), torch.tensor([[80.0, 1], [90.0, 2]])
    head.start(torch.tensor([[80.0, 1], [100.0, 4], [120.0, 5]]))
    found = head(FEATURES)
    freedom, place, width = (
        tensor.detach().double().numpy()
        for tensor in (found.df, found.loc, found.scale)
    )
    law = stats.t(freedom, place, width)
    losses = head.losses(FEATURES, targets).detach().numpy()
    np.testing.assert_allclose(losses, -law.logpdf(targets.numpy()), rtol=1e-5)
    np.testing.assert_allclose(quantile(found, 0.9), law.ppf(0.9), rtol=1e-5)
    chances = probability(found, targets)
    np.testing.assert_allclose(chances, law.cdf(targets.numpy()), rtol=1e-5)
    assert (freedom > 2).all()


LEVELS = [0.05, 0.3, 0.5, 0.9]


def test_quantiles_begin_as_normal_ones_and_never_cross() -> None:
    head = QuantileHead(3, LEVELS, shape=(2,))
    head.start(torch.tensor([[0.0, 5.0], [2.0, 9.0]]))  # 1 +- 1 and 7 +- 2
    values = head(torch.zeros(1, 3)).values.detach()
    head.linear.bias.data.zero_()
    values = head(torch.zeros(1, 3)).values[0].detach().numpy()
    expected = stats.norm([[1.0], [7.0]], [[1.0], [2.0]]).ppf([LEVELS])
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    wild = head(torch.randn(50, 3) * 30).values
    assert (wild.diff(dim=-1) >= 0).all()


def test_quantile_loss_is_the_pinball_and_least_at_the_quantiles() -> None:
    head, targets = QuantileHead(3, LEVELS), torch.tensor([0.3, -2.0])
    q = head(FEATURES).values.detach().numpy()
    expected = [
        sum(
            max(p * (y - a), (p - 1) * (y - a))
            for p, a in zip(LEVELS, row, strict=True)
        )
        for y, row in zip(targets.tolist(), q, strict=True)
    ]
    losses = head.losses(FEATURES, targets).detach().numpy()
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    drawn = torch.randn(4000) * 3 + 10
    head.start(drawn)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        head.losses(torch.zeros(4000, 3), drawn).mean().backward()
        optimizer.step()
    found = head(torch.zeros(1, 3)).values[0].detach().numpy()
    np.testing.assert_allclose(found, np.quantile(drawn, LEVELS), atol=0.2)


@pytest.mark.parametrize("levels", [[], [0.5, 0.5], [0.0, 0.5], [0.5, 1.0]])
def test_bad_levels(levels) -> None:
    with pytest.raises(ArgumentError, match="must rise within"):
        QuantileHead(3, levels)
