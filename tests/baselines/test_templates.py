from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from recurro.baselines.templates import JoinedTemplates, MostFrequentText
from recurro.errors import ArgumentError


def ways(lengths: list[int], time: int):
    """Every way through templates: (template, frame) at each time."""
    places = [(k, n) for k, length in enumerate(lengths) for n in range(length)]
    for way in product(places, repeat=time):
        ends = way[0][1] == 0 and way[-1][1] == lengths[way[-1][0]] - 1
        moves = (
            (b[0] == a[0] and 0 <= b[1] - a[1] <= 2)
            or (b[1] == 0 and a[1] == lengths[a[0]] - 1)
            for a, b in pairwise(way)
        )
        if ends and all(moves):
            yield way


@pytest.mark.parametrize("seed", range(6))
def test_the_way_is_the_cheapest_of_all(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lengths = [3, 1, 2] if seed % 2 else [2, 3]
    templates = [draw.normal(size=(n, 2)) for n in lengths]
    heard = draw.normal(size=(5, 2))
    texts = [(k + 1,) for k in range(len(lengths))]

    def cost(way) -> float:
        return sum(
            float(((heard[t] - templates[k][n]) ** 2).sum())
            for t, (k, n) in enumerate(way)
        )

    def words(way) -> tuple[int, ...]:
        first = way[0][0] + 1
        steps = pairwise(way)
        return (first, *(b[0] + 1 for a, b in steps if is_new(a, b)))

    def is_new(a, b) -> bool:
        one = lengths[b[0]] == 1  # staying in it costs as much as beginning anew
        return b[1] == 0 and (a[0] != b[0] or (a[1] > 0 and not one))

    best = min(ways(lengths, len(heard)), key=cost)
    [found] = JoinedTemplates().fit(templates, texts).predict([heard])
    assert found == words(best)


def test_stretched_and_joined_templates_are_found() -> None:
    draw = np.random.default_rng(0)
    templates = [draw.normal(size=(8, 3)) for _ in range(4)]
    texts = [(1,), (2, 3), (3,), (4,)]
    model = JoinedTemplates().fit(templates, texts)
    slow = np.repeat(templates[0], 2, axis=0)
    heard = np.concatenate([templates[3], slow, templates[1][[0, 2, 4, 6, 7]]])
    assert model.predict([heard]) == [(4, 1, 2, 3)]
    assert JoinedTemplates(most=16).fit(templates, texts).kept_ == 2


def test_texts_must_fit() -> None:
    with pytest.raises(ArgumentError, match="one text per recording, got 1 for 0"):
        JoinedTemplates().fit([], [(1,)])
    assert MostFrequentText().fit([], [(2,), (1,), (1,)]).predict([0]) == [(1,)]
