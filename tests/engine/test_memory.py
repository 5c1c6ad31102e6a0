"""What a training run keeps: with memory="low" far less, and the same gradients."""

import subprocess
import sys

import pytest
import torch

from recurro import cells
from recurro.engine import HiddenClip
from recurro.engine.cpu import run_cpu
from recurro.engine.memory import run_in_spans
from recurro.engine.reference import run_reference
from recurro.errors import ArgumentError, BackendError
from recurro.nn import Recurrent
from tests.engine.test_cpu import request_of, results


@pytest.mark.parametrize("runner", [run_cpu, run_reference])
@pytest.mark.parametrize(
    "options",
    [{}, {"lengths": True, "reverse": True}, {"clip": HiddenClip(value=0.01)}],
    ids=str,
)
@pytest.mark.parametrize("cell", [cells.LSTM(), cells.ChoGRU()], ids=repr)
def test_low_memory_gives_the_same(cell, options, runner):
    sizes = {"hidden": 6, "batch": 3, "time": 11, "dtype": torch.float64}
    request = request_of(cell, **sizes, **options)
    got = results(lambda r: run_in_spans(runner, r), request)
    for low, high in zip(got, results(runner, request), strict=True):
        torch.testing.assert_close(low, high, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("runner", [run_cpu, run_reference])
def test_masks_are_the_same_again_on_the_way_back(runner):
    cell = cells.Zoneout(cells.RecurrentDropout(cells.GRU(), 0.3), 0.2)
    sizes = {"hidden": 6, "batch": 3, "time": 9, "dtype": torch.float64}

    def found(run):
        generator = torch.Generator().manual_seed(5)
        options = {"training": True, "generator": generator}
        return results(run, request_of(cell, **sizes, **options))

    # A run whose masks are drawn before it is the judge: run_cpu draws them so.
    got, wanted = found(lambda r: run_in_spans(runner, r)), found(run_cpu)
    for low, high in zip(got, wanted, strict=True):
        torch.testing.assert_close(low, high, rtol=1e-9, atol=1e-10)


def test_what_it_does_not_go_with_is_said(unchecked):
    x = torch.zeros(4, 1, 2)
    with pytest.raises(BackendError, match="PyTorch's kernels keep every step"):
        Recurrent(cells.GRU(), 2, 3, backend="vendor", memory="low")(x)
    with pytest.raises(ArgumentError, match="memory must be 'high' or 'low'"):
        Recurrent(cells.GRU(), 2, 3, memory="none")(x)


PEAK = """
import resource, sys, torch
from recurro import LSTM
from recurro.cells import LSTM as Cell
from recurro.nn import Recurrent
torch.set_num_threads(1)
layer = {
    "torch": lambda: torch.nn.LSTM(512, 512),
    "high": lambda: Recurrent(Cell(), 512, 512, backend="cpu"),
    "low": lambda: Recurrent(Cell(), 512, 512, backend="cpu", memory="low"),
}[sys.argv[1]]()
layer(torch.zeros(4, 2, 512))[0].sum().backward()  # builds the kernels
x = torch.randn(512, 64, 512, requires_grad=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
layer(x)[0].sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_peak_memory_of_training_at_512():
    """At most 1.1 times that of nn.LSTM; with memory="low" less than half of it."""
    peak = {
        name: int(
            subprocess.run(
                [sys.executable, "-c", PEAK, name],
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for name in ("torch", "high", "low")
    }
    assert peak["high"] <= 1.1 * peak["torch"]
    assert peak["low"] <= 0.5 * peak["torch"]
