"""Hidden Markov models against hmmlearn, enumeration and worked examples."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recurro.baselines import HiddenMarkovModel
from recurro.errors import ArgumentError, DataError, VocabularyError

hmmlearn = pytest.importorskip("hmmlearn.hmm")
logging.getLogger("hmmlearn").setLevel(logging.ERROR)

FAMILIES = ("categorical", "diag", "full", "poisson")


def random_parameters(family, states, rng, width=3):
    """Parameters of a model, by the names of its attributes."""
    found = {
        "startprob_": rng.dirichlet(np.ones(states)),
        "transmat_": rng.dirichlet(np.ones(states), states),
    }
    if family == "categorical":
        found["emissionprob_"] = rng.dirichlet(np.ones(width + 2), states)
    elif family == "poisson":
        found["lambdas_"] = rng.gamma(2.0, 3.0, (states, width))
    else:
        found["means_"] = rng.normal(size=(states, width))
        root = rng.normal(size=(states, width, width + 1))
        full = root @ root.transpose(0, 2, 1)
        diag = np.einsum("sii->si", full)
        found["covars_"] = full if family == "full" else diag
    return found


def ours(family, states, parameters, **settings):
    kind = {"emission": family, "covariance_type": "diag"}
    if family in ("diag", "full"):
        kind = {"emission": "gaussian", "covariance_type": family}
    model = HiddenMarkovModel(states, **kind, **settings)
    vars(model).update(parameters)
    return model


def theirs(family, states, parameters, **settings):
    settings = {"init_params": "", **settings}
    if family == "categorical":
        symbols = parameters["emissionprob_"].shape[1]
        model = hmmlearn.CategoricalHMM(states, n_features=symbols, **settings)
    elif family == "poisson":
        model = hmmlearn.PoissonHMM(states, **settings)
    else:
        # no prior on covariances, which ours has not
        settings |= {"covariance_type": family, "covars_prior": 0.0}
        model = hmmlearn.GaussianHMM(states, **settings)
    for name, value in parameters.items():
        setattr(model, name, value.copy())
    return model


def data(family, states, rng, lengths):
    """Observations drawn from a model with other parameters."""
    drawn = ours(family, states, random_parameters(family, states, rng))
    seeds = rng.integers(2**31, size=len(lengths))
    pairs = zip(lengths, seeds, strict=True)
    return np.concatenate([drawn.sample(n, seed=int(s))[0] for n, s in pairs])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("states", [1, 2, 5])
def test_equals_hmmlearn_on_random_models(family, states):
    rng = np.random.default_rng(states)
    lengths = [30, 1, 7, 15]
    X = data(family, states, rng, lengths)
    parameters = random_parameters(family, states, rng)
    mine, other = (f(family, states, parameters) for f in (ours, theirs))

    log_prob, posteriors = mine.score_samples(X, lengths)
    wanted, wanted_posteriors = other.score_samples(X, lengths)
    assert log_prob == pytest.approx(wanted, rel=1e-8)
    np.testing.assert_allclose(posteriors, wanted_posteriors, atol=1e-8)
    assert mine.score(X, lengths) == pytest.approx(log_prob, rel=1e-12)
    for algorithm in ("viterbi", "map"):
        figure, path = mine.decode(X, lengths, algorithm)
        wanted, wanted_path = other.decode(X, lengths, algorithm)
        assert figure == pytest.approx(wanted, rel=1e-8)
        assert path.tolist() == wanted_path.tolist()
    assert mine.predict(X, lengths).tolist() == other.predict(X, lengths).tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_iterations_lead_where_those_of_hmmlearn_do(family):
    rng = np.random.default_rng(3)
    lengths = [40, 25, 60]
    X = data(family, 3, rng, lengths)
    first = random_parameters(family, 3, rng)
    settings = {"n_iter": 4, "tol": -np.inf}
    mine = ours(family, 3, first, init_params="", **settings).fit(X, lengths)
    other = theirs(family, 3, first, **settings).fit(X, lengths)
    assert mine.monitor_.history == pytest.approx(list(other.monitor_.history))
    for name in first:
        wanted = getattr(other, name)
        if family == "diag" and name == "covars_":
            wanted = np.einsum("sii->si", wanted)
        np.testing.assert_allclose(getattr(mine, name), wanted, rtol=1e-7, atol=1e-9)


def test_priors_are_those_of_hmmlearn():
    rng = np.random.default_rng(4)
    X = data("categorical", 2, rng, [50])
    first = random_parameters("categorical", 2, rng)
    priors = {"startprob_prior": 2.0, "transmat_prior": 3.0, "emissionprob_prior": 1.5}
    settings = {"n_iter": 2, "tol": -np.inf, **priors}
    mine = ours("categorical", 2, first, init_params="", **settings).fit(X)
    other = theirs("categorical", 2, first, **settings).fit(X)
    for name in first:
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name))


@given(
    states=st.integers(1, 3),
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    zeros=st.floats(0, 0.7),
    seed=st.integers(0, 10**6),
)
@pytest.mark.filterwarnings("ignore:HiddenMarkovModel")
def test_equals_enumeration(states, lengths, zeros, seed):
    """Models with impossible starts, moves and symbols too."""
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, shape in (
        ("startprob_", (1, states)),
        ("transmat_", (states, states)),
        ("emissionprob_", (states, 2)),
    ):
        table = rng.random(shape) * (rng.random(shape) >= zeros)
        table[table.sum(1) == 0] = 1.0
        parameters[name] = table / table.sum(1, keepdims=True)
    parameters["startprob_"] = parameters["startprob_"][0]
    model = ours("categorical", states, parameters)
    X = rng.integers(0, 2, sum(lengths))
    log_probs, posteriors = model.log_probs(X, lengths), model.predict_proba(X, lengths)
    end = 0
    for number, time in enumerate(lengths):
        own = slice(end, end := end + time)
        total, best, wanted = enumerate_paths(parameters, X[own])
        np.testing.assert_allclose(np.exp(log_probs[number]), total, rtol=1e-9)
        np.testing.assert_allclose(posteriors[own], wanted, atol=1e-9)
        if time:
            figure, path = model.decode(X[own])
            np.testing.assert_allclose(np.exp(figure), best, rtol=1e-9)
            assert (path == -1).all() == (total == 0)


def enumerate_paths(parameters, X):
    """P(x), that of x with the best path, and the posteriors, path by path."""
    start, moves, table = parameters.values()
    total, best, posterior = 0.0, 0.0, np.zeros((len(X), len(start)))
    for path in itertools.product(range(len(start)), repeat=len(X)):
        p = 1.0
        for t, (state, x) in enumerate(zip(path, X, strict=True)):
            p *= (moves[path[t - 1], state] if t else start[state]) * table[state, x]
        total, best = total + p, max(best, p)
        posterior[range(len(X)), path] += p
    return total, best, posterior / (total or 1.0)


def umbrella():
    """Russell and Norvig's: states rain and sun, symbols umbrella and none."""
    return ours(
        "categorical",
        2,
        {
            "startprob_": np.array([0.5, 0.5]),
            "transmat_": np.array([[0.7, 0.3], [0.3, 0.7]]),
            "emissionprob_": np.array([[0.9, 0.1], [0.2, 0.8]]),
        },
    )


def test_umbrella():
    model, days = umbrella(), [0, 0, 1, 0, 0]
    assert model.score(days) == pytest.approx(-3.3725, abs=5e-5)
    log_prob, states = model.decode(days)
    assert log_prob == pytest.approx(-4.4590, abs=5e-5)
    assert states.tolist() == [0, 0, 1, 0, 0]
    # Artificial Intelligence, section 15.2: 0.883 after two days, smoothed 0.883
    assert model.filter(days[:2])[1, 0] == pytest.approx(0.883, abs=5e-4)
    assert model.predict_proba(days[:2])[0, 0] == pytest.approx(0.883, abs=5e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_step_at_a_time_equals_the_whole(family):
    rng = np.random.default_rng(5)
    X = data(family, 3, rng, [20])
    model = ours(family, 3, random_parameters(family, 3, rng))
    belief, wanted = model.start(), model.filter(X)
    for step, x in enumerate(X):
        belief = model.advance(belief, x)
        np.testing.assert_allclose(belief.probs, wanted[step], atol=1e-12)
    assert belief.log_prob == pytest.approx(model.score(X), rel=1e-12)
    assert belief.steps == 20


@pytest.mark.parametrize("family", FAMILIES)
def test_learning_never_loses_and_finds_what_was_drawn(family):
    rng = np.random.default_rng(7)
    true = random_parameters(family, 2, rng)
    true["transmat_"] = np.array([[0.95, 0.05], [0.1, 0.9]])
    if family in ("diag", "full"):
        true["means_"] = np.array([[0.0, 0, 0], [6, 6, 6]])
    drawn = ours(family, 2, true)
    X, states = drawn.sample(400)
    lengths = [40] * 10
    seen = []
    model = clone(drawn).set_params(n_init=2, n_iter=40)
    model.fit(X, lengths, watch=lambda *told: seen.append(told))
    history = np.array(model.monitor_.history)
    assert (np.diff(history) >= -1e-9 * np.abs(history[1:])).all()
    assert model.monitor_.iter == len(history) <= 40
    assert history[-1] == max(model.monitor_.starts)
    assert {start for start, _, _ in seen} == {0, 1}
    assert history[-1] > drawn.score(X, lengths) - 2  # the likeliest is likelier
    found = model.predict(X, lengths)
    agree = (found == states).mean()
    assert max(agree, 1 - agree) > 0.85


def test_the_same_seed_gives_the_same_model():
    X = umbrella().sample(30)[0]
    first, again = (HiddenMarkovModel(2, seed=3, n_iter=2).fit(X) for _ in range(2))
    assert first.transmat_.tolist() == again.transmat_.tolist()
    assert umbrella().sample(9, seed=1)[0].tolist() == (
        umbrella().sample(9, seed=1)[0].tolist()
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_have_the_frequencies_of_the_model(family):
    rng = np.random.default_rng(8)
    model = ours(family, 2, random_parameters(family, 2, rng))
    X, states = model.sample(40_000)
    moves = np.zeros((2, 2))
    np.add.at(moves, (states[:-1], states[1:]), 1)
    moves /= moves.sum(1, keepdims=True)
    np.testing.assert_allclose(moves, model.transmat_, atol=0.02)
    own = X[states == 1]
    if family == "categorical":
        shares = np.bincount(own[:, 0], minlength=5) / len(own)
        np.testing.assert_allclose(shares, model.emissionprob_[1], atol=0.02)
    elif family == "poisson":
        np.testing.assert_allclose(own.mean(0), model.lambdas_[1], rtol=0.05)
    else:
        spread = np.cov(own.T) if family == "full" else own.var(0)
        np.testing.assert_allclose(own.mean(0), model.means_[1], atol=0.1)
        np.testing.assert_allclose(spread, model.covars_[1], rtol=0.2, atol=0.2)


def test_known_states_are_counted():
    X, states, lengths = [0, 1, 1, 0, 2, 2], [0, 1, 1, 0, 1, 1], [4, 2]
    model = HiddenMarkovModel(2).fit(X, lengths, states=states)
    assert model.startprob_.tolist() == [0.5, 0.5]
    assert model.transmat_ == pytest.approx(np.array([[0, 1], [1 / 3, 2 / 3]]))
    assert model.emissionprob_.tolist() == [[1, 0, 0], [0, 0.5, 0.5]]
    # a state that no one names is never reached, and spoils nothing
    more = HiddenMarkovModel(3).fit(X, lengths, states=states)
    assert more.transmat_[:2, 2].tolist() == [0, 0]
    assert more.score(X, lengths) == pytest.approx(model.score(X, lengths))
    assert np.isfinite(more.predict_proba(X, lengths)).all()
    smooth = HiddenMarkovModel(2, emissionprob_prior=2.0, n_features=4)
    assert smooth.fit(X, lengths, states=states).emissionprob_.min() > 0


def test_known_states_of_vectors():
    X = np.array([[0.0, 1], [2, 3], [10, 10], [12, 14], [11, 12]])
    model = HiddenMarkovModel(2, "gaussian", covariance_type="full")
    model.fit(X, states=[0, 0, 1, 1, 1])
    np.testing.assert_allclose(model.means_, [[1, 2], [11, 12]])
    np.testing.assert_allclose(model.covars_[1], np.cov(X[2:].T, bias=True), rtol=1e-4)


# -- sequences that are long, unlikely or impossible -----------------------------------


def test_long_sequences_neither_vanish_nor_turn_into_nan():
    model = umbrella()
    X = model.sample(1500)[0]
    log_prob, posteriors = model.score_samples(X)
    assert -1500 < log_prob < -745  # exp of it is 0 in float64
    assert np.isfinite(posteriors).all()
    np.testing.assert_allclose(posteriors.sum(1), 1)


def test_impossible_sequences_are_named():
    model = umbrella()
    model.emissionprob_ = np.array([[1.0, 0, 0], [0.5, 0.5, 0]])
    X, lengths = [0, 1, 0, 2, 0, 0], [2, 3, 1]
    with pytest.warns(UserWarning, match="sequence 1 .* step 1 no state"):
        found = model.log_probs(X, lengths)
    assert found[1] == -np.inf
    assert np.isfinite(found[[0, 2]]).all()
    with pytest.warns(UserWarning, match="sequence 1"):
        probs = model.predict_proba(X, lengths)
    assert probs.sum(1).tolist() == pytest.approx([1, 1, 0, 0, 0, 1])
    with pytest.warns(UserWarning, match="sequence 1"):
        log_prob, states = model.decode(X, lengths)
    assert log_prob == -np.inf
    assert states[2:5].tolist() == [-1, -1, -1]
    assert (states[[0, 1, 5]] >= 0).all()
    with pytest.warns(UserWarning, match="2 more"):
        assert model.score([2, 2, 2], [1, 1, 1]) == -np.inf
    belief = model.advance(model.advance(model.start(), 2), 0)
    assert belief.log_prob == -np.inf
    assert belief.probs.tolist() == [0, 0]
    with pytest.raises(DataError, match=r"sequence 1 .* step 1"):
        model.set_params(init_params="").fit(X, lengths)


def test_unlikely_is_not_impossible():
    """A path that scaled numbers lose; hmmlearn's logarithms keep it."""
    parameters = {
        "startprob_": np.array([0.5, 0.5]),
        "transmat_": np.eye(2),  # who starts in a state stays there
        "means_": np.array([[0.0], [60.0]]),
        "covars_": np.ones((2, 1)),
    }
    model = ours("diag", 2, parameters)
    X = np.array([[0.0], [60.0], [60.0]])
    wanted, posteriors = theirs("diag", 2, parameters).score_samples(X)
    assert model.score(X) == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(model.predict_proba(X), posteriors, atol=1e-12)
    both = np.concatenate([X, X[::-1], X[:1]])
    found = model.log_probs(both, [3, 3, 1])
    assert found[:2] == pytest.approx([wanted, wanted])
    np.testing.assert_allclose(model.filter(X), [[1, 0], [0.5, 0.5], [0, 1]], atol=1e-9)


def test_outliers_are_no_trouble():
    model = ours(
        "diag",
        2,
        {
            **random_parameters("diag", 2, np.random.default_rng(0), 1),
            "covars_": np.ones((2, 1)),
        },
    )
    log_prob, posteriors = model.score_samples([[0.0], [1e5], [0.0]])
    assert log_prob < -1e9
    np.testing.assert_allclose(posteriors.sum(1), 1)


# -- bad input -------------------------------------------------------------------------


def gaussian(**settings):
    return HiddenMarkovModel(2, "gaussian", **settings)


@pytest.mark.parametrize(
    ("model", "X", "lengths", "message"),
    [
        (HiddenMarkovModel(5), [0, 1, 0], None, "as many observations as states, 5"),
        (gaussian(), [[0.0]], None, "as many observations as states"),
        (HiddenMarkovModel(), [], None, "at least one row"),
        (HiddenMarkovModel(), [0, 1], [1, 2], "add up to the 2 rows .* sum of 3"),
        (HiddenMarkovModel(), [0, 1], [3, -1], "at least 0"),
        (HiddenMarkovModel(), [0, 1], [[2]], "whole numbers, one for each"),
        (HiddenMarkovModel(), [0, 1.5], None, "row 1 of X must hold a symbol"),
        (HiddenMarkovModel(), [0, -1], None, "row 1 .* got -1"),
        (HiddenMarkovModel(), [0, np.nan], None, "row 1 .* got nan"),
        (HiddenMarkovModel(), ["a", "b"], None, "names into numbers"),
        (HiddenMarkovModel(), [[0, 1], [1, 0]], None, r"\(steps, 1\)"),
        (HiddenMarkovModel(n_features=2), [0, 2], None, "row 1 .* from 0 to 1, got 2"),
        (gaussian(), [[0.0, 1], [2, np.nan], [3, 4]], None, "nan in row 1, column 1"),
        (gaussian(), [[0.0, 1], [2, 1], [3, 1]], None, "got 1 in all rows of column 1"),
        (gaussian(), [["a"], ["b"]], None, "must be numbers"),
        (gaussian(), np.zeros((2, 2, 2)), None, r"must be \(steps, features\)"),
        (HiddenMarkovModel(2, "poisson"), [[1], [-2]], None, "row 1 .* counts"),
        (HiddenMarkovModel(2, "poisson"), [[1], [0.5]], None, "row 1 .* counts"),
    ],
)
def test_bad_data_is_named(model, X, lengths, message):
    with pytest.raises(DataError, match=message):
        model.fit(X, lengths)


@pytest.mark.usefixtures("unchecked")
def test_an_algorithm_that_is_not_known_is_named():
    with pytest.raises(ArgumentError, match="algorithm"):
        umbrella().decode([0], algorithm="best")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "settings",
    [
        {"n_states": 0},
        {"n_states": 2.0},
        {"emission": "binomial"},
        {"covariance_type": "tied"},
        {"n_init": 0},
        {"n_iter": 0},
        {"min_covar": 0.0},
        {"params": "stx"},
        {"init_params": "m"},
        {"transmat_prior": -1.0},
        {"n_features": 0},
        {"tol": np.nan},
    ],
)
def test_bad_arguments_are_named(settings):
    with pytest.raises(ArgumentError, match=f"{next(iter(settings))} must"):
        HiddenMarkovModel(**settings).fit([0, 1, 0])


def test_what_is_missing_or_does_not_fit_is_named():
    with pytest.raises(NotFittedError, match="startprob_"):
        HiddenMarkovModel().score([0])
    with pytest.raises(ArgumentError, match="transmat_ must be set"):
        HiddenMarkovModel(init_params="se").fit([0, 1])
    with pytest.raises(VocabularyError, match=r"row 2 .* from 0 to 1, got 7"):
        umbrella().score([0, 1, 7])
    for name, value, message in (
        ("transmat_", np.ones((2, 2)), "sum to 1"),
        ("startprob_", np.ones(3) / 3, r"shape \(2,\)"),
        ("startprob_", np.array([np.nan, 1]), "finite"),
        ("emissionprob_", np.array([[1.5, -0.5], [0, 1]]), "probabilities"),
    ):
        model = umbrella()
        setattr(model, name, value)
        with pytest.raises(ArgumentError, match=f"{name} must .*{message}"):
            model.score([0, 1])
    fitted = gaussian().fit(np.random.default_rng(0).normal(size=(20, 2)))
    with pytest.raises(DataError, match="2 columns as in training, got 3"):
        fitted.score(np.zeros((4, 3)))
    fitted.covars_ = np.zeros((2, 2))
    with pytest.raises(ArgumentError, match="covars_ must be > 0"):
        fitted.score(np.zeros((4, 2)))
    with pytest.raises(ArgumentError, match="n_samples"):
        umbrella().sample(0)
    for states, message in (([0], "whole numbers"), ([0, 2], "from 0 to 1")):
        with pytest.raises(DataError, match=f"states must be {message}"):
            HiddenMarkovModel().fit([0, 1], states=states)


def test_empty_sequences_have_nothing_to_tell():
    model = umbrella()
    assert model.score([], []) == 0
    assert model.log_probs([0], [0, 1, 0])[[0, 2]].tolist() == [0, 0]
    assert model.predict_proba([]).shape == (0, 2)
    assert model.predict([], [0]).tolist() == []
    fitted = HiddenMarkovModel(2, n_init=1).fit([0, 1, 1, 0], [0, 4, 0])
    assert np.isfinite(fitted.transmat_).all()


def test_a_state_keeps_some_variance():
    """Half of the observations are equal: their state would become infinitely sure."""
    rng = np.random.default_rng(1)
    X = np.r_[np.zeros(50), rng.normal(5, 1, 50)][:, None]
    for kind in ("diag", "full"):
        model = gaussian(covariance_type=kind, n_init=1).fit(X)
        assert model.covars_.min() == pytest.approx(1e-6 * X.var(), rel=1e-6)
        assert np.isfinite(model.score(X))


@pytest.mark.parametrize("family", FAMILIES)
def test_unreachable_states_keep_what_they_have(family):
    rng = np.random.default_rng(2)
    first = random_parameters(family, 3, rng)
    first["startprob_"] = np.array([0.5, 0.5, 0.0])
    first["transmat_"][:, 2] = 0
    first["transmat_"] /= first["transmat_"].sum(1, keepdims=True)
    X = data(family, 2, rng, [40])
    model = ours(family, 3, first, init_params="", n_iter=3).fit(X)
    assert model.predict_proba(X)[:, 2].max() == 0
    for name, value in first.items():
        assert np.isfinite(getattr(model, name)).all()
        if name != "startprob_":
            np.testing.assert_allclose(getattr(model, name)[2], value[2])


def test_what_is_impossible_remains_so():
    """Left to right: zeros among the transitions outlast learning, priors too."""
    first = random_parameters("categorical", 3, np.random.default_rng(6))
    first["startprob_"] = np.array([1.0, 0, 0])
    first["transmat_"] = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]])
    X = np.random.default_rng(6).integers(0, 5, 30)
    for prior in (1.0, 2.0):
        settings = {"transmat_prior": prior, "startprob_prior": prior}
        model = ours("categorical", 3, first, init_params="", **settings).fit(X)
        assert (model.transmat_[first["transmat_"] == 0] == 0).all()
        assert model.startprob_.tolist() == [1, 0, 0]


def test_letters_say_what_is_learnt():
    first = random_parameters("categorical", 2, np.random.default_rng(6))
    X = np.random.default_rng(6).integers(0, 5, 30)
    model = ours("categorical", 2, first, init_params="", params="e", n_iter=2).fit(X)
    assert model.transmat_.tolist() == first["transmat_"].tolist()
    assert model.emissionprob_.tolist() != first["emissionprob_"].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_criteria_are_those_of_hmmlearn(family):
    rng = np.random.default_rng(9)
    X = data(family, 3, rng, [50])
    parameters = random_parameters(family, 3, rng)
    mine, other = (f(family, 3, parameters) for f in (ours, theirs))
    other.n_features = X.shape[1] if family != "categorical" else 5
    assert mine.bic(X) == pytest.approx(other.bic(X))
    assert mine.aic(X) == pytest.approx(other.aic(X))
