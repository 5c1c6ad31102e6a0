"""The drop-ins are PyTorch's layers, over the whole grid of their arguments."""

from __future__ import annotations

import inspect
import itertools
import re

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import recurro.nn
from recurro.errors import ArgumentError, BackendError, ShapeError
from tests.contract import distance, grad_of, weighted

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

TIME, BATCH, INPUT, HIDDEN = 5, 3, 4, 3
KINDS = {
    "LSTM": ("LSTM", {}),
    "LSTM with projection": ("LSTM", {"proj_size": 2}),
    "GRU": ("GRU", {}),
    "RNN tanh": ("RNN", {"nonlinearity": "tanh"}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}),
}
GRID = list(itertools.product((1, 2), (False, True), (True, False), (False, True)))
FORMS = list(itertools.product(("batch", "one", "packed"), (False, True)))


def pair(kind, dtype=torch.float32, backend="auto", **options):
    """Our layer and PyTorch's, with the same weights."""
    name, chosen = KINDS[kind]
    torch.manual_seed(4)
    theirs = getattr(nn, name)(INPUT, HIDDEN, dtype=dtype, **chosen, **options)
    ours = getattr(recurro.nn, name)(
        INPUT, HIDDEN, dtype=dtype, backend=backend, **chosen, **options
    )
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def example(layer, form, given):
    """An input in one of the forms, and an initial state or none."""
    generator = torch.Generator().manual_seed(9)

    def draw(*shape):
        dtype = layer.weight_ih_l0.dtype
        return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()

    rows = () if form == "one" else (BATCH,)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [getattr(layer, "proj_size", 0) or HIDDEN, HIDDEN]
    widths = widths[: 2 if isinstance(layer, nn.LSTM) else 1]
    shape = (*rows, TIME) if layer.batch_first else (TIME, *rows)
    hx = tuple(draw(count, *rows, width) for width in widths) if given else ()
    return draw(*shape, INPUT), hx


def results(layer, x, hx=(), form="batch"):
    """The output and the final states, all as tensors."""
    if form == "packed":
        lengths = torch.tensor([3, 5, 1])
        x = pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=False)
    y, final = layer(x, *([hx if len(hx) == 2 else hx[0]] if hx else []))
    y = y.data if form == "packed" else y
    return (y, *(final if isinstance(final, tuple) else (final,)))


def assert_equal(ours, theirs, form, given, bound):
    x, hx = example(theirs, form, given)
    wanted, got = results(theirs, x, hx, form), results(ours, x, hx, form)
    assert [t.shape for t in got] == [t.shape for t in wanted]
    assert distance(got, wanted) <= bound
    mine = dict(ours.named_parameters())
    names = [name for name, _ in theirs.named_parameters()]
    by_theirs = grad_of(weighted(wanted), [x, *hx, *theirs.parameters()])
    by_ours = grad_of(weighted(got), [x, *hx, *(mine[name] for name in names)])
    assert distance(by_ours, by_theirs) <= bound  # the largest of all leaves


@pytest.mark.parametrize("backend", ["reference", "auto"])
@pytest.mark.parametrize(("layers", "bidirectional", "bias", "batch_first"), GRID)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients(kind, layers, bidirectional, bias, batch_first, backend):
    options = {
        "num_layers": layers,
        "bidirectional": bidirectional,
        "bias": bias,
        "batch_first": batch_first,
    }
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        ours, theirs = pair(kind, dtype, backend, **options)
        for form, given in FORMS:
            assert_equal(ours, theirs, form, given, bound)


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_run_of_a_larger_layer(kind):
    name, options = KINDS[kind]
    theirs = getattr(nn, name)(20, 64, num_layers=2, **options)
    ours = getattr(recurro.nn, name)(20, 64, num_layers=2, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(100, 8, 20, requires_grad=True)
    for backend in ("auto", "reference"):
        ours.backend = backend
        wanted, got = results(theirs, x), results(ours, x)
        assert distance(got, wanted) <= 1e-5
        by = grad_of(weighted(wanted), [x, *theirs.parameters()])
        assert distance(grad_of(weighted(got), [x, *ours.parameters()]), by) <= 1e-5


@pytest.mark.parametrize(("layers", "bidirectional", "bias", "_"), GRID[::2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_state_dict_moves_both_ways(kind, layers, bidirectional, bias, _):
    options = {"num_layers": layers, "bidirectional": bidirectional, "bias": bias}
    ours, theirs = pair(kind, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.all_weights[0][0] is ours.weight_ih_l0
    for mine, his in zip(ours.all_weights, theirs.all_weights, strict=True):
        assert all(map(torch.equal, mine, his))
    ours.reset_parameters()
    assert not torch.equal(ours.weight_hh_l0, theirs.weight_hh_l0)
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours.weight_hh_l0, theirs.weight_hh_l0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights(kind):
    name, options = KINDS[kind]
    options = {**options, "num_layers": 2, "bidirectional": True}
    torch.manual_seed(1)
    theirs = getattr(nn, name)(INPUT, HIDDEN, **options)
    torch.manual_seed(1)
    ours = getattr(recurro.nn, name)(INPUT, HIDDEN, **options)
    wanted = theirs.state_dict()
    assert all(torch.equal(p, wanted[name]) for name, p in ours.state_dict().items())


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_arguments_stand_in_pytorchs_order(name):
    ours = list(inspect.signature(getattr(recurro.nn, name)).parameters)
    assert ours[-1] == "backend"
    base = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"]
    base += ["bidirectional"]
    if name == "RNN":
        base.insert(3, "nonlinearity")
    base += ["proj_size"] * (name == "LSTM") + ["device", "dtype"]
    assert ours[:-1] == base
    positional = [2, 3, 2, *(["relu"] if name == "RNN" else []), False, True, 0.0, True]
    mine = getattr(recurro.nn, name)(*positional)
    his = getattr(nn, name)(*positional)
    for attribute in base[:-2]:
        assert getattr(mine, attribute, None) == getattr(his, attribute, None), (
            attribute
        )


def test_dropout_acts_between_layers_in_training_only():
    ours, theirs = pair("LSTM", num_layers=3, dropout=1.0)
    x = torch.randn(TIME, BATCH, INPUT)
    assert distance(results(ours, x), results(theirs, x)) <= 1e-5
    ours.eval(), theirs.eval()
    assert distance(results(ours, x), results(theirs, x)) <= 1e-5
    half, _ = pair("GRU", num_layers=2, dropout=0.5)
    one, two = results(half, x), results(half, x)
    assert not torch.equal(one[0], two[0])
    assert torch.equal(one[1][0], two[1][0])  # the lower layer is whole


def test_dropout_of_a_single_layer_warns_as_pytorch_does():
    with pytest.warns(UserWarning, match="dropout"):
        nn.GRU(2, 3, dropout=0.5)
    with pytest.warns(UserWarning, match="only one"):
        recurro.nn.GRU(2, 3, dropout=0.5)


def test_packed_sequences_keep_their_order():
    ours, theirs = pair("GRU", bidirectional=True)
    rows = [torch.randn(n, INPUT) for n in (2, 5, 3)]
    for packed in (
        pack_sequence(rows, enforce_sorted=False),
        pack_sequence(sorted(rows, key=len, reverse=True)),
    ):
        got, h = ours(packed)
        wanted, h_wanted = theirs(packed)
        torch.testing.assert_close(got.data, wanted.data)
        torch.testing.assert_close(h, h_wanted)
        assert torch.equal(got.batch_sizes, wanted.batch_sizes)
        for field in ("sorted_indices", "unsorted_indices"):
            mine, his = getattr(got, field), getattr(wanted, field)
            assert (mine is None) == (his is None)
            assert mine is None or torch.equal(mine, his)


def test_device_and_type_of_the_parameters():
    layer = recurro.nn.LSTM(2, 3, device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in layer.parameters()} == {
        ("meta", torch.float64)
    }
    moved = recurro.nn.LSTM(2, 3).double()
    assert moved(torch.zeros(4, 1, 2, dtype=torch.float64))[0].dtype == torch.float64


def test_parameters_may_be_replaced_and_shared():
    one, two = recurro.nn.GRU(2, 3), recurro.nn.GRU(2, 3)
    two.weight_hh_l0 = one.weight_hh_l0
    y, _ = two(torch.randn(4, 1, 2))
    y.sum().backward()
    assert one.weight_hh_l0.grad.any()


def test_text_of_the_layer():
    text = repr(recurro.nn.LSTM(2, 3, num_layers=2, batch_first=True, proj_size=2))
    assert text == "LSTM(2, 3, num_layers=2, batch_first=True, proj_size=2)"
    assert repr(recurro.nn.RNN(2, 3, nonlinearity="relu")) == (
        "RNN(2, 3, nonlinearity=relu)"
    )
    assert repr(recurro.nn.GRU(2, 3)) == "GRU(2, 3)"


X = torch.zeros(TIME, BATCH, INPUT)
H = torch.zeros(1, BATCH, HIDDEN)
BAD_INPUT = "input must be (time, batch, input_size=4), got "
WRONG = {
    "width": (
        "LSTM",
        (X[..., :2],),
        f"{BAD_INPUT}(5, 3, 2). Build it with input_size=2",
    ),
    "dimensions": ("GRU", (X[None],), f"{BAD_INPUT}(1, 5, 3, 4)."),
    "a vector": ("RNN", (X[0, 0],), f"{BAD_INPUT}(4,)."),
    "one state for LSTM": ("LSTM", (X, H), "hx must hold 2 tensors, got 1."),
    "two states for GRU": ("GRU", (X, (H, H)), "hx must hold 1 tensors, got 2."),
    "state width": ("GRU", (X, H[..., :2]), "h_0 must be (1, batch, 3), got (1, 3, 2)"),
    "state batch": ("GRU", (X, H[:, :2]), "state h must be (3, 3), got (2, 3)."),
    "layers": (
        "GRU",
        (X, H.expand(2, 3, 3)),
        "h_0 must be (1, batch, 3), got (2, 3, 3)",
    ),
    "second state": (
        "LSTM",
        (X, (H, H[:0])),
        "c_0 must be (1, batch, 3), got (0, 3, 3)",
    ),
    "type": ("GRU", (X.double(),), "input x must be torch.float32 on cpu"),
    "whole numbers": ("GRU", (X.long(),), "input x must be torch.float32 on cpu"),
    "batched state": ("GRU", (X[:, 0], H), "h_0 must be (1, 3), got (1, 3, 3)."),
    "batched input": ("GRU", (X, H[:, 0]), "h_0 must be (1, batch, 3), got (1, 3)."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case):
    name, arguments, message = WRONG[case]
    layer = getattr(recurro.nn, name)(INPUT, HIDDEN)
    with pytest.raises(ShapeError, match=re.escape(message)) as error:
        layer(*arguments)
    assert str(error.value).startswith(f"{name}: ")


ARGUMENTS = {
    "hidden_size must be >= 1": lambda: recurro.nn.LSTM(3, 0),
    "num_layers must be >= 1, got 0": lambda: recurro.nn.GRU(3, 4, 0),
    "dropout must be in [0, 1], got 1.5": lambda: recurro.nn.GRU(3, 4, 2, dropout=1.5),
    "proj_size must be smaller than hidden_size=4, got 4": lambda: recurro.nn.LSTM(
        3, 4, proj_size=4
    ),
    "nonlinearity must be 'tanh' or 'relu', got 'sigmoid'": lambda: recurro.nn.RNN(
        3, 4, nonlinearity="sigmoid"
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("message", ARGUMENTS)
def test_arguments_out_of_range_are_named(message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        ARGUMENTS[message]()


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_backend_is_refused():
    with pytest.raises(ArgumentError, match="backend must be one of"):
        recurro.nn.GRU(INPUT, HIDDEN, backend="cuda")(X)


def test_the_vendor_says_what_it_cannot_do():
    with pytest.raises(BackendError, match="refuse empty inputs"):
        recurro.nn.GRU(3, 4, backend="vendor")(torch.zeros(0, 2, 3))
