from __future__ import annotations

import json
from functools import partial

import pytest

from recurro.bench import engine, tasks
from recurro.bench.engine import Case as EngineCase
from recurro.bench.tasks import Case, Found, Goal
from tests.cli.command import complaint, recurro


@pytest.fixture
def few(monkeypatch):
    """Two small cases in place of all."""
    cases = (
        EngineCase(
            "layers", "RNN", (2, 3, 2, 4), "nn.RNN", {"forward": 4, "train": None}
        ),
        EngineCase("stream", "LSTM", (4, 4, 1, 1), "nn.LSTM", {"step": 8}),
    )
    monkeypatch.setattr(engine, "CASES", cases)
    short = partial(engine.bench_engine, seconds=0.0)
    monkeypatch.setattr(engine, "bench_engine", short)


@pytest.mark.usefixtures("few")
def test_bench_engine_prints_tables_and_writes_them(folder):
    out = recurro("bench", "engine", "--rounds", 1, "--out", "a.json").out
    titles = [line for line in out.splitlines() if line.endswith(")")]
    assert titles == ["PyTorch's layers (layers)", "One step at batch 1 (stream)"]
    assert out.count("RNN 2, 3, 2, 4") == 2
    tree = json.loads((folder / "a.json").read_text())
    assert [row["case"]["table"] for row in tree["rows"]] == ["layers", "stream"]
    assert tree["rows"][0]["case"]["required"] == {"forward": 4, "train": None}
    assert tree["machine"]["threads"] == 1


@pytest.mark.usefixtures("few")
def test_bench_engine_draws(folder):
    pytest.importorskip("matplotlib")
    words = ["--rounds", 1, "--table", "layers", "--json", "--picture", "a.png"]
    tree = json.loads(recurro("bench", "engine", *words).out)
    assert list(tree["rows"][0]["figures"]) == ["forward", "train"]
    assert (folder / "a.png").stat().st_size > 1000


def test_bench_engine_refuses(folder):
    found = complaint("bench", "engine", "--table", "fast")
    assert "table must be one of layers, cells, " in found
    assert found.endswith("got 'fast'.")
    assert "got 'elman'" in complaint("bench", "engine", "--cell", "elman")
    assert "must end in .png" in complaint("bench", "engine", "--picture", "a.gif")
    assert list(folder.iterdir()) == [folder / "sea.txt"]


@pytest.fixture
def toy(monkeypatch):
    """One case that needs no training, and one whose data are not there."""

    def work(place, seed):
        return Found({"accuracy": 0.75}, {"coin": {"accuracy": 0.5}})

    goals = (Goal("accuracy", 0.7),)
    cases = (
        Case("classify", "coins", goals, work, generated=True),
        Case("classify", "dice", goals, work),
    )
    monkeypatch.setattr(tasks, "TASKS", {"classify": cases})


@pytest.mark.usefixtures("toy")
def test_bench_tasks_prints_measured_against_required(folder):
    done = recurro("bench", "tasks", "--data", "sets", "--seeds", 2, "-o", "a.json")
    header, _, coins, dice = done.out.splitlines()
    assert header.split()[:5] == ["task", "data", "figure", "measured", "required"]
    assert coins.startswith("classify  coins  accuracy  0.75      ≥ 0.7     met")
    assert "absent" in dice
    assert "sets/dice is not there" in dice
    assert "classify coins: accuracy 0.75 · met" in done.err
    rows = json.loads((folder / "a.json").read_text())["rows"]
    assert [row["mark"] for row in rows] == ["met", "absent"]
    assert rows[0]["by_seed"] == [0.75, 0.75]


@pytest.mark.usefixtures("toy")
def test_bench_tasks_takes_the_folder_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("RECURRO_DATA", str(folder))
    (folder / "dice").mkdir()
    words = ["--task", "classify/dice", "--json", "-q"]
    [row] = json.loads(recurro("bench", "tasks", *words).out)["rows"]
    assert (row["data"], row["mark"], row["baseline"]) == ("dice", "met", "coin")


@pytest.mark.usefixtures("toy")
def test_bench_tasks_refuses(folder):
    found = complaint("bench", "tasks", "--task", "dance")
    assert "task must be one of classify, or a task and its data set" in found
    assert "--seeds" in complaint("bench", "tasks", "--seeds", "0")
