"""The mel front end against a plain discrete Fourier transform and values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data import LogMel, Sound, from_mel, read_wav, resample, to_mel
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset


@pytest.mark.parametrize(
    ("hertz", "htk", "slaney"),
    [  # by hand: 2595 log10(1 + f/700); 3f/200, then 15 + 27 ln(f/1000)/ln 6.4
        (0, 0.0, 0.0),
        (200, 283.2289, 3.0),
        (700, 781.1728, 10.5),
        (1000, 999.9855, 15.0),
        (4000, 2146.0645, 35.1638),
        (6400, 2610.9860, 42.0),
    ],
)
def test_mel_by_hand(hertz, htk, slaney):
    assert float(to_mel(hertz)) == pytest.approx(htk, abs=2e-3)
    assert float(to_mel(hertz, "slaney")) == pytest.approx(slaney, abs=2e-4)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_and_back(scale):
    hertz = np.linspace(0, 22050, 500)
    np.testing.assert_allclose(from_mel(to_mel(hertz, scale), scale), hertz, atol=1e-8)
    assert (np.diff(to_mel(hertz, scale)) > 0).all()


def plain(front, samples):
    """The equations of the docstring, term by term."""
    hop, size, points = front.hop_size, front.window_size, front.fft_size
    n = np.arange(size)
    window = np.sin(np.pi * n / size) ** 2
    rows = []
    for t in range(front.frames(len(samples))):
        frame = np.zeros(size)
        piece = samples[t * hop : t * hop + size]
        frame[: len(piece)] = piece
        bins = np.arange(points // 2 + 1)[:, None]
        spectrum = (window * frame * np.exp(-2j * np.pi * bins * n / points)).sum(1)
        energies = []
        edges = from_mel(
            np.linspace(
                to_mel(front.low, front.scale),
                to_mel(front.high or front.rate / 2, front.scale),
                front.bands + 2,
            ),
            front.scale,
        )
        for b in range(front.bands):
            left, centre, right = edges[b : b + 3]
            energy = 0.0
            for k, value in enumerate(spectrum):
                f = k * front.rate / points
                if left < f <= centre:
                    energy += abs(value) ** 2 * (f - left) / (centre - left)
                elif centre < f < right:
                    energy += abs(value) ** 2 * (right - f) / (right - centre)
            energies.append(max(energy, front.floor))
        rows.append(np.log(energies))
    return np.array(rows)


@pytest.mark.parametrize(
    "front",
    [
        LogMel(8000),
        LogMel(8000, scale="slaney", bands=23, low=100, high=3500),
        LogMel(11025, window=0.032, hop=0.032, bands=12, floor=1e-2),
    ],
)
@pytest.mark.parametrize("count", [1, 200, 777])
def test_equals_the_plain_transform(front, count):
    samples = np.random.default_rng(count).normal(size=count).astype(np.float32)
    np.testing.assert_allclose(front(samples), plain(front, samples), atol=1e-4)


def test_a_tone_is_loudest_in_its_band():
    front = LogMel(16000, bands=40)
    centres = from_mel(np.linspace(0, to_mel(8000.0), 42))[1:-1]
    time = np.arange(16000) / 16000
    for band in (5, 17, 33):
        heard = front(np.sin(2 * np.pi * centres[band] * time))
        assert (heard[1:-1].argmax(1) == band).all()


def test_every_sample_is_heard():
    front = LogMel(8000)
    for count in (1, 199, 200, 201, 280, 281):
        samples = np.zeros(count)
        samples[-1] = 1e3
        assert front(samples).shape == (front.frames(count), 40)
        covered = (front.frames(count) - 1) * front.hop_size + front.window_size
        assert count <= covered < max(count, 200) + front.hop_size
    assert (front(np.zeros(500)) == np.float32(np.log(1e-10))).all()


def test_features_of_a_recording_change_with_time():
    front = LogMel(8000)
    heard = front.hear(read_wav(dataset("fsdd/3_george_5.wav")))
    assert np.isfinite(heard).all()
    assert heard.std(0).min() > 0.5


@pytest.mark.parametrize(("old", "new"), [(44100, 8000), (8000, 16000), (11025, 8000)])
def test_resampling_keeps_a_tone(old, new):
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    got = resample(Sound(tone(old).astype(np.float32), old), new)
    assert (got.rate, len(got.samples)) == (new, new)
    inner = slice(new // 10, -new // 10)
    np.testing.assert_allclose(got.samples[inner], tone(new)[inner], atol=2e-3)


def test_resampling_drops_what_the_new_rate_cannot_hold():
    high = np.sin(2 * np.pi * 7000 * np.arange(16000) / 16000).astype(np.float32)
    got = resample(Sound(high, 16000), 8000).samples
    assert np.abs(got[400:-400]).max() < 2e-3
    same = Sound(high, 16000)
    assert resample(same, 16000) is same


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 0}, "rate must be an int >= 1, got 0"),
        ({"window": 0.0}, "window must be at least 2 samples"),
        ({"hop": 0.0}, "hop must be from 1 sample to the window, got 0.0"),
        ({"hop": 0.03}, "hop must be from 1 sample to the window, got 0.03"),
        ({"bands": 0}, "bands must be an int >= 1, got 0"),
        ({"high": 4001.0}, "high <= 4000 Hz, got 0 and 4001"),
        ({"low": 4000.0}, "low < high"),
        ({"floor": 0.0}, "floor must be over 0"),
        ({"scale": "bark"}, "scale must be one of htk, slaney, got 'bark'"),
        ({"bands": 200}, "of 200 bands must hold a line of the spectrum"),
    ],
)
def test_wrong_settings(changes, words):
    with pytest.raises(ArgumentError, match=words):
        LogMel(**{"rate": 8000, **changes})


def test_wrong_sounds():
    front = LogMel(8000)
    with pytest.raises(
        DataError, match=r"must have 8000 samples per second, got 16000"
    ):
        front.hear(Sound(np.zeros(9, np.float32), 16000))
    for samples in (np.zeros(0), np.zeros((5, 2)), np.array([np.nan])):
        with pytest.raises(DataError, match="finite and at least one"):
            front(samples)
    with pytest.raises(ArgumentError, match="rate must be an int >= 1, got 0"):
        resample(Sound(np.zeros(9, np.float32), 16000), 0)
