from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec

import pytest
import torch

from recurro.bench import stream
from recurro.bench.stream import bench_stream
from recurro.engine import Stream
from recurro.errors import BackendError
from tests.cli.command import recurro


@pytest.fixture
def short(monkeypatch):
    """Commands that measure no longer than they must."""
    monkeypatch.setattr(stream, "bench_stream", partial(bench_stream, seconds=0.0))


def test_every_engine_is_timed():
    (row,) = bench_stream([8], rounds=2, seconds=0.0)
    wanted = ["stream", "unbound", "bfloat16", "nn.LSTM"]
    wanted += ["ONNX Runtime"] if find_spec("onnx") and find_spec("onnxruntime") else []
    assert list(row.engines) == wanted
    assert row.engines["stream"].ratio.median == 1
    assert row.engines["nn.LSTM"].ratio.median > 1


@pytest.mark.usefixtures("short")
def test_onnx_runtime_is_left_out_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(stream, "find_spec", lambda name: None)
    outcome = recurro("bench", "stream", "--size", 4, "--rounds", 1)
    assert "ONNX Runtime is not installed: pip install 'recurro[onnx]'" in outcome.out
    assert "nn.LSTM" in outcome.out


def test_what_is_wrong_is_not_timed(monkeypatch):
    step = Stream.step

    def spoiled(self, x, readings=None):
        return step(self, x, readings) + 1e-3

    monkeypatch.setattr(Stream, "step", spoiled)
    with pytest.raises(BackendError, match="stream must agree with float64"):
        bench_stream([8], rounds=1, seconds=0.0)


@pytest.mark.usefixtures("short")
def test_json(tmp_path):
    out = tmp_path / "a.json"
    printed = recurro("bench", "stream", "--size", 4, "--rounds", 1, "--json").out
    recurro("bench", "stream", "--size", 4, "--rounds", 1, "--out", out)
    for tree in (json.loads(printed), json.loads(out.read_text())):
        assert tree["machine"]["torch"] == torch.__version__
        (row,) = tree["rows"]
        assert row["size"] == 4
        assert row["engines"]["stream"]["seconds"]["median"] > 0
