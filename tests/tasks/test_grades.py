"""The four grades, by cases worked by hand."""

from __future__ import annotations

import pytest

from recurro.errors import ArgumentError
from recurro.tasks.grades import GRADES, grade_captions

REFERENCES = [
    ["a small red ring above a large blue cross", "a large blue cross below a ring"],
    ["a green square in the middle"],
    ["a yellow triangle in the middle"],
]


@pytest.mark.parametrize(
    ("written", "grade"),
    [
        ("a large blue cross below a ring", 0),  # the second reference
        ("a small red ring above a small blue cross", 1),  # 1 of 9 words
        ("a small red ring below a small blue cross", 1),  # 2 of 9
        ("a small red cross below a small blue cross", 2),  # 3 of 9, 5 of 7 shared
        ("a cross", 2),  # 2 * 1 / (1 + 5) of the second
        ("a yellow cross at the far end", 3),  # 2 * 1 / (6 + 5) = 0.18; a tells nothing
        ("a", 3),
        ("", 3),
    ],
)
def test_grades_by_hand(written, grade):
    others = [texts[0] for texts in REFERENCES[1:]]
    found = grade_captions([written, *others], REFERENCES)
    assert found == [GRADES[grade], GRADES[0], GRADES[0]]


def test_words_of_most_pictures_tell_nothing():
    """The same words are related where they are rare."""
    rare = [["in the middle"], ["a dog"], ["two cats"]]
    assert grade_captions(["the dog", "a dog", "cats"], rare)[0] == GRADES[2]
    found = grade_captions(["a dog in the middle", "a dog", "a dog"], REFERENCES)
    assert found == [GRADES[3]] * 3


def test_each_picture_must_have_captions():
    with pytest.raises(ArgumentError, match="1 captions for 2 pictures"):
        grade_captions(["a"], [["a"], ["b"]])
    with pytest.raises(ArgumentError, match="without references"):
        grade_captions(["a"], [[]])
