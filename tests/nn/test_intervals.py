from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import LogNormal, Normal, Poisson

from recurro.nn import at_deviate, deviates

TOLD = {
    "normal": (Normal(torch.tensor([2.0]), torch.tensor([3.0])), stats.norm(2, 3)),
    "log-normal": (
        LogNormal(torch.tensor([1.0]), torch.tensor([0.5])),
        stats.lognorm(0.5, scale=np.exp(1.0)),
    ),
    "poisson": (Poisson(torch.tensor([4.5])), stats.poisson(4.5)),
}


@pytest.mark.parametrize("name", ["normal", "log-normal"])
@pytest.mark.parametrize("level", [0.005, 0.3, 0.5, 0.9, 0.999])
def test_deviates_are_quantiles(name: str, level: float) -> None:
    found, expected = TOLD[name]
    got = at_deviate(found, float(stats.norm.ppf(level))).item()
    assert got == pytest.approx(expected.ppf(level), rel=1e-4)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8, 0.9, 0.99])
def test_intervals_of_counts_hold_them_and_are_hardly_wider(level: float) -> None:
    rates = np.geomspace(0.1, 1000, 200)
    found, z = Poisson(torch.tensor(rates)), float(stats.norm.ppf((1 + level) / 2))
    low, high = at_deviate(found, -z).numpy(), at_deviate(found, z).numpy()
    held = stats.poisson.cdf(high, rates) - stats.poisson.cdf(low - 1, rates)
    assert held.min() >= level
    least, most = stats.poisson.interval(level, rates)
    assert np.abs(low - least).max() <= 1
    assert np.abs(high - most).max() <= 3
    assert (low == low.round()).all()
    assert (high == high.round()).all()


@pytest.mark.parametrize("name", TOLD)
def test_an_interval_of_its_own_deviate_just_holds_a_number(name: str) -> None:
    found, expected = TOLD[name]
    for target in torch.tensor(expected.rvs(30, random_state=1)).float().unique():
        far = deviates(found, target[None]).item()
        low, high = at_deviate(found, -far - 1e-6), at_deviate(found, far + 1e-6)
        assert (low <= target <= high).item()
        if far > 1e-3:
            low, high = at_deviate(found, 1e-3 - far), at_deviate(found, far - 1e-3)
            assert not (low <= target <= high).item()


def test_numbers_far_out_have_finite_deviates() -> None:
    for found, _ in TOLD.values():
        far = deviates(found, torch.tensor([1e6]))
        assert at_deviate(found, far.item()).item() == pytest.approx(1e6, rel=1e-3)
