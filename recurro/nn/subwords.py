"""Words as vectors, made of one for the word and of those of its pieces."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurro.types import Float, Int

__all__ = ["WordEmbedding"]

_SPREAD = 0.3
"""Deviation of the vectors before training, where they are added up."""


class WordEmbedding(nn.Module):
    """The vector of a word: its own, and with pieces also theirs.

    e = (E[word] + sum_k G[piece_k]) / sqrt(1 + n) for n pieces, so that a word seen
    rarely or never is still like those that share its pieces.

    Args:
        vocab: How many words there are.
        width: Width of e.
        pieces: Vectors for pieces, which share them by the rest of division; 0 for e =
            E[word].

    Example:
        >>> embedding = WordEmbedding(10, 4, pieces=100)
        >>> x = torch.tensor([[[3, 7, 8, 512, 0]]])  # word, two ids unread, pieces
        >>> embedding(x).shape
        torch.Size([1, 1, 4])

    References:
        Bojanowski et al. (2017), arXiv 1607.04606, section 3.2.
    """

    def __init__(self, vocab: int, width: int, *, pieces: int = 0) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.pieces = nn.Embedding(pieces, width) if pieces else None
        if self.pieces is not None:
            nn.init.normal_(self.words.weight, std=_SPREAD)
            nn.init.normal_(self.pieces.weight, std=_SPREAD)

    def forward(
        self, x: Int[Tensor, "time batch kinds"]
    ) -> Float[Tensor, "time batch width"]:
        """The vectors of words.

        Args:
            x: The word, two features that are not read, and the pieces of each; 0 for
                no further piece.
        """
        own = self.words(x[..., 0])
        if self.pieces is None:
            return own
        ids = x[..., 3:]
        known = (ids > 0).to(own.dtype)
        parts = self.pieces(ids % self.pieces.num_embeddings)
        total = own + torch.einsum("tbkw,tbk->tbw", parts, known)
        return total / (1 + known.sum(-1, keepdim=True)).sqrt()
