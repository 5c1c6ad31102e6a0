"""The scan equals the loop, derivatives and all, and rounds no worse."""

from __future__ import annotations

import pytest
import torch

from recurro import cells
from recurro.cells import Cell
from recurro.engine import HiddenClip, recurrence, run
from recurro.engine.reference import run_reference
from recurro.engine.scan import run_scan
from recurro.errors import BackendError
from tests.contract import BACKWARD, CHECKS, CellSubject
from tests.engine.test_cpu import request_of, results

CELLS = [
    cells.MinGRU(),
    cells.MinLSTM(),
    cells.DiagonalLinear(),
    cells.ComplexDiagonal(),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_contract(cell, check):
    check(CellSubject(cell, fast="scan"))


@pytest.mark.parametrize("check", BACKWARD, ids=lambda check: check.__name__)
def test_contract_backward_and_with_masks(check):
    zoneout = cells.Zoneout(cells.ComplexDiagonal(), 0.3)
    check(CellSubject(zoneout, reverse=True, random=True, fast="scan"))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("time", [1, 2, 3, 4, 15, 16, 23, 24, 70])
@pytest.mark.parametrize("cell", [CELLS[0], CELLS[3]], ids=repr)
def test_any_number_of_steps(cell, time, lengths, reverse):
    request = request_of(
        cell,
        hidden=3,
        batch=4,
        time=time,
        dtype=torch.float64,
        lengths=lengths,
        reverse=reverse,
    )
    got, wanted = results(run_scan, request), results(run_reference, request)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


FORWARD = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
"""PyTorch's own forward mode uses what it advises against."""


@FORWARD
def test_second_derivatives_and_forward_mode():
    request = request_of(CELLS[3], hidden=2, batch=1, time=5, dtype=torch.float64)
    leaves = (*request.inputs, *request.state, *request.stored.values())
    names = tuple(request.stored)

    def function(x, re, im, *stored):
        again = request._replace(
            inputs=(x,),
            state=(re, im),
            stored=dict(zip(names, stored, strict=True)),
        )
        trail, final = run_scan(again)
        return (*trail, *final)

    assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, leaves)


@FORWARD
def test_jacobians_by_either_mode():
    made = recurrence(cells.MinGRU(), 2, 3)
    torch.manual_seed(0)
    stored = {n: torch.randn(s).double() for n, s in made.shapes().items()}
    x = torch.randn(20, 1, 2).double()

    def output(x, backend="auto"):
        return run(made, stored, x, backend=backend).output

    wanted = torch.func.jacrev(lambda x: output(x, "reference"))(x)
    torch.testing.assert_close(torch.func.jacrev(output)(x), wanted)
    torch.testing.assert_close(torch.func.jacfwd(output)(x), wanted)
    rows = torch.stack([x, 2 * x, -x])
    wanted = torch.stack([output(row, "reference") for row in rows])
    torch.testing.assert_close(torch.vmap(output)(rows), wanted)


def test_a_clip_and_other_cells_are_refused():
    made = recurrence(cells.MinGRU(), 3, 4)
    stored = {n: torch.zeros(s) for n, s in made.shapes().items()}
    x = torch.zeros(20, 2, 3)
    with pytest.raises(BackendError, match="a clipped gradient needs the steps"):
        run(made, stored, x, backend="scan", clip=HiddenClip(value=1.0))
    made = recurrence(cells.GRU(), 3, 4)
    stored = {n: torch.zeros(s) for n, s in made.shapes().items()}
    with pytest.raises(BackendError, match="not linear in the old one"):
        run(made, stored, x, backend="scan")


class Given(Cell):
    """h = a h + b, with a and b the two inputs."""

    state = ("h",)
    inputs = ("a", "b")

    def step(self, a, b, h):
        return a * h + b


def errors(low, high, seed, width=8, steps=4096):
    """Of scan and loop in float32, from float64: forward and by each leaf."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.empty(steps, 1, width).uniform_(low, high, generator=generator)
    b, g = (torch.randn(steps, 1, width, generator=generator) for _ in range(2))
    made = recurrence(Given(), {"a": width, "b": width}, width)
    found = []
    for backend, dtype in (
        ("reference", torch.float64),
        ("reference", torch.float32),
        ("scan", torch.float32),
    ):
        leaves = [value.to(dtype).requires_grad_() for value in (a, b)]
        y = run(made, {}, tuple(leaves), backend=backend).output
        by = torch.autograd.grad(y, leaves, g.to(dtype))
        found.append([value.detach().double() for value in (y, *by)])
    exact, loop, scan = found
    return [
        ((s - e).norm() / (o - e).norm(), (s - e).abs().max() / (o - e).abs().max())
        for e, o, s in zip(exact, loop, scan, strict=True)
    ]


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 0.05), (0.0, 1.0), (0.5, 0.95), (0.99, 1.0), (0.9999, 1.0), (-1.0, 1.0)],
)
@pytest.mark.parametrize("seed", range(3))
def test_rounding_is_at_most_twice_that_of_the_loop(low, high, seed):
    for norm, most in errors(low, high, seed):
        assert norm <= 2
        assert most <= 2


def test_decays_that_underflow_and_grow():
    made = recurrence(Given(), {"a": 2, "b": 2}, 2)
    b = torch.ones(4096, 1, 2)
    for value in (0.0, 1e-30, 1.05, -1.0):
        inputs = (torch.full_like(b, value), b)
        loop = run(made, {}, inputs, backend="reference").output
        scan = run(made, {}, inputs, backend="scan").output
        torch.testing.assert_close(scan, loop, rtol=1e-3, atol=1e-5)


def test_nothing_is_not_a_number_that_was_one_in_the_loop():
    made = recurrence(Given(), {"a": 1, "b": 1}, 1)
    a = torch.full((100, 3, 1), 0.9)
    b = torch.ones(100, 3, 1)
    b[40, 0] = float("nan")
    b[41, 1] = float("inf")
    a[30, 2] = float("nan")
    loop = run(made, {}, (a, b), backend="reference").output
    scan = run(made, {}, (a, b), backend="scan").output
    torch.testing.assert_close(scan, loop, equal_nan=True)
