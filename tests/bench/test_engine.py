from __future__ import annotations

import pytest

from recurro.bench import engine
from recurro.bench.engine import CELLS, bench_engine
from recurro.errors import BackendError
from recurro.nn import Recurrent


def test_every_cell_is_timed_against_its_incumbent():
    rows = bench_engine(list(CELLS), [(2, 3, 2, 4)], rounds=1, seconds=0.0)
    assert [row.against for row in rows] == [
        "nn.LSTM",
        "nn.GRU",
        "nn.RNN",
        "eager loop",
        "eager loop",
    ]
    assert all(row.forward.ratio.median > 0 < row.train.ratio.median for row in rows)


def test_a_cell_has_shapes_of_its_own(monkeypatch):
    monkeypatch.setattr(engine, "OWN_SHAPES", {"MinGRU": ((2, 3, 1, 20),)})
    monkeypatch.setattr(engine, "SHAPES", ((2, 3, 2, 4),))
    rows = bench_engine(["RNN", "MinGRU"], rounds=1, seconds=0.0)
    assert [row.shape for row in rows] == [(2, 3, 2, 4), (2, 3, 1, 20)]


def test_what_is_wrong_is_not_timed(monkeypatch):
    forward = Recurrent.forward

    def spoil(self, x, *rest):
        y, state = forward(self, x, *rest)
        return (y * 1.001 if x.dtype.itemsize == 4 else y), state

    monkeypatch.setattr(Recurrent, "forward", spoil)
    with pytest.raises(BackendError, match="must agree with float64"):
        bench_engine(["GRU"], [(2, 3, 2, 4)], rounds=1, seconds=0.0)
