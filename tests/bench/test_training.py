from __future__ import annotations

import json
from functools import partial

import pytest
import torch

from recurro.bench import training
from recurro.bench.training import SCHEMES, Sizes, bench_training
from recurro.errors import ArgumentError, BackendError
from tests.cli.command import recurro

SMALL = Sizes(vocab=7, hidden=6, layers=2, batch=3, bptt=12, chunks=3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_loops_learn_the_same(scheme):
    pair = SCHEMES[scheme][0](SMALL)
    before = pair.bare.linear.weight.clone()
    pair.train_bare()
    pair.train_ours()
    ours = dict(pair.network.named_parameters())
    names = {theirs: ours for ours, theirs in pair.names.items()}
    for name, value in pair.bare.named_parameters():
        part, _, rest = name.partition(".")
        twin = ours[f"{names[part]}.{rest}"]
        assert torch.allclose(twin, value, rtol=1e-3, atol=1e-4), name
    assert not torch.allclose(pair.bare.linear.weight, before)


def test_loops_that_differ_are_not_timed():
    pair = SCHEMES["tagger"][0](SMALL)
    torch.nn.init.ones_(pair.bare.linear.weight)
    with pytest.raises(BackendError, match="must learn the same"):
        pair.check()


def test_rows():
    bare, ours = bench_training("classifier", SMALL, rounds=2, warmups=1, seconds=0.0)
    assert bare.ratio.median == 1.0
    assert ours.ratio.median > 0
    with pytest.raises(ArgumentError, match="scheme must be one of language model"):
        bench_training("dance", SMALL)


def test_command(monkeypatch, tmp_path):
    small = {name: (build, SMALL) for name, (build, _) in SCHEMES.items()}
    monkeypatch.setattr(training, "SCHEMES", {"speech": small["speech"]})
    short = partial(bench_training, seconds=0.0)
    monkeypatch.setattr(training, "bench_training", short)
    outcome = recurro("bench", "training", "--rounds", 1, "-o", tmp_path / "a.json")
    assert "speech: recurro's loop costs" in outcome.out
    [tree] = json.loads((tmp_path / "a.json").read_text())
    assert tree["settings"]["hidden"] == 6


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_loop_costs_at_most_ten_percent(scheme, monkeypatch):
    monkeypatch.setenv("RECURRO_COMPILE", "1")  # as it runs outside of tests
    allowed = 1.05 if scheme == "language model" else 1.10
    _, ours = bench_training(scheme)
    assert ours.ratio.median <= allowed
