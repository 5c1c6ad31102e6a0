from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.nn import functional

from recurro.nn import Retina, SoftWindow


def pictures(count: int = 2, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(0))


def place(x: float, y: float, height: int = 16, width: int = 24) -> torch.Tensor:
    """The aim whose middle is at (x, y), in pixels from the corner."""
    return torch.tensor([[2 * x / width - 1, 2 * y / height - 1]])


def test_the_finest_patch_is_a_part_of_the_picture() -> None:
    given = pictures(1)
    seen = Retina((16, 24), size=4, scales=1).read(given, place(10, 7))
    assert torch.allclose(seen[0, 0], given[0, 5:9, 8:12], atol=1e-5)


def test_wider_patches_are_means() -> None:
    given = pictures(1)
    seen = Retina((16, 24), size=4, scales=3).read(given, place(12, 8))
    coarse = functional.avg_pool2d(given, 2)[0]
    assert torch.allclose(seen[0, 1], coarse[2:6, 4:8], atol=1e-5)
    coarsest = functional.avg_pool2d(given, 4)[0]
    assert torch.allclose(seen[0, 2], coarsest[0:4, 1:5], atol=1e-5)


def test_outside_of_the_picture_there_is_nothing() -> None:
    retina = Retina((15, 23), size=4, scales=3)
    seen = retina.read(pictures(1, 15, 23) + 1, place(0, 0, 15, 23))
    assert seen[0, 0, :2].abs().max() == 0
    assert seen[0, 0, 2:, 2:].min() >= 1
    far = retina.read(pictures(1, 15, 23), torch.full((1, 2), 9.0))
    assert far.abs().max() == 0


def test_corners_of_patches_are_where_they_read() -> None:
    found = Retina((16, 24), size=4, scales=2).corners(place(10, 7))
    assert found[0].tolist() == [[8, 5, 12, 9], [6, 3, 14, 11]]


def test_filters_are_the_gaussians_of_the_paper() -> None:
    window = SoftWindow((6, 10), size=3)
    aim = torch.tensor([[0.2, -0.1, np.log(0.49), np.log(0.5), np.log(2.0)]])
    F_Y, F_X, gamma = window.filters(aim.float())
    assert gamma.item() == pytest.approx(2.0)
    g_X, g_Y = (10 + 1) / 2 * 1.2, (6 + 1) / 2 * 0.9
    delta = (10 - 1) / (3 - 1) * 0.5
    for bank, g, length in ((F_X, g_X, 10), (F_Y, g_Y, 6)):
        for i in (1, 2, 3):
            weights = norm(g + (i - 3 / 2 - 0.5) * delta, 0.7).pdf(
                np.arange(1, length + 1)
            )
            assert bank[0, i - 1].numpy() == pytest.approx(
                weights / weights.sum(), abs=1e-5
            )


def test_reading_and_writing_by_hand() -> None:
    window, aim = SoftWindow((16, 24), size=5), torch.randn(2, 5) * 0.3
    F_Y, F_X, gamma = window.filters(aim)
    given, patch = pictures(), torch.randn(2, 5, 5)
    read = torch.einsum("bnh,bhw,bmw->bnm", F_Y, given, F_X) * gamma
    assert torch.allclose(window.read(given, aim)[:, 0], read, atol=1e-5)
    written = torch.einsum("bnh,bnm,bmw->bhw", F_Y, patch, F_X) / gamma
    assert torch.allclose(window.write(patch, aim), written, atol=1e-5)


def test_an_aim_of_zeros_covers_the_picture() -> None:
    corners = SoftWindow((16, 24), size=4).corners(torch.zeros(1, 5))[0, 0]
    assert corners.tolist() == pytest.approx([-0.5, -4.5, 24.5, 20.5])


def test_a_window_far_away_stays_finite() -> None:
    window = SoftWindow((16, 24), size=4)
    aim = torch.tensor([[50.0, -50.0, -3.0, -3.0, 0.0]], requires_grad=True)
    seen = window.read(pictures(1), aim)
    seen.sum().backward()
    assert seen.isfinite().all()
    assert aim.grad is not None
    assert aim.grad.isfinite().all()
