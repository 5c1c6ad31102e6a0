"""A distribution through its quantiles."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from recurro.nn import QuantileSteps, probability, quantile


def test_quantiles_of_a_normal_distribution_give_it_back() -> None:
    law, levels = stats.norm(3.0, 2.0), [0.1, 0.4, 0.8]
    found = QuantileSteps(levels, torch.tensor(np.array([law.ppf(levels)] * 5)))
    y = torch.tensor([-2.0, 1.0, 3.0, 5.0, 9.0], dtype=torch.float64)
    np.testing.assert_allclose(probability(found, y), law.cdf(y), rtol=1e-6)
    levels = torch.tensor([0.01, 0.1, 0.5, 0.85, 0.999], dtype=torch.float64)
    np.testing.assert_allclose(quantile(found, levels), law.ppf(levels), rtol=1e-6)
    np.testing.assert_allclose(found.mean, [3.0] * 5, rtol=1e-6)


def test_cdf_undoes_icdf_where_quantiles_are_skewed() -> None:
    found = QuantileSteps([0.2, 0.5, 0.9], torch.tensor([[0.0, 1.0, 8.0]] * 7))
    levels = torch.tensor([0.01, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99])
    torch.testing.assert_close(found.cdf(found.icdf(levels)), levels)
    assert (found.icdf(levels).diff() > 0).all()


def test_a_single_level_knows_no_spread() -> None:
    found = QuantileSteps([0.5], torch.tensor([[4.0]]))
    assert quantile(found, 0.99).item() == 4.0
