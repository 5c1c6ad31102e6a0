from __future__ import annotations

import json
from functools import partial

import pytest
import torch

from recurro.analysis import Linearised
from recurro.bench import jacobian
from recurro.bench.jacobian import bench_jacobian
from recurro.errors import BackendError
from tests.cli.command import complaint, recurro


def test_all_sides_are_timed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        jacobian, "bench_jacobian", partial(bench_jacobian, seconds=0.0)
    )
    words = ("--hidden", 3, "--steps", 4, "--rounds", 1, "--out", "a.json")
    out = recurro("bench", "jacobian", *words).out
    assert "whole Jacobians" in out and "products with rows" in out
    tree = json.loads((tmp_path / "a.json").read_text())
    assert tree["settings"] == {"hidden": 3, "steps": 4, "required": 10.0}
    assert tree["rows"][0]["ratio"]["median"] == 1
    assert "steps" in complaint("bench", "jacobian", "--steps", 0)


def test_what_is_wrong_is_not_timed(monkeypatch):
    monkeypatch.setattr(Linearised, "jacobians", lambda self: torch.zeros(2, 1, 4, 4))
    with pytest.raises(BackendError, match="whole Jacobians must agree"):
        bench_jacobian(2, 2, rounds=1, seconds=0.0)
