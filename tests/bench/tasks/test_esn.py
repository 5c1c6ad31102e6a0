"""Cases of echo state networks, at small sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurro.bench.tasks import esn
from tests.datasets import dataset


def test_one_reservoir_learns_mackey_glass():
    assert esn.jaeger_nrmse(17.0, seed=0, runs=3) < 5e-3


@pytest.mark.parametrize("tau", [17.0, 30.0])
def test_networks_are_by_jaegers_set_up(tau):
    model = esn.jaeger_network(tau, 0).fit(None, np.tanh(np.sin(np.arange(1100.0))))
    [pool] = model.bank_.pools
    assert pool.w_rec.nnz == 0.0125 * 400**2
    assert model.radius_[0] == pytest.approx(0.79 / 0.9, rel=1e-5)
    assert model.noise == (1e-5 if tau == 30 else 0)
    assert np.abs(pool.w_in[:, 1]).max() <= 0.56  # the feedback
    assert np.abs(pool.w_in[:, 0]).max() <= 0.14  # the constant input


@pytest.mark.slow
@pytest.mark.parametrize(("tau", "required"), [(17.0, 1e-3), (30.0, 0.11)])
def test_mackey_glass(tau, required):
    [case] = [c for c in esn.CASES if c.data == f"mackey-glass-{tau:.0f}"]
    assert case.work(Path(), 0).figures["nrmse"] <= required


@pytest.mark.slow
def test_lorenz():
    assert esn.lorenz_valid_time(0) >= 5


@pytest.mark.slow
def test_vowels_and_sunspots():
    cases = {case.data: case for case in esn.CASES}
    figures = cases["japanese-vowels"].work(dataset("japanese-vowels"), 0).figures
    assert min(figures.values()) >= 0.92
    found = cases["classic-series"].work(dataset("classic-series"), 0)
    rivals = [row["rmse"] for row in found.baselines.values()]
    assert found.figures["rmse"] < min(rivals)
