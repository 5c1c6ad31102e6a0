"""What a network hears of a recording: the log energies of mel bands over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from recurro.data.wav import Sound
from recurro.errors import ArgumentError, DataError

__all__ = ["LogMel", "from_mel", "resample", "to_mel"]

_SCALES = ("htk", "slaney")
_KNEE, _STEP = 1000.0, 200 / 3  # Slaney: linear to 1000 Hz, a mel each 66.67 Hz
_GROWTH = np.log(6.4) / 27  # then 27 mels from 1000 to 6400 Hz


def to_mel(hertz: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """How high a frequency sounds.

    - ``htk``: 2595 log10(1 + f / 700)
    - ``slaney``: 3 f / 200 below 1000 Hz, 15 + 27 ln(f / 1000) / ln 6.4 from there

    Args:
        hertz: Frequencies in Hz, at least 0.
        scale: Which formula.

    Raises:
        ArgumentError: If the scale is another.

    Example:
        >>> float(to_mel(1000.0).round(2)), float(to_mel(6400.0, "slaney"))
        (999.99, 42.0)

    References:
        O'Shaughnessy (1987), Speech Communication, p. 150, as in HTK (Young et al.
        2006, equation 5.13); Slaney (1998), Auditory Toolbox 2, "mfcc".
    """
    hertz = np.asarray(hertz, np.float64)
    if _known(scale) == "htk":
        return np.asarray(2595 * np.log10(1 + hertz / 700))
    above = _KNEE / _STEP + np.log(np.maximum(hertz, _KNEE) / _KNEE) / _GROWTH
    return np.where(hertz < _KNEE, hertz / _STEP, above)


def from_mel(mel: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """The frequency in Hz that sounds so high; undoes `to_mel`.

    Raises:
        ArgumentError: If the scale is another.

    Example:
        >>> float(from_mel(to_mel(440.0)).round(6))
        440.0
    """
    mel = np.asarray(mel, np.float64)
    if _known(scale) == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    knee = _KNEE / _STEP
    above = _KNEE * np.exp(_GROWTH * (np.maximum(mel, knee) - knee))
    return np.where(mel < knee, mel * _STEP, above)


def _known(scale: str) -> str:
    if scale not in _SCALES:
        raise ArgumentError(
            f"mel: scale must be one of {', '.join(_SCALES)}, got {scale!r}. Use htk."
        )
    return scale


@dataclass(frozen=True)
class LogMel:
    """Turns samples into log energies of mel bands, frame by frame.

        P_t[k] = |sum_n w[n] x[t hop + n] e^(-2 pi i k n / N)|^2
        y_t[b] = log max(sum_k F[b, k] P_t[k], floor)

    w is Hann's window, N the power of two from the window's samples up. Filter b is a
    triangle over frequency with peak 1, that rises from the centre of band b - 1 and
    falls to that of b + 1; the centres are evenly spaced in mel between ``low`` and
    ``high``. (Triangles of equal area differ by a constant in each band.) The last
    frame is filled up with zeros, so that every sample is heard.

    Args:
        rate: Samples per second of what it hears, in Hz.
        window: Length of a frame in seconds.
        hop: From frame to frame, in seconds.
        bands: Number of mel bands, the features of a frame.
        low: Lower edge of the first band, in Hz.
        high: Upper edge of the last band, in Hz; ``None`` is half the rate.
        scale: ``htk`` or ``slaney``; see `to_mel`.
        floor: The least energy, over 0; silence becomes its logarithm.

    Raises:
        ArgumentError: If an argument is out of its range, or a band is narrower than
            what the window can tell apart.

    Example:
        >>> front = LogMel(8000)
        >>> front(np.zeros(8000, np.float32)).shape
        (99, 40)

    References:
        Davis and Mermelstein (1980), doi:10.1109/TASSP.1980.1163420, figure 1.
    """

    rate: int
    window: float = 0.025
    hop: float = 0.010
    bands: int = 40
    low: float = 0.0
    high: float | None = None
    scale: str = "htk"
    floor: float = 1e-10

    def __post_init__(self) -> None:
        self._check()
        heard = self.filters.any(1)
        if not heard.all():
            raise ArgumentError(
                f"LogMel: each of {self.bands} bands must hold a line of the spectrum, "
                f"which come every {self.rate / self.fft_size:g} Hz; band "
                f"{int(heard.argmin())} holds none. Use fewer bands or a longer window."
            )

    def _check(self) -> None:
        _known(self.scale)
        top = self.rate / 2 if self.high is None else self.high
        wrong = {
            f"rate must be an int >= 1, got {self.rate}": self.rate < 1,
            f"window must be at least 2 samples, got {self.window} s": (
                self.window_size < 2
            ),
            f"hop must be from 1 sample to the window, got {self.hop} s": not (
                1 <= self.hop_size <= self.window_size
            ),
            f"bands must be an int >= 1, got {self.bands}": self.bands < 1,
            f"low and high must satisfy 0 <= low < high <= {self.rate / 2:g} Hz, got "
            f"{self.low:g} and {top:g}": not 0 <= self.low < top <= self.rate / 2,
            f"floor must be over 0, got {self.floor}": not 0 < self.floor < np.inf,
        }
        for what, holds in wrong.items():
            if holds:
                raise ArgumentError(f"LogMel: {what}. Leave it out for the default.")

    @property
    def window_size(self) -> int:
        """Samples in a frame."""
        return round(self.window * self.rate)

    @property
    def hop_size(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop * self.rate)

    @property
    def fft_size(self) -> int:
        """Points N of the transform."""
        return 1 << (self.window_size - 1).bit_length()

    @cached_property
    def filters(self) -> np.ndarray:
        """The triangles F ``(bands, fft_size / 2 + 1)``."""
        top = self.rate / 2 if self.high is None else self.high
        low, high = to_mel(np.array([self.low, top]), self.scale)
        edges = from_mel(np.linspace(low, high, self.bands + 2), self.scale)[:, None]
        lines = np.arange(self.fft_size // 2 + 1) * self.rate / self.fft_size
        rise = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
        fall = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
        return np.maximum(0, np.minimum(rise, fall))

    def frames(self, samples: int) -> int:
        """How many frames so many samples give, at least one."""
        return 1 + max(0, -(-(samples - self.window_size) // self.hop_size))

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The features of a recording.

        Args:
            samples: Samples ``(time,)`` at ``rate``.

        Returns:
            Natural logs of energies ``(frames, bands)``, float32.

        Raises:
            DataError: If there is no sample, or one that is not finite.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
            raise DataError(
                "LogMel: samples must be (time,), finite and at least one, got "
                f"{samples.shape}. Mix channels down and leave empty recordings out."
            )
        count, hop, size = self.frames(len(samples)), self.hop_size, self.window_size
        filled = np.zeros((count - 1) * hop + size)
        filled[: len(samples)] = samples
        frames = np.lib.stride_tricks.sliding_window_view(filled, size)[::hop]
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        power = np.abs(np.fft.rfft(frames * hann, self.fft_size)) ** 2
        energy = power @ self.filters.T
        return np.log(np.maximum(energy, self.floor)).astype(np.float32)

    def hear(self, sound: Sound) -> np.ndarray:
        """The features of a sound, which must have this rate; see `resample`.

        Raises:
            DataError: If the rates differ.
        """
        if sound.rate != self.rate:
            raise DataError(
                f"LogMel: a sound must have {self.rate} samples per second, got "
                f"{sound.rate}. Use resample(sound, {self.rate}) on it."
            )
        return self(sound.samples)


def resample(sound: Sound, rate: int) -> Sound:
    """The same sound at another rate.

    With up / down = rate / sound.rate in lowest terms: zeros are put between samples,
    a linear-phase low-pass filter of 20 max(up, down) + 1 taps (a sinc under Kaiser's
    window, beta 5, cut at half the lower rate, so -6 dB there) is run over them, and
    each down-th is kept. Outside the sound is silence.

    Args:
        sound: The recording.
        rate: Samples per second wanted, at least 1.

    Raises:
        ArgumentError: If the rate is under 1.

    Example:
        >>> resample(Sound(np.zeros(11025, np.float32), 11025), 8000).seconds
        1.0
    """
    if rate < 1:
        raise ArgumentError(
            f"resample: rate must be an int >= 1, got {rate}. Use 8000 or more for "
            "speech."
        )
    if rate == sound.rate:
        return sound
    common = gcd(rate, sound.rate)
    samples = resample_poly(
        sound.samples.astype(np.float64), rate // common, sound.rate // common
    )
    return Sound(samples.astype(np.float32), rate)
