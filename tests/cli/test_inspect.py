"""``recurro inspect``: figures, advice and a page; one line for what cannot be."""

from __future__ import annotations

import json
import shutil

import pytest

from recurro.tasks import NGramLanguageModel
from tests.cli.command import complaint, recurro


@pytest.fixture
def mine(run, tmp_path):
    """A run of a language model whose report may be changed."""
    return shutil.copytree(run, tmp_path / "mine")


def test_a_run_is_told_and_drawn(mine):
    out = recurro("inspect", mine, "--steps", 30, "--rows", 2).out
    assert "recurrent, layer 0" in out and "horizon untrained" in out
    assert "steps looked at: 30" in out
    page = (mine / "report.html").read_text()
    assert "Dynamics" in page and "Gradient flow: recurrent, layer 0" in page
    found = json.loads(recurro("inspect", mine, "--json", "--steps", 20).out)
    assert found["layers"][0]["layer"] == "recurrent, layer 0"
    assert all(set(advice) == {"sentence", "figure"} for advice in found["advice"])
    assert found["report"].endswith("report.html")


def test_a_file_may_be_named(mine, folder):
    out = recurro("inspect", mine, folder / "sea.txt", "--steps", 25).out
    assert "steps looked at: 25" in out
    assert "no file" in complaint("inspect", mine, folder / "none.txt")


def test_what_has_no_recurrence(folder):
    NGramLanguageModel(out=folder / "counts").fit("the sun is up\n" * 20)
    line = complaint("inspect", folder / "counts")
    assert "which have no recurrence" in line


def test_what_is_no_run(folder):
    assert "sea.txt" in complaint("inspect", folder / "sea.txt")
    assert "none" in complaint("inspect", folder / "none")


def test_by_class_takes_no_file(class_run, folder):
    line = complaint("inspect", class_run, folder / "sea.txt")
    assert "looked at by what it was trained on" in line
