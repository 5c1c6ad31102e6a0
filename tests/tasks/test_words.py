from __future__ import annotations

import pytest
import torch

from recurro.errors import DataError
from recurro.nn.words import WordEncoder
from recurro.tasks.step_config import TagData, TagNetwork
from recurro.tasks.words import LETTERS, WordReader, as_sentences

SENTENCES = [["The", "cat", "the", "CAT"], ["a", "dog"]]


def test_words_are_looked_up_in_lower_case_and_spelled_as_they_are() -> None:
    reader = WordReader.learn(SENTENCES, TagData())
    assert reader.words[:2] == ("cat", "the")
    assert reader.counts == (2, 2, 1, 1)
    found = reader([["The", "the", "CAT", "cow", "The", "~"]])
    ids, spellings = found.values[:, 0], found.values[:, 1]
    assert ids.tolist() == [2, 2, 1, 0, 2, 0]
    assert spellings.tolist() == [1, 2, 3, 4, 1, 5]
    named = ["", "?", *reader.letters]
    letters = ["".join(named[i] for i in row) for row in found.values[:, 2:]]
    assert letters == ["The", "the", "CAT", "co?", "The", "?"]


def test_rare_words_and_case() -> None:
    assert WordReader.learn(SENTENCES, TagData(min_count=2)).words == ("cat", "the")
    assert "CAT" in WordReader.learn(SENTENCES, TagData(lower=False)).words


def test_of_a_long_word_both_ends_are_read() -> None:
    reader = WordReader.learn([["abc"]], TagData())
    [row] = reader([["a" * 50 + "b" * 50 + "c"]]).values
    letters = [reader.letters[i - 2] for i in row[2:]]
    assert letters == ["a"] * (LETTERS // 2) + ["b"] * (LETTERS // 2 - 1) + ["c"]


def test_sentences_come_back_and_the_encoder_reads_them() -> None:
    reader = WordReader.learn(SENTENCES, TagData())
    found = reader(SENTENCES)
    assert found.lengths.tolist() == [4, 2]
    encoder, width = reader.encoder(TagNetwork(embedding_size=8, letter_hidden_size=4))
    assert isinstance(encoder, WordEncoder)
    assert encoder(torch.from_numpy(found.values)[:, None]).shape == (6, 1, width)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "must be at least one, got none"),
        (["He ran"], "item 0 must be a list of words, got 'He ran'"),
        ([["He"], []], "item 1 must have a word, got none"),
        ([["He", ""]], "word 1 of item 0 must be a text, got ''"),
        ([["He", 3]], "word 1 of item 0 must be a text, got 3"),
        ([None], "item 0 must be a list of words, got None"),
    ],
)
def test_bad_sentences(data, message) -> None:
    with pytest.raises(DataError, match=message):
        as_sentences(data)
