"""Short stories with a question each: where is the milk?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["Story", "tell_stories"]

PEOPLE = ("john", "mary", "sandra", "daniel")
PLACES = ("kitchen", "garden", "bedroom", "office", "hallway", "bathroom")
THINGS = ("milk", "football", "apple")


@dataclass(frozen=True)
class Story:
    """A story, what is asked of it, and the answer.

    Attributes:
        text: Its sentences, in lower case, each ended by a point of its own.
        question: Where a person or a thing is at the end.
        answer: The place.
    """

    text: str
    question: str
    answer: str


def tell_stories(
    count: int,
    seed: int = 0,
    *,
    sentences: int = 8,
    people: int = 2,
    places: int = 4,
    things: int = 1,
) -> list[Story]:
    """Tell stories of people who go about, take things along and leave them.

    Each story has from 2 up to ``sentences`` sentences. In each of them one who is
    somewhere takes a thing that lies there, leaves one that she has, or goes somewhere
    else with all that she has. A thing first lies where the first one takes it. What is
    asked for at the end is known from the story: a thing that was taken, else a person
    who went somewhere. The same arguments give the same stories.

    Args:
        count: How many stories.
        seed: Of what is random.
        sentences: The most that a story has, at least 2.
        people: How many there may be in it, from 1 to 4.
        places: How many there are, from 2 to 6.
        things: How many there are, from 1 to 3.

    Raises:
        ArgumentError: If a number is out of its range.

    Example:
        >>> story = tell_stories(3)[2]
        >>> story.question, story.answer
        ('where is the milk ?', 'garden')

    References:
        Weston et al. (2015), Towards AI-complete question answering, arXiv 1502.05698,
        section 3 (tasks 1 and 2).
    """
    for name, value, low, high in (
        ("count", count, 1, None),
        ("sentences", sentences, 2, None),
        ("people", people, 1, len(PEOPLE)),
        ("places", places, 2, len(PLACES)),
        ("things", things, 1, len(THINGS)),
    ):
        if value < low or (high is not None and value > high):
            most = "" if high is None else f" and at most {high}"
            raise ArgumentError(
                f"tell_stories: {name} must be at least {low}{most}, got {value}."
            )
    draw = np.random.default_rng(seed)
    cast = PEOPLE[:people], PLACES[:places], THINGS[:things]
    return [
        _World(draw, *cast).tell(int(draw.integers(2, sentences + 1)))
        for _ in range(count)
    ]


class _World:
    """Who and what is where, as a story goes on."""

    def __init__(
        self,
        draw: np.random.Generator,
        people: tuple[str, ...],
        places: tuple[str, ...],
        things: tuple[str, ...],
    ) -> None:
        self.draw, self.people, self.places, self.things = draw, people, places, things
        self.at: dict[str, str] = {}
        self.holder: dict[str, str] = {}

    def tell(self, sentences: int) -> Story:
        """A story, and a question on it."""
        text = " ".join(self._sentence() for _ in range(sentences))
        seen = [thing for thing in self.things if thing in self.at]
        thing = self._one(seen) if seen else ""
        who = thing or self._one(list(self.at))
        name = f"the {thing}" if thing else who
        return Story(text, f"where is {name} ?", self.at[who])

    def _sentence(self) -> str:
        """What happens next."""
        person = self._one(self.people)
        place = self.at.get(person)
        free = [i for i in self.things if i not in self.holder]
        near = [i for i in free if place and self.at.get(i, place) == place]
        has = [i for i in self.things if self.holder.get(i) == person]
        deed = self._one(["go", *["take"] * bool(near), *["leave"] * bool(has)])
        if deed == "take":
            thing = self._one(near)
            self.holder[thing], self.at[thing] = person, self.at[person]
            return f"{person} got the {thing} ."
        if deed == "leave":
            thing = self._one(has)
            del self.holder[thing]
            return f"{person} dropped the {thing} ."
        goal = self._one([i for i in self.places if i != place])
        for one in (person, *has):
            self.at[one] = goal
        return f"{person} went to the {goal} ."

    def _one(self, of: list[str] | tuple[str, ...]) -> str:
        return of[int(self.draw.integers(len(of)))]
