"""torch.compile takes rendered C into its graph: one operator for a run over time.

The checks run in a process of their own: the type checks that the tests put on the
package are nothing that torch.compile can look into.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import recurro
from recurro import cells
from recurro.engine import HiddenClip
from recurro.engine.cpu import storage_of
from recurro.engine.operator import known
from recurro.engine.structure import BlockDiagonal
from recurro.errors import BackendError
from recurro.nn import GRU, LSTM, RNN, Recurrent
from tests.contract import grad_of, weighted
from tests.engine.test_cpu import request_of

ROOT = Path(__file__).resolve().parents[2]
TIME, BATCH = 7, 3
LENGTHS = torch.tensor([7, 0, 5])


def tensors(value):
    return [t for t in torch.utils._pytree.tree_leaves(value) if t is not None]


def results(function, layer, arguments):
    """All results and all gradients, with the same random numbers each time."""
    torch.manual_seed(5)
    found = tensors(function(*arguments))
    leaves = [t for t in tensors(arguments) if t.requires_grad] + [*layer.parameters()]
    return [*found, *grad_of(weighted(found), leaves)]


def counter(backend="aot_eager"):
    from torch._dynamo.testing import CompileCounterWithBackend

    return CompileCounterWithBackend(backend)


def loops(counted):
    nodes = [n for graph in counted.graphs for n in graph.graph.nodes]
    return sum("recurro.loop" in str(node.target) for node in nodes)


def same(layer, *arguments, count, backend="aot_eager", bound=1e-6):
    """The whole graph in one, with so many operators; and what eager gives."""
    torch._dynamo.reset()
    counted = counter(backend)
    compiled = torch.compile(layer, fullgraph=True, backend=counted)
    got = results(compiled, layer, arguments)
    wanted = results(layer, layer, arguments)
    torch.testing.assert_close(got, wanted, rtol=bound, atol=bound)
    assert loops(counted) == count, layer
    with torch.no_grad():
        torch.manual_seed(5)
        got = tensors(compiled(*arguments))
    torch.testing.assert_close(got, wanted[: len(got)], rtol=bound, atol=bound)


class States(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = Recurrent(cells.PeepholeLSTM(), 4, 6, num_layers=2)

    def forward(self, x):
        return self.layer.states(x)


def one_graph():
    x = torch.randn(TIME, BATCH, 4, requires_grad=True)
    h = torch.randn(4, BATCH, 6, requires_grad=True)
    same(GRU(4, 6), x, count=1)
    same(GRU(4, 6, 2, bidirectional=True), x, h, count=4)
    same(GRU(4, 6, 3, dropout=0.5), x, count=3)
    same(GRU(4, 6), x.detach(), count=1)  # parameters alone want gradients
    same(LSTM(4, 6, 2, proj_size=3, backend="cpu"), x, count=2)
    same(
        RNN(4, 6, nonlinearity="relu", batch_first=True), x[:, :2].detach(), count=0
    )  # short
    clipped = Recurrent(cells.GRU(), 4, 6, num_layers=2, hidden_clip=0.01)
    same(clipped, x, None, LENGTHS, count=2)
    normed = HiddenClip(norm=0.1)
    both = Recurrent(cells.ChoGRU(), 4, 6, bidirectional=True, hidden_clip=normed)
    same(both, x, None, LENGTHS, count=2)
    masks = {"zoneout": 0.3, "recurrent_dropout": 0.2, "weight_drop": 0.4}
    same(Recurrent(cells.LayerNormLSTM(), 4, 6, **masks), x, count=1)
    same(Recurrent(cells.GRU(), 4, 6, **masks).eval(), x, count=1)
    same(States(), x, count=2)
    shaped = Recurrent(cells.GRU(), 4, 6, recurrent=BlockDiagonal(2))
    same(shaped, x, count=1)
    same(recurro.accelerate(nn.GRU(4, 6)).double(), x.double().detach(), count=1)


def any_size():
    """Neither another number of steps nor of rows makes a graph for itself."""
    counted, layer = counter(), Recurrent(cells.GRU(), 4, 6)
    compiled = torch.compile(layer, fullgraph=True, backend=counted)
    for time, batch in ((7, 3), (9, 3), (30, 3), (12, 5), (5, 8), (40, 2), (100, 9)):
        x = torch.randn(time, batch, 4, requires_grad=True)
        lengths = torch.arange(batch) % time
        got = results(compiled, layer, (x, None, lengths))
        wanted = results(layer, layer, (x, None, lengths))
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    assert counted.frame_count <= 3
    torch._dynamo.reset()
    counted = counter()
    compiled = torch.compile(layer, fullgraph=True, backend=counted, dynamic=True)
    made = set()
    for time in (7, 9, 20):
        compiled(torch.randn(time, 3, 4))
        made.add(counted.frame_count)
    assert len(made) == 1


def transforms_and_files():
    """Under torch.func the reference stands in the graph, and in an exported one."""
    layer = Recurrent(cells.GRU(), 4, 6).double()
    x = torch.randn(TIME, BATCH, 4, dtype=torch.float64)

    def loss(x):
        return layer(x)[0].square().sum()

    many = torch.stack([x, 2 * x])
    for transform, argument in ((torch.func.grad, x), (torch.func.vmap, many)):
        counted, transform = counter("eager"), transform(loss)
        compiled = torch.compile(transform, fullgraph=True, backend=counted)
        torch.testing.assert_close(compiled(argument), transform(argument))
        assert loops(counted) == 0
    exported = torch.export.export(layer, (x,))
    assert not any("recurro" in str(n.target) for n in exported.graph.nodes)
    torch.testing.assert_close(exported.module()(x), layer(x))


def autocast():
    x = torch.randn(TIME, BATCH, 4)
    for layer in (RNN(4, 6), GRU(4, 6)):
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        with torch.autocast("cpu", torch.bfloat16):
            got, wanted = compiled(x), layer(x)
        torch.testing.assert_close(got, wanted)


def inductor():
    x = torch.randn(TIME, BATCH, 4, requires_grad=True)
    layer = Recurrent(cells.GRU(), 4, 6, num_layers=2, residual=True)
    same(layer, x, None, LENGTHS, count=2, backend="inductor", bound=1e-5)


def without_a_compiler():
    os.environ["RECURRO_COMPILE"] = "0"
    x = torch.randn(TIME, BATCH, 4, requires_grad=True)
    same(GRU(4, 6), x, count=0)


def run_apart(*functions):
    """In one process of their own, for it takes seconds to load the compiler."""
    names = ", ".join(function.__name__ for function in functions)
    code = f"""
import torch
from tests.engine.test_operator import {names}
for check in [{names}]:
    torch._dynamo.reset()
    check()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "RECURRO_COMPILE": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_graphs():
    run_apart(any_size, transforms_and_files, autocast, without_a_compiler)


@pytest.mark.slow
@pytest.mark.parametrize("check", [one_graph, inductor])
def test_more_graphs(check):
    run_apart(check)


def arguments_of(request, keep=True):
    """The operator's arguments for a request."""
    storage = storage_of(request)
    stored = [request.stored[name] for name, _ in storage]
    key = known(request.cell, request.program, storage)
    values = [*request.inputs, *request.state, *stored]
    clip = request.clip or HiddenClip()
    options = (request.lengths, request.reverse, clip.value, clip.norm, keep)
    return key, values, [], *options


@pytest.mark.parametrize(
    "options", [{}, {"lengths": True, "reverse": True, "clip": HiddenClip(0.1)}]
)
@pytest.mark.parametrize("cell", [cells.GRU(), cells.LayerNormLSTM()], ids=str)
def test_the_operator_keeps_pytorchs_rules(cell, options):
    sizes = {"hidden": 5, "batch": 3, "time": 4, "dtype": torch.float64}
    request = request_of(cell, **sizes, **options)
    loop = torch.ops.recurro.loop.default
    if request.lengths is None:  # with them, part of what it keeps is never written
        torch.library.opcheck(loop, arguments_of(request))
    rules = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(loop, arguments_of(request), test_utils=rules)
    key, values, *rest = arguments_of(request, keep=False)
    torch.library.opcheck(loop, (key, [v.detach() for v in values], *rest))


def test_an_unknown_program_and_missing_values_are_named():
    sizes = {"hidden": 5, "batch": 3, "time": 4, "dtype": torch.float64}
    arguments = arguments_of(request_of(cells.GRU(), **sizes))
    with pytest.raises(BackendError, match=r"unknown program 1234\. Compile"):
        torch.ops.recurro.loop("1234", *arguments[1:])
    with pytest.raises(BackendError, match="keep must be true"):
        torch.ops.recurro.loop(*arguments[:-1], False)


def test_the_key_tells_programs_apart_and_not_their_lines():
    def key(cell):
        sizes = {"hidden": 5, "batch": 3, "time": 4, "dtype": torch.float64}
        return arguments_of(request_of(cell, **sizes))[0]

    assert key(cells.Elman()) == key(cells.Elman())
    different = [cells.Elman(), cells.Elman("relu"), cells.GRU(), cells.Leaky(0.5)]
    assert len({key(cell) for cell in [*different, cells.Leaky(0.25)]}) == 5
