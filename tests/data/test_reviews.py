from __future__ import annotations

import numpy as np
import pytest

from recurro.data import starred_reviews
from recurro.errors import ArgumentError

GRADES = {"awful": -2, "dreadful": -2, "poor": -1, "dull": -1, "fair": 0, "usual": 0}
GRADES |= {"good": 1, "kind": 1, "superb": 2, "perfect": 2}


def test_stars_follow_from_the_remarks() -> None:
    reviews, stars = starred_reviews(400, 3)
    for review, star in zip(reviews, stars, strict=True):
        grades = []
        for remark in review.split(" , "):
            *_, before, word = remark.split()
            grades.append(-GRADES[word] if before == "not" else GRADES[word])
        assert star == 3 + round(float(np.mean(grades)))
    assert set(stars) == {1, 2, 3, 4, 5}
    assert any(" not " in review for review in reviews)
    assert reviews == starred_reviews(400, 3)[0] != starred_reviews(400, 4)[0]


def test_bad_count() -> None:
    with pytest.raises(ArgumentError, match="at least 1, got 0"):
        starred_reviews(0)
