"""A stream equals the whole run, step by step, for every cell."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings

from recurro import cells
from recurro.engine import Stream, backends, recurrence, run, stream_call
from recurro.errors import ArgumentError, BackendError, ShapeError
from tests.cells.test_contract import PLAIN, SUBJECTS
from tests.engine.test_programs import Planned, planned

TIME = 5


def made_of(cell, inputs, hidden, batch, dtype=torch.float32, layers=1):
    """Recurrences with random weights, an input and initial states."""
    generator = torch.Generator().manual_seed(4)

    def draw(*shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (values * shape[-1] ** -0.5).to(dtype)

    stack = []
    for _ in range(layers):
        sizes = dict.fromkeys(cell.inputs, inputs)
        part = recurrence(cell, sizes, hidden)
        stack.append((part, {name: draw(*s) for name, s in part.shapes().items()}))
        inputs = part.program.output_width
    first = stack[0][0].program
    x = draw(TIME, batch, dict(first.inputs)["x"])
    states = tuple(
        tuple(draw(batch, width) for _, width in part.program.state)
        for part, _ in stack
    )
    return stack, x, states


def whole(stack, x, states):
    """The output at every step, and the final states, by the reference."""
    final = []
    for (part, stored), state in zip(stack, states, strict=True):
        result = run(part, stored, x, state, backend="reference")
        x = result.output
        final.append(result.state)
    return x, tuple(final)


def streamed(made, x, states):
    made.restore(states)
    y = torch.stack([made.step(x_t).clone() for x_t in x])
    return y, made.state()


def assert_equals_the_run(cell, inputs, hidden, batch, dtype=torch.float32, **options):
    stack, x, states = made_of(cell, inputs, hidden, batch, dtype)
    made = Stream(stack, batch, backend="cpu", **options)
    assert made.backend == "cpu"
    near = 1e-6 if dtype == torch.float32 else 1e-12
    got, wanted = streamed(made, x, states), whole(stack, x, states)
    torch.testing.assert_close(got, wanted, rtol=near, atol=near)


@pytest.mark.parametrize("cell", PLAIN, ids=str)
def test_every_cell(cell):
    assert_equals_the_run(cell, 3, 19, 1)
    assert_equals_the_run(cell, 3, 19, 7)


@pytest.mark.parametrize(
    "cell",
    [
        cells.Zoneout(cells.LSTM(), 0.4),
        cells.RecurrentDropout(cells.ChoGRU(), 0.4),
        cells.DeepTransition(cells.LayerNormLSTM(), 2),
    ],
    ids=str,
)
def test_wrapped_cells(cell):
    assert_equals_the_run(cell, 4, 16, 2)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_every_subject_of_the_contract(subject):
    assert_equals_the_run(subject.cell, 2, 3, 3)


@pytest.mark.parametrize("hidden", [1, 2, 16, 33, 64])
@pytest.mark.parametrize("inputs", [1, 5])
def test_any_size(inputs, hidden):
    assert_equals_the_run(cells.GRU(), inputs, hidden, 5)


@pytest.mark.parametrize("cell", [cells.LSTM(proj_size=2), cells.LayerNormLSTM()])
def test_float64(cell):
    assert_equals_the_run(cell, 3, 9, 2, torch.float64)


ONCE = {
    "deadline": None,
    "database": None,
    "phases": (Phase.generate,),
    "suppress_health_check": list(HealthCheck),
}


def check_random_cell(cell):
    stack, x, states = made_of(cell, 2, 3, 3, torch.float64)
    assume(stack[0][1])  # without parameters there is nothing to tell the type by
    made = Stream(stack, 3, backend="cpu")
    got, wanted = streamed(made, x, states), whole(stack, x, states)
    torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-9)


@given(planned())
@settings(max_examples=6, derandomize=True, **ONCE)
def test_random_cells(cell: Planned):
    check_random_cell(cell)


@pytest.mark.slow
@given(planned())
@settings(max_examples=60, **ONCE)
def test_many_random_cells(cell: Planned):
    check_random_cell(cell)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("sizes", [(5, 17, 1), (4, 16, 3), (1, 6, 6)])
def test_half_weights_are_rounded_and_nothing_else(backend, sizes):
    inputs, hidden, batch = sizes
    stack, x, states = made_of(cells.LSTM(), inputs, hidden, batch, layers=2)
    made = Stream(stack, batch, weights="bfloat16", backend=backend)
    rounded = [
        (part, {n: t.bfloat16().float() if t.ndim == 2 else t for n, t in s.items()})
        for part, s in stack
    ]
    got, wanted = streamed(made, x, states), whole(rounded, x, states)
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    exact = whole(stack, x, states)
    assert (got[0] - exact[0]).abs().max() > 1e-5


def test_a_step_allocates_nothing_and_leaves_no_graph():
    stack, x, _ = made_of(cells.GRU(), 8, 16, 1, layers=2)
    for _, stored in stack:
        for tensor in stored.values():
            tensor.requires_grad_()
    made = Stream(stack, backend="cpu")
    x_t = x[0].clone().requires_grad_()
    with torch.profiler.profile() as profile:
        y = made.step(x_t)
    assert not [event.name for event in profile.events() if "aten" in event.name]
    assert not y.requires_grad
    assert made.step(x[1]) is y


def test_numpy_arrays():
    stack, x, states = made_of(cells.GRU(), 3, 16, 2)
    made = Stream(stack, 2, backend="cpu")
    wanted = streamed(made, x, states)[0].numpy()
    made.restore(states)
    got = np.stack([made.step(x_t).copy() for x_t in x.numpy()])
    np.testing.assert_array_equal(got, wanted)


def test_the_input_memory():
    stack, x, states = made_of(cells.GRU(), 3, 16, 2)
    made = Stream(stack, 2, backend="cpu")
    wanted = streamed(made, x, states)[0]
    made.restore(states)
    for x_t, y_t in zip(x, wanted, strict=True):
        made.input.copy_(x_t)
        assert torch.equal(made.step(made.input), y_t)


def test_inputs_that_are_not_contiguous():
    stack, x, states = made_of(cells.GRU(), 3, 16, 2)
    made = Stream(stack, 2, backend="cpu")
    wanted = streamed(made, x, states)[0]
    scattered = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not scattered[0].is_contiguous()
    assert torch.equal(streamed(made, scattered, states)[0], wanted)


def test_rows_are_independent_to_the_bit():
    stack, x, states = made_of(cells.LSTM(), 3, 20, 7)
    made = Stream(stack, 7, backend="cpu")
    first = streamed(made, x, states)[0]
    x[:, 1:], states[0][0][1:] = torch.nan, torch.inf
    assert torch.equal(streamed(made, x, states)[0][:, :1], first[:, :1])
    alone = Stream(stack, 1, backend="cpu")
    y = streamed(alone, x[:, :1], [[s[:1] for s in layer] for layer in states])[0]
    torch.testing.assert_close(y, first[:, :1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_the_first_rows_step_as_if_alone(backend):
    stack, x, states = made_of(cells.GRU(), 3, 5, batch=4, layers=2)
    whole = Stream(stack, 4, backend=backend)
    fewer, alone = whole.first(2), Stream(stack, 2, backend=backend)
    for one in (fewer, alone):
        one.restore(tuple(tuple(s[:2] for s in layer) for layer in states))
    for x_t in x[:, :2]:
        assert torch.equal(fewer.step(x_t.contiguous()), alone.step(x_t.contiguous()))
    for mine, its in zip(whole.state(), fewer.state(), strict=True):
        for a, b in zip(mine, its, strict=True):
            assert torch.equal(a[:2], b)  # one memory
    with pytest.raises(ArgumentError, match="rows must be in 1 to 4, got 5"):
        whole.first(5)


def test_weights_are_held():
    stack, x, states = made_of(cells.GRU(), 3, 16, 1)
    for backend in ("cpu", "reference"):
        made = Stream(stack, backend=backend)
        wanted = streamed(made, x, states)[0]
        for tensor in stack[0][1].values():
            tensor.mul_(2)
        assert torch.equal(streamed(made, x, states)[0], wanted)


def test_state_is_a_copy_and_goes_back():
    stack, x, _ = made_of(cells.LSTM(), 3, 8, 2, layers=2)
    made = Stream(stack, 2, backend="cpu")
    made.step(x[0])
    state = made.state()
    first = made.step(x[1]).clone()
    kept = [s.clone() for layer in state for s in layer]
    made.restore(state)
    assert torch.equal(made.step(x[1]), first)
    assert all(
        torch.equal(a, b)
        for a, b in zip(kept, [s for layer in state for s in layer], strict=True)
    )
    made.restore(None)
    wanted, _ = whole(stack, x[:1], [tuple(0 * s for s in layer) for layer in state])
    torch.testing.assert_close(made.step(x[0]), wanted[0], rtol=1e-6, atol=1e-6)


class Contextual(cells.Cell):
    """A cell with a second input."""

    state = ("h",)
    inputs = ("x", "context")

    def step(self, x, context, h):
        return cells.ops.tanh(self.affine("n", x, context, h) + context)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_readings(backend):
    part = recurrence(Contextual(), {"x": 3, "context": 8}, 8)
    stored = {name: torch.randn(shape) / 3 for name, shape in part.shapes().items()}
    x, context = torch.randn(TIME, 2, 3), torch.randn(TIME, 2, 8)
    made = Stream([(part, stored)], 2, backend=backend)
    wanted = run(part, stored, (x, context), backend="reference").output
    for x_t, context_t, y_t in zip(x, context, wanted, strict=True):
        got = made.step(x_t, {"context": context_t})
        torch.testing.assert_close(got, y_t, rtol=1e-6, atol=1e-6)
    for readings in (None, {}, {"other": context[0]}):
        with pytest.raises(ShapeError, match=r"readings must be \['context'\]"):
            made.step(x[0], readings)
    with pytest.raises(ShapeError, match=r"reading context must be \(2, 8\)"):
        made.step(x[0], {"context": context[0, :1]})


def test_without_a_compiler_one_warning_and_the_same_results(monkeypatch):
    monkeypatch.setenv("RECURRO_COMPILE", "1")
    backends.warn_once.cache_clear()
    stack, x, states = made_of(cells.ChoGRU(), 3, 21, 2)

    def refuse(*_):
        raise BackendError("compile: there is no compiler.")

    wanted = streamed(Stream(stack, 2, backend="cpu"), x, states)
    monkeypatch.setattr(stream_call, "build", refuse)
    stream_call.compiled.cache_clear()
    with pytest.warns(UserWarning, match=r"no compiler\. PyTorch runs it instead"):
        made = Stream(stack, 2)
    assert made.backend == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Stream(stack, 2)
    got = streamed(made, x, states)
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    with pytest.raises(BackendError, match="no compiler"):
        Stream(stack, 2, backend="cpu")


def test_what_c_has_no_arithmetic_for_is_run_by_pytorch():
    stack, x, states = made_of(cells.GRU(), 3, 8, 2, torch.bfloat16)
    made = Stream(stack, 2)
    assert made.backend == "reference"
    wanted = whole(stack, x, states)
    torch.testing.assert_close(streamed(made, x, states), wanted)
    with pytest.raises(BackendError, match="no arithmetic for"):
        Stream(stack, 2, backend="cpu")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size must be an int >= 1, got 0"),
        ({"batch_size": 1.0}, "batch_size must be an int >= 1, got 1.0"),
        ({"weights": "int8"}, "weights must be None or 'bfloat16', got 'int8'"),
        ({"backend": "gpu"}, "backend must be one of auto"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments(options, words):
    stack, _, _ = made_of(cells.GRU(), 3, 4, 1)
    with pytest.raises(ArgumentError, match=words):
        Stream(stack, **options)


def test_half_weights_of_doubles_are_refused():
    stack, _, _ = made_of(cells.GRU(), 3, 4, 1, torch.float64)
    with pytest.raises(ArgumentError, match="must come from float32"):
        Stream(stack, weights="bfloat16")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_bad_input(backend):
    stack, x, states = made_of(cells.GRU(), 3, 4, 2)
    made = Stream(stack, 2, backend=backend)
    before = made.state()
    for bad in (x, x[0, :1], x[0].double(), x[0].t(), x[0, 0], x[0].to("meta")):
        with pytest.raises(ShapeError, match=r"input x must be \(2, 3\) of torch.fl"):
            made.step(bad)
    for bad in (x[0].double().numpy(), x[0, :1].numpy()):
        with pytest.raises(ShapeError, match=r"input x must be \(2, 3\) of torch.fl"):
            made.step(bad)
    with pytest.raises(ShapeError, match="got list"):
        made.step([[1.0, 2.0, 3.0]] * 2)
    for bad in (states[0], (), (states[0], states[0])):
        with pytest.raises(ShapeError, match="the state must hold"):
            made.restore(bad)
    with pytest.raises(ShapeError, match=r"state h must be \(2, 4\)"):
        made.restore(((states[0][0][:1],),))
    torch.testing.assert_close(made.state(), before)


def test_nan_and_infinity_pass_as_in_the_reference():
    stack, x, states = made_of(cells.LSTM(), 3, 20, 3)
    x[1, 0], x[2, 1], x[2, 2] = torch.nan, torch.inf, -torch.inf
    got = streamed(Stream(stack, 3, backend="cpu"), x, states)
    wanted = whole(stack, x, states)
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6, equal_nan=True)
