"""Small models whose every probability is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Markov:
    """P(next | the two last ids): ``table[before, last]``; the state is ``before``."""

    table: Tensor

    def init(self, batch_size):
        return (torch.zeros(batch_size, dtype=torch.long),)

    def step(self, state, tokens):
        return (tokens,), self.table[state[0], tokens].log()

    def select(self, state, rows):
        return (state[0][rows],)

    def log_prob(self, prompt, ids):
        """Natural log P(ids | prompt), one by one."""
        row = [0, *prompt, *ids]
        places = range(len(prompt) + 1, len(row))
        return sum(
            float(self.table[row[i - 2], row[i - 1], row[i]].log()) for i in places
        )


def random_markov(size, seed=0, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, size, size, generator=generator, dtype=torch.float64)
    return Markov((logits * sharpness).softmax(-1))
