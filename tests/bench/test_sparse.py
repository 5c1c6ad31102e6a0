"""The row of the sparse cell: both sides agree, and ours has a ratio."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.bench import sparse
from recurro.bench.sparse import bench_sparse
from recurro.errors import BackendError


@pytest.mark.parametrize("batch", [1, 3])
def test_a_row(batch):
    row = bench_sparse(20, 3, batch, 4, rounds=2, seconds=0.0)
    assert row.ratio.median > 0
    assert row.rounds >= 2


def test_what_does_not_agree_is_not_timed(monkeypatch):
    wrong = torch.ones(4, 1, 20)
    result = type("Result", (), {"output": wrong})
    monkeypatch.setattr(sparse, "run", lambda *_, **__: result)
    with pytest.raises(BackendError, match="must agree with float64 to 2e-5"):
        bench_sparse(20, 3, 1, 4, rounds=1, seconds=0.0)


def test_the_loop_is_the_equation():
    pattern = sparse.Sparse([0, 1, 2], [1, 0])
    arrays = {
        "U_h": np.array([0.5, -0.5]), "W_h": np.ones((2, 1)), "b_h": np.zeros(2)
    }  # fmt: skip
    x = np.array([[[1.0]], [[2.0]]])
    first = 0.3 * np.tanh([1.0, 1.0])
    mixed = np.tanh([2 + 0.5 * first[1], 2 - 0.5 * first[0]])
    wanted = [first, 0.7 * first + 0.3 * mixed]
    got = sparse.scipy_loop(0.3, pattern, arrays, x)[:, 0]
    np.testing.assert_allclose(got, wanted)
