"""A simple synthesiser: notes to sound, as sums of fading harmonics."""

from __future__ import annotations

import numpy as np

from recurro.data.midi import Note, Score
from recurro.data.wav import Sound
from recurro.errors import ArgumentError

__all__ = ["synthesize"]

_HARMONICS = 8
_ATTACK, _RELEASE = 0.01, 0.08
"""Seconds in which a note swells, and dies away after its end."""

_FADE = 0.6
"""How much of its decay a note has gone through after a second, in nats, at 440 Hz."""

_PEAK = 0.9


def synthesize(score: Score, *, rate: int = 22050) -> Sound:
    """The sound of a score, as plucked strings would have it.

    A note of pitch p has the frequency f = 440 * 2^((p - 69) / 12) Hz (equal
    temperament) and the harmonics k f below half of the rate, with amplitudes 1 / k^1.5
    that fade the faster the higher they are. The whole is scaled to a peak of 0.9.

    Args:
        score: The notes.
        rate: Samples a second, at least 8000.

    Raises:
        ArgumentError: If the rate is lower, or the score has no length.

    Example:
        >>> sound = synthesize(Score((Note(0, 2, 69),), 4, tempo=120))
        >>> sound.rate, round(sound.seconds, 2)
        (22050, 2.08)
    """
    if rate < 8000 or score.length <= 0:
        raise ArgumentError(
            "synthesize: the rate must be at least 8000 Hz and a score must last, got "
            f"{rate} Hz and {score.length} quarter notes."
        )
    second = 60 / score.tempo  # of a quarter note
    total = np.zeros(round((score.length * second + _RELEASE) * rate))
    for note in score.notes:
        begin = round(note.start * second * rate)
        sound = _note(note, (note.stop - note.start) * second, rate)[
            : len(total) - begin
        ]
        total[begin : begin + len(sound)] += sound
    peak = np.abs(total).max()
    scaled = total * (_PEAK / peak) if peak > 0 else total
    return Sound(scaled.astype(np.float32), rate)


def _note(note: Note, seconds: float, rate: int) -> np.ndarray:
    """One note that is held for some seconds, and its dying away."""
    time = np.arange(round((seconds + _RELEASE) * rate)) / rate
    frequency = 440 * 2 ** ((note.pitch - 69) / 12)
    k = np.arange(1, _HARMONICS + 1)[:, None]
    k = k[k[:, 0] * frequency < rate / 2]
    fading = np.exp(-_FADE * k * np.sqrt(frequency / 440) * time)
    wave = (k**-1.5 * fading * np.sin(2 * np.pi * k * frequency * time)).sum(0)
    swell = np.minimum(time / _ATTACK, 1)
    release = np.clip((seconds + _RELEASE - time) / _RELEASE, 0, 1)
    return wave * swell * release
