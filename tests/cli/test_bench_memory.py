"""The commands that measure memory and optimisers."""

from __future__ import annotations

import json

import pytest

from recurro.bench.memory import CELLS, TASKS
from recurro.bench.optimizers import Chain
from tests.cli.command import complaint, recurro


def test_bench_memory_prints_draws_and_writes(folder):
    pytest.importorskip("matplotlib")
    words = [
        "--quick",
        "--jobs",
        1,
        "--length",
        10,
        "--task",
        "reset",
        "--task",
        "order",
    ]
    words += ["--cell", "elman", "--cell", "residual", "--cell", "esn"]
    done = recurro("bench", "memory", *words, "--picture", "a.png", "-o", "a.json")
    assert done.out.splitlines()[1].split()[:3] == ["reset", "10", "residual"]
    assert "of 6 solved" in done.out and "A reset leaves residual with" in done.out
    tree = json.loads((folder / "a.json").read_text())
    assert {row["task"] for row in tree["rows"]} == {"reset", "order"} <= set(TASKS)
    assert set(tree["price_of_reset"]) == {"elman", "residual", "esn"} <= set(CELLS)
    assert (folder / "a.png").stat().st_size > 1000


def test_bench_memory_refuses(folder):
    assert "got 'sums'" in complaint("bench", "memory", "--task", "sums")
    assert "--minutes: must be" in complaint("bench", "memory", "--minutes", 0)
    assert "must end in .png" in complaint("bench", "memory", "--picture", "a.gif")


def test_bench_optimizers_prints_draws_and_writes(folder):
    pytest.importorskip("matplotlib")
    words = ["--updates", 5, "--units", 8, "--picture", "a.png", "-o", "a.json"]
    out = recurro("bench", "optimizers", *words).out
    assert "rprop" in out and "not reached" in out and "bound 0.95" in out
    tree = json.loads((folder / "a.json").read_text())
    assert tree["condition"] == pytest.approx(Chain().condition)
    assert (folder / "a.png").stat().st_size > 1000
