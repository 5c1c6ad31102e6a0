from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

from recurro.data import draw_house_numbers
from recurro.errors import ArgumentError, DataError
from recurro.tasks import Painter

SMALL = {"hidden_size": 12, "steps": 3, "latent": 2, "epochs": 1, "batch_size": 16}
X = draw_house_numbers(60).images


@pytest.fixture(scope="module")
def model() -> Painter:
    return Painter(**SMALL).fit(X)


def test_it_learns_what_pixels_know_of_each_other() -> None:
    """Of single digits that move about, better than pixels that know nothing."""
    images = draw_house_numbers(500, length=1, shape=(10, 10)).images
    model = Painter(
        hidden_size=32, steps=2, epochs=6, batch_size=16, learning_rate=0.01
    )
    model.fit(images[:400])
    rows = {row["name"]: row["bound"] for row in model.baselines_}
    assert list(rows) == ["independent pixels", "plain autoencoder", "network"]
    assert rows["network"] < rows["independent pixels"] - 1.5
    assert model.evaluate(images[400:])["bound"] < rows["independent pixels"] - 1.5


def test_the_bound_is_the_same_at_each_call_and_by_picture(model) -> None:
    bound = model.evaluate(X)["bound"]
    assert model.evaluate(X)["bound"] == bound
    assert model.log_prob(X).mean() == pytest.approx(-bound)
    assert model.score(X) == pytest.approx(-bound)
    state = torch.get_rng_state()
    model.evaluate(X)
    assert torch.equal(torch.get_rng_state(), state)


def test_pixels_are_ink_or_paper_or_grey(model) -> None:
    assert set(np.unique(model._targets(X))) == {0.0, 1.0}
    grey = Painter(**SMALL, binary=False)
    assert np.array_equal(grey._targets(X), X)


def test_new_pictures_are_painted_stroke_by_stroke(model) -> None:
    painted = model.generate(4, seed=1)
    assert painted.canvases.shape == (4, 3, 16, 24)
    assert painted.windows.shape == (4, 3, 4)
    assert np.array_equal(painted.pictures, painted.canvases[:, -1])
    assert 0 <= painted.canvases.min() <= painted.canvases.max() <= 1
    again, other = model.generate(4, seed=1), model.generate(4, seed=2)
    assert np.array_equal(again.canvases, painted.canvases)
    assert not np.array_equal(other.canvases, painted.canvases)
    with pytest.raises(ArgumentError, match="at least 1 picture"):
        model.generate(0)


def test_pictures_are_painted_again(model) -> None:
    assert model.predict(X[:5]).shape == (5, 16, 24)
    assert np.array_equal(model.predict(X[:5]), model.paint(X[:5]).pictures)


def test_what_is_held_out_is_not_learnt_from() -> None:
    fits = [
        Painter(**SMALL, keep="last").fit(X[:40], valid=held)
        for held in (X[40:], np.ones((3, 16, 24)))
    ]
    first, second = (fit.network_.state_dict() for fit in fits)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_is_loaded_and_resumed(tmp_path) -> None:
    out = tmp_path / "run"
    model = Painter(**SMALL, out=out).fit(X)
    assert Painter.load(out).evaluate(X) == model.evaluate(X)
    assert Painter.resume(out).baselines_ == model.baselines_


def test_the_verbs_of_scikit_learn(model) -> None:
    assert clone(model).get_params() == model.get_params()


def test_what_cannot_be_painted(model) -> None:
    with pytest.raises(DataError, match="from 0 to 1"):
        Painter(**SMALL).fit(X * 16)
    with pytest.raises(DataError, match="must be of height and width"):
        model.evaluate(X[:, :9])
