from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from recurro.cells import GRU, LSTM
from recurro.nn import CategoricalHead, Recurrent, Retina, SoftWindow
from recurro.nn.glimpse import Glimpse, GlimpseNetwork
from recurro.types import Batch

END = 10


def network(spread: float | None = None, longest: int = 3, cell=LSTM()):  # noqa: B008
    torch.manual_seed(0)
    window = SoftWindow((8, 12), 4) if spread is None else Retina((8, 12), 4, 2)
    parts = Glimpse(window, 6), Recurrent(cell, 6, 7), CategoricalHead(7, 11)
    return GlimpseNetwork(*parts, glimpses=2, longest=longest, spread=spread)


def batch(targets: list[int], rows: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    given = torch.rand(1, rows, 8, 12, generator=generator)
    return Batch(given, torch.tensor(targets))


@pytest.mark.parametrize("spread", [None, 0.1])
def test_the_loss_is_that_of_each_digit_and_of_the_end(spread) -> None:
    """Of numbers shorter than can be, the end counts; behind it nothing does."""
    net = network(spread).eval()
    given = batch([1, 2, END, 3, 4, 5, 7, END], rows=3)
    losses = net.losses(given)
    logits = net.look(given.inputs[0], 3).logits
    wanted = [
        functional.cross_entropy(logits[digit, row], torch.tensor(target)).item()
        for row, number in enumerate([[1, 2, END], [3, 4, 5], [7, END]])
        for digit, target in enumerate(number)
    ]
    assert sorted(losses.tolist()) == pytest.approx(sorted(wanted), abs=1e-5)
    loss, count, _ = net(given)
    assert loss.item() == pytest.approx(sum(wanted), abs=1e-4)
    assert count == 8


def test_rows_do_not_depend_on_each_other() -> None:
    net, given = network(cell=GRU()).eval(), batch([1, 2, 3] * 4, 4).inputs[0]
    together = net.look(given, 3).logits
    alone = net.look(given[1:2], 3).logits
    assert torch.allclose(together[:, 1:2], alone, atol=1e-5)


def test_aims_are_drawn_in_training_alone() -> None:
    net, given = network(0.2), batch([1, 2, 3], 1).inputs[0]
    net.eval()
    assert torch.equal(net.look(given, 2).aims, net.look(given, 2).aims)
    net.train()
    assert not torch.equal(net.look(given, 2).aims, net.look(given, 2).aims)
    aims = net.look(given.expand(400, -1, -1), 1).aims[1]
    assert aims.std(0).tolist() == pytest.approx([0.2, 0.2], abs=0.03)


def test_drawn_aims_learn_from_reward_alone() -> None:
    """The gradient of the aim is that of -log p times surprise, by hand."""
    net = network(0.2, longest=1).train()
    given = batch([4, 9, 2], 3)
    torch.manual_seed(3)
    net(given)[0].backward()
    found = net.aim.weight.grad.clone()
    torch.manual_seed(3)
    seen = net.look(given.inputs[0], 1)
    chance = seen.logits[0].softmax(-1)[torch.arange(3), given.targets]
    cost = -seen.log_probs * (chance - seen.baselines).detach() / 10
    [wanted] = torch.autograd.grad(cost.sum(), [net.aim.weight])
    assert torch.allclose(found, wanted, atol=1e-6)


def test_soft_aims_learn_from_the_digits() -> None:
    net = network().train()
    net(batch([4, 9, 2], 1))[0].backward()
    assert net.aim.weight.grad.abs().max() > 0


def test_no_pictures_keep_step() -> None:
    assert network(0.1).losses(
        Batch(torch.zeros(1, 1, 8, 12), torch.zeros(0))
    ).shape == (0,)


def test_reward_moves_aims_to_what_is_to_be_seen() -> None:
    """A dot that tells the class stands right of what is seen at first."""
    kind = torch.arange(32) % 2
    given = torch.zeros(32, 8, 12)
    given[:, 4, 9] = kind.float() * 2 - 1
    torch.manual_seed(0)
    parts = (
        *(Glimpse(Retina((8, 12), 4), 8), Recurrent(GRU(), 8, 8)),
        CategoricalHead(8, 2),
    )
    net = GlimpseNetwork(*parts, glimpses=1, longest=1, spread=0.3)
    assert net.look(given, 1).aims[1, :, 0].mean() < 0.1
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        loss, count, _ = net(Batch(given[None], kind))
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
    seen = net.eval().look(given, 1)
    assert seen.aims[1, :, 0].min() > 0.2
    assert torch.equal(seen.logits[0].argmax(-1), kind)
