from __future__ import annotations

import json
import sys
from dataclasses import asdict

import pytest
import torch

from recurro.bench import process
from recurro.bench.engine import (
    CASES,
    CELLS,
    QUICK,
    TABLES,
    Case,
    bench_engine,
    select_cases,
)
from recurro.bench.sides import Surprise, compiled_loop, layer, packed, resets
from recurro.bench.stream import ONNX
from recurro.errors import ArgumentError, BackendError
from recurro.nn import Recurrent

TINY = (2, 3, 2, 6)
KINDS = {"forward": 1.0, "train": None}


def measure(table, name, shape=TINY, against="", required=KINDS):
    case = Case(table, name, shape, against, required)
    (row,) = bench_engine([case], rounds=1, seconds=0.0)
    assert row.case is case
    return row.figures


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_layers_are_timed_with_their_rate(name):
    figures = measure("layers", name)
    assert list(figures) == ["forward", "train"]
    for figure in figures.values():
        assert figure.ratio.median == pytest.approx(figure.theirs / figure.ours)
        assert figure.gflops > 0 < figure.gemm


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("cells", "LayerNormLSTM"),
        ("cells", "Surprise"),
        ("resets", "ChoGRU"),
        ("lengths", "LSTM"),
        ("long", "MinGRU"),
    ],
)
def test_cells_are_timed(table, name):
    assert list(measure(table, name)) == ["forward", "train"]


def test_a_reservoir_and_a_step_are_timed():
    figures = measure("sparse", "Leaky", (1, 20, 1, 5), required={"forward": 2})
    assert figures["forward"].ratio.median > 0
    step = measure("stream", "LSTM", (4, 4, 1, 1), "nn.LSTM", {"step": 8})["step"]
    assert step.ratio.median == pytest.approx(step.theirs / step.ours, rel=0.5)


def test_an_incumbent_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr("recurro.bench.stream.find_spec", lambda name: None)
    assert measure("stream", "LSTM", (4, 4, 1, 1), ONNX, {"step": 2}) == {}


def test_a_product_has_the_operations_of_the_formula():
    inputs, hidden, batch, steps = 3, 5, 2, 4
    for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        rows, inner, columns = layer(CELLS[name], (3, 5, 2, 4)).product
        wanted = steps * batch * gates * hidden * (inputs + hidden)
        assert rows * inner * columns == wanted


def test_only_steps_that_count_are_counted():
    made = packed(CELLS["LSTM"], (2, 3, 64, 8))
    assert 2 * 64 <= made.product[0] < 8 * 64
    torch.testing.assert_close(made.ours(made.x)[0], made.theirs(made.x)[0])


def test_the_two_resets_are_two_cells():
    made = resets(CELLS["ChoGRU"], TINY)
    assert made.exact.cell != made.their_exact.cell


def test_what_is_wrong_is_not_timed(monkeypatch):
    forward = Recurrent.forward

    def spoil(self, x, *rest):
        y, state = forward(self, x, *rest)
        return (y * 1.001 if x.dtype.itemsize == 4 else y), state

    monkeypatch.setattr(Recurrent, "forward", spoil)
    with pytest.raises(BackendError, match="GRU, ours, must agree with float64"):
        measure("layers", "GRU")


def test_a_wrong_incumbent_is_not_timed(monkeypatch):
    forward = torch.nn.GRU.forward

    def spoil(self, x, *rest):
        y, state = forward(self, x, *rest)
        return y * 1.001, state

    monkeypatch.setattr(torch.nn.GRU, "forward", spoil)
    with pytest.raises(BackendError, match="GRU, theirs, must agree with float64"):
        measure("layers", "GRU")


def test_cases_are_chosen_by_table_and_cell():
    assert {case.table for case in CASES} == set(TABLES)
    assert {case.table for case in select_cases()} == set(QUICK)
    assert "compile" not in QUICK
    (case,) = select_cases(["compile"], "Surprise")
    assert case.required == {"train": 1.8}
    with pytest.raises(ArgumentError, match=r"table must be one of layers, .*'x'"):
        select_cases(["x"])
    with pytest.raises(ArgumentError, match="cell must be one of Surprise, got 'GRU'"):
        select_cases(["build"], "GRU")


def test_all_that_the_engine_must_reach_is_asked_for():
    asked = {
        (case.table, case.name, case.shape, case.against): dict(case.required)
        for case in CASES
    }
    assert len(asked) == len(CASES)
    layers = {key: ratios for key, ratios in asked.items() if key[0] == "layers"}
    assert len(layers) == 18
    key = ("layers", "GRU", (64, 64, 1, 100), "nn.GRU")
    assert layers[key] == {"forward": 12, "train": 20}
    assert all(None not in ratios.values() for ratios in layers.values())


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_peaks_are_those_of_processes_of_their_own():
    figures = process.peak_memory((8, 64, 16, 2048))
    assert list(figures) == ["high", "low"]
    assert figures["low"].theirs == figures["high"].theirs > 16 * 2048 * 64 * 4
    assert figures["high"].ours > 3 * 16 * 2048 * 64 * 4
    assert figures["high"].ours > figures["low"].ours


def test_a_new_cell_is_compiled_once():
    figures = process.compile_times((2, 3, 2, 4), times=1)
    assert figures["cached"].ours < figures["cold"].ours
    assert figures["cold"].ratio.median == 8.0 / figures["cold"].ours


@pytest.mark.slow
def test_the_compiled_loop_gives_the_same():
    made = compiled_loop(Surprise(), (2, 3, 2, 2))
    torch.testing.assert_close(made.ours(made.x)[0], made.theirs(made.x)[0])


def test_rows_can_be_written():
    case = Case("layers", "RNN", TINY, "nn.RNN", {"train": 4})
    rows = [asdict(row) for row in bench_engine([case], rounds=1, seconds=0.0)]
    (row,) = json.loads(json.dumps(rows))
    assert row["case"]["shape"] == list(TINY)
    assert set(row["figures"]["train"]["ratio"]) == {"lower", "median", "upper"}
