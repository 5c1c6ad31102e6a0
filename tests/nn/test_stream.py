"""``layer.stream()``: what the layers add to a stream of recurrences."""

import pytest
import torch

from recurro import cells, nn
from recurro.errors import ArgumentError, ShapeError
from recurro.nn import Recurrent

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

TIME, BATCH = 6, 2


def assert_streams(layer, **options):
    """Steps from a state on, and the state after them, are those of the layer."""
    layer.eval()
    x = torch.randn(TIME, BATCH, 3)
    with torch.no_grad():
        _, state = layer(x)
        wanted, final = layer(x, state)
    layer.train()
    stream = layer.stream(BATCH, **options)
    stream.restore(state)
    got = torch.stack([stream.step(x_t).clone() for x_t in x])
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(stream.state(), final, rtol=1e-6, atol=1e-6)
    return stream


@pytest.mark.parametrize("backend", ["cpu", "reference", "auto"])
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (cells.MinGRU(), {"num_layers": 3, "residual": True}),
        (cells.LSTM(proj_size=4), {"num_layers": 2, "dropout": 0.5}),
        (cells.GRU(), {"variational_dropout": 0.5, "num_layers": 2, "bias": False}),
        (cells.GRU(), {"recurrent_dropout": 0.5, "zoneout": 0.5, "weight_drop": 0.5}),
        (cells.Elman(), {"transition_depth": 2}),
    ],
    ids=str,
)
def test_recurrent(cell, options, backend):
    stream = assert_streams(Recurrent(cell, 3, 6, backend=backend, **options))
    assert stream.backend == ("cpu" if backend == "cpu" else "reference")


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (nn.LSTM, {"num_layers": 2}),
        (nn.LSTM, {"proj_size": 4, "num_layers": 2, "dropout": 0.5}),
        (nn.GRU, {"batch_first": False, "bias": False}),
        (nn.RNN, {"nonlinearity": "relu"}),
    ],
    ids=str,
)
def test_drop_ins(layer, options):
    assert_streams(layer(3, 6, backend="cpu", **options))


def test_vendor_backend():
    assert assert_streams(nn.LSTM(3, 6, backend="vendor")).backend == "vendor"


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_equals_pytorch(name):
    theirs = getattr(torch.nn, name)(5, 40, num_layers=2)
    ours = getattr(nn, name)(5, 40, num_layers=2, backend="cpu")
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(20, 1, 5)
    with torch.no_grad():
        wanted, final = theirs(x)
    stream = ours.stream()
    got = torch.stack([stream.step(x_t).clone() for x_t in x])
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(stream.state(), final, rtol=1e-6, atol=1e-6)


def test_bfloat16_weights_stay_near():
    layer = nn.LSTM(16, 32, backend="cpu")
    x = torch.randn(30, 1, 16)
    with torch.no_grad():
        wanted, _ = layer(x)
        half = torch.nn.LSTM(16, 32).bfloat16()
        half.load_state_dict(layer.state_dict())
        module_error = (half(x.bfloat16())[0].float() - wanted).norm()
    stream = layer.stream(weights="bfloat16")
    got = torch.stack([stream.step(x_t).clone() for x_t in x])
    assert 0 < (got - wanted).norm() <= module_error


def test_a_bidirectional_layer_is_refused():
    for layer in (
        Recurrent(cells.GRU(), 3, 4, bidirectional=True),
        nn.LSTM(3, 4, bidirectional=True),
    ):
        with pytest.raises(ArgumentError, match="a stream must read forward only"):
            layer.stream()


def test_a_state_that_does_not_fit_a_drop_in():
    stream = nn.LSTM(3, 4, backend="cpu").stream(2)
    with pytest.raises(ShapeError, match=r"h_0 must be \(1, batch, 4\)"):
        stream.restore((torch.zeros(2, 2, 4), torch.zeros(1, 2, 4)))
    with pytest.raises(ShapeError, match=r"state h must be \(2, 4\)"):
        stream.restore((torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)))
    with pytest.raises(ShapeError, match="hx must hold 2 tensors, got 1"):
        stream.restore(torch.zeros(1, 2, 4))


def test_the_stream_of_a_layer_with_readings():
    class Contextual(cells.Cell):
        state = ("h",)
        inputs = ("x", "context")

        def step(self, x, context, h):
            return cells.ops.tanh(self.affine("n", x, context, h))

    layer = Recurrent(
        Contextual(), {"x": 3, "context": 2}, 4, num_layers=2, backend="cpu"
    )
    x, context = torch.randn(TIME, BATCH, 3), torch.randn(TIME, BATCH, 2)
    with torch.no_grad():
        wanted, _ = layer(x, readings={"context": context})
    stream = layer.stream(BATCH)
    got = [
        stream.step(x_t, {"context": c_t}).clone()
        for x_t, c_t in zip(x, context, strict=True)
    ]
    torch.testing.assert_close(torch.stack(got), wanted, rtol=1e-6, atol=1e-6)
