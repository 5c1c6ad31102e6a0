"""Which backend ``auto`` takes, and what happens where nothing can be built."""

import pytest
import torch

from recurro import cells
from recurro.engine import backends, recurrence, run
from recurro.engine.backends import choose
from recurro.engine.reference import Request
from recurro.errors import ArgumentError, BackendError


def request_of(cell, time=8, lengths=None):
    made = recurrence(cell, 3, 8)
    parameters = {n: torch.zeros(s) for n, s in made.program.parameters}
    state = tuple(torch.zeros(2, width) for _, width in made.program.state)
    inputs = (torch.zeros(time, 2, 3),)
    request = Request(made.cell, made.program, parameters, inputs, state, lengths)
    return request, made.kernel


@pytest.fixture
def compiling(monkeypatch):
    monkeypatch.setenv("RECURRO_COMPILE", "1")
    backends._builds.__wrapped__.cache_clear()
    backends.warn_once.cache_clear()


@pytest.mark.parametrize(
    ("cell", "options", "wanted"),
    [
        (cells.LSTM(), {}, "cpu"),
        (cells.LSTM(), {"time": 1}, "vendor"),
        (cells.LSTM(), {"lengths": torch.tensor([8, 3])}, "cpu"),
        (cells.GRU(), {}, "cpu"),
        (cells.GRU(), {"time": 1}, "vendor"),
        (cells.MinGRU(), {}, "cpu"),
        (cells.MinGRU(), {"time": 1}, "reference"),
    ],
    ids=repr,
)
def test_auto(compiling, cell, options, wanted):
    assert choose(*request_of(cell, **options), "auto", False) == wanted


def test_auto_does_not_compile_where_it_must_not(monkeypatch):
    monkeypatch.setenv("RECURRO_COMPILE", "0")
    assert choose(*request_of(cells.GRU()), "auto", False) == "vendor"
    assert choose(*request_of(cells.MinGRU()), "auto", False) == "reference"
    assert choose(*request_of(cells.MinGRU(), 16), "auto", False) == "scan"
    assert choose(*request_of(cells.ChoGRU(), 16), "auto", False) == "reference"


def test_what_cannot_be_built_is_said_once(compiling, monkeypatch):
    def refuse(*_):
        raise BackendError("compile: there is no compiler.")

    monkeypatch.setattr(backends.cpu, "compiled", refuse)
    with pytest.warns(
        UserWarning, match="there is no compiler. PyTorch runs it instead"
    ):
        assert choose(*request_of(cells.MinGRU()), "auto", False) == "reference"
    assert choose(*request_of(cells.ChoGRU()), "auto", False) == "reference"


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_backend_is_refused():
    with pytest.raises(ArgumentError, match="backend must be one of"):
        choose(*request_of(cells.GRU()), "tpu", False)


def test_a_backend_that_does_not_fit_is_refused():
    with pytest.raises(BackendError, match="PyTorch has no kernel for MinGRU"):
        choose(*request_of(cells.MinGRU()), "vendor", False)


@pytest.mark.parametrize(
    ("cell", "missing"), [(cells.GRU(), "scan"), (cells.MinGRU(), "vendor")], ids=repr
)
def test_all_backends_agree_on_a_layer(cell, missing):
    made = recurrence(cell, 3, 8)
    generator = torch.Generator().manual_seed(0)
    stored = {n: torch.randn(s, generator=generator) for n, s in made.shapes().items()}
    x = torch.randn(6, 2, 3, generator=generator)
    names = [name for name in backends.BACKENDS if name != missing]
    outputs = [run(made, stored, x, backend=name).output for name in names]
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])
