from __future__ import annotations

import json

import pytest

from recurro.bench import engine
from recurro.bench.engine import Case
from tests.cli.command import complaint, recurro


@pytest.fixture
def few(monkeypatch):
    """Two small cases in place of all."""
    cases = (
        Case("layers", "RNN", (2, 3, 2, 4), "nn.RNN", {"forward": 4, "train": None}),
        Case("stream", "LSTM", (4, 4, 1, 1), "nn.LSTM", {"step": 8}),
    )
    monkeypatch.setattr(engine, "CASES", cases)


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
