from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from recurro.baselines import HiddenMarkovModel
from recurro.bench import hmm
from recurro.bench.hmm import bench_hmm
from recurro.errors import BackendError, MissingExtraError
from tests.cli.command import complaint, recurro

pytest.importorskip("hmmlearn")


def test_both_implementations_are_timed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    short = partial(bench_hmm, seconds=0.0)
    monkeypatch.setattr(hmm, "bench_hmm", short)
    words = ("--states", 2, "--observations", 400, "--rounds", 1, "--out", "a.json")
    out = recurro("bench", "hmm", *words).out
    assert "categorical, 100 sequences" in out
    tree = json.loads((tmp_path / "a.json").read_text())
    assert tree["required"] == {"hmmlearn scaling": 3, "hmmlearn log": 20}
    assert tree["rows"][0]["engines"]["recurro"]["ratio"]["median"] == 1
    assert "observations" in complaint("bench", "hmm", "--observations", 5)


def test_what_is_wrong_is_not_timed(monkeypatch):
    def spoilt(*args):
        model = HiddenMarkovModel(2)
        model.startprob_ = np.array([1.0, 0.0])
        return model

    monkeypatch.setattr(hmm, "_ours", spoilt)
    with pytest.raises(BackendError, match="startprob_ of categorical must"):
        bench_hmm(2, 400, rounds=1, seconds=0.0)


def test_without_hmmlearn_there_is_nothing_to_compare_with(monkeypatch):
    monkeypatch.setattr(hmm, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install hmmlearn"):
        bench_hmm()
