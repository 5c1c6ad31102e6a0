"""The head of CTC: all paths by hand, PyTorch's loss, rows and their ends."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from recurro.cells import GRU
from recurro.errors import ShapeError
from recurro.generate import collapse
from recurro.nn import CTCHead, Recurrent, StepNetwork
from recurro.types import Batch

TEXTS = [(1, 1), (2,), (3, 1, 3), ()]


def drawn(blank: int = 0, time: int = 5) -> tuple[CTCHead, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    lengths = torch.tensor([time, 2, time - 1, 3])
    return (
        CTCHead(6, tokens=4, blank=blank).double(),
        torch.randn(time, 4, 6, dtype=torch.float64),
        lengths,
    )


def flat(texts: list[tuple[int, ...]], blank: int = 0) -> torch.Tensor:
    return torch.tensor([token for text in texts for token in (*text, blank)])


@pytest.mark.parametrize("blank", [0, 2])
def test_the_loss_sums_over_all_paths(blank: int) -> None:
    head, y, lengths = drawn(blank)
    texts = [tuple(3 if t == blank else t for t in text) for text in TEXTS]
    chances = head.linear(y).softmax(-1)
    found = head.losses(y, lengths, flat(texts, blank))
    for row, (length, text) in enumerate(zip(lengths.tolist(), texts, strict=True)):
        total = sum(
            math.prod(chances[t, row, k].item() for t, k in enumerate(path))
            for path in product(range(4), repeat=length)
            if collapse(path, blank) == text
        )
        assert found[row].item() == pytest.approx(-math.log(total), rel=1e-5)


def test_gradients_are_those_of_the_loss() -> None:
    head, y, lengths = drawn()
    targets = flat(TEXTS)
    y.requires_grad_()

    def loss(y: torch.Tensor) -> torch.Tensor:
        return head.losses(y, lengths, targets)

    found = torch.autograd.grad(loss(y).sum(), y)[0]
    for at in [(0, 0, 0), (1, 1, 3), (3, 2, 5), (2, 3, 1), (4, 1, 0)]:
        step = torch.zeros_like(y)
        step[at] = 1e-2
        with torch.no_grad():
            change = (loss(y + step) - loss(y - step)).sum().item() / 2e-2
        assert found[at].item() == pytest.approx(change, abs=2e-4)
    assert (found[2:, 1] == 0).all()  # behind the end


def test_a_row_too_short_for_its_tokens_counts_for_nothing() -> None:
    head, y, _ = drawn()
    lengths = torch.tensor([2, 2, 3, 3])  # two equal tokens take three steps
    found = head.losses(y, lengths, flat(TEXTS))
    assert found[0] == 0
    assert (found[1:] > 0).all()


def test_each_row_of_targets_has_its_end() -> None:
    head, y, lengths = drawn()
    with pytest.raises(ShapeError, match="end each of 4 rows by the blank 0, got 3"):
        head.losses(y, lengths, flat(TEXTS[:3]))


def test_steps_are_told_one_row_after_the_other() -> None:
    head, y, lengths = drawn()
    found = head(y.float().double(), lengths)
    assert found.probs.shape == (14, 4)
    torch.testing.assert_close(
        found.probs[5:7], head.linear(y)[:2, 1].softmax(-1).float()
    )


def test_a_network_learns_when_tokens_come_without_being_told() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(1, 4, (16, 3))
    tokens[:, 1] = tokens[:, 0] % 3 + 1  # no two alike beside each other
    tokens[:, 2] = tokens[:, 1] % 3 + 1
    x = torch.nn.functional.one_hot(tokens.repeat_interleave(4, 1).T, 4).float()
    x = x + 0.1 * torch.randn_like(x)
    recurrent = Recurrent(GRU(), 4, 8, bidirectional=True, backend="vendor")
    network = StepNetwork(torch.nn.Identity(), recurrent, CTCHead(16, tokens=4))
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    batch = Batch(
        x, flat([tuple(row) for row in tokens.tolist()]), torch.full((16,), 12)
    )
    for _ in range(60):
        loss, count, _ = network(batch)
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()
    assert count == 16 * 4
    names = network.distribution(batch).logits.argmax(-1).reshape(16, 12)
    read = [collapse(row) for row in names.tolist()]
    assert read == [tuple(row) for row in tokens.tolist()]
