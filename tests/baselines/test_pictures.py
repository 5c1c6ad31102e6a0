from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bernoulli

from recurro.baselines.pictures import IndependentPixels, NearestPicture


def test_the_nearest_picture_names_the_number() -> None:
    draw = np.random.default_rng(0)
    known, asked = draw.random((40, 3, 4)), draw.random((25, 3, 4))
    names = [str(number % 7) for number in range(40)]
    found = NearestPicture().fit(known, names).predict(asked)
    apart = ((asked[:, None] - known) ** 2).sum((2, 3))
    assert found == [names[row] for row in apart.argmin(1)]


def test_more_neighbours_than_pictures_are_all_asked() -> None:
    model = NearestPicture(5).fit(np.eye(3)[:, None], ["1", "1", "2"])
    assert model.predict([np.ones((1, 3))]) == ["1"]


def test_pixels_are_counted() -> None:
    pictures = (np.random.default_rng(0).random((30, 2, 3)) > 0.4).astype(float)
    costs = IndependentPixels().fit(pictures[:20]).costs(pictures[20:])
    chance = (pictures[:20].sum(0) + 0.5) / 21
    wanted = -bernoulli(chance).logpmf(pictures[20:]).sum((1, 2))
    assert costs == pytest.approx(wanted)
