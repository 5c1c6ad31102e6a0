"""Threads that share rows or units give the same bits, whoever calls."""

import threading

import pytest
import torch

from recurro import cells
from recurro.engine import team
from recurro.nn import Recurrent


@pytest.fixture(autouse=True)
def _threads(monkeypatch):
    """Let small runs count as large ones."""
    monkeypatch.setattr(team, "WORTH", 0)
    monkeypatch.setattr(team, "WORTH_STEP", 0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_split():
    torch.set_num_threads(4)
    assert team.split(9, 64, 100, True) == (4, 1)
    assert team.split(9, 13, 100, True) == (2, 1)
    assert team.split(9, 7, 100, True) == (1, 4)
    assert team.split(9, 7, 100, False) == (1, 1)
    torch.set_num_threads(1)
    assert team.split(9, 64, 100, True) == (1, 1)


def test_split_of_little_work(monkeypatch):
    torch.set_num_threads(2)
    monkeypatch.setattr(team, "WORTH_STEP", 2**16)
    assert team.split(1000, 1, 2**15, True) == (1, 1)
    assert team.split(1000, 1, 2**16, True) == (1, 2)
    monkeypatch.setattr(team, "WORTH", 2**22)
    assert team.split(63, 1, 2**16, True) == (1, 1)


def training_step(layer, x):
    x.grad = None
    layer.zero_grad()
    y, _ = layer(x)
    y.pow(2).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize(
    "cell",
    [cells.LSTM(), cells.LSTM(proj_size=20), cells.GRU(), cells.ChoGRU()],
    ids=repr,
)
@pytest.mark.parametrize("batch", [1, 7])
def test_units_are_shared_to_the_bit(cell, batch):
    layer = Recurrent(cell, 30, 70, bidirectional=True, backend="cpu")
    x = torch.randn(9, batch, 30, requires_grad=True)
    torch.set_num_threads(1)
    alone = training_step(layer, x)
    for threads in (2, 3, 7):
        torch.set_num_threads(threads)
        for got, wanted in zip(training_step(layer, x), alone, strict=True):
            assert torch.equal(got, wanted)


def test_sums_over_units_are_not_shared():
    layer = Recurrent(cells.LayerNormLSTM(), 30, 70, backend="cpu")
    x = torch.randn(9, 2, 30, requires_grad=True)
    alone = training_step(layer, x)
    torch.set_num_threads(4)
    for got, wanted in zip(training_step(layer, x), alone, strict=True):
        assert torch.equal(got, wanted)


def test_python_threads_that_run_at_once():
    layer = Recurrent(cells.GRU(), 30, 70, backend="cpu")
    inputs = [torch.randn(20, 3, 30) for _ in range(6)]
    torch.set_num_threads(3)
    with torch.no_grad():
        wanted = [layer(x)[0] for x in inputs]
    found = {}

    def work(i):
        with torch.no_grad():
            found[i] = [layer(inputs[i])[0] for _ in range(10)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for i, y in enumerate(wanted):
        assert len(found[i]) == 10
        assert all(torch.equal(z, y) for z in found[i])
