"""The leaky cell of echo state networks against its equation."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.cells import Leaky
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
