"""Recordings with what is said in them, from the files that people have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.audio import resample
from recurro.data.files import _walk
from recurro.data.tables import read_table
from recurro.data.text import read_text
from recurro.data.wav import Sound, read_wav
from recurro.errors import DataError

__all__ = ["Spoken", "load_samples", "read_spoken"]


@dataclass(frozen=True)
class Spoken:
    """WAV files and their texts.

    Attributes:
        files: The files, which have not been read.
        texts: What is said in each; empty where that was not asked for.
        notes: What was done to the table and a person should know.
    """

    files: tuple[Path, ...]
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_spoken(path: Path | str, *, texts: bool = True) -> Spoken:
    """Find recordings, and what is said in them.

    Args:
        path: A table (``.csv``, ``.tsv``, ``.jsonl``, ``.parquet``) with a column
            ``file``, of names beside the table, and a column ``text``; or a folder of
            WAV files, also below it, each with its text in a file of the same name
            that ends in ``.txt``; or a single WAV file.
        texts: Whether texts are wanted. If not, none need be there.

    Raises:
        DataError: If there is no recording, a text is missing, empty or of several
            lines, or one has no recording.

    Example:
        >>> read_spoken("no-such-folder")
        Traceback (most recent call last):
        recurro.errors.DataError: recordings: no file or folder 'no-such-folder'. \
Check the path.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"recordings: no file or folder '{path}'. Check the path.")
    if path.is_file() and path.suffix.lower() != ".wav":
        return _from_table(path, texts)
    files = [path] if path.is_file() else _walk(path)
    found = [file for file in files if file.suffix.lower() == ".wav"]
    if not found:
        raise DataError(
            f"recordings: '{path}' must hold a WAV file, got none. Name another folder."
        )
    if not texts:
        return Spoken(tuple(found))
    heard = {file.with_suffix("") for file in found}
    for file in files:
        if file.suffix.lower() == ".txt" and file.with_suffix("") not in heard:
            raise DataError(
                f"recordings: '{file}' must have a WAV file beside it, got none. Add "
                "it, or take the text away."
            )
    return Spoken(tuple(found), tuple(map(_text_beside, found)))


def _text_beside(file: Path) -> str:
    """The text of a recording, in the file beside it."""
    beside = file.with_suffix(".txt")
    if not beside.exists():
        raise DataError(
            f"recordings: '{file}' must have its text in '{beside.name}' beside it, "
            "got no such file. Write it, or name a table of file and text."
        )
    lines = "".join(read_text(beside)).strip().splitlines()
    if len(lines) != 1:
        raise DataError(
            f"recordings: '{beside}' must hold one line of text, got {len(lines)}. "
            "Mend it."
        )
    return lines[0]


def _from_table(path: Path, texts: bool) -> Spoken:
    """The recordings that a table names."""
    table = read_table(path)
    names = table.words("file", "name a WAV file")
    files = [path.parent / str(name) for name in names]
    for row, file in enumerate(files):
        if not file.is_file():
            raise table.fault(
                *(row, "file", f"must name a file that is there, got '{file}'"),
                "Mend it, or leave the row out.",
            )
    told = table.words("text", "say what is heard") if texts else []
    notes = tuple(f"'{path}': {note}." for note in table.notes)
    return Spoken(tuple(files), tuple(map(str, told)), notes)


def load_samples(
    recordings: Sequence[Any],
    rate: int,
) -> tuple[list[np.ndarray], int]:
    """Read recordings, and bring all to one rate.

    Args:
        recordings: Each the path of a WAV file, a sound, or samples ``(time,)`` that
            have the rate already.
        rate: Samples per second wanted, in Hz.

    Returns:
        The samples of each ``(time,)``, float32, and how many were resampled.

    Raises:
        DataError: If one cannot be read, has no samples, some that are not finite or
            more axes, or a lower rate than is wanted; it is named.

    Example:
        >>> samples, changed = load_samples([Sound(np.zeros(160), 16000)], 8000)
        >>> samples[0].shape, changed
        ((80,), 1)
    """
    if isinstance(recordings, str | Path | Sound) or not len(recordings):
        raise DataError(
            f"recordings: must be a list of at least one, got {recordings!r}. Put "
            "paths, sounds or samples in a list."
        )
    loaded, changed = [], 0
    for number, given in enumerate(recordings):
        name, sound = _sound(given, number, rate)
        if sound.rate < rate:
            raise DataError(
                f"recordings: {name} must have at least {rate} samples per second, got "
                f"{sound.rate}. Leave it out, or train with rate={sound.rate}."
            )
        changed += sound.rate != rate
        loaded.append(resample(sound, rate).samples.astype(np.float32))
    return loaded, changed


def _sound(given: Any, number: int, rate: int) -> tuple[str, Sound]:  # noqa: ANN401
    """A recording and its name in messages."""
    if isinstance(given, str | Path):
        return f"'{given}'", read_wav(given)
    name = f"item {number}"
    sound = given if isinstance(given, Sound) else Sound(np.asarray(given), rate)
    samples = sound.samples
    fine = samples.ndim == 1 and len(samples) and samples.dtype.kind in "fiu"
    if not fine or not np.isfinite(samples).all():
        raise DataError(
            f"recordings: {name} must be finite samples (time,), at least one, got an "
            f"array {samples.shape} of {samples.dtype}. Mix channels down; leave empty "
            "recordings out."
        )
    return name, sound
