"""torch.compile takes every recurrence whole, without a break of the graph.

The checks run in a process of their own: the type checks that the tests put on the
package are nothing that torch.compile can look into.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recurro import nn
from recurro.cells import GRU, LSTM, LayerNormLSTM, Zoneout
from recurro.engine import HiddenClip
from recurro.nn import Recurrent
from tests.contract import CellSubject, check_compile, close

ROOT = Path(__file__).resolve().parents[2]


def some():
    check_compile(CellSubject(LSTM(proj_size=2), reverse=True), backend="auto")
    check_compile(CellSubject(Zoneout(LayerNormLSTM())), clip=HiddenClip(norm=0.2))
    layer = Recurrent(GRU(), 2, 3, num_layers=2, residual=True, hidden_clip=0.1)
    x = torch.randn(2, 3, 2, requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for lengths in (None, torch.tensor([2, 1, 0])):
        (y, state), (got, got_state) = (
            layer(x, None, lengths),
            compiled(x, None, lengths),
        )
        close((got, got_state), (y, state), rtol=1e-6)
        by = torch.autograd.grad(y.square().sum(), x)
        close(torch.autograd.grad(got.square().sum(), x), by, rtol=1e-6)
    y, _ = torch.compile(nn.LSTM(2, 3), fullgraph=True, backend="aot_eager")(x)
    y.sum().backward()


def every():
    from tests.cells.test_contract import SUBJECTS

    for subject in SUBJECTS:
        check_compile(subject, backend="auto")


def run_apart(function):
    code = f"from tests.engine.test_compile import {function.__name__} as f; f()"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_some_of_each_kind():
    run_apart(some)


@pytest.mark.slow
def test_every_cell_and_wrapper():
    run_apart(every)
