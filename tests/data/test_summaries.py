"""Readings and their two extreme ones in words."""

from __future__ import annotations

import pytest

from recurro.data import draw_summaries
from recurro.data.summaries import in_words
from recurro.errors import ArgumentError


def test_numbers_in_words_are_all_different() -> None:
    words = [in_words(number) for number in range(100)]
    assert len(set(words)) == 100
    assert (words[0], words[13], words[30], words[99]) == (
        *("zero", "thirteen", "thirty", "ninety nine"),
    )
    with pytest.raises(ArgumentError, match="in 0 to 99, got 100"):
        in_words(100)


def test_a_summary_names_the_extremes() -> None:
    numbers = {in_words(number): number for number in range(100)}
    drawn = draw_summaries(200, seed=3)
    for source, target in zip(drawn.sources, drawn.targets, strict=True):
        readings = [int(word) for word in source.split()]
        low, high = target.removeprefix("from ").split(" to ")
        assert (numbers[low], numbers[high]) == (min(readings), max(readings))
        assert 3 <= len(set(readings)) == len(readings) <= 8
    assert drawn == draw_summaries(200, seed=3)
    assert drawn != draw_summaries(200, seed=4)


def test_sizes_out_of_range() -> None:
    for wrong in ({"count": 0}, {"count": 1, "least": 1}, {"count": 1, "most": 101}):
        with pytest.raises(ArgumentError, match="draw_summaries"):
            draw_summaries(**wrong)
