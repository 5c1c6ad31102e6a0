"""BLEU and chrF against sacrebleu's own functions, and a case by hand."""

from __future__ import annotations

import math

import pytest
import sacrebleu

from recurro.errors import ArgumentError
from recurro.tasks.translation_figures import (
    translation_figures,
    translation_signature,
)

WANTED = ["A man rides a bike .", "two dogs play in the snow"]
FOUND = ["a man rides the bike .", "two dogs play in snow"]


@pytest.mark.parametrize("lower", [True, False])
def test_figures_are_those_of_sacrebleu(lower: bool) -> None:
    found = translation_figures(WANTED, FOUND, lower=lower)
    bleu = sacrebleu.corpus_bleu(FOUND, [WANTED], lowercase=lower).score
    assert found["bleu"] == pytest.approx(bleu)
    chrf = sacrebleu.metrics.CHRF(lowercase=lower).corpus_score(FOUND, [WANTED]).score
    assert found["chrf"] == pytest.approx(chrf)


def test_bleu_by_hand() -> None:
    # of 5 words 5 are right, 3 of 4 pairs, 1 of 3 triples, and no four (0.5 of 2)
    found = translation_figures(["a b c d e f"], ["a b c e f"])
    shares = [5 / 5, 3 / 4, 1 / 3, 1 / 2 / 2]
    mean = math.exp(sum(map(math.log, shares)) / 4)
    assert found["bleu"] == pytest.approx(100 * mean * math.exp(1 - 6 / 5))


def test_the_signature_says_of_case() -> None:
    assert "case:lc" in translation_signature(lower=True)
    assert "case:mixed" in translation_signature()


def test_counts_must_agree() -> None:
    with pytest.raises(ArgumentError, match="got 1 for 2"):
        translation_figures(["a"], ["a", "b"])
