"""Rendered C equals the reference: values, final states and all gradients."""

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from recurro import cells
from recurro.cells import ops
from recurro.engine import HiddenClip, recurrence, run
from recurro.engine.cpu import run_cpu
from recurro.engine.reference import Request, run_reference
from recurro.errors import BackendError
from tests.engine.test_adjoint import PLAIN, TREES, Grown

TOLERANCE = {
    torch.float32: {"rtol": 1e-4, "atol": 1e-4},
    torch.float64: {"rtol": 1e-9, "atol": 1e-10},
}


def request_of(cell, *, hidden, batch, time, dtype, lengths=False, **options):
    """A run with random inputs, states and parameters, all wanting gradients."""
    made = recurrence(cell, 3, hidden)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, scale=1.0):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return values.to(dtype).requires_grad_()

    parameters = {
        name: draw(*shape, scale=shape[-1] ** -0.5)
        for name, shape in made.program.parameters
    }
    state = tuple(draw(batch, width) for _, width in made.program.state)
    inputs = (draw(time, batch, 3),)
    if lengths:
        options["lengths"] = torch.randint(0, time + 1, (batch,), generator=generator)
    return Request(made.cell, made.program, parameters, inputs, state, **options)


def results(runner, request):
    """All that a run gives, and all gradients of a random weighted sum of it."""
    trail, final = runner(request)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
        for value in (*trail, *final)
    )
    wanted = [*request.inputs, *request.state, *request.parameters.values()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
    return [*trail, *final, *found]


def assert_equals_reference(request):
    dtype = request.state[0].dtype
    for got, wanted in zip(
        results(run_cpu, request), results(run_reference, request), strict=True
    ):
        torch.testing.assert_close(got, wanted, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("cell", PLAIN, ids=repr)
def test_every_cell(cell, dtype):
    assert_equals_reference(request_of(cell, hidden=5, batch=3, time=4, dtype=dtype))


@pytest.mark.parametrize(
    ("hidden", "batch", "clip"),
    [(2, 1, None), (17, 8, HiddenClip(value=0.05)), (64, 13, HiddenClip(norm=0.1))],
)
@pytest.mark.parametrize(
    "cell",
    [cells.LSTM(), cells.ChoGRU(), cells.LayerNormLSTM(), cells.PeepholeLSTM()],
    ids=repr,
)
def test_lengths_direction_and_clip(cell, hidden, batch, clip):
    for reverse in (False, True):
        request = request_of(
            cell,
            hidden=hidden,
            batch=batch,
            time=5,
            dtype=torch.float64,
            lengths=True,
            reverse=reverse,
            clip=clip,
        )
        assert_equals_reference(request)


def test_a_last_block_full_but_for_one_unit():
    """Four vectors of columns, of which the last is not whole."""
    sizes = {"hidden": 31, "batch": 3, "time": 4, "dtype": torch.float64}
    assert_equals_reference(request_of(cells.LSTM(), **sizes))


@pytest.mark.parametrize(
    "cell",
    [
        cells.LSTM(proj_size=1),
        cells.ChoGRU(),
        cells.LayerNormLSTM(),
        cells.PeepholeLSTM(),
        cells.ComplexDiagonal(),
    ],
    ids=repr,
)
def test_one_unit(cell):
    hidden = 3 if getattr(cell, "proj_size", 0) else 1
    sizes = {"hidden": hidden, "dtype": torch.float64}
    assert_equals_reference(request_of(cell, batch=1, time=3, **sizes))
    options = {"lengths": True, "reverse": True, "clip": HiddenClip(norm=0.1)}
    assert_equals_reference(request_of(cell, batch=8, time=5, **sizes, **options))


class Mixed(cells.Cell):
    """One number a row beside whole rows: each reads the other through maps."""

    state = ("h", "n")

    def widths(self, hidden_size):
        return hidden_size, 1

    def step(self, x, h, n):
        gate = ops.sigmoid(self.affine("gate", x, h, n, width=1))
        new = ops.tanh(self.affine("new", x, h, n) * gate + self.affine("spread", gate))
        single = self.affine("single", new, gate * n, width=1)
        return gate * h + (1 - gate) * new, ops.tanh(single + ops.mean(new))


@pytest.mark.parametrize("hidden", [1, 2, 17])
def test_one_number_beside_whole_rows(hidden):
    for options in ({}, {"lengths": True, "reverse": True}):
        sizes = {"hidden": hidden, "batch": 8, "time": 4, "dtype": torch.float64}
        assert_equals_reference(request_of(Mixed(), **sizes, **options))


class Unread(cells.Cell):
    """A map of the input that no state reads, and a map of nothing."""

    state = ("h",)

    def step(self, x, h):
        self.affine("unread", x, h)
        nothing = self.affine("nothing", bias=False)
        return ops.tanh(self.affine("h", h) + self.affine("zero", nothing))


@pytest.mark.parametrize("batch", [1, 8])
def test_what_nothing_reads_has_no_gradient(batch, monkeypatch):
    request = request_of(Unread(), hidden=5, batch=batch, time=4, dtype=torch.float64)
    torch.use_deterministic_algorithms(True)  # new memory holds NaN
    try:
        assert_equals_reference(request)
    finally:
        torch.use_deterministic_algorithms(False)


def test_wrapped_cells():
    deep = cells.DeepTransition(cells.ChoGRU(), 2)
    for cell in (cells.Zoneout(deep, 0.2), cells.RecurrentDropout(deep, 0.3)):
        sizes = {"hidden": 6, "batch": 7, "time": 3, "dtype": torch.float64}
        assert_equals_reference(request_of(cell, **sizes))


def test_masks_are_drawn_from_the_generator():
    cell = cells.Zoneout(cells.RecurrentDropout(cells.GRU(), 0.3), 0.2)
    sizes = {"hidden": 6, "batch": 7, "time": 3, "dtype": torch.float64}

    def output(seed):
        generator = torch.Generator().manual_seed(seed)
        options = {"training": True, "generator": generator}
        return run_cpu(request_of(cell, **sizes, **options))[0][0]

    assert torch.equal(output(3), output(3))
    assert not torch.equal(output(3), output(4))


def test_padding_may_hold_anything():
    request = request_of(
        cells.GRU(), hidden=4, batch=2, time=3, dtype=torch.float64, lengths=True
    )
    lengths = torch.tensor([1, 3])
    x = request.inputs[0].detach().clone()
    x[1:, 0] = float("nan")
    dirty = Request(
        request.cell,
        request.program,
        request.parameters,
        (x.requires_grad_(),),
        request.state,
        lengths,
    )
    assert_equals_reference(dirty)


def test_second_derivatives_come_from_the_reference():
    request = request_of(cells.MinGRU(), hidden=3, batch=2, time=3, dtype=torch.float64)
    x, h = request.inputs[0], request.state[0]

    def output(x, h):
        again = Request(request.cell, request.program, request.parameters, (x,), (h,))
        return run_cpu(again)[0][0]

    assert torch.autograd.gradcheck(output, (x, h))
    assert torch.autograd.gradgradcheck(output, (x, h))


@pytest.mark.parametrize("cell", [cells.MinGRU(), cells.ChoGRU()], ids=repr)
def test_second_derivatives_see_the_masks_that_were_drawn(cell):
    cell = cells.Zoneout(cells.RecurrentDropout(cell, 0.5), 0.5)
    sizes = {"hidden": 6, "batch": 3, "time": 8, "dtype": torch.float64}
    request = request_of(cell, **sizes, training=True)
    loss = run_cpu(request)[0][0].square().sum()
    x = request.inputs[0]
    (plain,) = torch.autograd.grad(loss, x, retain_graph=True)
    (differentiable,) = torch.autograd.grad(loss, x, create_graph=True)
    torch.testing.assert_close(differentiable, plain)


def test_the_same_bits_for_any_number_of_threads():
    request = request_of(cells.LSTM(), hidden=16, batch=31, time=6, dtype=torch.float32)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            with torch.no_grad():
                found.append(run_cpu(request)[0][0])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_nan_and_infinity_go_through():
    for value in (float("nan"), float("inf"), float("-inf")):
        request = request_of(
            cells.LSTM(), hidden=5, batch=2, time=3, dtype=torch.float32
        )
        x = request.inputs[0].detach().clone()
        x[0, 0, 0] = value
        spoilt = Request(
            request.cell, request.program, request.parameters, (x,), request.state
        )
        with torch.no_grad():
            got, wanted = run_cpu(spoilt)[0][0], run_reference(spoilt)[0][0]
        torch.testing.assert_close(got, wanted, equal_nan=True, **TOLERANCE[x.dtype])


def test_a_named_backend_that_cannot_run_says_why():
    made = recurrence(cells.LSTM(), 3, 4)
    stored = {n: torch.zeros(s).half() for n, s in made.shapes().items()}
    with pytest.raises(BackendError, match=r"no arithmetic for torch\.float16"):
        run(made, stored, torch.zeros(5, 2, 3).half(), backend="cpu")


class Rounding(TorchDispatchMode):
    """Makes the result of every operation a few units of the last place wrong."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        is_alias = any(r.alias_info for r in function._schema.returns)
        if is_alias or not isinstance(value, torch.Tensor) or value.dtype.is_complex:
            return value
        if not value.is_floating_point():
            return value
        unit = 4 * torch.finfo(value.dtype).eps
        return value * (1 + unit * (2 * torch.rand_like(value) - 1))


def assert_as_near_as_rounding_allows(request):
    """Equal within a hundred times what roundings of the reference itself change.

    Some programs double an error at every operation; others leave the range of the
    type. What is not finite under roundings is not compared.
    """
    wanted = results(run_reference, request)
    spread = [torch.zeros_like(value) for value in wanted]
    for _ in range(3):
        with Rounding():
            rounded = results(run_reference, request)
        spread = [
            torch.maximum(s, (r - w).abs())
            for s, r, w in zip(spread, rounded, wanted, strict=True)
        ]
    for got, value, change in zip(
        results(run_cpu, request), wanted, spread, strict=True
    ):
        close = (got - value).abs() <= 100 * change + 1e-11 + 1e-10 * value.abs()
        assert (close | ~change.isfinite()).all()


def random_cell(first, second, hidden):
    sizes = {"hidden": hidden, "batch": 7, "time": 3, "dtype": torch.float64}
    assert_as_near_as_rounding_allows(request_of(Grown(first, second), **sizes))


def test_the_measure_of_roundings_is_small_for_a_tame_cell():
    request = request_of(cells.ChoGRU(), hidden=5, batch=3, time=4, dtype=torch.float64)
    wanted = results(run_reference, request)
    with Rounding():
        rounded = results(run_reference, request)
    for value, other in zip(wanted, rounded, strict=True):
        assert 0 < (value - other).abs().max() < 1e-13 * (1 + value.abs().max())


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would compile on
)
@given(TREES, TREES, st.sampled_from([1, 18]))
def test_random_programs(first, second, hidden):
    random_cell(first, second, hidden)


@pytest.mark.slow
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(TREES, TREES, st.sampled_from([1, 3, 18]))
def test_two_hundred_random_programs(first, second, hidden):
    random_cell(first, second, hidden)
