"""What is measured of large reservoirs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from recurro.bench import reservoir
from recurro.bench.reservoir import ReservoirRow, bench_reservoir
from recurro.errors import BackendError


@pytest.mark.slow  # processes of their own, and what is compiled
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_all_is_measured():
    pytest.importorskip("reservoirpy")
    rows = bench_reservoir(200, 5, 100, rounds=1)
    assert [row.name for row in rows] == [
        "draw",
        "run, scipy",
        "run, reservoirpy",
        "fit, reservoirpy",
        "memory of fit, reservoirpy",
    ]
    for row in rows[1:]:
        assert row.theirs is not None
        assert row.ours > 0
        assert row.measured == pytest.approx(row.theirs / row.ours, rel=0.5)


def test_what_is_met():
    assert ReservoirRow("draw", 2.0, None, 2.0, 3.0).met
    assert not ReservoirRow("draw", 4.0, None, 4.0, 3.0).met
    assert ReservoirRow("run", 1.0, 6.0, 6.0, 5.0).met
    assert not ReservoirRow("run", 1.0, 4.0, 4.0, 5.0).met


def test_sides_that_differ_are_not_timed():
    states = np.ones((3, 2))
    with pytest.raises(BackendError, match="must agree to 2e-5"):
        reservoir._check({"ours": states, "scipy": states * 1.001})
