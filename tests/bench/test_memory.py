"""Tasks of memory, and how cells are measured on them."""

from __future__ import annotations

import pytest
import torch

from recurro.bench.memory import Fit, MemoryRow, bench_memory, price_of_reset
from recurro.bench.memory_picture import draw_memory
from recurro.bench.memory_tasks import TASKS
from recurro.errors import ArgumentError


def drawn(name: str, length: int, rows: int = 200):
    return TASKS[name].draw(length, rows, torch.Generator().manual_seed(0))


def test_adding():
    problem = drawn("adding", 20)
    values, marks = problem.x.unbind(-1)
    assert (marks[:10].sum(0) == 1).all() and (marks[10:].sum(0) == 1).all()
    torch.testing.assert_close(problem.y[0, :, 0], (values * marks).sum(0))
    assert TASKS["adding"].trivial(drawn("adding", 20, 5000)) == pytest.approx(
        1 / 6, rel=0.05
    )


def test_copy():
    problem = drawn("copy", 30)
    assert problem.x.shape == (40, 200, 10)
    read = problem.x.argmax(-1)
    assert torch.equal(read[:5], problem.y)
    assert (read[5:35] == 8).all() and (read[35] == 9).all() and (read[36:] == 8).all()
    told = torch.nn.functional.one_hot(problem.y, 8).float()
    assert TASKS["copy"].error(told, problem) == 0
    assert TASKS["copy"].trivial(problem) == 7 / 8


@pytest.mark.parametrize("length", [10, 50])
def test_order(length):
    problem = drawn("order", length)
    read = problem.x.argmax(-1)
    for row in range(200):
        marks = [int(letter) - 4 for letter in read[:, row] if letter >= 4]
        assert problem.y[0, row] == 2 * marks[0] + marks[1]
        assert len(marks) == 2


def test_reset():
    problem = drawn("reset", 50)
    values, calls = problem.x.unbind(-1)
    assert (calls[:40] == 0).all() and (calls.sum(0) == 1).all()
    for row in range(200):
        since = int(calls[:, row].argmax())
        whole = values[since:, row].sum() / (10 / 2 / 12**0.5)
        torch.testing.assert_close(problem.y[0, row, 0], whole)


def test_a_small_case_is_learnt_and_a_reservoir_needs_one_pass():
    fit = Fit(seconds=60, units=16, look=20, learning_rate=1e-2, updates=400)
    rows = list(bench_memory(["order"], ["gru", "esn"], [10], fit=fit))
    assert [row.cell for row in rows] == ["gru", "esn"]
    assert all(row.solved and row.error < 0.075 for row in rows)
    assert rows[0].updates <= 400 and rows[1].updates == 5


def test_the_price_of_a_reset_is_a_mean_over_lengths():
    rows = [
        MemoryRow("reset", t, "residual", e, 1.0, False, 1, 0.0)
        for t, e in ((50, 0.2), (100, 0.4))
    ]
    rows.append(MemoryRow("adding", 50, "residual", 9.0, 1.0, False, 1, 0.0))
    assert price_of_reset(rows) == {"residual": pytest.approx(0.3)}


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"task must be one of adding, .* 'sums'"):
        bench_memory(["sums"])
    with pytest.raises(ArgumentError, match=r"cell must be one of elman, .* 'none'"):
        bench_memory(cells=[])
    with pytest.raises(ArgumentError, match="lengths >= 10, got 1 and"):
        bench_memory(lengths=[5])
    with pytest.raises(ArgumentError, match=r"must end in \.png"):
        draw_memory([], tmp_path / "a.gif")
