from __future__ import annotations

import torch

from recurro.nn import WordEmbedding


def test_a_word_is_the_sum_of_its_own_vector_and_those_of_its_pieces() -> None:
    embedding = WordEmbedding(5, 3, pieces=7)
    x = torch.tensor([[[2, 99, 98, 8, 6, 0], [2, 0, 0, 0, 0, 0]]])
    assert embedding.pieces is not None
    words, pieces = embedding.words.weight, embedding.pieces.weight
    expected = (words[2] + pieces[1] + pieces[6]) / 3**0.5
    torch.testing.assert_close(embedding(x)[0, 0], expected)
    torch.testing.assert_close(embedding(x)[0, 1], words[2])


def test_without_pieces() -> None:
    embedding = WordEmbedding(5, 3)
    x = torch.tensor([[[2, 9, 9, 9]]])
    torch.testing.assert_close(embedding(x)[0, 0], embedding.words.weight[2])
