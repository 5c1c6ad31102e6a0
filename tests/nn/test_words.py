from __future__ import annotations

import pytest
import torch

from recurro.errors import ArgumentError
from recurro.nn import Recurrent
from recurro.nn.words import LetterEncoder, WordEncoder


def rows(words: list[tuple[int, list[int]]]) -> torch.Tensor:
    """Words by id and letters, equal spellings with equal numbers: ``(words, 6)``."""
    numbers: dict[tuple[int, ...], int] = {}
    found = []
    for word, letters in words:
        number = numbers.setdefault(tuple(letters), len(numbers) + 1)
        found.append([word, number, *letters, *[0] * (4 - len(letters))])
    return torch.tensor(found)


WORDS = rows([(1, [2, 3]), (2, [4]), (1, [2, 3]), (0, [5, 5, 2, 3])])


def test_letters_are_read_from_both_ends_and_no_further() -> None:
    torch.manual_seed(0)
    encoder = LetterEncoder(6, 3, 2, backend="vendor")
    found = encoder(WORDS[:, 2:])
    for row, word in zip(found, WORDS[:, 2:], strict=True):
        letters = word[word > 0][:, None]
        y, _ = encoder.recurrent(encoder.embedding(letters))
        expected = torch.cat([y[-1, 0, :2], y[0, 0, 2:]])
        torch.testing.assert_close(row, expected)


def test_each_word_is_its_embedding_and_its_letters(monkeypatch) -> None:
    encoder = WordEncoder([0, 2, 1], 6, (3, 3, 2), backend="vendor").eval()
    read = []
    forward = Recurrent.forward

    def watched(self, x, *rest, **more):
        read.append(x.shape[1])
        return forward(self, x, *rest, **more)

    monkeypatch.setattr(Recurrent, "forward", watched)
    found = encoder(WORDS.view(2, 2, 6))
    assert read == [3]  # spellings, of four words
    assert encoder.letters is not None
    spelled = encoder.letters(WORDS[:, 2:])
    expected = torch.cat([encoder.words(WORDS[:, 0]), spelled], 1).view(2, 2, -1)
    torch.testing.assert_close(found, expected)
    assert found.shape[2] == encoder.width


def test_rare_words_are_read_as_unknown_in_training_alone() -> None:
    torch.manual_seed(0)
    encoder = WordEncoder([0, 1, 100], 6, (1, 1, 0), word_dropout=0.5)
    assert encoder.letters is None
    ids = torch.tensor([[1, 1], [2, 2]]).repeat(2000, 1)
    inputs = torch.cat([ids[..., None]] * 3, 2)
    with torch.no_grad():
        encoder.words.weight.copy_(torch.tensor([[0.0], [1.0], [1.0]]))
    kept = encoder(inputs)[..., 0]
    assert kept[::2].mean().item() == pytest.approx(1 / 1.5, abs=0.03)
    assert kept[1::2].mean().item() == pytest.approx(100 / 100.5, abs=0.01)
    assert encoder.eval()(inputs).min() == 1


def test_no_dropout_below_none() -> None:
    with pytest.raises(ArgumentError, match="word_dropout must be at least 0, got -1"):
        WordEncoder([0], 3, (1, 1, 1), word_dropout=-1)
