"""Made texts with a number each, whose true mean is known: salaries and likes.

They show how near a model comes to the best error there can be, that of the true mean.
What is said depends on the order of words: *no travel but night shifts* has the words
of *no night shifts but travel* and another mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["NumberedTexts", "liked_posts", "paid_adverts"]

_JOBS = {
    "cook": 24_000,
    "driver": 27_000,
    "clerk": 30_000,
    "nurse": 34_000,
    "teacher": 40_000,
    "chemist": 52_000,
    "engineer": 58_000,
    "lawyer": 70_000,
}
_RANKS = {"trainee": -0.35, "junior": -0.15, "senior": 0.2, "chief": 0.4}
_PLACES = {"a village": -0.12, "a small town": -0.04, "the city": 0.08, "abroad": 0.2}
_BURDENS = {"night shifts": 0.3, "travel": 0.0, "work on sundays": 0.15}
_YEAR = 0.04
_SPREAD = 0.25

_AUTHORS = {"a newcomer": 0.3, "a friend": 1.0, "a singer": 2.0, "a star": 2.8}
_TOPICS = {
    "a cat": 0.7,
    "a meal": 0.0,
    "the weather": -0.4,
    "a match": 0.3,
    "tax": -0.8,
}
_QUALITIES = {"funny": 0.5, "true": 0.2, "new": 0.3}
_SHARE = 0.1

_ASIDES = ("please write soon", "more below", "this is all", "thank you for reading")


@dataclass(frozen=True, eq=False)
class NumberedTexts:
    """Texts, a number that was drawn for each, and the mean of what it is drawn from.

    Attributes:
        texts: The texts, lower case, words parted by blanks.
        numbers: The numbers ``(texts,)``.
        means: Their means ``(texts,)``: no model can tell the numbers better.
    """

    texts: list[str]
    numbers: np.ndarray
    means: np.ndarray


def paid_adverts(count: int, *, seed: int = 0) -> NumberedTexts:
    """Advertisements for jobs, and what they pay a year.

    log y ~ N(m, 0.25^2), with m the sum of what job, rank, place, years and burdens are
    worth; so E[y] = exp(m + 0.25^2 / 2).

    Args:
        count: How many, at least 1.
        seed: The same texts and numbers for the same seed.

    Raises:
        ArgumentError: If there is to be none.

    Example:
        >>> made = paid_adverts(2)
        >>> made.texts[0]  # doctest: +ELLIPSIS
        'wanted : ... years behind you . ...'
        >>> len(made.numbers), bool((made.means > 0).all())
        (2, True)
    """
    draw, texts, worth = _begin("paid_adverts", count, seed), [], np.empty(count)
    for i in range(count):
        job, rank, place = (_pick(draw, of) for of in (_JOBS, _RANKS, _PLACES))
        years = int(draw.integers(1, 10))
        said, burdens = _one_of_two(draw, _BURDENS, "no")
        texts.append(
            f"wanted : a {rank} {job} for {place} , {years} years behind you . "
            f"{said} . {_pick(draw, _ASIDES)}"
        )
        worth[i] = np.log(_JOBS[job]) + _RANKS[rank] + _PLACES[place] + burdens
        worth[i] += _YEAR * years
    numbers = np.exp(worth + _SPREAD * draw.standard_normal(count))
    return NumberedTexts(texts, numbers, np.exp(worth + _SPREAD**2 / 2))


def liked_posts(count: int, *, seed: int = 0) -> NumberedTexts:
    """Posts, and how many like them.

    y ~ Poisson(exp(r)), with r the sum of what author, topic, shares and qualities are
    worth.

    Args:
        count: How many, at least 1.
        seed: The same texts and numbers for the same seed.

    Raises:
        ArgumentError: If there is to be none.

    Example:
        >>> made = liked_posts(2)
        >>> made.texts[0]  # doctest: +ELLIPSIS
        'a post by ... times . ...'
        >>> made.numbers.dtype
        dtype('int64')
    """
    draw, texts, worth = _begin("liked_posts", count, seed), [], np.empty(count)
    for i in range(count):
        author, topic = _pick(draw, _AUTHORS), _pick(draw, _TOPICS)
        shares = int(draw.integers(0, 10))
        said, qualities = _one_of_two(draw, _QUALITIES, "not")
        texts.append(
            f"a post by {author} on {topic} , shared {shares} times . "
            f"{said} . {_pick(draw, _ASIDES)}"
        )
        worth[i] = _AUTHORS[author] + _TOPICS[topic] + _SHARE * shares + qualities
    means = np.exp(worth)
    return NumberedTexts(texts, draw.poisson(means), means)


def _begin(name: str, count: int, seed: int) -> np.random.Generator:
    if count < 1:
        raise ArgumentError(f"{name}: count must be an int >= 1, got {count}.")
    return np.random.default_rng(seed)


def _pick(draw: np.random.Generator, of: Iterable[str]) -> str:
    names = list(of)
    return names[draw.integers(len(names))]


def _one_of_two(
    draw: np.random.Generator, of: dict[str, float], no: str
) -> tuple[str, float]:
    """Say of two things that one is there and one is not; and what that is worth."""
    first = _pick(draw, of)
    second = _pick(draw, (name for name in of if name != first))
    if draw.random() < 0.5:
        return f"{first} but {no} {second}", of[first]
    return f"{no} {first} but {second}", of[second]
