"""Pieces of music as frames of 88 keys: from JSON and MIDI, and back to a score."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.files import Paths, find_files
from recurro.data.midi import DRUMS, Note, Score, read_midi
from recurro.errors import ArgumentError, DataError

__all__ = ["KEYS", "LOWEST", "as_roll", "read_pieces", "roll_of", "score_of"]

KEYS = 88
"""The keys of a piano."""

LOWEST = 21
"""The MIDI pitch of the first of them, the A of 27.5 Hz."""

_MIDI = (".mid", ".midi")


def as_roll(piece: Any, where: str = "piece") -> np.ndarray:  # noqa: ANN401 (checked)
    """A piece as a piano roll: which keys sound in each frame.

    Args:
        piece: A roll already, ``(time, 88)`` of 0 and 1; or frames, each the list of
            its MIDI pitches, 21 to 108, which may be empty.
        where: What an error calls it.

    Returns:
        The roll ``(time, 88)``, float32.

    Raises:
        DataError: If it has no frame, is neither of these, or holds another pitch.

    Example:
        >>> as_roll([[60, 64], [], [108]]).nonzero()
        (array([0, 0, 2]), array([39, 43, 87]))
    """
    if isinstance(piece, np.ndarray):
        return _checked(piece, where)
    if not isinstance(piece, Sequence) or isinstance(piece, str) or not piece:
        raise DataError(
            f"{where}: must be frames of pitches, at least one, got "
            f"{'none' if piece in ([], ()) else repr(piece)[:60]}. Leave it out."
        )
    roll = np.zeros((len(piece), KEYS), np.float32)
    for number, frame in enumerate(piece):
        if not isinstance(frame, Sequence) or isinstance(frame, str):
            raise DataError(
                f"{where}, frame {number}: must be a list of pitches, got "
                f"{repr(frame)[:60]}. Write an empty list for a rest."
            )
        for pitch in frame:
            if isinstance(pitch, bool) or pitch not in range(LOWEST, LOWEST + KEYS):
                raise DataError(
                    f"{where}, frame {number}: a pitch must be a whole number from "
                    f"{LOWEST} to {LOWEST + KEYS - 1}, the keys of a piano, got "
                    f"{pitch!r}. Transpose the piece, or leave it out."
                )
            roll[number, int(pitch) - LOWEST] = 1
    return roll


def _checked(roll: np.ndarray, where: str) -> np.ndarray:
    if roll.ndim != 2 or roll.shape[1] != KEYS or not len(roll):
        raise DataError(
            f"{where}: a piano roll must be (time, {KEYS}), got shape {roll.shape}. "
            "Give a column to each key."
        )
    if not np.isin(roll, (0, 1)).all():
        frame, key = np.argwhere(~np.isin(roll, (0, 1)))[0]
        raise DataError(
            f"{where}: a piano roll must hold 0 and 1, got {roll[frame, key]} in frame "
            f"{frame}, key {key}. Turn loudness into whether a key sounds."
        )
    return roll.astype(np.float32)


def roll_of(score: Score, step: float = 1.0) -> np.ndarray:
    """The piano roll of a score.

    Beginnings and ends of notes are rounded to the nearest frame; none lasts less than
    one. A note struck again in the next frame looks as if it was held.

    Args:
        score: The notes; drums, and keys that no piano has, are left out.
        step: Quarter notes of a frame, above 0.

    Raises:
        ArgumentError: If the step is not above 0.

    Example:
        >>> roll_of(Score((Note(0, 2, 60),), 2)).sum(1).tolist()
        [1.0, 1.0]
    """
    if not 0 < step < float("inf"):
        raise ArgumentError(
            f"roll_of: step must be above 0 quarter notes, got {step}. Use 1 for a "
            "frame on each beat."
        )
    kept = [note for note in score.notes if _on_piano(note)]
    starts = [_frame(note.start / step) for note in kept]
    stops = [
        max(begin + 1, _frame(note.stop / step))
        for begin, note in zip(starts, kept, strict=True)
    ]
    roll = np.zeros((max([_frame(score.length / step), *stops]), KEYS), np.float32)
    for begin, end, note in zip(starts, stops, kept, strict=True):
        roll[begin:end, note.pitch - LOWEST] = 1
    return roll


def _frame(when: float) -> int:
    return int(np.floor(when + 0.5))


def _on_piano(note: Note) -> bool:
    return note.channel != DRUMS and LOWEST <= note.pitch < LOWEST + KEYS


def score_of(roll: np.ndarray, step: float = 1.0, tempo: float = 120.0) -> Score:
    """The score of a piano roll; keys that sound on are held.

    Args:
        roll: Which keys sound ``(time, 88)``.
        step: Quarter notes of a frame, above 0.
        tempo: Quarter notes a minute.

    Example:
        >>> score_of(as_roll([[60], [60, 64], []]), step=0.5).notes[1]
        Note(start=0.5, stop=1.0, pitch=64, channel=0)
    """
    edges = np.diff(np.pad(_checked(roll, "score_of"), ((1, 1), (0, 0))), axis=0)
    notes = [
        Note(float(begin * step), float(end * step), int(key) + LOWEST)
        for key in range(KEYS)
        for begin, end in zip(
            np.flatnonzero(edges[:, key] > 0),
            np.flatnonzero(edges[:, key] < 0),
            strict=True,
        )
    ]
    order = sorted(notes, key=lambda note: (note.start, note.pitch))
    return Score(tuple(order), len(roll) * step, tempo)


def read_pieces(paths: Paths, step: float = 1.0) -> dict[str, list[np.ndarray]]:
    """Read pieces of music from files.

    Args:
        paths: JSON files, MIDI files, folders of MIDI files, or patterns. JSON holds a
            list of pieces, or such a list for each part, such as train and test; a
            piece is a list of frames, a frame a list of MIDI pitches.
        step: Quarter notes of a frame, for MIDI.

    Returns:
        The rolls ``(time, 88)`` of each part; those of no part under ``""``.

    Raises:
        DataError: If a file cannot be read or holds no music; file, piece and frame (or
            byte) are named.

    Warns:
        UserWarning: How many notes were left out, of drums or off the piano.
    """
    parts: dict[str, list[np.ndarray]] = {}
    names = [paths] if isinstance(paths, str | Path) else list(paths)
    left_out = 0
    for file in [file for name in names for file in _files(Path(name))]:
        if file.suffix.lower() not in _MIDI:
            for part, rolls in _read_json(file).items():
                parts.setdefault(part, []).extend(rolls)
            continue
        score = read_midi(file)
        left_out += sum(not _on_piano(note) for note in score.notes)
        if not any(map(_on_piano, score.notes)):
            raise DataError(
                f"read_pieces: '{file}' must hold a note of a piano, got "
                f"{len(score.notes)} others. Leave it out."
            )
        parts.setdefault("", []).append(roll_of(score, step))
    if left_out:
        warnings.warn(
            f"{left_out} notes of drums or off the keys of a piano were left out.",
            stacklevel=2,
        )
    return parts


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return find_files(path)
    found = [f for f in sorted(path.rglob("*")) if f.suffix.lower() in _MIDI]
    if not found:
        raise DataError(
            f"read_pieces: folder '{path}' holds no .mid file. Name another one."
        )
    return found


def _read_json(file: Path) -> dict[str, list[np.ndarray]]:
    try:
        tree = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(
            f"read_pieces: '{file}' must be a readable file: {error.strerror}. Check "
            "the path."
        ) from error
    except ValueError as error:  # JSON or UTF-8
        raise DataError(
            f"read_pieces: '{file}' must be JSON or end in .mid, got what cannot be "
            f"read: {error}."
        ) from None
    parts = tree if isinstance(tree, dict) else {"": tree}
    if not parts:
        raise DataError(f"read_pieces: '{file}' must hold pieces, got none.")
    rolls: dict[str, list[np.ndarray]] = {}
    for part, pieces in parts.items():
        name = f"'{file}'" + (f", part {part!r}" if part else "")
        if not isinstance(pieces, list) or not pieces:
            raise DataError(
                f"read_pieces: {name} must be a list of pieces, got "
                f"{'none' if pieces == [] else repr(pieces)[:60]}. Give a piece for "
                "each, and frames of pitches in it."
            )
        rolls[part] = [
            as_roll(piece, f"read_pieces: {name}, piece {number}")
            for number, piece in enumerate(pieces)
        ]
    return rolls
