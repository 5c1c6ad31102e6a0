"""The leaky cell of echo state networks against its equation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.cells import Leaky
from recurro.cells.reservoir import DrivenLeaky
from recurro.engine import recurrence, run
from recurro.errors import ArgumentError
from tests.cells.transcribed import assert_follows


@pytest.mark.parametrize("a", [0.3, 1.0])
def test_leaky(a):
    def equations(p, x, h):
        return (1 - a) * h + a * np.tanh(p.W_h @ x + p.U_h @ h + p.b_h)

    assert_follows(Leaky(a), equations)


@pytest.mark.parametrize("a", [0.0, -0.1, 1.1, float("nan")])
def test_a_leak_outside_its_range_is_refused(a):
    with pytest.raises(ArgumentError, match=r"leak_rate must be in \(0, 1\], got"):
        Leaky(a)


def test_a_linear_leaky():
    def equations(p, x, h):
        return 0.7 * h + 0.3 * (p.W_h @ x + p.U_h @ h + p.b_h)

    assert_follows(Leaky(0.3, "identity"), equations)


def test_a_drive_is_what_inputs_come_to():
    leaky = recurrence(Leaky(0.3), 3, 4)
    driven = recurrence(DrivenLeaky(0.3), {"drive": 4}, 4)
    assert driven.shapes() == {"U_h": (4, 4)}
    stored = {n: torch.randn(s, dtype=torch.float64) for n, s in leaky.shapes().items()}
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    drive = x @ stored["W_h"].T + stored["b_h"]
    wanted = run(leaky, stored, x, backend="reference").output
    got = run(driven, {"U_h": stored["U_h"]}, drive, backend="reference").output
    torch.testing.assert_close(got, wanted)
