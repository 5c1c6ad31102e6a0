"""From windows to all steps of a horizon at once."""

from __future__ import annotations

import pytest
import torch

from recurro.cells import GRU
from recurro.nn import ForecastNetwork, NormalHead, Recurrent
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
