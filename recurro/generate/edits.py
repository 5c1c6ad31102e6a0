"""How far a transcript is from the truth: edits, and their rate."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from recurro.errors import ArgumentError

__all__ = ["edit_distance", "token_error_rate", "word_error_rate"]


def edit_distance(reference: Sequence[Hashable], found: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and substitutions from one to the other.

    d[i, j] = min(d[i-1, j] + 1, d[i, j-1] + 1, d[i-1, j-1] + (a_i differs from b_j))

    Args:
        reference: Tokens: characters, words or ids.
        found: Tokens of the same kind.

    Example:
        >>> edit_distance("kitten", "sitting")
        3

    References:
        Levenshtein (1966), Soviet Physics Doklady 10; Wagner and Fischer (1974),
        doi:10.1145/321796.321811, algorithm X.
    """
    row = list(range(len(found) + 1))
    for i, a in enumerate(reference, 1):
        above, row = row, [i]
        for j, b in enumerate(found, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def token_error_rate(
    references: Sequence[Sequence[Hashable]], found: Sequence[Sequence[Hashable]]
) -> float:
    """Edits per token of the references, over all texts together; may pass 1.

    Args:
        references: What was said, text by text, at least one token in all.
        found: What was found, as many texts.

    Raises:
        ArgumentError: If the numbers of texts differ, or no reference has a token.

    Example:
        >>> token_error_rate(["1234", "56"], ["134", "567"])  # one lost, one too many
        0.3333333333333333
    """
    if len(references) != len(found):
        raise ArgumentError(
            f"token_error_rate: there must be as many found texts as references, got "
            f"{len(found)} and {len(references)}. Give an empty text where none was "
            "found."
        )
    total = sum(map(len, references))
    if total == 0:
        raise ArgumentError(
            "token_error_rate: the references must have at least one token, got none. "
            "Give the texts that were said."
        )
    return sum(map(edit_distance, references, found)) / total


def word_error_rate(references: Sequence[str], found: Sequence[str]) -> float:
    """Edits per word of the references, where words are parted by white space.

    Args:
        references: What was said, text by text, at least one word in all.
        found: What was found, as many texts.

    Raises:
        ArgumentError: As `token_error_rate`.

    Example:
        >>> word_error_rate(["the cat sat"], ["the bat sat down"])
        0.6666666666666666
    """
    return token_error_rate([t.split() for t in references], [t.split() for t in found])
