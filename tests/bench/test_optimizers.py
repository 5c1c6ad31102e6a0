"""Methods on an ill-conditioned recurrence, bounds on an exploding one."""

from __future__ import annotations

import pytest
import torch

from recurro.bench.optimizers import Chain, bench_bounds, bench_methods
from recurro.errors import ArgumentError

SMALL = Chain(units=4, steps=25)


def test_the_condition_is_that_of_the_errors_curvature():
    from recurro.bench.optimizers import _chain_problem

    layer, x, target = _chain_problem(SMALL, seed=0)
    weight = layer.W_h_l0.detach()

    def error(w):
        y = torch.func.functional_call(layer, {"W_h_l0": w.view(4, 4)}, (x,))[0]
        return 0.5 * (y[-1] - target).square().sum()

    hessian = torch.autograd.functional.hessian(error, weight.flatten())
    curvatures = torch.linalg.eigvalsh(hessian)
    assert (curvatures[-1] / curvatures[0]).item() == pytest.approx(SMALL.condition)
    assert curvatures[-1].item() == pytest.approx(1.0)


def test_momentum_and_rprop_arrive_before_gradient_descent():
    rows = {row.name: row for row in bench_methods(SMALL, updates=400)}
    slow = rows.pop("gradient descent")
    assert slow.updates is not None
    for row in rows.values():
        assert row.updates < slow.updates
        assert row.errors[0] == 1 and row.errors[-1] <= 1e-3


def test_a_method_that_does_not_arrive_says_so():
    (row,) = bench_methods(updates=3, methods=["gradient descent"])
    assert row.updates is None and len(row.errors) == 4


def test_a_bound_holds_the_radius_and_the_gradient():
    free, bound = bench_bounds([None, 0.9], length=20, updates=8, units=32)
    assert free.radius > 1.2 and bound.radius <= 0.9
    assert free.largest == max(free.gradients) > 3 * bound.largest
    assert len(free.gradients) == 8 and 0 <= bound.error <= 1


def test_bad_input_is_refused():
    with pytest.raises(ArgumentError, match="units and steps must be >= 2"):
        Chain(steps=1)
    with pytest.raises(ArgumentError, match="a method must be one of"):
        bench_methods(methods=["newton"])
    with pytest.raises(ArgumentError, match="updates must be >= 1 and a bound given"):
        bench_bounds([])
