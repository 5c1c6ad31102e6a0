"""Edits and their rates, by hand and by their laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.errors import ArgumentError
from recurro.generate import edit_distance, token_error_rate, word_error_rate

texts = st.text("ab", max_size=6)


@pytest.mark.parametrize(
    ("reference", "found", "edits"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "ab", 2),
        ("saturday", "sunday", 3),
        ("intention", "execution", 5),
        ("1234", "2341", 2),
        ([1, 2, 3], (1, 3), 1),
    ],
)
def test_by_hand(reference, found, edits):
    assert edit_distance(reference, found) == edits


def enumerated(a, b):
    """The definition, by trying everything."""
    if not a or not b:
        return len(a) + len(b)
    kept = enumerated(a[1:], b[1:]) + (a[0] != b[0])
    return min(kept, enumerated(a[1:], b) + 1, enumerated(a, b[1:]) + 1)


@given(texts, texts, texts)
def test_it_is_the_definition_and_a_distance(a, b, c):
    assert edit_distance(a, b) == enumerated(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert (edit_distance(a, b) == 0) == (a == b)


def test_rates_are_over_all_texts_together():
    # 1 edit in 4 tokens and 2 in 1: 3 / 5, not the mean of 1/4 and 2.
    assert token_error_rate(["abcd", "a"], ["abxd", "aaa"]) == 3 / 5
    assert word_error_rate(["one two  three", "four"], ["one too three", ""]) == 2 / 4
    assert word_error_rate(["a"], ["a b c"]) == 2


def test_wrong_calls():
    with pytest.raises(ArgumentError, match="as many found texts as references, got 1"):
        token_error_rate(["a", "b"], ["a"])
    with pytest.raises(ArgumentError, match="at least one token, got none"):
        word_error_rate(["", " "], ["a", ""])
