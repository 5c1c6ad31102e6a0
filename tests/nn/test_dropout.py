"""Variational dropout drops the same units at every step."""

from __future__ import annotations

import pytest
import torch

from recurro.errors import ArgumentError
from recurro.nn import VariationalDropout, variational_dropout


def test_one_mask_for_all_steps():
    x = torch.randn(7, 40, 50).abs() + 0.1
    y = VariationalDropout(0.3)(x)
    kept = y != 0
    assert (kept == kept[0]).all()
    assert kept[0].float().mean().item() == pytest.approx(0.7, abs=0.04)
    torch.testing.assert_close(y[kept], (x / 0.7)[kept])
    assert not torch.equal(kept[:, 0], kept[:, 1])


def test_the_mean_is_kept():
    y = variational_dropout(torch.ones(1, 100, 1000), 0.8)
    assert y.mean().item() == pytest.approx(1, abs=0.03)


def test_nothing_is_dropped_in_evaluation_or_with_p_zero():
    x = torch.randn(3, 2, 5)
    assert torch.equal(VariationalDropout(0.9).eval()(x), x)
    assert torch.equal(VariationalDropout(0.0)(x), x)
    assert torch.equal(variational_dropout(x, 0.9, training=False), x)


def test_the_seed_decides():
    x = torch.ones(3, 4, 20)
    torch.manual_seed(1)
    one = variational_dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(one, variational_dropout(x, 0.5))
    assert not torch.equal(one, variational_dropout(x, 0.5))


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_probability_outside_its_range_is_refused(p):
    with pytest.raises(
        ArgumentError, match=r"VariationalDropout: p must be in \[0, 1\)"
    ):
        VariationalDropout(p)


def test_text():
    assert repr(VariationalDropout(0.3)) == "VariationalDropout(p=0.3)"
