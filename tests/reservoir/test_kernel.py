"""The reservoir's kernel in scikit-learn's machines."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from recurro.data import read_ts
from recurro.errors import ArgumentError, DataError
from recurro.reservoir import EchoStateNetwork, ReservoirKernel, items
from tests.datasets import dataset


def kernel(pool="last", **settings):
    settings = {"units": 20, "random_state": 0, **settings}
    return ReservoirKernel(EchoStateNetwork(**settings), pool)


def waves(count=16, seed=0):
    """Series of unlike lengths, slow and fast in turn, and their classes."""
    rng = np.random.default_rng(seed)
    pace = np.array([0.3, 1.0] * (count // 2))
    xs = [np.sin(k * np.arange(rng.integers(15, 25)) + rng.uniform(0, 6)) for k in pace]
    return xs, (pace > 0.5).astype(int)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_it_is_the_product_of_the_states(pool):
    xs, _ = waves(6)
    pool_of = kernel(pool, leak_rate=0.5)
    weights = pool_of.network.draw(1).pools[0]
    expected = []
    for x in xs:
        h, z = np.zeros(20), []
        for value in x:
            new = np.tanh(weights.w_in @ [1.0, value] + weights.w_rec @ h)
            h = 0.5 * h + 0.5 * new
            z.append([1.0, value, *h])
        expected.append(z[-1] if pool == "last" else np.mean(z, 0))
    expected = np.array(expected)
    np.testing.assert_allclose(pool_of(xs), expected @ expected.T)
    np.testing.assert_allclose(pool_of(xs, xs[:2]), expected @ expected[:2].T)
    np.testing.assert_allclose(pool_of(items(xs)), expected @ expected.T)
    np.testing.assert_allclose(pool_of.diag(xs), np.diag(expected @ expected.T))
    matrix, gradient = pool_of(xs, eval_gradient=True)
    assert (matrix.shape, gradient.shape) == ((6, 6), (6, 6, 0))


def test_support_vectors_by_the_kernel_and_by_its_matrix():
    xs, y = waves()
    new, truth = waves(10, seed=1)
    k = kernel("mean")
    named = SVC(kernel=k, C=100).fit(xs, y)
    assert (named.predict(new) == truth).all()
    ready = SVC(kernel="precomputed", C=100).fit(k(xs), y)
    np.testing.assert_allclose(
        ready.decision_function(k(new, xs)), named.decision_function(new)
    )


def test_gaussian_processes():
    xs, y = waves()
    new, truth = waves(10, seed=1)
    model = GaussianProcessClassifier(1000.0 * kernel("mean"), optimizer=None)
    assert (model.fit(items(xs), y).predict(items(new)) == truth).all()
    mixed = ConstantKernel(1.0) * kernel("mean") + WhiteKernel(0.1)
    regressor = GaussianProcessRegressor(mixed).fit(items(xs), y)
    found, spread = regressor.predict(items(new), return_std=True)
    assert ((found > 0.5) == truth).all()
    assert (spread > 0).all()
    assert regressor.kernel_.theta.shape == (2,)  # both of the others, none of ours
    assert "ReservoirKernel" in str(regressor.kernel_)


def test_it_is_cloned_varied_and_not_stationary():
    first = kernel("mean", leak_rate=0.3)
    second = clone(first)
    xs, y = waves(8)
    assert second is not first
    assert second.get_params()["pool"] == "mean"
    np.testing.assert_array_equal(first(xs), second(xs))
    assert not first.is_stationary()
    assert not first.requires_vector_input
    second.set_params(network__leak_rate=1.0)
    assert not np.allclose(first(xs), second(xs))
    grid = {"kernel__network__leak_rate": [0.3, 1.0]}
    search = GridSearchCV(SVC(kernel=first), grid, cv=2).fit(xs, y)
    assert search.best_params_["kernel__network__leak_rate"] in (0.3, 1.0)


def test_what_it_cannot_do():
    xs, _ = waves(4)
    with pytest.raises(ArgumentError, match="random_state, got 0"):
        kernel(random_state=None)(xs)
    with pytest.raises(ArgumentError, match="no feedback"):
        kernel(feedback=0.5)(xs)
    wrong = kernel()
    wrong.pool = "max"
    with pytest.raises(ArgumentError, match="pool must be 'last' or 'mean', got 'max'"):
        wrong(xs)
    with pytest.raises(DataError, match=r"X\[1\]: must be finite, got nan at step 0"):
        kernel()([np.ones(3), np.array([np.nan])])
    with pytest.raises(DataError, match="got 20 for one of 1"):
        kernel("mean", washout=20)(xs)
    assert kernel("last", washout=20)(xs).shape == (4, 4)


def test_speakers_of_japanese_vowels():
    train, test = (
        read_ts(dataset(f"japanese-vowels/JapaneseVowels_{part}.ts"))
        for part in ("TRAIN", "TEST")
    )
    network = EchoStateNetwork(
        200, leak_rate=0.3, input_scaling=0.5, random_state=0, dtype="float32"
    )
    machine = SVC(kernel=ReservoirKernel(network)).fit(train.items, train.labels)
    assert machine.score(test.items, test.labels) > 0.97
