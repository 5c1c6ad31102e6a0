"""Small decoders of every kind, and what they are fed by."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recurro.cells import GRU, LSTM, Cell
from recurro.nn import Attention, Decoder, Memory, Recurrent

STOP, VOCAB = 1, 5
TEXTS = [(3, 0, 2), (), (4, 4, 2, 0, 3)]

KINDS: dict[str, dict[str, Any]] = {
    "plain": {"first": "summary"},
    "copied": {"first": "copy"},
    "at each step": {"first": "zeros", "each_step": True},
    "luong": {"first": "summary", "attention": "general", "tied": True},
    "dot": {"first": "zeros", "attention": "dot", "output_size": 7},
    "bahdanau": {"first": "summary", "attention": "bahdanau", "each_step": True},
    "deep": {"first": "copy", "attention": "bahdanau", "layers": 3, "cell": LSTM()},
}


def flat(texts: list[tuple[int, ...]]) -> torch.Tensor:
    return torch.tensor([token for text in texts for token in (*text, STOP)])


def build(
    attention: str | None = None,
    cell: Cell = GRU(),  # noqa: B008 (a frozen value)
    layers: int = 1,
    **options: Any,
) -> Decoder:
    look = None if attention is None else Attention(attention, 6, 6)
    size = Decoder.input_size(
        4,
        summary_size=3,
        each_step=options.get("each_step", False),
        attention=look,
    )
    recurrent = Recurrent(cell, size, 6, layers, residual=layers > 1)
    return Decoder(
        VOCAB,
        recurrent,
        stop=STOP,
        embedding=nn.Embedding(VOCAB, 4),
        summary_size=3,
        attention=look,
        **options,
    ).double()


def remembered(decoder: Decoder, batch: int = 3) -> Memory:
    state = tuple(
        tuple(torch.randn(batch, width, dtype=torch.float64) for width in layer)
        for layer in decoder.recurrent.state_sizes
    )
    return Memory(
        torch.randn(7, batch, 6, dtype=torch.float64),
        torch.tensor([7, 2, 5])[:batch],
        torch.randn(batch, 3, dtype=torch.float64),
        state,
    )


def prompts(batch: int) -> torch.Tensor:
    return torch.full((1, batch), STOP)
