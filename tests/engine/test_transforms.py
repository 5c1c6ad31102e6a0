"""PyTorch's transforms give right answers, by the reference where C cannot."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.nn.utils.rnn import pack_padded_sequence

import recurro.nn
from recurro import cells
from recurro.nn import GRU, Recurrent

# Forward differentiation makes PyTorch load what it has deprecated itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

LENGTHS = torch.tensor([7, 2, 5])


@pytest.fixture(autouse=True)
def _compiling(monkeypatch):
    monkeypatch.setenv("RECURRO_COMPILE", "1")


def case(cell, **options):
    """A layer in float64 as a function of all that it reads, and an example of it."""
    layer = Recurrent(cell, 2, 3, **options).double()
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *rest):
        count = len(cell.state)
        parameters = dict(zip(names, rest[count:], strict=True))
        lengths = LENGTHS[:2] if x.shape[1] == 2 else None
        arguments = (x, (rest[:count],), lengths)
        y, state = torch.func.functional_call(layer, parameters, arguments)
        return (y, *state[0])

    x = torch.randn(7, 2, 2, dtype=torch.float64)
    state = [torch.randn(2, w, dtype=torch.float64) for w in cell.widths(3)]
    values = [x, *state, *(p.detach() for p in layer.parameters())]
    return run, tuple(v.requires_grad_() for v in values)


CELLS = [cells.LSTM(), cells.GRU(), cells.LayerNormLSTM()]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_first_and_second_derivatives(cell):
    run, values = case(cell, backend="cpu")
    assert gradcheck(run, values, fast_mode=True)
    assert gradgradcheck(run, values, fast_mode=True, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_torch_func(cell):
    run, values = case(cell)
    values = tuple(v.detach() for v in values)

    def loss(*values):
        return sum(part.square().sum() for part in run(*values))

    wanted = [v.clone().requires_grad_() for v in values]
    by = torch.autograd.grad(loss(*wanted), wanted)
    every = tuple(range(len(values)))
    torch.testing.assert_close(torch.func.grad(loss, every)(*values), by)
    torch.testing.assert_close(torch.func.jacrev(loss, every)(*values), by)
    torch.testing.assert_close(torch.func.jacfwd(loss, every)(*values), by)
    many = [torch.stack([v, 2 * v]) for v in values]
    each = [run(*(2 * v if i else v for v in values)) for i in range(2)]
    together = tuple(torch.stack(parts) for parts in zip(*each, strict=True))
    torch.testing.assert_close(torch.func.vmap(run)(*many), together)
    per_sample = torch.func.vmap(torch.func.grad(loss))(*many)
    torch.testing.assert_close(per_sample[0], by[0])


@pytest.mark.parametrize("enabled", [False, True])
def test_forward_differentiation_is_not_lost(enabled):
    layer = GRU(2, 3).double()
    x, t = torch.randn(2, 7, 2, 2, dtype=torch.float64).unbind(0)
    _, wanted = torch.func.jvp(lambda x: layer(x)[0], (x,), (t,))
    with torch.set_grad_enabled(enabled), forward_ad.dual_level():
        got = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, t))[0]).tangent
    torch.testing.assert_close(got, wanted)


# -- autocast --------------------------------------------------------------------------

LAYERS = [("LSTM", {}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})]


@pytest.mark.parametrize("backend", ["auto", "cpu", "reference"])
@pytest.mark.parametrize(("name", "options"), LAYERS)
def test_autocast_gives_pytorchs_types(name, options, backend):
    theirs = getattr(nn, name)(4, 6, num_layers=2, **options)
    ours = recurro.accelerate(copy.deepcopy(theirs), backend=backend)
    x = torch.randn(7, 3, 4)
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    for argument in (x, x.bfloat16(), packed):
        with torch.autocast("cpu", torch.bfloat16):
            wanted, got = theirs(argument), ours(argument)
        leaves = torch.utils._pytree.tree_leaves
        for one, other in zip(leaves(got), leaves(wanted), strict=True):
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)
        leaves(got)[0].float().sum().backward()
        assert all(p.grad.dtype == torch.float32 for p in ours.parameters())


def test_autocast_around_the_backward_pass_changes_nothing():
    layer = Recurrent(cells.ChoGRU(), 4, 6, backend="cpu")
    x = torch.randn(7, 3, 4)
    found = []
    for around in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer(x)
            assert y.dtype == torch.float32  # without a twin: as the input
            if around:
                y.sum().backward()
        if not around:
            y.sum().backward()
        found.append([p.grad.clone() for p in layer.parameters()])
    assert all(map(torch.equal, *found))
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], y.detach())  # C runs in float32


def test_float16_goes_where_pytorchs_kernel_may_not():
    layer, x = recurro.nn.LSTM(4, 6), torch.randn(7, 3, 4)
    with torch.autocast("cpu", torch.float16):
        y, _ = layer(x)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.float(), layer(x)[0], rtol=0.01, atol=0.01)
