from __future__ import annotations

import numpy as np
import pytest

from recurro.data import liked_posts, paid_adverts
from recurro.errors import ArgumentError

MAKERS = [paid_adverts, liked_posts]


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_makes_the_same(make) -> None:
    first, again, other = make(50), make(50), make(50, seed=1)
    assert first.texts == again.texts
    np.testing.assert_array_equal(first.numbers, again.numbers)
    assert first.texts != other.texts


@pytest.mark.parametrize("make", MAKERS)
def test_a_text_has_one_mean_and_it_hangs_on_the_order_of_words(make) -> None:
    made = make(4000)
    means: dict[str, float] = {}
    bags: dict[tuple[str, ...], set[float]] = {}
    for text, mean in zip(made.texts, made.means, strict=True):
        assert means.setdefault(text, mean) == mean
        words = tuple(sorted(text.split()))
        bags.setdefault(words, set()).add(round(float(mean), 6))
    assert max(len(found) for found in bags.values()) > 1


def test_numbers_are_drawn_around_their_means() -> None:
    count = 6000
    pay = paid_adverts(count)
    ratio = pay.numbers / pay.means
    assert abs(ratio.mean() - 1) < 4 * 0.25 / np.sqrt(count)
    spread = np.log(ratio)
    assert spread.mean() == pytest.approx(-(0.25**2) / 2, abs=0.02)
    assert spread.std() == pytest.approx(0.25, rel=0.05)
    likes = liked_posts(count)
    z = (likes.numbers - likes.means) / np.sqrt(likes.means)  # of variance 1
    assert abs(z.mean()) < 4 / np.sqrt(count)
    assert z.std() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("make", MAKERS)
def test_there_must_be_some(make) -> None:
    with pytest.raises(ArgumentError, match="count must be an int >= 1, got 0"):
        make(0)
