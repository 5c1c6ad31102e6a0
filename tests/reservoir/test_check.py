"""The echo state property as it is measured, against linear algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from recurro.errors import ArgumentError, DataError
from recurro.reservoir import EchoStateNetwork, check_echo_state


def network(**settings):
    return EchoStateNetwork(**{"units": 30, "random_state": 1, **settings})


def jacobian_radius(net, inputs=1):
    """ln of the spectral radius of the linear motion (1 - a) I + a W."""
    pool = net.draw(inputs).pools[0]
    step = pool.leak_rate * pool.w_rec.toarray()
    step += (1 - pool.leak_rate) * np.eye(pool.units)
    return np.log(np.abs(np.linalg.eigvals(step)).max())


@pytest.mark.parametrize("leak_rate", [1.0, 0.4])
@pytest.mark.parametrize("spectral_radius", [0.5, 0.9, 1.3])
def test_a_linear_reservoir_by_its_eigenvalues(spectral_radius, leak_rate):
    net = network(
        activation="identity", spectral_radius=spectral_radius, leak_rate=leak_rate
    )
    check = check_echo_state(net, steps=120, delays=0)
    exact = jacobian_radius(net)
    assert check.lyapunov == pytest.approx(exact, abs=0.01)
    assert check.rate == pytest.approx(exact, abs=0.05 * abs(exact) + 0.01)
    assert check.holds == (exact < 0)
    assert check.radius == pytest.approx(spectral_radius, rel=1e-5)
    if exact > 0:
        assert "grow without end" in str(check)


def test_at_rest_the_exponent_is_that_of_the_linear_motion():
    net = network(spectral_radius=0.8, bias=0.0)
    check = check_echo_state(net, np.zeros(100), delays=0)
    assert check.lyapunov == pytest.approx(jacobian_radius(net), abs=0.01)


@pytest.mark.parametrize("spectral_radius", [0.9, 1.5])
def test_the_exponent_is_that_of_the_product_of_jacobians(spectral_radius):
    net = network(spectral_radius=spectral_radius, leak_rate=0.7)
    x = np.random.default_rng(5).uniform(-1, 1, 120)
    check = check_echo_state(net, x, delays=0)
    pool = net.draw(1).pools[0]
    w, h, v = pool.w_rec.toarray(), np.zeros(30), np.ones(30)
    growth = []
    for value in x:
        new = np.tanh(pool.w_in @ [1.0, value] + w @ h)
        v = 0.3 * v + 0.7 * (1 - new**2) * (w @ v)
        h = 0.3 * h + 0.7 * new
        growth.append(np.log(np.linalg.norm(v)))
        v /= np.linalg.norm(v)
    assert check.lyapunov == pytest.approx(np.mean(growth[12:]), abs=0.02)
    assert check.holds == (check.lyapunov < 0)


def test_an_input_may_hold_a_radius_above_one():
    net = network(units=100, spectral_radius=1.2, bias=0.0)
    held = check_echo_state(net, steps=120, delays=0)
    assert held.holds
    assert held.distance[-1] < 1e-4
    assert "input that holds the states at spectral_radius 1.2" in str(held)
    alone = check_echo_state(net, np.zeros(120), delays=0)
    assert not alone.holds
    assert alone.distance[-1] > 0.1
    assert "does not hold under this input: after 120 steps" in str(alone)


def test_chaos_is_seen():
    check = check_echo_state(
        network(units=100, spectral_radius=3.0, input_scaling=0.1), steps=120, delays=0
    )
    assert check.lyapunov > 0.1
    assert not check.holds
    assert "Lower spectral_radius from 3 to about 2" in str(check)


def test_nothing_is_kept_at_radius_zero():
    check = check_echo_state(network(spectral_radius=0.0), steps=20, delays=0)
    assert check.holds
    assert check.rate == check.lyapunov == -np.inf
    assert "come together at once" in str(check)


def test_the_memory_of_a_delay_line_is_its_length():
    net = network(units=10, activation="identity", connectivity=1, bias=0.0)
    net.fit(np.random.default_rng(0).normal(size=50), np.ones(50))
    first = np.zeros((10, 1))
    first[0] = 1.0
    line = replace(net.bank_.pools[0], w_in=first, w_rec=csr_array(np.eye(10, k=-1)))
    net.bank_ = replace(net.bank_, pools=(line,))
    check = check_echo_state(net, steps=20)
    np.testing.assert_allclose(check.memory, np.arange(20) < 10, atol=1e-9)
    assert check.memory_capacity == pytest.approx(10)


def test_linear_reservoirs_come_near_the_bound_and_others_stay_below():
    linear = network(units=20, activation="identity", bias=0.0)
    assert 18 < check_echo_state(linear, steps=20).memory_capacity <= 20.01
    check = check_echo_state(network(units=20, squares=True), steps=20)
    assert 1 < check.memory_capacity < 15
    assert f"{check.memory_capacity:.3g} steps of white noise" in str(check)


def test_feedback_depth_and_fitted_networks_in_float32():
    wave = np.sin(np.arange(60.0))
    fed = check_echo_state(network(feedback=0.5), steps=30, delays=0)
    assert (fed.units, len(fed.distance)) == (30, 30)
    fitted = network(feedback=0.5, dtype="float32").fit(None, wave)
    assert check_echo_state(fitted, Y=wave, delays=0).holds
    deep = network(units=[20, 20]).fit(wave[:-1], wave[1:])
    check = check_echo_state(deep, wave[1:], delays=0)
    assert (check.units, len(check.distance), check.memory_steps) == (40, 59, 0)
    assert "memory" not in str(check)


def test_wrong_arguments():
    net = network()
    with pytest.raises(ArgumentError, match="steps must be >= 10"):
        check_echo_state(net, steps=5)
    with pytest.raises(ArgumentError, match="X must be one series, got 2"):
        check_echo_state(net, [np.ones(20), np.ones(20)])
    with pytest.raises(ArgumentError, match="as many steps, at least 10, got 5"):
        check_echo_state(net, np.ones(5))
    with pytest.raises(ArgumentError, match="X must have 1 channels and Y"):
        check_echo_state(net.fit(np.ones(20), np.ones(20)), np.ones((20, 2)))
    with pytest.raises(DataError, match="nan at step 3"):
        check_echo_state(net, np.where(np.arange(20) == 3, np.nan, 1.0))
    with pytest.raises(ArgumentError, match="as many steps"):
        check_echo_state(network(feedback=0.5), np.ones(20), np.ones(30))
