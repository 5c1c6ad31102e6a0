"""From windows to all steps of a horizon at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from recurro.cells import GRU
from recurro.nn import ForecastNetwork, NormalHead, Recurrent, quantile
from recurro.types import Batch


def network(known: int = 0, linear: bool = True) -> ForecastNetwork:
    recurrent = Recurrent(GRU(), 2 + 1 + known, 8)
    head = NormalHead(8, shape=(3, 2))
    return ForecastNetwork(
        recurrent, head, 5, 3, targets=2, known=known, linear=linear
    ).eval()


def batch(known: int = 0) -> Batch:
    return Batch(torch.randn(8, 4, 3 + known), torch.randn(4, 3, 2))


def test_it_is_a_linear_map_of_the_window_and_a_head() -> None:
    ours, given = network(), batch()
    assert ours.linear is not None
    ours.linear.weight.data.normal_()
    window = given.inputs[:5, :, :2]
    for row in range(4):
        for target in range(2):
            straight = ours.linear(window[:, row, target])
            torch.testing.assert_close(ours.straight(given)[row, :, target], straight)
    h = ours.recurrent(given.inputs[:5])[0][-1]
    loss = -ours.head(h).log_prob(given.targets - ours.straight(given)).sum()
    found, count, _ = ours(given)
    torch.testing.assert_close(found, loss)
    assert count == 4 * 3 * 2


@pytest.mark.parametrize("known", [0, 2])
def test_ahead_only_what_is_known_counts(known) -> None:
    ours, given = network(known), batch(known)
    before = ours.distribution(given).mean
    given.inputs[5:, :, :3] += 7
    torch.testing.assert_close(ours.distribution(given).mean, before)
    given.inputs[5:, :, 3:] += 7
    assert ours.distribution(given).mean.equal(before) is (known == 0)


def test_without_the_linear_way() -> None:
    ours, given = network(linear=False), batch()
    assert ours.straight(given).eq(0).all()
    ours.constrain()


def test_it_starts_at_a_ridge_regression_and_what_that_leaves() -> None:
    torch.manual_seed(1)
    ours, many = network(), Batch(torch.randn(8, 300, 3), torch.randn(300, 3, 2))
    many.targets.add_(many.inputs[3, :, :2].unsqueeze(1))
    ours.start(many)
    x = many.inputs[:5, :, :2].permute(1, 2, 0).reshape(-1, 5).double().numpy()
    y = many.targets.transpose(1, 2).reshape(-1, 3).double().numpy()
    judge = Ridge(0.01 * (x**2).sum() / 5).fit(x, y)
    assert ours.linear is not None
    weight, bias = ours.linear.weight, ours.linear.bias
    np.testing.assert_allclose(weight.detach(), judge.coef_, atol=1e-5)
    np.testing.assert_allclose(bias.detach(), judge.intercept_, atol=1e-5)
    left = many.targets - ours.straight(many)
    law = ours.distribution(many)
    torch.testing.assert_close(ours.mean(many), ours.straight(many) + left.mean(0))
    torch.testing.assert_close(
        law.stddev[0], left.std(0, correction=0), rtol=2e-3, atol=0
    )


def test_errors_of_windows_apart_give_a_plain_head_its_spread() -> None:
    recurrent = Recurrent(GRU(), 3, 8)
    head = NormalHead(8, spread=False, shape=(3, 2))
    ours = ForecastNetwork(recurrent, head, 5, 3, targets=2).eval()
    apart = Batch(torch.randn(8, 500, 3), torch.randn(500, 3, 2) * 3 + 1)
    errors = apart.targets - ours.mean(apart)
    torch.testing.assert_close(ours.surprise(apart), errors)
    ours.calibrate(ours.surprise(apart))
    new = batch()
    found = quantile(ours.distribution(new), 0.9) - ours.mean(new)
    torch.testing.assert_close(found[0], errors.quantile(0.9, 0), rtol=0.1, atol=0.1)


def test_paths_repeat_how_windows_apart_erred() -> None:
    ours = network()
    apart = Batch(torch.randn(8, 400, 3), torch.randn(400, 1, 1).expand(400, 3, 2))
    ours.start(apart)
    ours.calibrate(ours.surprise(apart))
    paths = ours.sample(batch(), 50, torch.Generator().manual_seed(0))
    assert paths.shape == (50, 4, 3, 2)
    one = paths[:, 0].flatten(1).T
    assert torch.corrcoef(one).min() > 0.8  # all steps of a window erred alike
