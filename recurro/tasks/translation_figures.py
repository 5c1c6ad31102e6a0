"""The figures of translations, by sacrebleu, with the signature of how."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from recurro.errors import ArgumentError, MissingExtraError

__all__ = ["translation_figures", "translation_signature"]


def translation_figures(
    references: Sequence[str], found: Sequence[str], *, lower: bool = False
) -> dict[str, float]:
    """How near translations are to those of people.

    Args:
        references: The translations wanted, one of each source.
        found: The translations to be judged.
        lower: Whether case counts for nothing.

    Returns:
        ``bleu`` and ``chrf``, each in [0, 100].

    Raises:
        ArgumentError: If there are not as many of both, or none.
        MissingExtraError: If sacrebleu is not installed.

    Example:
        >>> translation_figures(["a b c d e"], ["a b c d e"])
        {'bleu': 100.0, 'chrf': 100.0}

    References:
        Papineni et al. (2002), doi:10.3115/1073083.1073135; Popović (2015),
        doi:10.18653/v1/W15-3049; Post (2018), arXiv 1804.08771 (the signature).
    """
    if len(references) != len(found) or not references:
        raise ArgumentError(
            f"translation_figures: there must be a reference for each translation, got "
            f"{len(references)} for {len(found)}."
        )
    metrics = need_sacrebleu()
    wanted, told = [list(references)], list(found)
    bleu = metrics.BLEU(lowercase=lower).corpus_score(told, wanted).score
    chrf = metrics.CHRF(lowercase=lower).corpus_score(told, wanted).score
    return {"bleu": round(bleu, 10), "chrf": round(chrf, 10)}


def translation_signature(*, lower: bool = False) -> str:
    """What sacrebleu says of how BLEU was reckoned.

    Raises:
        MissingExtraError: If sacrebleu is not installed.

    Example:
        >>> translation_signature(lower=True).split("|version")[0]
        'nrefs:1|case:lc|eff:no|tok:13a|smooth:exp'
    """
    metric = need_sacrebleu().BLEU(lowercase=lower)
    metric.corpus_score(["a"], [["a"]])  # it knows the references only then
    return str(metric.get_signature())


def need_sacrebleu() -> ModuleType:
    """The metrics of sacrebleu.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtraError(
            "translate: sacrebleu must be installed for BLEU, and is not. pip install "
            "'recurro[translate]'."
        ) from None
    return metrics
