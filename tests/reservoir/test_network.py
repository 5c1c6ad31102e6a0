"""Echo state networks against their equations, and against reservoirpy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recurro.errors import ArgumentError, DataError
from recurro.reservoir import EchoStateNetwork, Ridge
from recurro.reservoir import series as series_module
from recurro.reservoir.running import features

WAVE = np.sin(0.3 * np.arange(300))
RNG = np.random.default_rng(3)
MANY = [RNG.normal(size=(steps, 2)) for steps in (5, 40, 17, 40, 1)]


def transcribed(model, x, teacher=None):
    """z_t of one series by the equations, in numpy."""
    bank = model.bank_
    one = np.full(int(bank.bias != 0), bank.bias)
    h = [np.zeros(pool.units) for pool in bank.pools]
    found, y = [], np.zeros(bank.outputs)
    for t, x_t in enumerate(x):
        for k, pool in enumerate(bank.pools):
            deep = k > 0 and bank.arrangement == "deep"
            u = np.concatenate([one, h[k - 1]] if deep else [one, x_t, y])
            new = pool.w_in @ u + pool.w_rec @ h[k]
            if pool.activation == "tanh":
                new = np.tanh(new)
            h[k] = (1 - pool.leak_rate) * h[k] + pool.leak_rate * new
        squares = [v**2 for v in h] if bank.squares else []
        found.append(np.concatenate([one, x_t, *h, *squares]))
        y = y if teacher is None else teacher[t]
    return np.array(found)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"leak_rate": 0.3, "activation": "identity", "bias": 0.0},
        {"squares": True, "feedback": 0.4},
        {"units": [12, 9, 10], "leak_rate": [1.0, 0.5, 0.2]},
        {"units": [12, 11], "arrangement": "parallel", "feedback": 0.3},
        {"spectral_radius": 0.0},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_features_are_those_of_the_equations(arguments, monkeypatch):
    monkeypatch.setattr(series_module, "CHUNK", 1500)  # several chunks of each
    model = EchoStateNetwork(
        **{"units": 20, "connectivity": 4, "random_state": 1, **arguments}
    )
    targets = [x[:, :1] for x in MANY]
    model.fit(MANY, targets)
    dtype = arguments.get("dtype", "float64")
    xs = [x.astype(dtype) for x in MANY]
    teacher = targets if model.feedback else None
    found = [np.full((len(x), model.bank_.features), np.nan) for x in MANY]
    for chunk, z, _ in features(model.bank_, xs, teacher):
        for place, row in enumerate(chunk.rows):
            left = chunk.left[place]
            found[row][chunk.start : chunk.start + left] = z[:left, place]
    atol = 1e-12 if dtype == "float64" else 1e-5
    for number, x in enumerate(MANY):
        wanted = transcribed(model, x, targets[number] if model.feedback else None)
        np.testing.assert_allclose(found[number], wanted, atol=atol)


def test_the_readout_is_ridge_regression_after_the_washout():
    model = EchoStateNetwork(15, ridge=1e-2, washout=4, random_state=0)
    series, targets = MANY[:4], [x.sum(1) for x in MANY[:4]]
    model.fit(series, targets)
    z = np.concatenate([transcribed(model, x)[4:] for x in series])
    y = np.concatenate([y[4:] for y in targets])
    wanted = np.linalg.solve(z.T @ z + 1e-2 * np.eye(z.shape[1]), z.T @ y)
    np.testing.assert_allclose(model.coef_[0], wanted, rtol=1e-6, atol=1e-9)
    told = model.predict(series)
    np.testing.assert_allclose(told[1], transcribed(model, series[1]) @ wanted, 1e-6)
    error = np.concatenate([t[4:] for t in told]) - y
    nrmse = np.sqrt((error**2).mean() / y.var())
    assert model.evaluate(series, targets)["nrmse"] == pytest.approx(nrmse)
    assert model.score(series, targets) == pytest.approx(1 - nrmse**2)


def test_states_are_those_of_reservoirpy():
    rpy = pytest.importorskip("reservoirpy.nodes")
    model = EchoStateNetwork(30, leak_rate=0.3, bias=0.0, random_state=0)
    model.fit(WAVE, WAVE)
    [pool] = model.bank_.pools
    theirs = rpy.Reservoir(
        W=pool.w_rec, Win=pool.w_in, bias=np.zeros(30), lr=0.3, units=30
    )
    [(_, z, _)] = features(model.bank_, [WAVE[:, None]])
    states = theirs.run(WAVE[:, None])
    np.testing.assert_allclose(z[:, 0, 1:], states, atol=1e-10)


def test_a_closed_loop_goes_on():
    model = EchoStateNetwork(60, washout=50, ridge=1e-9, random_state=0)
    model.fit(WAVE[:-1], WAVE[1:])
    ahead = model.generate(30, WAVE[:200])
    np.testing.assert_allclose(ahead, WAVE[200:230], atol=1e-3)
    both = model.generate(30, [WAVE[:200], WAVE[:150]])
    np.testing.assert_allclose(both[0], ahead, atol=1e-9)
    np.testing.assert_allclose(both[1], WAVE[150:180], atol=1e-3)


def test_a_closed_loop_is_its_steps_one_by_one():
    model = EchoStateNetwork(20, random_state=0).fit(MANY[1][:-1], MANY[1][1:])
    past = MANY[3]
    wanted = []
    for _ in range(4):
        wanted.append(model.predict(np.concatenate([past, *[[w] for w in wanted]]))[-1])
    np.testing.assert_allclose(model.generate(4, past), wanted, atol=1e-10)


@pytest.mark.parametrize("inputs", [0, 2])
def test_feedback_is_taught_and_then_its_own(inputs):
    x = RNG.normal(size=(60, inputs)) if inputs else None
    model = EchoStateNetwork(20, feedback=0.5, ridge=1e-4, random_state=0)
    y = WAVE[:60]
    model.fit(x, y)
    told = model.predict(x, teacher=y)
    given = np.zeros((60, 0)) if x is None else x
    z = transcribed(model, given, y[:, None])
    np.testing.assert_allclose(told, z @ model.coef_[0], atol=1e-9)
    ahead = model.generate(5, y[:40], None if x is None else x[:45])
    past = y[:40]
    for step in range(5):  # each output becomes the teacher of the next
        longer = np.append(past, 0.0)
        at = given[: len(longer)]
        wanted = (transcribed(model, at, longer[:, None]) @ model.coef_[0])[-1]
        assert ahead[step] == pytest.approx(wanted, abs=1e-8)
        past = np.append(past, wanted)
    free = model.predict(given)
    alone = transcribed(model, given, free[:, None]) @ model.coef_[0]
    np.testing.assert_allclose(free, alone, atol=1e-8)


def test_noise_is_in_training_alone_and_drawn_from_the_seed():
    still, loud, again = (
        EchoStateNetwork(20, noise=noise, random_state=0).fit(WAVE, WAVE)
        for noise in (0.0, 0.1, 0.1)
    )
    assert not np.allclose(still.coef_, loud.coef_)
    np.testing.assert_array_equal(loud.coef_, again.coef_)
    assert np.abs(loud.coef_[0, 2:]).max() < np.abs(still.coef_[0, 2:]).max()


@pytest.mark.parametrize("how", ["step", "last", "mean"])
def test_classes(how):
    slow, quick = (
        [np.sin(f * np.arange(n)) for n in range(20, 60)] for f in (0.2, 0.5)
    )
    labels = ["slow"] * 40 + ["quick"] * 40
    model = EchoStateNetwork(30, classify=how, washout=3, random_state=0, ridge=1e-3)
    model.fit(slow[::2] + quick[::2], labels[::2])
    assert model.classes_.tolist() == ["quick", "slow"]
    assert model.score(slow[1::2] + quick[1::2], labels[1::2]) == 1
    assert model.predict(slow[1]) == "slow"
    assert model.decision_function([slow[1]])[0].argmax() == 1
    assert model.evaluate(slow[:2], ["slow", "quick"]) == {"accuracy": 0.5}


def test_the_last_state_and_the_mean_are_those_of_the_equations():
    for how, pool in (("last", lambda z: z[-1]), ("mean", lambda z: z[2:].mean(0))):
        model = EchoStateNetwork(10, classify=how, washout=2, random_state=0)
        model.fit(MANY[:4], ["a", "b", "c", "a"])
        for x, score in zip(MANY[:4], model.decision_function(MANY[:4]), strict=True):
            wanted = model.coef_ @ pool(transcribed(model, x))
            np.testing.assert_allclose(score, wanted, atol=1e-10)


def test_labels_of_steps():
    sign = np.where(WAVE > 0, "up", "down")
    model = EchoStateNetwork(30, classify="step", random_state=0).fit(WAVE, sign)
    assert model.predict(WAVE).shape == WAVE.shape
    assert model.score(WAVE, sign) > 0.95
    assert [len(p) for p in model.predict([WAVE[:9], WAVE[:4]])] == [9, 4]


def test_learning_in_parts_is_learning_at_once():
    whole = EchoStateNetwork(15, random_state=0).fit(MANY, [x[:, 0] for x in MANY])
    parts = EchoStateNetwork(15, random_state=0)
    for x in MANY:
        parts.partial_fit([x], [x[:, 0]])
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-6, atol=1e-9)
    named = EchoStateNetwork(15, classify="last", random_state=0)
    named.partial_fit(MANY[:1], ["b"], classes=["a", "b"])
    named.partial_fit(MANY[1:2], ["a"])
    assert named.predict(MANY[:2]) == ["b", "a"]
    with pytest.raises(DataError, match=r"must hold classes of .* alone, got 'c'"):
        named.partial_fit(MANY[1:2], ["c"])


def test_the_contract_of_scikit_learn():
    readout = Ridge("gcv")
    model = EchoStateNetwork(25, readout=readout, random_state=4)
    twin = clone(model)
    assert twin.get_params()["units"] == 25
    assert twin.fit(WAVE[:-1], WAVE[1:]) is twin
    assert not hasattr(readout, "coef_")
    with pytest.raises(NotFittedError, match="must be fitted first"):
        model.predict(WAVE)
    line = make_pipeline(StandardScaler(), EchoStateNetwork(25, random_state=4))
    line.fit(WAVE[:-1, None], WAVE[1:])
    assert line.score(WAVE[:-1, None], WAVE[1:]) > 0.99
    refitted = twin.set_params(units=30).fit(WAVE, WAVE)
    assert refitted.coef_.shape == (1, 32)


def test_progress_is_told():
    seen = []
    EchoStateNetwork(10, random_state=0).fit(
        MANY, [x[:, 0] for x in MANY], progress=lambda *at: seen.append(at)
    )
    assert seen[-1] == (103, 103)


def test_the_reached_radius_is_told():
    model = EchoStateNetwork(
        [400, 30], spectral_radius=[1.3, 0.0], dtype="float32", random_state=0
    )
    model.fit(WAVE, WAVE)
    assert model.radius_ == pytest.approx((1.3, 0.0), rel=1e-5)


GOOD = WAVE[:50]
GAP = np.where(np.arange(50) == 7, np.nan, GOOD)


@pytest.mark.parametrize(
    ("arguments", "x", "y", "message"),
    [
        ({"washout": 50}, GOOD, GOOD, r"washout must be shorter .* X\[0\] of 50 steps"),
        ({}, GAP, GOOD, "X: must be finite, got nan at step 7, column 0"),
        ({}, GOOD, [GAP], r"Y\[0\]: must be finite, got nan at step 7"),
        ({}, GOOD, GOOD[:9], r"X\[0\] must have 9 steps for outputs of 9, got 50"),
        ({}, [GOOD, GOOD], [GOOD], "as many series of inputs as of outputs, got 2"),
        ({}, [], [], "Y: there must be a series, got none"),
        ({}, GOOD[:0], GOOD[:0], "at least one step, got"),
        ({}, [GOOD, MANY[0]], [GOOD, GOOD[:5]], r"X\[1\]: must be \(time, 1\)"),
        ({}, np.zeros((2, 3, 4)), GOOD, "Pass many series as a list"),
        ({}, [GOOD], [["abc"]], "must hold numbers alone"),
        ({"spectral_radius": -1}, GOOD, GOOD, "spectral_radius: must be a number >= 0"),
        ({"leak_rate": 0.0}, GOOD, GOOD, r"leak_rate must be in \(0, 1\]"),
        ({"units": 0}, GOOD, GOOD, "units must be an int >= 1"),
        ({"units": 5}, GOOD, GOOD, r"connectivity: must be an int in \[1, units=5\]"),
        ({"units": [20, 20], "leak_rate": [1.0]}, GOOD, GOOD, "for each of 2 reservoi"),
        ({"noise": -1.0}, GOOD, GOOD, "noise must be a number >= 0"),
        ({}, None, GOOD, "there must be inputs or feedback, got neither"),
        ({"classify": "last"}, [GOOD], ["a", "b"], "labels for each of 1 series"),
        ({"classify": "last"}, [GOOD], [GOOD], "one label for each series"),
        ({"classify": "last", "feedback": 1.0}, [GOOD], ["a"], "feedback must be 0"),
        ({"ridge": -1.0}, GOOD, GOOD, "ridge must be a number >= 0"),
        ({"ridge": 0.0, "spectral_radius": 0.0, "input_scaling": 0.0}, GOOD, GOOD,
         "normal equations must not be singular"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(arguments, x, y, message):
    model = EchoStateNetwork(**{"units": 20, "random_state": 0, **arguments})
    with pytest.raises((ArgumentError, DataError), match=message):
        model.fit(x, y)


def test_what_cannot_be_told_is_refused():
    model = EchoStateNetwork(20, random_state=0).fit(MANY[1], MANY[1][:, 0])
    with pytest.raises(DataError, match=r"X: must be \(time, 2\)"):
        model.predict(WAVE)
    with pytest.raises(ArgumentError, match="outputs must be inputs in turn, got 1"):
        model.generate(3, MANY[1])
    with pytest.raises(ArgumentError, match="classify must be set"):
        model.decision_function(MANY[1])
    model.fit(MANY[1], MANY[1])
    with pytest.raises(ArgumentError, match="steps must be >= 1, got 0"):
        model.generate(0, MANY[1])
