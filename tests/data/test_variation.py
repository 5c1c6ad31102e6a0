from __future__ import annotations

import numpy as np
import pytest

from recurro.data import Variation, draw_joins, mask_features
from recurro.errors import ArgumentError


def tone(hertz: float, seconds: float = 0.5, rate: int = 8000) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def peak(samples: np.ndarray, rate: int = 8000) -> float:
    """The strongest frequency."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**17))
    return float(power.argmax() * rate / 2**17)


def test_speed_changes_length_and_pitch_alike() -> None:
    vary, draw = Variation(8000, speed=0.2), np.random.default_rng(0)
    for _ in range(5):
        changed = vary([tone(500)], draw)
        factor = 4000 / len(changed)
        assert 0.79 < factor < 1.21
        assert peak(changed) == pytest.approx(500 * factor, rel=0.005)


def test_loudness_stays_in_its_range() -> None:
    vary, draw = Variation(8000, gain=6), np.random.default_rng(0)
    levels = [20 * np.log10(np.abs(vary([tone(300)], draw)).max()) for _ in range(50)]
    assert -6.1 < min(levels) < -4
    assert 4 < max(levels) < 6.1


def test_noise_is_as_loud_as_said() -> None:
    vary, draw = Variation(8000, noise=20), np.random.default_rng(0)
    clean = tone(300)
    ratios = []
    for _ in range(60):
        noise = vary([clean], draw) - clean
        if noise.std() > 1e-6:
            ratios.append(20 * np.log10(clean.std() / noise.std()))
    assert 15 < len(ratios) < 45  # every other one
    assert 19 < min(ratios) < 25
    assert 45 < max(ratios) < 51


def test_parts_are_joined_with_silence_between() -> None:
    draw, parts = np.random.default_rng(0), [np.ones(100), np.ones(50), np.ones(7)]
    assert Variation(8000)(parts, draw).tolist() == [1] * 157
    lengths = {len(Variation(8000, gap=0.1)(parts, draw)) for _ in range(50)}
    assert 157 in lengths
    assert 157 < max(lengths) <= 157 + 2 * 800


def test_each_item_comes_as_often_as_the_others() -> None:
    draw = np.random.default_rng(0)
    joins = draw_joins(10, (4, 4), draw)
    assert np.bincount(np.concatenate(joins)).tolist() == [4] * 10
    sizes = {len(join) for join in draw_joins(100, (2, 5), draw)}
    assert sizes == {2, 3, 4, 5}
    with pytest.raises(ArgumentError, match="got 3 and 2"):
        draw_joins(10, (3, 2), draw)


def test_masks_hide_bands_and_moments() -> None:
    draw, ones = np.random.default_rng(0), np.ones((50, 8))
    for _ in range(20):
        masked = mask_features(ones, 3, 10, draw)
        rows, columns = (masked == 0).all(1), (masked == 0).all(0)
        assert rows.sum() <= 20
        assert columns.sum() <= 6
        np.testing.assert_array_equal(masked == 0, rows[:, None] | columns)
    assert (mask_features(np.ones((4, 2)), 0, 10, draw) == 1).all()  # too short
    assert ones.all()


@pytest.mark.parametrize(
    "wrong", [{"speed": 0.6}, {"gain": -1}, {"gap": -1}, {"noise": 60}, {"rate": 0}]
)
def test_what_is_out_of_range_is_named(wrong: dict[str, float]) -> None:
    [name] = wrong
    with pytest.raises(ArgumentError, match=name):
        Variation(**{"rate": 8000, **wrong})
