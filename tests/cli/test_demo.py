from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from recurro.cli.demo import source_files
from recurro.errors import DataError
from recurro.tasks import LanguageModel
from tests.cli.command import recurro


def test_the_demo_reads_python_itself():
    files = source_files()
    assert files == source_files()
    assert files == sorted(files)
    assert all(file.parent == Path(sysconfig.get_path("stdlib")) for file in files)
    assert 1_500_000 < sum(file.stat().st_size for file in files) <= 2_000_000


def test_a_python_without_source_text(monkeypatch, tmp_path):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="recurro demo FILE"):
        source_files()


def test_the_demo_shows_scores_samples_and_the_run(folder):
    out = recurro("demo", "sea.txt", "--seconds", 1).out
    for expected in (
        "uniform",
        "unigram",
        "Kneser-Ney",
        "--- temperature 0.5 ---",
        "--- temperature 0.8 ---",
        "--- temperature 1.0 ---",
        "run     runs/sea-1",
        "recurro generate runs/sea-1 --temperature 0.7",
    ):
        assert expected in out
    model = LanguageModel.load("runs/sea-1")
    assert model.baselines_[-1]["nats_per_token"] < 2.5
    assert (folder / "runs/sea-1/report.html").exists()


def test_the_demo_without_a_file(folder, monkeypatch):
    small = folder / "lib"
    small.mkdir()
    for name in ("a.py", "b.py"):
        (small / name).write_text("def add(a, b):\n    return a + b\n\n\n" * 90)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(small))
    out = recurro("demo", "--seconds", 1, "-q").out
    assert out.count("---\ndef ") == 3  # each sample goes on from the same words
    assert "2 files of Python's standard library" in out
    assert "recurro generate runs/demo-1 --prompt 'def ' --temperature 0.7" in out


def test_the_demo_for_programs(folder):
    found = json.loads(recurro("demo", "sea.txt", "--seconds", 1, "--json", "-q").out)
    assert found["run"] == "runs/sea-1"
    assert len(found["samples"]) == 3
    assert found["baselines"][-1]["perplexity"] == found["perplexity"]


def test_bad_files_get_one_line(folder):
    (folder / "empty.txt").write_text("")
    for name, expected in (("empty.txt", "is empty"), ("missing.txt", "no file")):
        [line] = recurro("demo", name, "-q", code=2).err.splitlines()
        assert expected in line
    assert not (folder / "runs").exists()
