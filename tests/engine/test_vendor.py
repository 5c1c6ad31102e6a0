"""PyTorch's kernels run the cells that have their program and their layout."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from recurro.cells import GRU, LSTM, Cell, DeepTransition, Elman, Leaky, MinGRU, Zoneout
from recurro.cells.ops import sigmoid, tanh
from recurro.engine import HiddenClip, recurrence, run
from recurro.errors import ArgumentError, BackendError
from tests.contract import (
    CellSubject,
    check_backends_agree,
    close,
    distance,
    grad_of,
    problem,
    weighted,
)

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

KERNELS = {
    "lstm": LSTM(),
    "gru": GRU(),
    "rnn_tanh": Elman(),
    "rnn_relu": Elman("relu"),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("bias", [True, False])
def test_cells_with_a_kernel(name, bias):
    assert recurrence(KERNELS[name], 2, 3, bias).kernel == name


def test_a_projected_lstm_has_a_kernel():
    assert recurrence(LSTM(proj_size=2), 2, 3).kernel == "lstm"


@pytest.mark.parametrize(
    "cell",
    [Elman("sigmoid"), Leaky(), MinGRU(), Zoneout(LSTM(), 0.0), DeepTransition(GRU())],
)
def test_cells_without(cell):
    part = recurrence(cell, 2, 3)
    assert part.kernel is None
    stored = {n: torch.zeros(s) for n, s in part.shapes().items()}
    with pytest.raises(BackendError, match="PyTorch has no kernel for"):
        run(part, stored, torch.zeros(2, 1, 2), backend="vendor")


def test_one_transition_is_the_cell_itself():
    assert recurrence(DeepTransition(GRU(), 1), 2, 3).kernel == "gru"


class Own(Cell):
    """The equations and names of Elman, but not PyTorch's layout."""

    state = ("h",)

    def step(self, x, h):
        return tanh(self.affine("h", x, h))


class Swapped(GRU):
    """GRU's program, its tensors stacked in another order."""

    def layout(self):
        layout = dict(super().layout())
        return {**layout, "weight_ih": ("W_z", "W_r", "W_n")}


class TwoWay(Elman):
    """Shows more than h."""

    def output(self, h):
        return h * h


@dataclass(frozen=True)
class Other(Cell):
    """GRU's equations with the gates in another order: another program."""

    state = ("h",)

    def step(self, x, h):
        z = sigmoid(self.affine("z", x, h))
        r = sigmoid(self.affine("r", x, h))
        n = tanh(self.affine("n", x) + r * self.affine("hn", h))
        return (1 - z) * n + z * h

    layout = GRU.layout


@pytest.mark.parametrize("cell", [Own(), Swapped(), TwoWay(), Other()], ids=str)
def test_a_likeness_never_gives_wrong_values(cell):
    subject = CellSubject(cell)
    p = problem(subject)
    got = subject.run(p.parameters, p.x, p.state, backend="auto")
    close(got, subject.run(p.parameters, p.x, p.state, backend="reference"))


TWINS = {
    "LSTM": (LSTM(), nn.LSTM, {}),
    "LSTM with projection": (LSTM(proj_size=2), nn.LSTM, {"proj_size": 2}),
    "GRU": (GRU(), nn.GRU, {}),
    "RNN tanh": (Elman(), nn.RNN, {}),
    "RNN relu": (Elman("relu"), nn.RNN, {"nonlinearity": "relu"}),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backend", ["reference", "vendor"])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)]
)
@pytest.mark.parametrize("name", TWINS)
def test_equal_to_pytorch(name, dtype, bound, backend, bias):
    """Values, final states and every gradient; both biases are learnt."""
    cell, module, options = TWINS[name]
    theirs = module(5, 4, bias=bias, dtype=dtype, **options)
    part = recurrence(cell, 5, 4, bias)
    stored = {n.removesuffix("_l0"): p for n, p in theirs.named_parameters()}
    assert part.shapes() == {n: tuple(p.shape) for n, p in stored.items()}
    x = torch.randn(7, 3, 5, dtype=dtype, requires_grad=True)
    state = tuple(
        torch.randn(3, width, dtype=dtype, requires_grad=True)
        for width in cell.widths(4)
    )
    hx = tuple(s[None] for s in state) if len(state) == 2 else state[0][None]
    y, final = theirs(x, hx)
    final = final if isinstance(final, tuple) else (final,)
    wanted = (y, *(s[0] for s in final))
    result = run(part, stored, x, state, backend=backend)
    got = (result.output, *result.state)
    assert distance(got, wanted) <= bound
    leaves = [x, *state, *stored.values()]
    by = grad_of(weighted(wanted), leaves)
    assert all(g.any() for g in by)
    assert distance(grad_of(weighted(got), leaves), by) <= bound


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", TWINS)
def test_the_kernels_equal_the_reference_with_lengths(name, reverse):
    check_backends_agree(CellSubject(TWINS[name][0], reverse, fast="vendor"))


LSTM_PART = recurrence(LSTM(), 2, 3)
STORED = {n: torch.zeros(s) for n, s in LSTM_PART.shapes().items()}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"clip": HiddenClip(value=1.0)}, "cannot clip"),
        ({"return_states": True}, "states of every step"),
        ({"lengths": torch.tensor([0, 2])}, "rows of length 0"),
    ],
)
def test_what_the_kernels_cannot_do_is_named_or_left_to_the_reference(options, reason):
    x = torch.zeros(2, 2, 2)
    with pytest.raises(BackendError, match=f"{reason}.* Use backend='auto'"):
        run(LSTM_PART, STORED, x, backend="vendor", **options)
    got = run(LSTM_PART, STORED, x, backend="auto", **options)
    assert torch.equal(got.output, torch.zeros(2, 2, 3))


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_backend_is_refused():
    with pytest.raises(ArgumentError, match="must be one of auto, reference, vendor"):
        run(LSTM_PART, STORED, torch.zeros(2, 2, 2), backend="cuda")
