"""What is told of whole models: captured as they read, and advice with its figures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recurro import LanguageModel, SequenceClassifier
from recurro import nn as recurro_nn
from recurro.analysis import Advice, advise, gradient_flow, inspect
from recurro.analysis.capture import capture
from recurro.analysis.inspection import _view
from recurro.cells import GRU, LSTM, Elman, Linear
from recurro.errors import ArgumentError, RunError
from recurro.nn import Recurrent
from recurro.tasks.example import example_batch, untrained_network


@pytest.fixture(scope="module")
def language_run(tmp_path_factory):
    """A run of a tiny language model of running text."""
    text = "the sun is up and the sea is blue. " * 40
    run = tmp_path_factory.mktemp("inspect") / "run"
    sizes = {"hidden_size": 8, "epochs": 1, "batch_size": 4, "bptt": 20}
    return LanguageModel(**sizes, out=run, log_every=1).fit(text)


def test_what_is_captured_has_the_gradient_of_the_loss():
    """Carried through the layers it gives autograd's gradient of the embedding."""
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.Linear(3, 4)).double()
    layer = Recurrent(LSTM(), 4, 5, 2).double()

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.layer = inner, layer

        def forward(self, x):
            self.read = self.inner(x)
            self.read.retain_grad()
            y, state = self.layer(self.read)
            return y[2].square().sum() + state[1][1].sum(), 1, None

    network, x = Whole(), torch.randn(7, 2, 3, dtype=torch.float64)
    (found,) = capture(network, x)
    flow = gradient_flow(
        *(found.layer, found.x, found.output_gradient),
        state_gradient=found.state_gradient,
    )
    loss, *_ = network(x)
    loss.backward()
    torch.testing.assert_close(flow.inputs, network.read.grad)


def test_a_stack_that_is_stepped_is_one_run():
    layer = Recurrent(GRU(), 2, 3).double()

    class Stepped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            state, loss = None, 0.0
            for x_t in x:
                y, state = self.layer(x_t[None], state)
                loss = loss + y.square().sum()
            return loss

    x = torch.randn(6, 2, 2, dtype=torch.float64)
    (stepped,) = capture(Stepped(), x)
    torch.testing.assert_close(stepped.x, x)
    y, _ = layer(x)
    whole = gradient_flow(layer, x, 2 * y.detach())
    again = gradient_flow(
        *(layer, stepped.x, stepped.output_gradient),
        state_gradient=stepped.state_gradient,
    )
    torch.testing.assert_close(again.layers[0].norms, whole.layers[0].norms)


def test_of_a_language_model_the_last_step_counts(language_run):
    batch = example_batch(language_run, steps=30, rows=3)
    assert batch.inputs.shape == (30, 3)
    found = inspect(language_run, batch)
    (view,) = found.views
    assert (view.steps, view.rows) == (30, 3)
    (run,) = capture(language_run.network_, batch)
    only = torch.zeros_like(run.output_gradient)
    only[-1] = run.output_gradient[-1]
    wanted = gradient_flow(run.layer, run.x, only, dtype=torch.float64).layers[0]
    torch.testing.assert_close(view.flow.layers[0].norms, wanted.norms)
    assert found.of == "the loss of the last step"


def test_a_loaded_run_needs_no_data(language_run):
    loaded = LanguageModel.load(language_run.run_.path)
    found = inspect(loaded, steps=40)
    (view,) = found.views
    assert view.untrained is not None and view.steps == 40
    before = untrained_network(loaded)
    assert not torch.equal(
        before.recurrent.weight_hh_l0, loaded.network_.recurrent.weight_hh_l0
    )
    arrays = found.arrays()
    assert arrays["recurrent/layer 0/shares"].sum() == pytest.approx(1)
    assert arrays["recurrent/layer 0/untrained gradient norms"].shape == (40, 2)
    assert arrays["recurrent/layer 0/gate f"].shape[0] == 40
    assert len(arrays["recurrent/U_f_l0/eigenvalues"]) == 8
    assert {row["layer"] for row in found.rows()} == {"recurrent, layer 0"}


def test_the_untrained_network_is_that_of_the_seed(language_run):
    one, two = (untrained_network(language_run).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_other_text_may_be_looked_at(language_run):
    found = inspect(language_run, "the sea is up and the sun is blue. " * 30, steps=50)
    assert found.views[0].steps == 50


def test_rows_of_a_classifier_are_looked_at_as_a_whole():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (5, 9, 7, 8) * 5]
    y = ["up" if x[-1, 0] > 0 else "down" for x in X]
    model = SequenceClassifier(hidden_size=4, epochs=1, batch_size=5).fit(X, y)
    found = inspect(model, (X, y))
    assert found.of == "the loss of a sequence"
    assert found.views[0].flow.layers[0].shares.sum() == pytest.approx(1)
    with pytest.raises(ArgumentError, match="data must be given"):
        inspect(model)


def test_layers_alone():
    found = inspect(recurro_nn.GRU(2, 4, 2), torch.randn(30, 3, 2))
    assert [gate.name for gate in found.views[0].gates] == ["r", "z"] * 2
    assert found.views[0].untrained is None
    both = Recurrent(LSTM(), 2, 4, bidirectional=True)
    names = [
        layer.name for layer in inspect(both, torch.randn(9, 1, 2)).views[0].flow.layers
    ]
    assert names == ["layer 0", "layer 0 backward"]


def test_the_dynamical_view_is_told_where_there_is_one():
    found = inspect(Recurrent(Linear(), 2, 3), torch.randn(40, 6, 2))
    (view,) = found.views
    eigenvalues = abs(view.spectra[0].eigenvalues)
    np.testing.assert_allclose(
        view.lyapunov[0].exponents, np.log(eigenvalues), atol=0.1
    )
    assert view.growth.distance.shape == (41, 2)
    assert len(view.fixed) == 1 and view.fixed.stable[0]
    arrays = found.arrays()
    assert {"layers/perturbation", "layers/fixed points"} <= set(arrays)
    both = inspect(Recurrent(GRU(), 2, 3, bidirectional=True), torch.randn(9, 1, 2))
    assert both.views[0].growth is None and len(both.views[0].lyapunov) == 2


def test_in_backward_layers_the_first_step_counts():
    """Each direction is looked at where it has read all."""
    layer = Recurrent(Elman(), 2, 4, bidirectional=True)
    found = inspect(layer, torch.randn(20, 1, 2)).views[0].flow
    for flow in found.layers:
        assert flow.norms[-1] > flow.norms[0] > 0


def test_bad_input():
    with pytest.raises(ArgumentError, match="must be a fitted one of recurro"):
        inspect(torch.nn.Linear(2, 2), torch.zeros(3, 1, 2))
    with pytest.raises(ArgumentError, match=r"must be a tensor .* got None"):
        inspect(Recurrent(GRU(), 2, 3))
    with pytest.raises(ArgumentError, match="at least one step"):
        inspect(Recurrent(GRU(), 2, 3), torch.zeros(0, 1, 2))


def test_a_run_that_lost_what_it_learnt_from(language_run, tmp_path):
    copy = tmp_path / "copy"
    language_run.save(copy)
    loaded = LanguageModel.load(copy)
    with pytest.raises(RunError):
        inspect(loaded)


# -- advice ----------------------------------------------------------------------------


def advice_of(layer, x=None, **options):
    found = inspect(layer, torch.randn(100, 4, 2) if x is None else x, **options)
    return {each.topic: each for each in found.advice}


def test_nothing_measured_no_sentence():
    assert advise([], {}) == ()
    assert advise([], {"clip": 1.0}, [1.0, 2.0]) == ()


def test_a_fading_gradient_asks_for_gates():
    layer = Recurrent(Elman(), 2, 16)
    layer.weight_hh_l0.data.mul_(0.4)
    found = advice_of(layer)
    assert "cannot learn dependencies longer than about" in found["memory"].sentence
    assert "cell with gates" in found["memory"].sentence
    assert "of 100 steps" in found["memory"].figure
    assert "radius of the mean Jacobian" in found["radius"].figure
    assert isinstance(found["radius"], Advice)


def test_an_exploding_gradient_asks_for_a_bound():
    layer = Recurrent(Linear(), 2, 8)
    layer.U_h_l0.data.mul_(1.2)
    found = advice_of(layer)
    assert "explode" in found["radius"].sentence
    assert "1.14" in found["radius"].figure  # 1.2 times 0.95


def test_a_gradient_that_gathers_is_no_explosion():
    """The losses of all steps add up on the way back, though each of them fades."""
    layer = Recurrent(Linear(), 2, 4)
    layer.U_h_l0.data.copy_(0.95 * torch.eye(4))
    x = torch.randn(9, 2, 2)
    flow = gradient_flow(layer, x, torch.ones(9, 2, 4))
    assert flow.layers[0].growth > 1.02
    view = replace(inspect(layer, x).views[0], flow=flow)
    assert not [each for each in advise([view], {}) if each.topic == "radius"]


def test_rows_that_are_all_shorter_than_the_batch():
    captured = capture(
        _Padded(Recurrent(GRU(), 2, 3)), torch.randn(9, 2, 2), torch.tensor([4, 6])
    )
    view = _view(captured[0], None)
    assert len(view.lyapunov) == 1 and view.growth.distance.shape == (7, 2)


class _Padded(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        return self.layer(x, lengths=lengths)[0].sum()


def test_saturated_gates_are_named():
    layer = Recurrent(GRU(), 2, 8)
    layer.bias_ih_l0.data[:8] = -9.0
    layer.bias_ih_l0.data[8:16] = 9.0
    found = inspect(layer, torch.randn(50, 2, 2)).advice
    told = [each for each in found if each.topic == "gates"]
    assert "gate r" in told[0].figure and "under 0.1 for 100%" in told[0].figure
    assert "gate z" in told[1].figure and "over 0.9 for 100%" in told[1].figure


def test_plain_descent_on_an_ill_conditioned_chain_asks_for_momentum():
    layer = Recurrent(Linear(), 2, 2)
    layer.U_h_l0.data.copy_(torch.diag(torch.tensor([0.9, 0.3])))
    settings = {"optimizer": "sgd", "momentum": 0.0}
    found = advice_of(layer, settings=settings)
    assert "10^24" in found["momentum"].figure  # 3^50
    assert "momentum" not in advice_of(layer, settings={**settings, "momentum": 0.9})
    assert "momentum" not in advice_of(layer, settings={"optimizer": "adam"})


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        (0.1, "cuts nearly every step"),
        (500.0, "far above"),
        (2.0, None),
        ("auto", None),
    ],
)
def test_clipping_is_held_against_what_was_seen(clip, said):
    seen = [0.9, 1.0, 1.1, 1.0, 0.8, 1.2]
    found = advise([], {"clip": clip}, seen)
    if said is None:
        assert found == ()
    else:
        assert said in found[0].sentence
        assert "median 1" in found[0].figure and "6 seen" in found[0].figure


def test_without_clipping_outliers_are_told():
    seen = [1.0] * 30 + [80.0] * 4
    assert "clip at about 2" in advise([], {"clip": None}, seen)[0].sentence
    assert "exploded" in advise([], {}, (), explosions=2)[0].sentence


def test_a_bptt_that_cuts_is_told():
    layer = Recurrent(Linear(), 2, 4)
    layer.U_h_l0.data.copy_(torch.eye(4))
    found = advice_of(layer, settings={"k2": 20})
    assert "bptt above 20" in found["memory"].sentence
    assert "memory" not in advice_of(layer)
