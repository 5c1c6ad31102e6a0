"""Words as a network reads them: each by itself and by the letters it is spelled with.

A word is a row of numbers, ``(2 + letters,)``: its id (0 if unknown), the number of its
spelling, and the ids of its letters (0 where there are no more). Equal spellings have
equal numbers above 0, so that each is read once, however often it stands in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurro.cells import GRU
from recurro.engine.run import Backend
from recurro.errors import ArgumentError
from recurro.nn.pooling import Pooling
from recurro.nn.recurrent import Recurrent
from recurro.types import Float, Int

__all__ = ["LetterEncoder", "WordEncoder"]


class LetterEncoder(nn.Module):
    """A vector of each word by its letters, read in both directions.

    w = [forward h_n, backward h_1] of a GRU over the embeddings of letters 1 to n.

    Args:
        letters: How many there are, those that stand for none and for an unknown one
            with them.
        embedding_size: Width of the embedding of a letter.
        hidden_size: Units of each direction.
        backend: What runs the recurrence.

    Example:
        >>> encoder = LetterEncoder(30, 8, 4)
        >>> encoder(torch.tensor([[5, 7, 0], [3, 4, 9]])).shape
        torch.Size([2, 8])

    References:
        Lample et al. (2016), arXiv 1603.01360, section 4.1.
    """

    def __init__(
        self,
        letters: int,
        embedding_size: int,
        hidden_size: int,
        *,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(letters, embedding_size)
        self.recurrent = Recurrent(
            GRU(), embedding_size, hidden_size, bidirectional=True, backend=backend
        )
        self.width = 2 * hidden_size
        self.last = Pooling("last", self.width, directions=2)

    def forward(self, words: Int[Tensor, "words letters"]) -> Float[Tensor, "words w"]:
        """Read words; what stands after their letters is 0."""
        lengths = (words > 0).sum(1).clamp(min=1)
        letters = words.T[: int(lengths.max())]
        y, _ = self.recurrent(self.embedding(letters), lengths=lengths)
        return self.last(y, lengths)


class WordEncoder(nn.Module):
    """An embedding of each word, joined with what its letters say.

    In training a word that came c times is read as unknown with probability
    a / (a + c), so that the network learns what to make of unknown words.

    Args:
        counts: How often each word came in training, by id; the first is unknown.
        letters: How many letters there are; see ``LetterEncoder``.
        sizes: Widths of the embedding of a word and of a letter, and the units of each
            direction over letters; without such units letters are not read.
        word_dropout: The a above, at least 0.
        backend: What runs the recurrence over letters.

    Raises:
        ArgumentError: If ``word_dropout`` is below 0.

    Example:
        >>> encoder = WordEncoder([0, 3, 1], 30, (8, 4, 4))
        >>> encoder(torch.tensor([[[1, 1, 5, 7]], [[0, 2, 5, 9]]])).shape
        torch.Size([2, 1, 16])

    References:
        Kiperwasser and Goldberg (2016), arXiv 1603.04351, section 4.
    """

    unknown: Tensor

    def __init__(
        self,
        counts: Sequence[int],
        letters: int,
        sizes: tuple[int, int, int],
        *,
        word_dropout: float = 0.25,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        if not word_dropout >= 0:
            raise ArgumentError(
                f"WordEncoder: word_dropout must be at least 0, got {word_dropout}."
            )
        size, letter_size, hidden_size = sizes
        self.words = nn.Embedding(len(counts), size)
        self.letters = (
            LetterEncoder(letters, letter_size, hidden_size, backend=backend)
            if hidden_size
            else None
        )
        self.width = size + (self.letters.width if self.letters else 0)
        chance = [word_dropout / (word_dropout + max(count, 1)) for count in counts]
        self.register_buffer("unknown", torch.tensor(chance), persistent=False)

    def forward(
        self, inputs: Int[Tensor, "time batch numbers"]
    ) -> Float[Tensor, "time batch width"]:
        """Read words, each a row of numbers."""
        ids, spellings, letters = inputs[..., 0], inputs[..., 1], inputs[..., 2:]
        if self.training:
            chance = self.unknown[ids]
            ids = ids.masked_fill(torch.rand_like(chance) < chance, 0)
        words = self.words(ids)
        if self.letters is None:
            return words
        distinct, places = torch.unique(spellings.flatten(), return_inverse=True)
        some = torch.empty_like(distinct)
        some[places] = torch.arange(len(places), device=places.device)
        spelled = self.letters(letters.flatten(0, 1)[some])
        return torch.cat([words, spelled[places.view_as(ids)]], 2)
