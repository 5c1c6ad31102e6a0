"""Made reviews with stars: classes that have an order."""

from __future__ import annotations

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["starred_reviews"]

_ASPECTS = ("the room", "the food", "the staff", "the view", "the price")
_WORDS = {
    -2: ("awful", "dreadful"),
    -1: ("poor", "dull"),
    0: ("fair", "usual"),
    1: ("good", "kind"),
    2: ("superb", "perfect"),
}


def starred_reviews(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Make reviews of two to four remarks, and the stars that go with them.

    A remark gives an aspect a grade from -2 to 2, and *not* turns it about: *not good*
    counts as -1. The stars are 3 and the mean grade, rounded, from 1 to 5.

    Args:
        count: How many, at least 1.
        seed: The same reviews for the same seed.

    Returns:
        The reviews, and the stars of each ``(count,)``.

    Raises:
        ArgumentError: If there is to be none.

    Example:
        >>> reviews, stars = starred_reviews(2)
        >>> reviews[0], int(stars[0])
        ('the staff was fair , the price was kind', 3)
    """
    if count < 1:
        raise ArgumentError(f"starred_reviews: count must be at least 1, got {count}.")
    draw = np.random.default_rng(seed)
    reviews, stars = [], np.empty(count, np.int64)
    for number in range(count):
        liked = draw.uniform(-2, 2)
        remarks, grades = [], []
        for aspect in draw.permutation(_ASPECTS)[: draw.integers(2, 5)]:
            grade = int(np.clip(round(liked + draw.normal(0, 0.7)), -2, 2))
            turned = grade != 0 and draw.random() < 0.3
            word = draw.choice(_WORDS[-grade if turned else grade])
            remarks.append(f"{aspect} was {'not ' if turned else ''}{word}")
            grades.append(grade)
        reviews.append(" , ".join(remarks))
        stars[number] = 3 + round(float(np.mean(grades)))
    return reviews, stars
