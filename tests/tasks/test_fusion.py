from __future__ import annotations

import numpy as np
import pytest

from recurro import LanguageModel, NGramLanguageModel
from recurro.data import Tokenizer
from recurro.errors import ArgumentError, VocabularyError
from recurro.generate import ctc_beam_search
from recurro.tasks.fusion import Decoding, language_of

TEXTS = ["abab", "ab", "ababab"] * 20


@pytest.fixture(scope="module")
def counted() -> NGramLanguageModel:
    return NGramLanguageModel(order=3, tokens="char", lines=True).fit(TEXTS)


def doubtful() -> tuple[np.ndarray, Tokenizer]:
    """Frames that say a, then b a little less likely than a again."""
    tokenizer = Tokenizer.fit(["ab", "ba"], "char", lines=True, unknown="replace")
    chances = np.full((4, tokenizer.size), 1e-6)
    a, b, blank = (tokenizer.ids[symbol] for symbol in "ab\n")
    chances[[0, 1], [a, blank]] = 0.9
    chances[2, [a, b]] = 0.5, 0.4
    chances[3, blank] = 0.9
    return np.log(chances / chances.sum(1, keepdims=True)), tokenizer


def test_a_language_model_has_its_say(counted: NGramLanguageModel) -> None:
    frames, tokenizer = doubtful()
    blank = tokenizer.ids["\n"]
    plain = [Decoding()(frames, blank), Decoding(beam_size=4)(frames, blank)]
    assert [tokenizer.decode(ids) for ids in plain] == ["aa", "aa"]
    language = language_of(counted, tokenizer, 0.5)
    found = Decoding(language=language)(frames, blank)
    assert tokenizer.decode(found) == "ab"
    none = language_of(counted, tokenizer, 0.0)
    assert Decoding(language=none)(frames, blank) == plain[0]


def test_scores_are_those_of_the_search(counted: NGramLanguageModel) -> None:
    import torch

    frames, tokenizer = doubtful()
    language = language_of(counted, tokenizer, 0.7)
    best = ctc_beam_search(
        torch.from_numpy(frames)[:, None],
        blank=tokenizer.ids["\n"],
        language_model=language,
    )[0][0]
    text = tokenizer.decode(best.ids)
    prior = counted.log_prob([text])[0]
    assert best.score == pytest.approx(best.log_prob + 0.7 * prior, rel=1e-4)


def test_a_network_has_its_say_from_its_run_folder(tmp_path) -> None:
    frames, tokenizer = doubtful()
    model = LanguageModel(
        tokens="char", lines=True, hidden_size=16, epochs=3, batch_size=4,
        learning_rate=0.02, backend="vendor",
    ).fit(TEXTS)  # fmt: skip
    model.save(tmp_path / "run")
    for given in (model, tmp_path / "run"):
        language = language_of(given, tokenizer, 0.5)
        found = Decoding(language=language)(frames, tokenizer.ids["\n"])
        assert tokenizer.decode(found) == "ab"


def test_what_does_not_fit(counted: NGramLanguageModel) -> None:
    wide = Tokenizer.fit(["abc"], "char", lines=True)
    with pytest.raises(VocabularyError, match="got one without 'c'"):
        language_of(counted, wide, 0.5)
    words = Tokenizer.fit(["ab ba"], "word", lines=True)
    with pytest.raises(
        ArgumentError, match="lines of tokens 'word', got one of 'char'"
    ):
        language_of(counted, words, 0.5)
    running = NGramLanguageModel(order=2, tokens="char").fit("abab" * 20)
    with pytest.raises(ArgumentError, match=r"of running text. Train one with"):
        language_of(running, wide, 0.5)
    with pytest.raises(ArgumentError, match="length_bonus is for a beam search"):
        Decoding(length_bonus=1.0)
