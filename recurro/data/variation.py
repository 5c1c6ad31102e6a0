"""Recordings changed and joined at random, so that no pass of training repeats one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurro.errors import ArgumentError

__all__ = ["Variation", "draw_joins", "mask_features"]

_FAINT = 50.0
"""Noise that hardly counts, in dB below the recording."""


@dataclass(frozen=True)
class Variation:
    """Changes recordings of one rate at random, and joins them.

    Each part is played faster or slower, pitch and all, and louder or softer; the parts
    come one after the other, with silence between; then there is white noise on every
    other one.

    Attributes:
        rate: Samples per second, in Hz.
        speed: By which share faster or slower at most, in [0, 0.5].
        gain: How much louder or softer at most, in dB.
        noise: The least ratio of the recording to the noise, in dB, up to 50; ``None``
            for no noise.
        gap: The longest silence between two parts, in seconds; every other one has
            none.

    Raises:
        ArgumentError: If one is out of its range.

    Example:
        >>> click, draw = np.ones(800, np.float32), np.random.default_rng(0)
        >>> Variation(8000, speed=0.1, gap=0.2)([click, click], draw).ndim
        1
        >>> Variation(8000)([click, click], draw).shape
        (1600,)

    References:
        Ko et al. (2015), Audio augmentation for speech recognition, Interspeech,
        section 2.2 (speed).
    """

    rate: int
    speed: float = 0.0
    gain: float = 0.0
    noise: float | None = None
    gap: float = 0.0

    def __post_init__(self) -> None:
        wrong = {
            f"rate must be at least 1 Hz, got {self.rate}": self.rate < 1,
            f"speed must be in [0, 0.5], got {self.speed}": not 0 <= self.speed <= 0.5,
            f"gain must be at least 0 dB, got {self.gain}": not self.gain >= 0,
            f"gap must be at least 0 s, got {self.gap}": not self.gap >= 0,
            f"noise must be up to {_FAINT:g} dB, got {self.noise}": (
                self.noise is not None and not self.noise <= _FAINT
            ),
        }
        for what, holds in wrong.items():
            if holds:
                raise ArgumentError(f"Variation: {what}. Leave it out for none.")

    def __call__(
        self, parts: Sequence[np.ndarray], draw: np.random.Generator
    ) -> np.ndarray:
        """Change and join recordings.

        Args:
            parts: The samples of each ``(time,)``, at least one.
            draw: What chance comes from.

        Returns:
            Samples ``(time,)``, float32.
        """
        joined: list[np.ndarray] = []
        for part in parts:
            if joined and self.gap and draw.random() < 0.5:
                silent = draw.uniform(0, self.gap) * self.rate
                joined.append(np.zeros(int(silent), np.float32))
            joined.append(self._changed(part, draw))
        samples = np.concatenate(joined)
        if self.noise is not None and draw.random() < 0.5:
            ratio = draw.uniform(self.noise, _FAINT)
            samples = samples + draw.normal(
                0, samples.std() * 10 ** (-ratio / 20), len(samples)
            )
        return samples.astype(np.float32)

    def _changed(self, part: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Other speed, by linear interpolation, and other loudness."""
        if self.speed:
            step = 1 + draw.uniform(-self.speed, self.speed)
            places = np.arange(0, len(part), step)
            part = np.interp(places, np.arange(len(part)), part)
        if self.gain:
            part = part * 10 ** (draw.uniform(-self.gain, self.gain) / 20)
        return part


def draw_joins(
    count: int, parts: tuple[int, int], draw: np.random.Generator
) -> list[np.ndarray]:
    """Draw which items are joined in a pass: as many joins as there are items.

    Each item comes first in one join; each place of the joins is a shuffle of all
    items, so that none comes much more often than others.

    Args:
        count: How many items there are.
        parts: The least and the greatest number of items in a join, at least 1.
        draw: What chance comes from.

    Returns:
        The item numbers of each join.

    Example:
        >>> [len(j) for j in draw_joins(3, (2, 2), np.random.default_rng(0))]
        [2, 2, 2]
    """
    least, most = parts
    if not 1 <= least <= most:
        raise ArgumentError(
            f"draw_joins: parts must be 1 <= least <= greatest, got {least} and {most}."
        )
    orders = np.stack([draw.permutation(count) for _ in range(most)], axis=1)
    sizes = draw.integers(least, most, count, endpoint=True)
    return [order[:size] for order, size in zip(orders, sizes, strict=True)]


def mask_features(
    features: np.ndarray,
    bands: int,
    frames: int,
    draw: np.random.Generator,
    *,
    times: int = 2,
) -> np.ndarray:
    """Hide bands and moments of a recording: they become 0.

    Args:
        features: Scaled features ``(time, bands)``, whose mean is 0.
        bands: The most bands next to each other that are hidden at a time.
        frames: The most frames that are, and never more than a fifth of all.
        draw: What chance comes from.
        times: How often, of each kind.

    Returns:
        A masked copy.

    Example:
        >>> masked = mask_features(np.ones((9, 4)), 2, 1, np.random.default_rng(1))
        >>> masked.shape, bool((masked == 0).any())
        ((9, 4), True)

    References:
        Park et al. (2019), arXiv:1904.08779, section 2.
    """
    masked = features.copy()
    time, count = features.shape
    for axis, size, most in (
        (1, count, min(bands, count)),
        (0, time, min(frames, time // 5)),
    ):
        for _ in range(times):
            wide = int(draw.integers(0, most, endpoint=True))
            at = int(draw.integers(0, size - wide, endpoint=True))
            masked[(slice(None),) * axis + (slice(at, at + wide),)] = 0
    return masked
