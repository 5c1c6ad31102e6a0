"""``recurro train esn``, and the verbs on its runs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.command import complaint, recurro

WAVE = np.sin(0.3 * np.arange(150))


@pytest.fixture
def wave(folder):
    (folder / "wave.csv").write_text("\n".join(["y", *map(str, WAVE)]) + "\n")


@pytest.mark.usefixtures("wave")
def test_a_table_and_the_verdict_on_a_radius_of_one_or_more():
    words = ("train", "esn", "wave.csv", "--units", 30, "-q")
    told = json.loads(recurro(*words, "--out", "run", "--json").out)
    assert [row["name"] for row in told["baselines"]][-1] == "network"
    assert told["nrmse"] < 0.1
    said = recurro(*words, "--spectral-radius", 1.2, "--out", "other").out
    assert "The echo state property" in said
    assert "spectral_radius 1.2" in " ".join(said.split())


@pytest.mark.usefixtures("wave")
def test_what_cannot_be_trained():
    words = ("train", "esn", "wave.csv", "--units", 30, "-q", "--out", "run")
    assert "more than 502 rows" in complaint(*words, "--washout", 500)
    assert "spectral_radius" in complaint(*words, "--spectral-radius", -1)
    assert "--ridge" in complaint(*words, "--ridge", "much")


@pytest.mark.usefixtures("wave")
def test_a_table_from_end_to_end():
    asked = ("--units", "30", "--washout", "20", "-o", "run", "-q", "--json")
    trained = json.loads(recurro("train", "esn", "wave.csv", *asked).out)
    assert trained["nrmse"] < 0.05
    assert [row["name"] for row in trained["baselines"]][-1] == "network"
    assert (
        json.loads(recurro("evaluate", "run", "wave.csv", "--json").out)["nrmse"] < 0.05
    )
    assert len(json.loads(recurro("predict", "run", "wave.csv", "--json").out)) == 150
    said = recurro("generate", "run", "--prompt", "wave.csv", "--length", "3").out
    assert said.splitlines()[0] == "y"
    assert float(said.splitlines()[1]) == pytest.approx(np.sin(45), abs=0.2)
    assert "--interval must be left out" in complaint(
        "predict", "run", "wave.csv", "--interval", "0.9"
    )
    assert "one of esn, which is trained in one go" in complaint("resume", "run")
    assert "--prompt: must name the table" in complaint("generate", "run")
    assert "--top-k: is not for a run of esn" in complaint(
        "generate", "run", "--top-k", "3"
    )
