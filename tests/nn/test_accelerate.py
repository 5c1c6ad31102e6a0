"""A model runs the same after accelerate, and is the same after deaccelerate."""

from __future__ import annotations

import copy
import io
import pickle
import re

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurro
from recurro.errors import ArgumentError
from tests.contract import distance, grad_of, weighted

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

LENGTHS = torch.tensor([3, 5, 1])
LAYERS = {
    "LSTM": lambda: nn.LSTM(4, 6),
    "LSTM stacked": lambda: nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True),
    "LSTM projected": lambda: nn.LSTM(4, 6, 2, bias=False, proj_size=3),
    "GRU": lambda: nn.GRU(4, 6, 2, batch_first=True),
    "GRU both ways": lambda: nn.GRU(4, 6, bias=False, bidirectional=True),
    "RNN": lambda: nn.RNN(4, 6, 2, bidirectional=True),
    "RNN relu": lambda: nn.RNN(4, 6, nonlinearity="relu", batch_first=True),
}
CELLS = {
    "LSTMCell": lambda: nn.LSTMCell(4, 6),
    "GRUCell": lambda: nn.GRUCell(4, 6),
    "GRUCell without bias": lambda: nn.GRUCell(4, 6, bias=False),
    "RNNCell": lambda: nn.RNNCell(4, 6),
    "RNNCell relu": lambda: nn.RNNCell(4, 6, bias=False, nonlinearity="relu"),
}


class Tagger(nn.Module):
    """What many models look like: ids, packed rows, a label for each."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.rnn = nn.LSTM(8, 7, 2, dropout=0.3, bidirectional=True)
        self.more = nn.ModuleList([nn.GRU(14, 9, batch_first=True), nn.RNN(9, 5)])
        self.cell = nn.LSTMCell(5, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids, lengths):
        x = pack_padded_sequence(self.embed(ids), lengths, enforce_sorted=False)
        x, (h, _) = self.rnn(x)
        x, _ = pad_packed_sequence(x)
        x, _ = self.more[0](x.transpose(0, 1))
        x, _ = self.more[1](x.transpose(0, 1))
        return self.head(self.cell(x[0])[0]) + h.mean()


def flat(value):
    """All tensors of a layer's result."""
    if isinstance(value, tuple) and not hasattr(value, "batch_sizes"):
        return [t for part in value for t in flat(part)]
    return [value.data if hasattr(value, "batch_sizes") else value]


def assert_same(layer, *arguments):
    """Accelerated, the layer gives the same values and gradients; and undone again."""
    leaves = [t for a in arguments for t in flat(a) if t is not None]
    leaves = [t for t in leaves if t.requires_grad] + list(layer.parameters())
    wanted = flat(layer(*arguments))
    by = grad_of(weighted(wanted), leaves)
    assert recurro.accelerate(layer) is layer
    got = flat(layer(*arguments))
    assert [t.shape for t in got] == [t.shape for t in wanted]
    assert distance(got, wanted) <= 1e-5
    assert distance(grad_of(weighted(got), leaves), by) <= 1e-5
    recurro.deaccelerate(layer)
    assert all(map(torch.equal, flat(layer(*arguments)), wanted))


def state_of(layer, *rows):
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.randn(count, *rows, getattr(layer, "proj_size", 0) or 6)
    h.requires_grad_()
    c = torch.randn(count, *rows, 6, requires_grad=True)
    return (h, c) if isinstance(layer, nn.LSTM) else h


@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_and_give_what_they_did(name):
    layer = LAYERS[name]()
    x = torch.randn(3, 5, 4) if layer.batch_first else torch.randn(5, 3, 4)
    assert_same(layer, x.requires_grad_())
    assert_same(layer, x, state_of(layer, 3))
    assert_same(layer, torch.randn(5, 4))
    assert_same(layer, torch.randn(5, 4), state_of(layer))
    first = {"batch_first": layer.batch_first}
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False, **first)
    assert_same(layer, packed)
    assert_same(layer, packed, state_of(layer, 3))
    assert_same(layer, pack_padded_sequence(x, torch.tensor([5, 4, 2]), **first))


@pytest.mark.parametrize("backend", ["auto", "vendor", "reference"])
@pytest.mark.parametrize("name", CELLS)
def test_cells_take_and_give_what_they_did(name, backend):
    for shape in ((3, 4), (4,)):
        cell = CELLS[name]()
        x = torch.randn(shape, requires_grad=True)
        state = tuple(torch.randn(*shape[:-1], 6, requires_grad=True) for _ in "hc")
        for given in ((), (state if isinstance(cell, nn.LSTMCell) else state[0],)):
            leaves = [x, *flat(given), *cell.parameters()]
            wanted = flat(cell(x, *given))
            by = grad_of(weighted(wanted), leaves)
            got = flat(recurro.accelerate(cell, backend=backend)(x, *given))
            assert [t.shape for t in got] == [t.shape for t in wanted]
            assert distance(got, wanted) <= 1e-6
            assert distance(grad_of(weighted(got), leaves), by) <= 1e-5
            recurro.deaccelerate(cell)


def test_a_cell_by_the_rendered_kernel():
    cell, x = nn.GRUCell(4, 6), torch.randn(3, 4)
    wanted = cell(x)
    got = recurro.accelerate(cell, backend="cpu")(x)
    torch.testing.assert_close(got, wanted)


def test_a_model_trains_on_with_the_optimiser_that_it_has():
    torch.manual_seed(1)
    plain = Tagger().eval()
    ours = copy.deepcopy(plain)
    ids = torch.randint(20, (5, 3))
    losses = {}
    for name, model in (("plain", plain), ("ours", ours)):
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        losses[name] = []
        for step in range(6):
            if name == "ours" and step in (2, 4):
                (recurro.accelerate if step == 2 else recurro.deaccelerate)(model)
            optimiser.zero_grad()
            loss = model(ids, LENGTHS).square().sum()
            loss.backward()
            optimiser.step()
            losses[name].append(loss.item())
    assert losses["ours"] == pytest.approx(losses["plain"], rel=1e-4)
    assert losses["ours"][-1] < losses["ours"][0]


def test_nothing_but_the_classes_changes():
    model = Tagger().double().eval()
    model.rnn.weight_hh_l1.requires_grad_(False)
    model.more[0].weight_ih_l0 = model.rnn.weight_hh_l0  # shared, though of odd shape
    seen = []
    model.rnn.register_forward_hook(lambda *_: seen.append("rnn"))
    before = {name: id(p) for name, p in model.named_parameters(remove_duplicate=False)}
    keys, modules = list(model.state_dict()), list(model.modules())
    inside = [set(vars(m)) for m in modules]
    for _ in range(2):
        recurro.accelerate(model)
        assert type(model.rnn) is recurro.nn.LSTM
        assert type(model.more[0]) is recurro.nn.GRU
        assert type(model.more[1]) is recurro.nn.RNN
        assert type(model.cell) is recurro.nn.LSTMCell
        again = model.named_parameters(remove_duplicate=False)
        assert {name: id(p) for name, p in again} == before
        assert list(model.state_dict()) == keys
        assert list(map(id, model.modules())) == list(map(id, modules))
        assert not any(m.training for m in model.modules())
        assert not model.rnn.weight_hh_l1.requires_grad
    model.rnn(torch.randn(5, 3, 8).double())
    assert seen == ["rnn"]
    recurro.deaccelerate(model)
    assert type(model.rnn) is nn.LSTM
    assert type(model.cell) is nn.LSTMCell
    assert [set(vars(m)) for m in modules] == inside
    assert all(
        a is b
        for a, b in zip(model.rnn._flat_weights, model.rnn.parameters(), strict=True)
    )


def test_dropout_between_layers_follows_the_mode():
    model = recurro.accelerate(nn.GRU(4, 6, 2, dropout=0.5))
    x = torch.randn(5, 3, 4)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])


def test_a_layer_that_stands_in_two_places_stays_one():
    one = nn.GRU(4, 4)
    model = nn.ModuleDict({"a": one, "b": nn.ModuleList([one])})
    recurro.accelerate(model)
    assert model["a"] is one
    assert model["b"][0] is one


def test_types_and_devices_may_change_while_it_is_accelerated():
    model = recurro.accelerate(nn.GRU(4, 6))
    x = torch.randn(5, 3, 4)
    wanted = model(x)[0]
    model.double()
    model.weight_hh_l0 = nn.Parameter(model.weight_hh_l0.detach().clone())
    recurro.deaccelerate(model)
    torch.testing.assert_close(model(x.double())[0].float(), wanted)
    model.to("meta")
    recurro.accelerate(model)
    assert {p.device.type for p in model.parameters()} == {"meta"}


def test_copies_and_files_of_an_accelerated_model():
    model = recurro.accelerate(Tagger().eval())
    ids = torch.randint(20, (5, 3))
    wanted = model(ids, LENGTHS)
    saved = io.BytesIO()
    torch.save(model, saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=False)
    for other in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(ids, LENGTHS), wanted)
        plain = recurro.deaccelerate(other)
        assert type(plain.rnn) is nn.LSTM
        torch.testing.assert_close(plain(ids, LENGTHS), wanted)


def test_the_backend_may_be_chosen_and_changed():
    model = recurro.accelerate(Tagger(), backend="reference")
    assert model.rnn.backend == model.cell.backend == "reference"
    recurro.accelerate(model)
    assert model.rnn.backend == model.cell.backend == "auto"


def test_layers_of_recurro_stay_when_it_is_undone():
    model = nn.ModuleList([recurro.nn.GRU(3, 4), nn.GRU(3, 4)])
    recurro.deaccelerate(recurro.accelerate(model))
    assert [type(layer) for layer in model] == [recurro.nn.GRU, nn.GRU]


class OwnForward(nn.LSTM):
    def forward(self, input, hx=None):
        return super().forward(input * 2, hx)


def test_subclasses_are_left_alone_and_named():
    model = nn.ModuleDict({"own": OwnForward(3, 4), "gru": nn.GRU(3, 4)})
    with pytest.warns(UserWarning, match=r"own \(OwnForward\), a subclass .* alone"):
        recurro.accelerate(model)
    assert type(model["own"]) is OwnForward
    assert type(model["gru"]) is recurro.nn.GRU
    with pytest.warns(UserWarning, match="the model itself"):
        recurro.accelerate(OwnForward(3, 4))


def test_a_model_without_recurrent_layers_is_named():
    with pytest.warns(UserWarning, match="no LSTM, GRU or RNN"):
        recurro.accelerate(nn.Linear(2, 2))


class Half(nn.Module):
    def forward(self, weight):
        return weight * 0.5


def test_parametrizations_stay_plain_before_and_work_after():
    x, layer = torch.randn(5, 2, 3), nn.LSTM(3, 4)
    plain = copy.deepcopy(layer)
    parametrize.register_parametrization(plain, "weight_hh_l0", Half())
    wanted = plain(x)[0]
    with pytest.warns(UserWarning, match="ParametrizedLSTM"):
        recurro.accelerate(plain)
    assert torch.equal(plain(x)[0], wanted)
    recurro.accelerate(layer)
    parametrize.register_parametrization(layer, "weight_hh_l0", Half())
    torch.testing.assert_close(layer(x)[0], wanted)
    with pytest.raises(ArgumentError, match="Remove its parametrizations first"):
        recurro.deaccelerate(layer)
    torch.testing.assert_close(layer(x)[0], wanted)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(recurro.deaccelerate(layer)) is nn.LSTM
    torch.testing.assert_close(layer(x)[0], wanted)
    normed = recurro.accelerate(nn.GRU(3, 4))
    wanted = normed(x)[0]
    parametrizations.weight_norm(normed, "weight_hh_l0")
    torch.testing.assert_close(normed(x)[0], wanted)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_weights_made_by_hooks():
    x = torch.randn(5, 2, 3, requires_grad=True)
    layer = nn.utils.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    assert_same(layer, x)
    layer = nn.GRU(3, 4)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    assert_same(layer, x)
    recurro.accelerate(layer)
    prune.remove(layer, "weight_hh_l0")
    y, _ = layer(x)
    torch.testing.assert_close(recurro.deaccelerate(layer)(x)[0], y)


def test_the_text_shows_what_was_changed():
    text = repr(recurro.accelerate(Tagger()))
    assert (
        "(rnn): LSTM(8, 7, num_layers=2, dropout=0.3, bidirectional=True, acc" in text
    )
    assert "(cell): LSTMCell(5, 4, accelerated=True)" in text
    assert text.count("accelerated=True") == 4
    recurro.deaccelerate(model := recurro.accelerate(nn.RNN(2, 3)))
    assert repr(model) == "RNN(2, 3)"


WRONG = {
    "accelerate: model must be an nn.Module, got int": lambda: recurro.accelerate(3),
    "deaccelerate: model must be an nn.Module, got": lambda: recurro.deaccelerate([]),
    "accelerate: backend must be one of auto, ref": lambda: recurro.accelerate(
        nn.GRU(2, 3), backend="cuda"
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments_are_named(message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        WRONG[message]()
