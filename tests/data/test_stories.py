from __future__ import annotations

import pytest

from recurro.data import tell_stories
from recurro.errors import ArgumentError


def place_by_reading(text: str, name: str) -> str:
    """Where someone or something is at the end, by a reader of its own."""
    at: dict[str, str] = {}
    holds: dict[str, set[str]] = {}
    for sentence in text.strip(" .").split(" . "):
        who, deed, *_, what = sentence.split()
        if deed == "went":
            for one in {who, *holds.get(who, set())}:
                at[one] = what
        elif deed == "got":
            assert all(what not in held for held in holds.values())
            assert at.get(what, at[who]) == at[who]
            holds.setdefault(who, set()).add(what)
            at[what] = at[who]
        else:
            assert deed == "dropped"
            holds[who].remove(what)
    return at[name]


@pytest.mark.parametrize(
    "words", [{}, {"people": 4, "places": 6, "things": 3, "sentences": 15}]
)
def test_the_answer_follows_from_the_story(words) -> None:
    stories = tell_stories(300, 1, **words)
    for story in stories:
        assert place_by_reading(story.text, story.question.split()[-2]) == story.answer
        assert story.text.count(" .") <= words.get("sentences", 8)
    assert sum("the" in story.question for story in stories) > 150
    assert stories == tell_stories(300, 1, **words)
    assert stories != tell_stories(300, 2, **words)


@pytest.mark.parametrize("words", [{"count": 0}, {"people": 5}, {"sentences": 1}])
def test_bad_numbers(words) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(words))} must be at least"):
        tell_stories(**{"count": 1, **words})
