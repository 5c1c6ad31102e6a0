from __future__ import annotations

import pytest
import torch

from recurro.cells import GRU
from recurro.errors import ArgumentError
from recurro.nn import Pooling, Recurrent

LENGTHS = torch.tensor([4, 1, 3])
KINDS = ("last", "max", "mean", "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_stand_alone_and_padding_counts_for_nothing(kind) -> None:
    pooling = Pooling(kind, 6, directions=2)
    y = torch.randn(4, 3, 6)
    pooled = pooling(y, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = pooling(y[:length, row : row + 1], LENGTHS[row : row + 1])
        torch.testing.assert_close(pooled[row], alone[0])


def test_values() -> None:
    y = torch.randn(4, 1, 2)
    whole = torch.tensor([4])
    torch.testing.assert_close(Pooling("max", 2)(y, whole)[0], y[:, 0].max(0).values)
    torch.testing.assert_close(Pooling("mean", 2)(y, whole)[0], y[:, 0].mean(0))
    torch.testing.assert_close(Pooling("last", 2)(y, whole)[0], y[3, 0])
    attention = Pooling("attention", 2)
    score = torch.tanh(y[:, 0] @ attention.key.weight.T + attention.key.bias)
    share = (score @ attention.query.weight[0]).softmax(0)
    torch.testing.assert_close(attention(y, whole)[0], share @ y[:, 0])


def test_last_is_the_final_state_of_both_directions() -> None:
    layer = Recurrent(GRU(), 3, 5, bidirectional=True)
    y, state = layer(torch.randn(4, 3, 3), lengths=LENGTHS)
    pooled = Pooling("last", 10, directions=2)(y, LENGTHS)
    ends = [variables[0] for variables in state]
    torch.testing.assert_close(pooled, torch.cat(ends, 1))


def test_several_are_joined() -> None:
    pooling, y = Pooling(KINDS, 2), torch.randn(4, 3, 2)
    assert pooling(y, LENGTHS).shape == (3, pooling.width) == (3, 8)
    torch.testing.assert_close(
        pooling(y, LENGTHS)[:, 2:4], Pooling("max", 2)(y, LENGTHS)
    )


@pytest.mark.parametrize("kinds", [[], ["max", "max"], "median", ["mean", "best"]])
def test_bad_kinds(kinds, unchecked) -> None:
    with pytest.raises(ArgumentError, match="must be some of last, max"):
        Pooling(kinds, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite(kind) -> None:
    y = torch.randn(4, 3, 6, requires_grad=True)
    Pooling(kind, 6)(y, LENGTHS).sum().backward()
    assert y.grad is not None
    assert y.grad.isfinite().all()
    assert not y.grad[1:, 1].any()
