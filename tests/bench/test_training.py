from __future__ import annotations

import pytest
import torch

from recurro.bench import training
from recurro.bench.training import Sizes, bench_training
from recurro.errors import BackendError
from tests.cli.command import recurro

SMALL = Sizes(vocab=7, hidden=6, layers=2, batch=3, bptt=5, chunks=3)


def test_both_loops_learn_the_same():
    data, network = training._chunks(SMALL), training._network(SMALL)
    bare = training._twin(network, SMALL)
    before = network.decoder.weight.clone()
    training._train_bare(bare, data)
    training._train_ours(network, data, SMALL)
    ours = dict(network.named_parameters())
    for name, value in bare.named_parameters():
        twin = name.replace("lstm", "recurrent").replace("linear", "decoder")
        assert torch.allclose(ours[twin], value, rtol=1e-3, atol=1e-4), name
    assert not torch.allclose(network.decoder.weight, before)


def test_loops_that_differ_are_not_timed(monkeypatch):
    twin = training._twin

    def other(network, sizes):
        bare = twin(network, sizes)
        torch.nn.init.ones_(bare.linear.weight)
        return bare

    monkeypatch.setattr(training, "_twin", other)
    with pytest.raises(BackendError, match="must learn the same"):
        bench_training(SMALL, rounds=1)


def test_rows():
    bare, ours = bench_training(SMALL, rounds=2, warmups=1)
    assert bare.ratio.median == 1.0
    assert ours.ratio.median > 0


def test_command(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "Sizes", lambda: SMALL)
    outcome = recurro("bench", "training", "--rounds", 1, "-o", tmp_path / "a.json")
    assert "recurro's loop costs" in outcome.out
    assert '"hidden": 6' in (tmp_path / "a.json").read_text()


@pytest.mark.slow
def test_the_loop_costs_at_most_five_percent():
    _, ours = bench_training(Sizes(chunks=2), rounds=15)
    assert ours.ratio.median <= 1.05
