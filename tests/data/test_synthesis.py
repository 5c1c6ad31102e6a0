from __future__ import annotations

import numpy as np
import pytest

from recurro.data.midi import Note, Score
from recurro.data.synthesis import synthesize
from recurro.errors import ArgumentError


def peaks(samples: np.ndarray, rate: int, count: int) -> set[int]:
    """The strongest frequencies, to the nearest Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    found: set[int] = set()
    for place in np.argsort(-spectrum):
        near = round(place * rate / len(samples))
        if not any(abs(near - other) < 20 for other in found):
            found.add(near)
        if len(found) == count:
            break
    return found


def test_each_note_has_its_frequency() -> None:
    # Equal temperament: A4 is 440 Hz, C4 261.63 Hz, both with an octave of 2.
    for pitch, wanted in ((69, {440, 880}), (60, {262, 523})):
        sound = synthesize(Score((Note(0, 4, pitch),), 4, tempo=60))
        assert peaks(sound.samples, sound.rate, 2) == wanted


def test_notes_sound_when_they_are_played() -> None:
    score = Score((Note(1, 2, 60), Note(3, 4, 72)), 5, tempo=120)
    sound = synthesize(score, rate=8000)
    loud = np.abs(sound.samples[: 5 * 4000].reshape(5, 4000)[:, 800:]).max(1) > 0.05
    assert loud.tolist() == [False, True, False, True, False]
    assert sound.seconds == pytest.approx(2.5 + 0.08, abs=1e-3)
    assert np.abs(sound.samples).max() == pytest.approx(0.9)


def test_nothing_lies_above_half_of_the_rate() -> None:
    sound = synthesize(Score((Note(0, 4, 108),), 4), rate=9000)  # C8 is 4186 Hz
    assert peaks(sound.samples, 9000, 1) == {4186}
    assert (synthesize(Score((), 2)).samples == 0).all()


def test_what_cannot_be_rendered() -> None:
    with pytest.raises(ArgumentError, match="at least 8000 Hz"):
        synthesize(Score((), 1), rate=100)
    with pytest.raises(ArgumentError, match="a score must last"):
        synthesize(Score((), 0))
