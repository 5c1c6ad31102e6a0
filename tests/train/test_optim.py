from __future__ import annotations

import pytest
import torch
from torch import nn

from recurro.train import TrainSettings
from recurro.train.optim import (
    Average,
    learning_rate,
    make_optimizer,
    worse_than_before,
)

NAMES = {
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {"betas": (0.8, 0.95)}),
    "adamw": (torch.optim.AdamW, {"betas": (0.8, 0.95)}),
    "rmsprop": (torch.optim.RMSprop, {"momentum": 0.5}),
    "rprop": (torch.optim.Rprop, {}),
    "asgd": (torch.optim.SGD, {"momentum": 0.3}),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_pytorchs_optimiser(name):
    kind, extra = NAMES[name]
    decay = {} if name == "rprop" else {"weight_decay": 0.01}
    settings = TrainSettings(optimizer=name, learning_rate=0.05, **extra, **decay)
    mine, theirs = (
        nn.Parameter(torch.linspace(-1, 1, 6).view(2, 3).clone()) for _ in "ab"
    )
    optimizer = make_optimizer([mine], settings)
    reference = (
        kind([theirs], lr=0.05, fused=False, **extra, **decay)
        if (name not in ("rmsprop", "rprop"))
        else kind([theirs], lr=0.05, **extra, **decay)
    )
    for step in range(5):
        for parameter, chosen in ((mine, optimizer), (theirs, reference)):
            parameter.grad = torch.sin(parameter.detach() * 3 + step)
            chosen.step()
    torch.testing.assert_close(mine, theirs)


def test_constant():
    settings = TrainSettings(learning_rate=0.3)
    assert learning_rate(settings, 0, 10) == learning_rate(settings, 99, 10) == 0.3


def test_cosine_begins_at_the_top_after_warmup_and_ends_at_the_final_rate():
    settings = TrainSettings(
        learning_rate=2.0, schedule="cosine", warmup_steps=4, final_rate=0.1
    )
    rates = [learning_rate(settings, step, 24) for step in range(30)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[4] == 2.0
    assert rates[23] == pytest.approx(0.2)
    assert rates[29] == pytest.approx(0.2)  # past the end it stays there
    falling = rates[4:24]
    assert falling == sorted(falling, reverse=True)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=2.0)
    schedule = reference(optimizer, T_max=19, eta_min=0.2)
    for rate in falling:
        assert rate == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_plateau_divides():
    settings = TrainSettings(
        learning_rate=8.0, schedule="plateau", plateau_factor=2.0, warmup_steps=2
    )
    assert learning_rate(settings, 0, 10, 1) == 2.0
    assert [learning_rate(settings, 5, 10, d) for d in range(4)] == [8, 4, 2, 1]
    assert learning_rate(settings, 5, 10, 10_000) == 0.0


def test_the_trigger_of_averaging_as_in_awd_lstm():
    """Against the condition in the authors' words, over a random walk of scores."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(40, generator=generator).tolist()
    for nonmono in (1, 3, 5):
        for t in range(len(scores)):
            logs = scores[:t]
            expected = t > nonmono and scores[t] > min(logs[: t - nonmono])
            assert worse_than_before(scores[: t + 1], nonmono) == expected


def test_the_average_is_the_mean_of_the_weights_since_it_began():
    weights = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    parameter = nn.Parameter(torch.zeros(3, 2))
    average = Average([parameter])
    for index, weight in enumerate(weights):
        if index == 2:
            average.start()
        parameter.data.copy_(weight)
        average.add()
    with average.swapped_in():
        torch.testing.assert_close(parameter.data, weights[2:].mean(0))
    torch.testing.assert_close(parameter.data, weights[-1], rtol=0, atol=0)


def test_a_running_mean_is_of_the_last_tenth_until_its_window_is_full():
    weights = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    parameter = nn.Parameter(torch.zeros(2))
    average = Average([parameter], decay=0.75)
    average.start()
    expected = torch.zeros(2)
    for n, weight in enumerate(weights, 1):
        parameter.data.copy_(weight)
        average.add()
        share = 10 / (n + 9) if n <= 31 else 0.25
        expected = (1 - share) * expected + share * weight
        with average.swapped_in():
            torch.testing.assert_close(parameter.data, expected)


def test_the_weights_come_back_when_scoring_fails():
    parameter = nn.Parameter(torch.ones(2))
    average = Average([parameter])
    average.start()
    parameter.data.fill_(3.0)
    with pytest.raises(KeyboardInterrupt), average.swapped_in():
        raise KeyboardInterrupt
    assert parameter.data.tolist() == [3.0, 3.0]
