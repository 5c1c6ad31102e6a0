"""How changes of the first state grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.analysis import lyapunov_spectrum, perturbation_growth
from recurro.cells import GRU, LSTM, Elman, init
from recurro.errors import ArgumentError
from recurro.nn import Recurrent

X = torch.randn(100, 2, 3, generator=torch.Generator().manual_seed(0))


def test_small_changes_grow_as_the_jacobians_say():
    layer = Recurrent(LSTM(), 3, 6)
    growth = perturbation_growth(layer, X[:20], sizes=[1e-7, 1e-5])
    assert growth.distance.shape == (21, 2) and growth.linear.shape == (21,)
    for column in range(2):
        found = growth.distance[:, column] / growth.sizes[column]
        np.testing.assert_allclose(found, growth.linear, rtol=1e-3)


def test_chaos_parts_what_was_near_until_it_is_far():
    torch.manual_seed(0)
    wild = Recurrent(Elman(), 3, 64, initial={"U": init.with_spectral_radius(3.0)})
    calm = Recurrent(Elman(), 3, 64, initial={"U": init.with_spectral_radius(0.5)})
    growth = perturbation_growth(wild, 0 * X, sizes=[1e-6])
    assert growth.factor()[0] > 1e5
    assert growth.distance[-1, 0] > 1  # as far as two states of the attractor
    (found,) = lyapunov_spectrum(wild, 0 * X, 1, state=((torch.rand(2, 64),),))
    assert found.exponents[0] > 0.1
    assert perturbation_growth(calm, X, sizes=[1e-2]).factor()[0] < 1e-10


def test_a_stack_is_changed_in_all_layers():
    growth = perturbation_growth(Recurrent(GRU(), 3, 4, num_layers=2), X[:5], [1e-3])
    assert growth.linear is None
    assert growth.distance[0, 0] == 1e-3
    assert (growth.distance > 0).all()


def test_bad_input_is_refused():
    layer = Recurrent(Elman(), 3, 4)
    for sizes in ([], [0.0], [np.nan]):
        with pytest.raises(ArgumentError, match="sizes must be > 0"):
            perturbation_growth(layer, X, sizes)
    both = Recurrent(Elman(), 3, 4, bidirectional=True)
    with pytest.raises(ArgumentError, match="one direction"):
        perturbation_growth(both, X)
