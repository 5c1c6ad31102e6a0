"""The search of settings against fits of single networks."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.errors import ArgumentError, DataError
from recurro.reservoir import EchoStateNetwork, RecursiveLeastSquares, search
from recurro.reservoir import series as series_module

GRID = {
    "spectral_radius": [0.5, 0.9],
    "leak_rate": [0.3, 1.0],
    "input_scaling": [0.2, 1.0],
    "ridge": [1e-6, 1e-2, 10.0],
}
NOISE = np.random.default_rng(0).normal(size=160)
WAVE = np.sin(0.2 * np.arange(160)) + np.roll(NOISE, 2)


def network(**settings):
    return EchoStateNetwork(
        **{"units": 15, "random_state": 0, "washout": 10, **settings}
    )


def alone(net, trial, x, y, cut):
    """The error of one set of settings, by a fit to the first steps."""
    model = EchoStateNetwork(**{**net.get_params(), **trial.settings})
    model.fit(x[:cut], y[:cut])
    teacher = y if net.feedback else None
    told = model.predict(x, teacher=teacher)[cut:]
    return np.sqrt(
        np.sum((told - y[cut:]) ** 2) / np.sum((y[cut:] - y[cut:].mean()) ** 2)
    )


@pytest.mark.parametrize(
    ("batch", "settings"), [(1, {}), (3, {"squares": True, "bias": 0.0})]
)
def test_each_trial_is_what_a_fit_of_its_own_gives(batch, settings, monkeypatch):
    monkeypatch.setattr(series_module, "CHUNK", 1000)
    net = network(**settings)
    found = search(net, NOISE, WAVE, GRID, batch=batch)
    assert len(found.table) == 24
    errors = [trial.error for trial in found.table]
    assert errors == sorted(errors)
    for trial in (found.table[0], found.table[7], found.table[-1]):
        expected = alone(net, trial, NOISE, WAVE, 120)
        assert trial.error == pytest.approx(expected, rel=1e-5)
    assert {t.settings["ridge"] for t in found.table} == set(GRID["ridge"])
    assert found.network.get_params() == {**net.get_params(), **found.best.settings}
    whole = network(**settings, **found.best.settings).fit(NOISE, WAVE)
    np.testing.assert_allclose(found.network.coef_, whole.coef_)
    assert not hasattr(net, "bank_")


def test_feedback_many_reservoirs_and_a_grid_of_one():
    net = network(feedback=0.3)
    trial = search(net, NOISE, WAVE, {"leak_rate": [0.5]}, held_out=0.5).best
    assert trial.error == pytest.approx(alone(net, trial, NOISE, WAVE, 80), rel=1e-5)
    assert (trial.ridge, trial.spectral_radius) == (1e-6, 0.9)
    deep = search(network(units=[12, 12]), NOISE, WAVE, {"spectral_radius": [0.3, 0.9]})
    assert len(deep.table) == 2
    assert len(deep.network.radius_) == 2


@pytest.mark.parametrize("classify", ["last", "mean", "step"])
def test_labels_of_many_series(classify):
    rng = np.random.default_rng(1)
    pace = [0.2, 0.9] * 8
    xs = [np.sin(k * np.arange(rng.integers(20, 30))) for k in pace]
    labels = ["slow", "fast"] * 8
    seen = []
    net = network(classify=classify, washout=0)
    found = search(net, xs, labels, GRID, progress=lambda n, of: seen.append((n, of)))
    assert found.best.error <= 0.1
    kept = [n for n in range(16) if (n + 1) % 4]
    model = EchoStateNetwork(**{**net.get_params(), **found.table[5].settings})
    model.fit([xs[n] for n in kept], [labels[n] for n in kept])
    if classify != "step":  # there each step is judged, and not each series
        held = [n for n in range(16) if not (n + 1) % 4]
        told = model.predict([xs[n] for n in held])
        wrong = np.mean(np.array(told) != [labels[n] for n in held])
        assert found.table[5].error == pytest.approx(wrong)
    assert found.network.predict(xs[0]) == "slow"
    assert seen == [(4, 8), (8, 8)]


def test_what_cannot_be_searched():
    net = network()
    with pytest.raises(ArgumentError, match=r"the grid may name .*, got 'units'"):
        search(net, NOISE, WAVE, {"units": [10]})
    with pytest.raises(ArgumentError, match="leak_rate must be numbers to try"):
        search(net, NOISE, WAVE, {"leak_rate": []})
    with pytest.raises(ArgumentError, match="ridge must be numbers to try, got"):
        search(network(ridge="gcv"), NOISE, WAVE, {"leak_rate": [1.0]})
    with pytest.raises(ArgumentError, match="must be above 0"):
        search(net, NOISE, WAVE, {"ridge": [0.0]})
    with pytest.raises(ArgumentError, match=r"leak_rate must be in \(0, 1\]"):
        search(net, NOISE, WAVE, {"leak_rate": [2.0]})
    with pytest.raises(ArgumentError, match="held_out must be in"):
        search(net, NOISE, WAVE, held_out=1.0)
    with pytest.raises(ArgumentError, match="no readout of its own"):
        search(network(readout=RecursiveLeastSquares()), NOISE, WAVE)
    with pytest.raises(DataError, match="more than one series, or one with steps"):
        search(net, NOISE[:13], WAVE[:13], {"leak_rate": [1.0]})
    with pytest.raises(DataError, match="at least 4 series to hold one out, got 2"):
        search(net, [NOISE] * 2, [WAVE] * 2, {"leak_rate": [1.0]})
    with pytest.raises(DataError, match="held out must vary"):
        search(net, NOISE, np.ones(160), {"leak_rate": [1.0]})
