"""Rendered C gives the same bits however many threads there are, and whoever calls."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recurro import cells
from recurro.engine.cpu import run_cpu
from recurro.nn import GRU, Recurrent
from tests.engine.test_cpu import request_of, results

BIG = {"hidden": 64, "batch": 32, "time": 20}
"""Enough work for several threads; see ``recurro.engine.cpu.WORTH``."""


@pytest.fixture
def threads():
    """Sets the number of threads, and sets it back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("cell", [cells.LSTM(), cells.GRU(), cells.ChoGRU()], ids=str)
def test_the_kernels_give_the_same_bits(cell, lengths, threads):
    request = request_of(cell, dtype=torch.float32, lengths=lengths, **BIG)
    found = []
    for count in (1, 2, 3, 4):
        threads(count)
        torch.manual_seed(0)
        trail, final = run_cpu(request)
        loss = sum(value.cos().sum() for value in (*trail, *final))
        by = torch.autograd.grad(loss, (*request.inputs, *request.state))
        found.append([*trail, *final, *by])
    for other in found[1:]:
        assert all(map(torch.equal, other, found[0]))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_training_step_gives_the_same_bits(count, threads):
    threads(count)
    x = torch.randn(20, 32, 16)

    def step():
        torch.manual_seed(1)
        layer = Recurrent(cells.GRU(), 16, 64, num_layers=2, zoneout=0.1, backend="cpu")
        optimiser = torch.optim.Adam(layer.parameters())
        for _ in range(2):
            optimiser.zero_grad()
            layer(x)[0].square().sum().backward()
            optimiser.step()
        return list(layer.parameters())

    first = step()
    for _ in range(3):
        assert all(map(torch.equal, step(), first))


def test_several_python_threads_at_once(threads):
    threads(2)
    requests = [
        request_of(cell, dtype=torch.float32, lengths=lengths, **BIG)
        for cell in (cells.LSTM(), cells.GRU())
        for lengths in (False, True)
    ]
    wanted = [results(run_cpu, request) for request in requests]

    def work(number):
        return number % 4, results(run_cpu, requests[number % 4])

    with ThreadPoolExecutor(8) as pool:
        for number, found in pool.map(work, range(24)):
            assert all(map(torch.equal, found, wanted[number]))


def ends(child, seconds):
    """The exit code of a child, which is killed if it hangs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork.*")
def test_a_forked_child_runs_on(threads):
    """The child has none of its parent's threads, and makes its own.

    PyTorch's own parallel operations hang in such a child, with OpenMP: so neither
    the layer nor the comparison may call one.
    """
    threads(2)
    layer, x = GRU(16, 64, backend="cpu"), torch.randn(20, 32, 16)
    with torch.no_grad():
        wanted = layer(x)[0].numpy().tobytes()
        torch.randn(500, 500) @ torch.randn(500, 500)  # PyTorch has its threads too
        child = os.fork()
        if child == 0:
            equal = all(layer(x)[0].numpy().tobytes() == wanted for _ in range(3))
            os._exit(0 if equal else 1)
    assert ends(child, 60) == 0
    with torch.no_grad():
        assert layer(x)[0].numpy().tobytes() == wanted  # and so does the parent
