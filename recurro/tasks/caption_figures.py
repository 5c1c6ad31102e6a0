"""The figures of captions, beside all that may be said of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurro.errors import ArgumentError
from recurro.tasks.translation_figures import need_sacrebleu

__all__ = ["caption_figures"]


def caption_figures(
    references: Sequence[Sequence[str]], found: Sequence[str]
) -> dict[str, float]:
    """How near captions are to what people say, or what a generator says.

    Args:
        references: All that may be said of each picture, at least one caption.
        found: The captions to be judged, one of each picture.

    Returns:
        ``bleu``, in [0, 100], by sacrebleu against all references of a picture, and
        ``exact_match``, the share of captions that are one of them word for word.

    Raises:
        ArgumentError: If there are not as many of both, none, or one picture has no
            reference.
        MissingExtraError: If sacrebleu is not installed.

    Example:
        >>> said = [["a red ring", "a ring that is red"], ["a blue cross below a ring"]]
        >>> caption_figures(said, ["a ring that is red", "a blue cross below a ring"])
        {'bleu': 100.0, 'exact_match': 1.0}

    References:
        Papineni et al. (2002), doi:10.3115/1073083.1073135; Post (2018), arXiv
        1804.08771.
    """
    if len(references) != len(found) or not references or not all(references):
        raise ArgumentError(
            "caption_figures: there must be a reference for each caption, got "
            f"{len(references)} for {len(found)}. Leave out pictures without captions."
        )
    right = [text in said for text, said in zip(found, references, strict=True)]
    most = max(map(len, references))
    streams = [
        [said[turn] if turn < len(said) else None for said in references]
        for turn in range(most)
    ]
    bleu = need_sacrebleu().BLEU().corpus_score(list(found), streams).score
    return {"bleu": round(bleu, 10), "exact_match": float(np.mean(right))}
