"""Guesses of short answers that read nothing, or next to nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Self

__all__ = ["END", "AnswerGuesses"]

END = "."
"""What stands behind each answer, as its last symbol."""


class AnswerGuesses:
    """Three guesses at the number that a program prints.

    - ``most frequent answer``: the same for all.
    - ``likeliest symbols``: at each place of an answer the symbol that most answers
      have there, or have ended by.
    - ``last number``: the last one in the program's text.

    Example:
        >>> guesses = AnswerGuesses().fit(["12", "12", "340"])
        >>> guesses.predict(["print(4+5)"])
        {'most frequent answer': ['12.'], 'likeliest symbols': ['12..'], \
'last number': ['5.']}
    """

    def fit(self, answers: Sequence[str]) -> Self:
        """Count answers.

        Args:
            answers: At least one.
        """
        self.answer_ = Counter(answers).most_common(1)[0][0] + END
        longest = max(map(len, answers)) + 1
        padded = [answer.ljust(longest, END) for answer in answers]
        places = zip(*padded, strict=True)
        self.symbols_ = "".join(Counter(place).most_common(1)[0][0] for place in places)
        return self

    def predict(self, texts: Sequence[str]) -> dict[str, list[str]]:
        """What each guess says of each program, its end with it."""
        return {
            "most frequent answer": [self.answer_] * len(texts),
            "likeliest symbols": [self.symbols_] * len(texts),
            "last number": [_last_number(text) for text in texts],
        }


def _last_number(text: str) -> str:
    return (re.findall(r"\d+", text) or ["0"])[-1] + END
