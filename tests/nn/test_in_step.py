from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from recurro.cells import GRU
from recurro.nn import (
    CategoricalHead,
    ChainHead,
    EachStep,
    Recurrent,
    StepHead,
    StepNetwork,
)
from recurro.nn.in_step import join_steps
from recurro.types import Batch

LENGTHS = torch.tensor([4, 2, 1])


def heads() -> list[StepHead]:
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[0, 1] = False
    return [EachStep(CategoricalHead(6, 3)), ChainHead(6, 3), ChainHead(6, 3, allowed)]


def network(head: StepHead, dropout: float = 0.0) -> StepNetwork:
    torch.manual_seed(0)
    recurrent = Recurrent(GRU(), 2, 3, bidirectional=True, backend="vendor")
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    return StepNetwork(nn.Identity(), recurrent, head, dropout=dropout)


def batch(rows: slice = slice(None), fill: float = 0.0) -> Batch:
    torch.manual_seed(1)
    inputs = torch.randn(4, 3, 2)
    for row, length in enumerate(LENGTHS):
        inputs[length:, row] = fill
    targets = torch.tensor([0, 2, 1, 1, 2, 0, 1]).split(LENGTHS.tolist())
    lengths = LENGTHS[rows]
    chosen = torch.cat(targets[rows])
    return Batch(inputs[: lengths.max(), rows], chosen, lengths)


def test_steps_are_joined_row_by_row() -> None:
    y = torch.arange(12).view(4, 3)
    assert join_steps(y, LENGTHS).tolist() == [0, 3, 6, 9, 1, 4, 2]


@pytest.mark.parametrize("head", heads(), ids=["softmax", "crf", "constrained"])
def test_rows_stand_alone_and_what_fills_them_up_is_not_read(head) -> None:
    model = network(head).eval()
    whole, count, _ = model(batch(fill=7.0))
    alone = sum(model(batch(slice(row, row + 1)))[0] for row in range(3))
    assert count == 7
    torch.testing.assert_close(whole, alone)
    found = model.distribution(batch(fill=7.0))
    assert found.logits.shape == (7, 3)
    torch.testing.assert_close(found.logits.exp().sum(1), torch.ones(7))
    parts = [model.distribution(batch(slice(row, row + 1))) for row in range(3)]
    torch.testing.assert_close(found.logits, torch.cat([p.logits for p in parts]))
    assert found.mode.tolist() == torch.cat([p.mode for p in parts]).tolist()


def test_what_is_not_allowed_has_a_finite_logarithm() -> None:
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[3, 1] = False  # to start with 1
    found = network(ChainHead(6, 3, allowed)).eval().distribution(batch())
    assert found.logits.isfinite().all()
    assert found.logits[[0, 4, 6], 1].exp().max() < 1e-20


def test_a_chain_against_all_sequences() -> None:
    head = heads()[2]
    model = network(head).eval()
    with torch.no_grad():
        one = batch(slice(0, 1))
        paths = [torch.tensor(p) for p in itertools.product(range(3), repeat=4)]
        legal = [p for p in paths if (0, 1) not in itertools.pairwise(p.tolist())]
        found = model.distribution(one)
        log_p = torch.cat([found.log_prob(path) for path in legal])
        torch.testing.assert_close(log_p.exp().sum(), torch.tensor(1.0))
        assert found.mode.tolist() == legal[int(log_p.argmax())].tolist()
        shares = torch.stack([nn.functional.one_hot(p, 3) for p in legal])
        expected = (log_p.exp()[:, None, None] * shares).sum(0)
        torch.testing.assert_close(found.logits.exp(), expected)


@pytest.mark.parametrize("head", heads()[:2], ids=["softmax", "crf"])
def test_no_targets_are_no_loss(head) -> None:
    empty = Batch(torch.zeros(1, 1, 2), torch.zeros(0, dtype=torch.long), LENGTHS[2:])
    loss, count, _ = network(head)(empty)
    assert (loss.item(), count) == (0.0, 0)


def test_weights_of_classes_and_dropout_only_in_training() -> None:
    weighted = EachStep(CategoricalHead(6, 3, class_weights=[1.0, 2.0, 3.0]))
    model = network(weighted, dropout=0.5).eval()
    some = batch()
    plain = -model.distribution(some).log_prob(some.targets)
    torch.testing.assert_close(model.losses(some), plain * (1.0 + some.targets))
    model.train()
    assert not torch.equal(model.losses(some), model.losses(some))
