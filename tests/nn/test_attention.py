"""Attention against loops written by hand, masks, gradients."""

from __future__ import annotations

import math

import pytest
import torch

from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Attention

LENGTHS = [4, 1, 3]


def drawn(score: str) -> tuple[Attention, torch.Tensor, torch.Tensor]:
    """An attention with queries (3, 3, 5) and memory (4, 3, 5 or 6)."""
    width = 5 if score == "dot" else 6
    attention = Attention(score, 5, width).double()
    queries = torch.randn(3, 3, 5, dtype=torch.float64)
    return attention, queries, torch.randn(4, 3, width, dtype=torch.float64)


@torch.no_grad()
def by_hand(attention: Attention, q: torch.Tensor, m: torch.Tensor) -> float:
    """The score of one query and one step of memory."""
    if attention.score == "dot":
        return float(q @ m)
    if attention.score == "general":
        return float(q @ (attention.key.weight @ m))
    hidden = attention.query.weight @ q + attention.query.bias
    return float(
        attention.weigh.weight[0] @ torch.tanh(hidden + attention.key.weight @ m)
    )


@pytest.mark.parametrize("score", ["bahdanau", "dot", "general"])
def test_weights_and_contexts_are_those_of_a_loop(score: str) -> None:
    attention, queries, memory = drawn(score)
    with torch.no_grad():
        context, weights = attention(queries, memory, torch.tensor(LENGTHS))
    for t in range(3):
        for row, length in enumerate(LENGTHS):
            powers = [
                math.exp(by_hand(attention, queries[t, row], memory[s, row]))
                for s in range(length)
            ]
            shares = [power / sum(powers) for power in powers]
            assert weights[t, row, :length].tolist() == pytest.approx(shares)
            assert not weights[t, row, length:].any()
            mean = sum(a * memory[s, row] for s, a in enumerate(shares))
            torch.testing.assert_close(context[t, row], mean)


@pytest.mark.parametrize("score", ["bahdanau", "dot", "general"])
def test_what_lies_beyond_a_row_is_not_seen(score: str) -> None:
    attention, queries, memory = drawn(score)
    lengths = torch.tensor(LENGTHS)
    before = attention(queries, memory, lengths)[0]
    memory[1:, 1], memory[3:, 2] = 7.0, -9.0
    torch.testing.assert_close(attention(queries, memory, lengths)[0], before)
    assert not torch.allclose(attention(queries, memory)[0], before)


@pytest.mark.parametrize("score", ["bahdanau", "dot", "general"])
def test_gradients(score: str) -> None:
    attention, queries, memory = drawn(score)
    queries.requires_grad_()
    memory.requires_grad_()
    lengths = torch.tensor(LENGTHS)
    assert torch.autograd.gradcheck(
        lambda q, m: attention(q, m, lengths), (queries, memory), fast_mode=True
    )


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="one width, got 3 and 4"):
        Attention("dot", 3, 4)
    with pytest.raises(ArgumentError, match="size must be left out"):
        Attention("general", 3, 4, size=5)


def test_what_has_no_such_type_is_refused(unchecked: None) -> None:
    with pytest.raises(ArgumentError, match="must be bahdanau, dot, general"):
        Attention("cosine", 3, 4)
    with pytest.raises(ShapeError, match=r"\(source, batch, 4\), got \(2, 1, 3\)"):
        Attention("general", 3, 4)(torch.zeros(1, 1, 3), torch.zeros(2, 1, 3))
    with pytest.raises(ShapeError, match="as many rows, got 1 and 2"):
        Attention("general", 3, 4)(torch.zeros(1, 1, 3), torch.zeros(2, 2, 4))
