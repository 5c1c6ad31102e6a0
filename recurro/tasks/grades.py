"""How far captions are from what may be said of pictures, in four grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from recurro.errors import ArgumentError
from recurro.generate import edit_distance

__all__ = ["GRADES", "grade_captions"]

GRADES = ("without errors", "minor errors", "somewhat related", "unrelated")
"""The grades, the best first."""

_MINOR = 0.25
"""The share of the words that may be wrong where errors are minor."""
_RELATED = 0.25
"""How much of the telling words must be shared where a caption is related."""
_COMMON = 0.5
"""A word of the references of more than this share of the pictures tells nothing."""


def grade_captions(
    written: Sequence[str], references: Sequence[Sequence[str]]
) -> list[str]:
    """Sort captions into four grades, by their words.

    Compared with the references of its picture, the nearest of which counts, a caption
    is

    - *without errors* if it is one of them, word for word;
    - of *minor errors* if at most a quarter of the words of a reference must be put in,
      left out or exchanged to get from one to the other;
    - *somewhat related* if it shares telling words with a reference: 2 shared / (its +
      those of the reference) >= 1/4;
    - *unrelated* otherwise.

    A word that the references of more than half of the pictures have tells nothing.

    Args:
        written: A caption for each picture.
        references: What may be said of each picture, at least one caption.

    Returns:
        The grade of each, one of ``GRADES``.

    Raises:
        ArgumentError: If there are not as many captions as pictures, or one picture has
            no reference.

    Example:
        >>> said = [["a small red cross"], ["a blue ring"], ["a dog"]]
        >>> grade_captions(["a red cross", "a blue cross", "a ring"], said)
        ['minor errors', 'somewhat related', 'unrelated']

    References:
        Vinyals et al. (2015), arXiv:1411.4555, figure 5 (the grades, there given by
        people).
    """
    if len(written) != len(references) or not all(references):
        raise ArgumentError(
            "grade_captions: there must be a caption for each picture, and a reference,"
            f" got {len(written)} captions for {len(references)} pictures. Leave out "
            "pictures without references."
        )
    known = [[text.split() for text in texts] for texts in references]
    counts = Counter(w for texts in known for w in {w for t in texts for w in t})
    common = {word for word, n in counts.items() if n > _COMMON * len(known)}
    return [
        _grade(text.split(), texts, common)
        for text, texts in zip(written, known, strict=True)
    ]


def _grade(words: list[str], known: list[list[str]], common: set[str]) -> str:
    if words in known:
        return GRADES[0]
    if any(edit_distance(text, words) <= _MINOR * len(text) for text in known):
        return GRADES[1]
    shared = max(_shared(words, text, common) for text in known)
    return GRADES[2] if shared >= _RELATED else GRADES[3]


def _shared(words: list[str], text: list[str], common: set[str]) -> float:
    """F1 of the words that tell something."""
    own, theirs = (
        Counter(word for word in part if word not in common) for part in (words, text)
    )
    total = own.total() + theirs.total()
    return 2 * (own & theirs).total() / total if total else 0.0
