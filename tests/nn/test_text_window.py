from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from recurro.cells import GRU, LSTM
from recurro.nn import (
    EachStep,
    MixtureHead,
    Recurrent,
    StepNetwork,
    TextWindow,
    WindowNetwork,
)
from recurro.types import Batch

TEXTS = torch.tensor([[0, 3, 1, 1], [2, 4, -1, -1]])


def by_hand(window: TextWindow, x: np.ndarray, text: list[int]) -> np.ndarray:
    """Graves' equations for one row, with PyTorch's own cell."""
    cell = nn.LSTMCell(x.shape[1] + window.symbols, 6).double()
    ours = window.recurrent.state_dict()
    cell.load_state_dict({name.removesuffix("_l0"): ours[name] for name in ours})
    c = np.eye(window.symbols)[text]
    weight, bias = (p.detach().numpy() for p in window.linear.parameters())
    kappa, w, state, told = np.zeros(3), np.zeros(window.symbols), None, []
    for x_t in x:
        read = torch.from_numpy(np.concatenate([x_t, w]))[None]
        state = cell(read, state)
        h = state[0][0].detach().numpy()
        alpha, beta, k = np.exp(weight @ h + bias).reshape(3, 3)
        kappa = kappa + k
        w = np.zeros(window.symbols)
        for u in range(1, len(text) + 1):
            phi = (alpha * np.exp(-beta * (kappa - u) ** 2)).sum()
            w = w + phi * c[u - 1]
        told.append(np.concatenate([h, w]))
    return np.array(told)


@pytest.fixture
def window() -> TextWindow:
    torch.manual_seed(0)
    return TextWindow(LSTM(), 4, 6, symbols=5, gaussians=3).double()


def test_equations_of_the_paper(window) -> None:
    x = torch.randn(7, 2, 4, dtype=torch.float64)
    y, _ = window(x, TEXTS)
    assert y.shape == (7, 2, window.output_size)
    first = by_hand(window, x[:, 0].numpy(), [0, 3, 1, 1])
    second = by_hand(window, x[:, 1].numpy(), [2, 4])  # what is filled up is not seen
    assert y[:, 0].detach().numpy() == pytest.approx(first)
    assert y[:, 1].detach().numpy() == pytest.approx(second)


def test_gradients_in_double_precision(window) -> None:
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)

    def told(x, weight):
        y, looked = torch.func.functional_call(
            window, {"linear.weight": weight}, (x, TEXTS)
        )
        return y.sum() + looked.square().sum()

    weight = window.linear.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(told, (x, weight))


def test_steps_are_a_run(window) -> None:
    """Also from a state on; and the window never moves back."""
    x = torch.randn(5, 2, 4, dtype=torch.float64)
    letters = window.letters(TEXTS)
    state, places = window.init(letters), []
    y, _ = window(x, TEXTS)
    for x_t, y_t in zip(x, y, strict=True):
        state, h, _ = window.step(state, x_t, letters)
        places.append(state.place)
        assert torch.allclose(torch.cat([h, state.seen], 1), y_t)
    assert (torch.stack(places).diff(dim=0) > 0).all()


def test_it_begins_at_the_rate_that_it_is_told(window) -> None:
    nn.init.zeros_(window.linear.weight)
    window.start(0.25)
    letters = window.letters(TEXTS)
    state, x = window.init(letters), torch.zeros(2, 4, dtype=torch.float64)
    for _ in range(8):
        state, _, looked = window.step(state, x, letters)
    assert state.place.detach().numpy() == pytest.approx(2)
    assert looked[0].argmax() == 1  # the second symbol


def test_nothing_overflows() -> None:
    window = TextWindow(GRU(), 4, 6, symbols=5, gaussians=3)
    with torch.no_grad():
        window.linear.weight.mul_(1e4)
    x = torch.randn(20, 2, 4, requires_grad=True)
    y, looked = window(x, TEXTS)
    (y.sum() + looked.sum()).backward()
    assert y.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_network_reads_the_text_of_its_batch() -> None:
    window = TextWindow(LSTM(), 4, 6, symbols=5, gaussians=3)
    recurrent = Recurrent(LSTM(), 4 + window.output_size, 8)
    head = EachStep(MixtureHead(8, 2))
    network = WindowNetwork(nn.Identity(), window, recurrent, head)
    assert isinstance(network, StepNetwork)
    inputs, lengths = torch.randn(6, 2, 4), torch.tensor([6, 4])
    targets = torch.zeros(10, 3)
    batch = Batch(inputs, targets, lengths, condition=TEXTS)
    losses = network.losses(batch)
    assert losses.shape == (10,)
    other = TEXTS.clone()
    other[0, 0] = 4
    changed = network.losses(Batch(inputs, targets, lengths, condition=other))
    assert (changed[:6] != losses[:6]).all()
    assert torch.equal(changed[6:], losses[6:])
