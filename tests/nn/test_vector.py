from __future__ import annotations

import torch
from torch import nn

from recurro.cells import GRU
from recurro.nn import CategoricalHead, Pooling, Recurrent, VectorNetwork
from recurro.types import Batch


def network(dropout: float = 0.0) -> VectorNetwork:
    recurrent = Recurrent(GRU(), 4, 5, bidirectional=True)
    pooling = Pooling(["last", "max"], 10, directions=2)
    head = CategoricalHead(pooling.width, 3)
    return VectorNetwork(nn.Embedding(7, 4), recurrent, pooling, head, dropout=dropout)


def batch(rows: int = 3) -> Batch:
    lengths = torch.tensor([6, 2, 4])[:rows]
    inputs = torch.randint(0, 7, (6, rows))
    return Batch(inputs, torch.arange(rows), lengths=lengths)


def test_the_loss_is_the_sum_over_rows_that_stand_alone() -> None:
    model, whole = network(), batch()
    loss, count, state = model(whole)
    alone = []
    for row in range(3):
        steps = int(whole.lengths[row])
        part = Batch(
            whole.inputs[:steps, row : row + 1],
            whole.targets[row : row + 1],
            lengths=whole.lengths[row : row + 1],
        )
        alone.append(model(part)[0])
    torch.testing.assert_close(loss, torch.stack(alone).sum())
    assert (count, state) == (3, None)


def test_a_row_without_target_counts_for_nothing() -> None:
    empty = Batch(
        torch.zeros(1, 1, dtype=torch.int64),
        torch.zeros(0, dtype=torch.int64),
        lengths=torch.ones(1, dtype=torch.int64),
    )
    loss, count, _ = network()(empty)
    assert (loss.item(), count) == (0.0, 0)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    model, whole = network(dropout=0.5), batch()
    assert model(whole)[0] != model(whole)[0]
    model.eval()
    assert model(whole)[0] == model(whole)[0]
