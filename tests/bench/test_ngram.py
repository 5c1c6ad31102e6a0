"""The published figures of n-gram models on a novel."""

from __future__ import annotations

import pytest

from recurro.bench.ngram import bench_ngram
from recurro.errors import DataError
from tests.datasets import dataset


def test_war_and_peace_as_kenlm_has_it():
    """KenLM's figures (lmplz --discount_fallback, no pruning), to six digits."""
    path = dataset("war-and-peace/input.txt")
    three, five = bench_ngram(path, (3, 5), rounds=2)
    for row in (three, five):
        assert (row.oov, row.tokens, row.train_words) == (2906, 61446, 505298)
    assert three.perplexity == pytest.approx(495.746, abs=1e-3)
    assert five.perplexity == pytest.approx(492.311, abs=1e-3)
    assert three.perplexity_known == pytest.approx(344.740, abs=1e-3)
    assert five.perplexity_known == pytest.approx(342.455, abs=1e-3)
    assert five.train_seconds < 6
    assert five.tokens_per_second > 400_000


def test_a_text_without_a_test_part_is_refused(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("one line\n\n  \n")
    with pytest.raises(DataError, match="at least two lines of text, got 1"):
        bench_ngram(path)
