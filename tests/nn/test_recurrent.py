"""The general layer: how its layers are joined, its options, its initial values."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

from recurro.cells import (
    GRU,
    LSTM,
    Cell,
    ChoGRU,
    DeepTransition,
    DiagonalLinear,
    Elman,
    ForgetUpdate,
    LayerNormLSTM,
    Leaky,
    Linear,
    MinGRU,
    MinLSTM,
    PeepholeLSTM,
    Rate,
    RecurrentDropout,
    Zoneout,
    init,
)
from recurro.cells.ops import tanh
from recurro.engine import BlockDiagonal, Diagonal, HiddenClip, Sparse, run
from recurro.errors import ArgumentError, BackendError, ShapeError
from recurro.nn import Recurrent
from tests.contract import close

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supp")

TIME, BATCH, INPUT, HIDDEN = 5, 3, 2, 4
X = torch.randn(TIME, BATCH, INPUT, generator=torch.Generator().manual_seed(1))


def layer_of(cell, **options):
    torch.manual_seed(2)
    return Recurrent(cell, INPUT, HIDDEN, **options)


def run_part(layer, suffix, x, reverse=False):
    part = dict(layer._stack.named())[suffix]
    names = {name.removesuffix(suffix): p for name, p in layer.named_parameters()}
    stored = {name: names[name] for name in part.shapes()}
    return run(part, stored, x, reverse=reverse, backend="reference")


# -- the stack -------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_read_the_layers_below(bidirectional, residual):
    layer = layer_of(
        PeepholeLSTM(), num_layers=3, bidirectional=bidirectional, residual=residual
    )
    x, finals = X, []
    for k in range(3):
        results = [run_part(layer, f"_l{k}", x)]
        if bidirectional:
            results.append(run_part(layer, f"_l{k}_reverse", x, reverse=True))
        y = torch.cat([r.output for r in results], -1)
        x = y + x if residual and k > 0 else y
        finals += [r.state for r in results]
    y, state = layer(X)
    close((y, state), (x, tuple(finals)), rtol=1e-5)
    assert layer.output_size == y.shape[-1] == HIDDEN * (1 + bidirectional)


def test_a_layer_may_be_narrower_than_its_state():
    layer = layer_of(LSTM(proj_size=3), num_layers=2, bidirectional=True)
    y, state = layer(X)
    assert y.shape == (TIME, BATCH, 6)
    assert layer.output_size == 6
    assert [s.shape[-1] for s in state[3]] == [3, HIDDEN]


def test_parameters_have_the_names_of_their_equations():
    layer = layer_of(ChoGRU(), num_layers=2, bidirectional=True)
    names = [f"{m}_{k}" for k in "rzn" for m in "WUb"]
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    assert {n for n, _ in layer.named_parameters()} == {
        name + suffix for name in names for suffix in suffixes
    }
    assert layer.W_z_l1.shape == (HIDDEN, 2 * HIDDEN)
    assert not [
        n for n, _ in layer_of(ChoGRU(), bias=False).named_parameters() if "b" in n
    ]


def test_the_state_goes_on():
    layer = layer_of(LSTM(), num_layers=2, residual=True)
    y, state = layer(X)
    first, middle = layer(X[:2])
    rest, end = layer(X[2:], middle)
    close((torch.cat([first, rest]), end), (y, state), rtol=1e-5)


class Reader(Cell):
    """Reads a context beside its input."""

    state = ("h",)
    inputs = ("x", "context")

    def step(self, x, context, h):
        return tanh(self.affine("h", x, context, h))


def test_every_layer_reads_the_further_inputs():
    layer = Recurrent(Reader(), {"x": INPUT, "context": 3}, HIDDEN, num_layers=2)
    context = torch.randn(TIME, BATCH, 3)
    y, _ = layer(X, readings={"context": context})
    first = run_part(layer, "_l0", (X, context)).output
    close(y, run_part(layer, "_l1", (first, context)).output, rtol=1e-5)


def test_further_inputs_go_by_their_names():
    class Two(Cell):
        state = ("h",)
        inputs = ("x", "a", "b")

        def step(self, x, a, b, h):
            return tanh(self.affine("h", x, a, h) - b)

    layer = Recurrent(Two(), {"b": HIDDEN, "x": INPUT, "a": HIDDEN}, HIDDEN)
    a, b = torch.randn(2, TIME, BATCH, HIDDEN)
    wanted, _ = layer(X, readings={"a": a, "b": b})
    assert torch.equal(layer(X, readings={"b": b, "a": a})[0], wanted)
    with pytest.raises(ShapeError, match=r"readings must be \['a', 'b'\], got \['a'\]"):
        layer(X, readings={"a": a})


@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 5, 0])])
def test_the_states_of_every_step(lengths):
    layer = layer_of(LSTM(), num_layers=2, bidirectional=True)
    y, final = layer(X, None, lengths)
    trail = layer.states(X, None, lengths)
    assert len(trail) == 4
    ends = torch.tensor([TIME] * BATCH) if lengths is None else lengths
    for k, ((h, c), (h_end, c_end)) in enumerate(zip(trail, final, strict=True)):
        for row, end in enumerate(ends.tolist()):
            if end:
                last = 0 if k % 2 else end - 1
                close((h[last, row], c[last, row]), (h_end[row], c_end[row]), rtol=1e-5)
            if k >= 2:
                part = y[:end, row, HIDDEN * (k % 2) :][:, :HIDDEN]
                close(part, h[:end, row], rtol=1e-5)


# -- dropout ---------------------------------------------------------------------------


def test_dropout_acts_between_layers_and_in_training():
    """One linear layer of ones makes what passes between the layers visible."""
    for name, shared in (("dropout", False), ("variational_dropout", True)):
        layer = Recurrent(Linear(), 200, 200, num_layers=2, **{name: 0.25})
        for key, p in layer.named_parameters():
            nn.init.eye_(p) if key.startswith("W") else nn.init.zeros_(p)
        x = torch.ones(6, 30, 200)
        y, state = layer(x)
        assert y.unique().tolist() == pytest.approx([0, 1 / 0.75])
        assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
        assert torch.equal(y[0], y[1]) == shared
        assert not torch.equal(y[:, 0], y[:, 1])  # each row has a mask of its own
        assert torch.equal(state[0][0], torch.ones(30, 200))
        assert torch.equal(layer.eval()(x)[0], x)
    alone = layer_of(Linear(), dropout=0.5, variational_dropout=0.5)
    assert torch.equal(alone(X)[0], alone.eval()(X)[0])  # nothing above the last layer


def test_weight_drop_acts_on_recurrent_matrices_alone_and_once_a_run():
    layer = Recurrent(Linear(), 50, 50, weight_drop=0.3)
    (
        nn.init.zeros_(layer.W_h_l0),
        nn.init.ones_(layer.U_h_l0),
        nn.init.zeros_(layer.b_h_l0),
    )
    x, h = torch.zeros(2, 50, 50), ((torch.eye(50),),)
    once, twice = layer(x, h)[0]
    dropped = once  # row k holds column k of the dropped matrix
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.04)
    close(twice, dropped @ dropped, rtol=1e-5)  # the same matrix at the next step
    assert not torch.equal(layer(x, h)[0][0], once)
    assert layer.eval()(x, h)[0][0].unique().tolist() == [1.0]
    assert layer.U_h_l0.unique().tolist() == [1.0]


def test_weight_drop_gives_gradients_of_the_weights_that_were_used():
    layer = layer_of(LSTM(), weight_drop=0.5)
    y, _ = layer(X, ((torch.ones(BATCH, HIDDEN), torch.ones(BATCH, HIDDEN)),))
    y.sum().backward()
    unused = (layer.weight_hh_l0.grad == 0).float().mean().item()
    assert 0.2 < unused < 0.8
    assert (layer.weight_ih_l0.grad != 0).all()


def test_wrapping_options_are_the_wrappers():
    inner = PeepholeLSTM()
    options = {
        "transition_depth": (3, DeepTransition(inner, 3)),
        "recurrent_dropout": (0.2, RecurrentDropout(inner, 0.2)),
        "zoneout": (0.1, Zoneout(inner, 0.1)),
    }
    for name, (value, cell) in options.items():
        assert layer_of(inner, **{name: value}).cell == cell
    assert layer_of(inner).cell == inner
    every = layer_of(inner, **{name: value for name, (value, _) in options.items()})
    assert every.cell == Zoneout(RecurrentDropout(DeepTransition(inner, 3), 0.2), 0.1)


# -- clipping and bounds ---------------------------------------------------------------


def test_the_hidden_gradient_is_clipped():
    """h_t = 10 h_{t-1}: without a clip, the gradient grows tenfold at each step."""
    for clip, wanted in (
        (None, 1e5),
        (2.0, 2.0),
        (HiddenClip(value=3.0), 3.0),
        (HiddenClip(norm=3.0), 3.0 / 2),
    ):
        layer = Recurrent(Linear(), 1, 4, hidden_clip=clip, bias=False)
        with torch.no_grad():
            layer.U_h_l0.copy_(10 * torch.eye(4))
        h = torch.zeros(1, 4, requires_grad=True)
        layer(torch.zeros(5, 1, 1), ((h,),))[0][-1].sum().backward()
        close(h.grad, torch.full((1, 4), wanted), rtol=1e-6)


@pytest.mark.parametrize(
    "cell", [LSTM(), GRU(), ChoGRU(), LayerNormLSTM(), Elman()], ids=str
)
def test_the_spectral_bound_is_held(cell):
    layer = Recurrent(cell, 8, 16, num_layers=2, bidirectional=True, spectral_bound=0.8)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape))
    before = {name: p.clone() for name, p in layer.named_parameters()}
    layer.constrain()
    matrices = layer.recurrent_matrices()
    count = sum(
        name.startswith("U") for name in layer._stack.layers[0][0].program.shapes
    )
    assert len(matrices) == 4 * count
    for name, matrix in matrices:
        radius = np.abs(np.linalg.eigvals(matrix.detach().numpy())).max()
        assert 0.97 * 0.8 < radius <= 0.8 * (1 + 1e-5), name
    for name, p in layer.named_parameters():  # the rest is as it was
        recurrent = name.startswith(("U", "weight_hh"))
        assert torch.equal(p, before[name]) != recurrent, name


def test_without_a_bound_nothing_is_constrained():
    layer = layer_of(GRU())
    with torch.no_grad():
        layer.weight_hh_l0.mul_(100)
    before = layer.weight_hh_l0.clone()
    layer.constrain()
    assert torch.equal(layer.weight_hh_l0, before)


def test_a_projection_has_no_radius_but_does_not_disturb():
    layer = Recurrent(LSTM(proj_size=2), 8, 16, spectral_bound=0.8)
    layer.constrain()
    assert {m.shape for _, m in layer.recurrent_matrices()} == {(16, 2), (2, 16)}


# -- initial values --------------------------------------------------------------------


def parameters(cell, **options):
    """Each parameter of the equations by its name, from the stored tensors."""
    torch.manual_seed(5)
    layer = Recurrent(cell, 32, 64, **options)
    suffix, part = layer._stack.named()[-1]
    stored = {name: getattr(layer, name + suffix).detach() for name in part.storage}
    return part.unpack(stored)


@pytest.mark.parametrize("cell", [LSTM(), GRU(), ChoGRU(), PeepholeLSTM()], ids=str)
def test_by_default_glorot_orthogonal_and_zero(cell):
    for name, value in parameters(cell).items():
        if name.startswith("W"):
            assert value.abs().max() <= (6 / 96) ** 0.5
            assert value.var().item() == pytest.approx(2 / 96, rel=0.1)
        elif name.startswith("U"):
            close(value @ value.T, torch.eye(64), rtol=1e-5)
        elif name != "b_f":
            assert not value.any()


@pytest.mark.parametrize(
    "cell",
    [LSTM(), PeepholeLSTM(), LayerNormLSTM(), ForgetUpdate(), MinLSTM()],
    ids=str,
)
def test_forget_biases_start_at_one(cell):
    for options in ({}, {"num_layers": 2, "bidirectional": True}, {"zoneout": 0.1}):
        assert parameters(cell, **options)["b_f"].unique().tolist() == [1.0]


def test_the_cells_own_initial_values():
    assert torch.equal(parameters(Elman("relu"))["U_h"], torch.eye(64))
    for cell, radius in ((Rate(), 0.95), (Linear(), 0.95), (Leaky(), 0.9)):
        recurrent = parameters(cell)["U_r" if cell == Rate() else "U_h"]
        assert init.spectral_radius(recurrent) == pytest.approx(radius, abs=1e-4)
    assert parameters(Leaky())["W_h"].abs().max() > 0.99
    gains = parameters(LayerNormLSTM())
    ones = {n for n, v in gains.items() if v.ndim == 1 and (v == 1).all()}
    assert ones == {f"{k}_{g}" for k in "wu" for g in "ifgo"} | {"u_c", "b_f"}


def test_initial_values_may_be_chosen():
    chosen = {
        "U": init.identity(0.5),
        "W_z": init.constant(2.0),
        "b": init.constant(-1.0),
        "U_n": init.with_spectral_radius(0.7),
    }
    values = parameters(ChoGRU(), initial=chosen)
    assert torch.equal(values["U_z"], 0.5 * torch.eye(64))
    assert init.spectral_radius(values["U_n"]) == pytest.approx(0.7, abs=1e-4)
    assert values["W_z"].unique().tolist() == [2.0]
    assert values["W_r"].var().item() == pytest.approx(2 / 96, rel=0.1)
    assert values["b_z"].unique().tolist() == [-1.0]
    decays = parameters(DiagonalLinear(), initial={"p": init.constant(0.25)})
    assert decays["p"].unique().tolist() == [0.25]
    forget = parameters(LSTM(), initial={"b_f": init.constant(3.0)})
    assert forget["b_f"].unique().tolist() == [3.0]


def test_the_seed_decides_the_weights():
    one, two, other = layer_of(GRU()), layer_of(GRU()), Recurrent(GRU(), INPUT, HIDDEN)
    assert torch.equal(one.weight_ih_l0, two.weight_ih_l0)
    assert not torch.equal(one.weight_ih_l0, other.weight_ih_l0)


# -- bad arguments ---------------------------------------------------------------------

ARGUMENTS = {
    "cell must be a Cell object such as LSTM(), got 'lstm'": ("lstm", {}),
    "num_layers must be >= 1, got 0": (GRU(), {"num_layers": 0}),
    "dropout must be in [0, 1), got 1.0": (GRU(), {"dropout": 1.0}),
    "variational_dropout must be in": (GRU(), {"variational_dropout": -0.1}),
    "weight_drop must be in": (GRU(), {"weight_drop": float("nan")}),
    "p must be in [0, 1), got 1.5": (GRU(), {"zoneout": 1.5}),
    "p must be in [0, 1), got -1": (GRU(), {"recurrent_dropout": -1}),
    "depth must be >= 1, got 0": (GRU(), {"transition_depth": 0}),
    "spectral_bound must be > 0, got 0": (GRU(), {"spectral_bound": 0}),
    "proj_size must be smaller than": (LSTM(proj_size=9), {}),
    "initial must name parameters of GRU(), got ['Q']": (
        GRU(),
        {"initial": {"Q": init.constant(0.0)}},
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("message", ARGUMENTS)
def test_arguments_out_of_range_are_named(message):
    cell, options = ARGUMENTS[message]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        Recurrent(cell, INPUT, HIDDEN, **options)


H = torch.zeros(BATCH, HIDDEN)
CALLS = {
    "input x must be (time, batch, 2), got (5, 3, 3). Build it": (X[..., [0, 0, 1]],),
    "input x must be (time, batch, 2), got (5, 2)": (X[:, 0],),
    "must have one tuple for each of the 2 layers and directions": (X, ((H,),)),
    "state h must be (3, 4), got (2, 4)": (X, ((H[:2],), (H,))),
    "the state must be a tuple of 1 (h), got 2": (X, ((H, H), (H, H))),
    "each length must be in [0, 5], got 1 to 6": (X, None, torch.tensor([1, 6, 3])),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("message", CALLS)
def test_tensors_that_do_not_fit_are_named(message):
    layer = Recurrent(GRU(), INPUT, HIDDEN, num_layers=2)
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer(*CALLS[message])


def test_text_of_the_layer():
    assert repr(Recurrent(MinGRU(), 2, 3)) == "Recurrent(MinGRU(), 2, 3, 1)"


# -- shapes of the recurrent matrix ----------------------------------------------------

STRUCTURES = {
    "diagonal": (Diagonal(), (12,)),
    "blocks": (BlockDiagonal(3), (3, 4, 4)),
    "sparse": (Sparse.random(12, 4, torch.Generator().manual_seed(0)), (48,)),
}


@pytest.mark.parametrize("kind", STRUCTURES)
@pytest.mark.parametrize("cell", [LSTM(), ChoGRU(), Leaky(0.5)], ids=str)
def test_a_structure_shapes_every_layer_and_trains(kind, cell):
    structure, shape = STRUCTURES[kind]
    sizes = {"num_layers": 2, "bidirectional": True, "recurrent": structure}
    layer = Recurrent(cell, 3, 12, weight_drop=0.2, spectral_bound=0.5, **sizes)
    matrices = dict(layer.recurrent_matrices())
    assert {m.shape for m in matrices.values()} == {shape}
    assert not any("weight" in name for name, _ in layer.named_parameters())
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    layer(torch.randn(5, 2, 3))[0].square().sum().backward()
    optimizer.step()
    layer.constrain()
    for name, p in layer.named_parameters():
        assert not torch.equal(p, before[name]), name
    for matrix in matrices.values():
        dense = structure.dense(matrix.detach()).numpy()
        assert np.abs(np.linalg.eigvals(dense)).max() <= 0.5 * (1 + 1e-5)


def test_structures_start_as_dense_matrices_do():
    def matrix(cell, structure, **options):
        layer = Recurrent(cell, 3, 12, recurrent=structure, **options)
        [(_, found)] = layer.recurrent_matrices()
        return structure.dense(found.detach())

    for structure in (Diagonal(), BlockDiagonal(3)):
        orthogonal = matrix(Elman(), structure)
        close(orthogonal @ orthogonal.T, torch.eye(12), rtol=1e-5)
        close(matrix(Elman("relu"), structure), torch.eye(12))
    for structure, _ in STRUCTURES.values():
        for cell, radius in ((Leaky(), 0.9), (Rate(), 0.95)):
            dense = matrix(cell, structure)
            found = np.abs(np.linalg.eigvals(dense.numpy())).max()
            assert found == pytest.approx(radius, rel=1e-4)
        filled = matrix(Elman(), structure, initial={"U": init.constant(2.0)})
        assert set(filled.unique().tolist()) == {0.0, 2.0}


def test_a_state_dict_holds_the_pattern():
    def build(seed):
        pattern = Sparse.random(12, 4, torch.Generator().manual_seed(seed))
        return Recurrent(Leaky(0.5), 3, 12, recurrent=pattern)

    one, other = build(1), build(2)
    x = torch.randn(5, 2, 3)
    wanted = one(x)[0]
    assert not torch.equal(other(x)[0], wanted)
    whole = nn.ModuleList([other])
    whole.load_state_dict({f"0.{k}": v for k, v in one.state_dict().items()})
    assert torch.equal(other(x)[0], wanted)
    assert torch.equal(copy.deepcopy(other)(x)[0], wanted)
    with pytest.raises(RuntimeError, match="size mismatch for indices"):
        other.load_state_dict(
            Recurrent(Leaky(), 3, 12, recurrent=Sparse.random(12, 5)).state_dict()
        )


def test_what_is_no_structure_for_a_layer_is_refused():
    for structure, message in (
        (BlockDiagonal(5), "must divide the units, got 5 blocks for 12 units"),
        (Sparse.random(10, 2), "got 10 rows for 12 units"),
    ):
        with pytest.raises(ArgumentError, match=message):
            Recurrent(GRU(), 3, 12, recurrent=structure)
    with pytest.raises(ArgumentError, match="must have a recurrent matrix of 12 by 12"):
        Recurrent(MinGRU(), 3, 12, recurrent=Diagonal())


@pytest.mark.usefixtures("unchecked")
def test_a_word_is_no_structure():
    with pytest.raises(ArgumentError, match="must be a structure such as Diagonal"):
        Recurrent(GRU(), 3, 12, recurrent="diagonal")


@pytest.mark.parametrize("kind", STRUCTURES)
def test_a_stream_of_a_structure_is_the_run(kind):
    x = torch.randn(4, 2, 3)
    for backend in ("reference", "cpu"):
        shaped = {"recurrent": STRUCTURES[kind][0], "backend": backend}
        layer = Recurrent(ChoGRU(), 3, 12, **shaped)
        if kind == "sparse" and backend == "cpu":
            with pytest.raises(BackendError, match="no sparse matrices"):
                layer.stream(2)
            continue
        stream = layer.stream(2)
        got = torch.stack([stream.step(x_t).clone() for x_t in x])
        close(got, layer(x)[0].detach(), rtol=1e-5)
