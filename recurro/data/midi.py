"""Standard MIDI files: notes in, notes out."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from recurro.data.files import atomic_write
from recurro.errors import ArgumentError, DataError

__all__ = ["DRUMS", "Note", "Score", "read_midi", "write_midi"]

DRUMS = 9
"""The channel whose keys are drums, counted from 0."""

_PER_QUARTER = 480
"""Ticks of a quarter note in what is written."""

_MINUTE = 60_000_000
"""Microseconds of a minute, as tempos are stated."""

_PROGRAM, _PRESSURE = 0xC, 0xD
_NOTE_OFF, _NOTE_ON = 0x8, 0x9
_META, _TEMPO, _END = 0xFF, 0x51, 0x2F
_SYSTEM = (0xF0, 0xF7)


class Note(NamedTuple):
    """One note.

    Attributes:
        start: When it begins, in quarter notes from the beginning.
        stop: When it ends.
        pitch: Its key, 0 to 127; 60 is the middle C, 69 the A of 440 Hz.
        channel: 0 to 15.
    """

    start: float
    stop: float
    pitch: int
    channel: int = 0


@dataclass(frozen=True)
class Score:
    """What a MIDI file says of a piece.

    Attributes:
        notes: The notes, sorted by their beginning, then by pitch.
        length: Quarter notes from the beginning to the end of the longest track.
        tempo: Quarter notes a minute, as first stated.
    """

    notes: tuple[Note, ...]
    length: float
    tempo: float = 120.0


class _Event(NamedTuple):
    """What a track says at a time: a status byte, its data, and where it stands."""

    tick: int
    status: int
    data: bytes
    byte: int


def read_midi(path: Path | str) -> Score:
    """Read the notes of a MIDI file, those of all its tracks together.

    A note that is never ended lasts to the end of its track; one that is struck again
    before it ended ends there. Velocities, instruments and pedals are passed over, and
    so are later changes of the tempo, as notes are placed in quarter notes.

    Args:
        path: A file of format 0 or 1, with ticks per quarter note.

    Raises:
        DataError: If the file is missing, cut off, damaged or of another kind; the
            message names the file and the byte.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.mid")
        ...     write_midi(file, Score((Note(0, 1.5, 69),), 2, tempo=60))
        ...     read_midi(file)
        Score(notes=(Note(start=0.0, stop=1.5, pitch=69, channel=0),), length=2.0, \
tempo=60.0)

    References:
        MIDI Manufacturers Association (1996), Standard MIDI Files 1.0.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"read_midi: '{path}' must be a readable file: {error.strerror}. Check the "
            "path."
        ) from error
    file = _File(path, content)
    per_quarter, tracks = file.tracks()
    notes: list[Note] = []
    length, tempos = 0, []
    for start, stop in tracks:
        events = list(file.events(start, stop))
        end = events[-1].tick if events else 0
        notes += [
            note._replace(start=note.start / per_quarter, stop=note.stop / per_quarter)
            for note in _notes(events, end)
        ]
        length = max(length, end)
        tempos += [file.tempo(event) for event in events if _is_tempo(event)]
    order = sorted(notes, key=lambda note: (note.start, note.pitch))
    first = min(tempos)[1] if tempos else 120.0
    return Score(tuple(order), length / per_quarter, first)


def _is_tempo(event: _Event) -> bool:
    return event.status == _META and event.data[0] == _TEMPO


def _notes(events: Iterable[_Event], end: int) -> Iterator[Note]:
    """The notes of a track, in ticks, each as soon as it ends."""
    held: dict[tuple[int, int], int] = {}
    for event in events:
        kind, channel = event.status >> 4, event.status & 0xF
        if kind not in (_NOTE_OFF, _NOTE_ON):
            continue
        key = channel, event.data[0]
        if key in held:
            yield Note(held.pop(key), event.tick, key[1], channel)
        if kind == _NOTE_ON and event.data[1]:
            held[key] = event.tick
    for (channel, pitch), start in held.items():
        yield Note(start, end, pitch, channel)


def _text(name: bytes) -> str:
    """Four bytes as they are read in a file, such as ``MTrk``."""
    return name.decode("latin-1")


@dataclass(frozen=True)
class _File:
    """The bytes of a file, and how to complain about them."""

    path: Path | str
    content: bytes

    def fault(self, byte: int, what: str) -> DataError:
        """The error for what is wrong at a byte."""
        return DataError(
            f"read_midi: '{self.path}' {what}, at byte {byte}. Save it again as a "
            "standard MIDI file, or leave it out."
        )

    def tracks(self) -> tuple[int, list[tuple[int, int]]]:
        """Ticks of a quarter note, and the first byte and the end of each track."""
        content = self.content
        if content[:4] != b"MThd":
            raise self.fault(0, f"must begin with 'MThd', got {_text(content[:4])!r}")
        if len(content) < 14:
            raise self.fault(4, f"must have a header of 14 bytes, got {len(content)}")
        size, form, count, division = struct.unpack_from(">IHHH", content, 4)
        if size < 6:
            raise self.fault(4, f"must state a header of 6 bytes here, got {size}")
        if form > 1:
            raise self.fault(8, f"must be of format 0 or 1, got {form}")
        if division == 0 or division & 0x8000:
            raise self.fault(
                12, f"must count ticks of a quarter note here, got {division:#06x}"
            )
        spans = [span for name, *span in self._chunks(8 + size) if name == b"MTrk"]
        if len(spans) < count or not spans:
            raise self.fault(
                len(content),
                f"must have {max(count, 1)} tracks, as it says at byte 10, got "
                f"{len(spans)}",
            )
        return division, [(start, stop) for start, stop in spans]

    def _chunks(self, place: int) -> Iterator[tuple[bytes, int, int]]:
        while place < len(self.content):
            if place + 8 > len(self.content):
                raise self.fault(place, "must have a chunk's name and size here")
            name, size = struct.unpack_from(">4sI", self.content, place)
            place += 8
            if place + size > len(self.content):
                raise self.fault(
                    place - 4,
                    f"must have the {size} bytes that its chunk {_text(name)!r} "
                    f"states, got {len(self.content) - place}",
                )
            yield name, place, place + size
            place += size

    def events(self, place: int, stop: int) -> Iterator[_Event]:
        """What a track says, up to its end; running status is filled in."""
        tick, running = 0, None
        while place < stop:
            wait, place = self._number(place, stop)
            tick += wait
            if place >= stop:
                raise self.fault(place, "must have an event here, the track ends")
            begin, status = place, self.content[place]
            if status & 0x80:
                place += 1
            elif running is None:
                raise self.fault(place, f"must have a status here, got {status:#04x}")
            else:
                status = running
            data, place = self._data(status, place, stop)
            running = status if status < 0xF0 else None
            yield _Event(tick, status, data, begin)
            if status == _META and data[0] == _END:
                return

    def _data(self, status: int, place: int, stop: int) -> tuple[bytes, int]:
        """The data of an event, and the byte behind it."""
        kind = b""
        if status == _META:
            kind, place = self._take(place, 1, stop), place + 1
        if status == _META or status in _SYSTEM:
            size, place = self._number(place, stop)
            return kind + self._take(place, size, stop), place + size
        if status > 0xEF:
            raise self.fault(place - 1, f"must have no status {status:#04x} in a track")
        size = 1 if status >> 4 in (_PROGRAM, _PRESSURE) else 2
        data = self._take(place, size, stop)
        for offset, value in enumerate(data):
            if value > 127:
                raise self.fault(
                    place + offset, f"must have a value of 0 to 127, got {value}"
                )
        return data, place + size

    def _take(self, place: int, size: int, stop: int) -> bytes:
        if place + size > stop:
            raise self.fault(
                place, f"must have {size} more bytes in this track, got {stop - place}"
            )
        return self.content[place : place + size]

    def _number(self, place: int, stop: int) -> tuple[int, int]:
        """A number of one to four bytes of seven bits, and the byte behind it."""
        value = 0
        for offset in range(4):
            byte = self._take(place + offset, 1, stop)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, place + offset + 1
        raise self.fault(place, "must have a number of at most four bytes")

    def tempo(self, event: _Event) -> tuple[int, float]:
        """When a tempo is set, and to how many quarter notes a minute."""
        value = int.from_bytes(event.data[1:])
        if len(event.data) != 4 or value == 0:
            raise self.fault(
                event.byte, "must state a tempo by three bytes above 0 here"
            )
        return event.tick, _MINUTE / value


def write_midi(path: Path | str, score: Score) -> None:
    """Write a MIDI file of one track, whole or not at all.

    Times are rounded to 1/480 of a quarter note.

    Args:
        path: The file; one that is there is replaced.
        score: The notes; of those of the same key, none may overlap another.

    Raises:
        ArgumentError: If a note has no key from 0 to 127, no channel from 0 to 15, does
            not last, or ends behind the score; or if the tempo is out of what a file
            can state.
    """
    if not 3.58 <= score.tempo < float("inf"):
        raise ArgumentError(
            f"write_midi: tempo must be at least 3.58 quarter notes a minute, got "
            f"{score.tempo}."
        )
    tempo = max(1, round(_MINUTE / score.tempo))
    events = [(0, 0, bytes([_META, _TEMPO, 3]) + tempo.to_bytes(3))]
    for number, note in enumerate(score.notes):
        start, stop = (round(when * _PER_QUARTER) for when in note[:2])
        if not (
            0 <= start < stop <= round(score.length * _PER_QUARTER)
            and 0 <= note.pitch < 128
            and 0 <= note.channel < 16
        ):
            raise ArgumentError(
                f"write_midi: note {number} must have a key of 0 to 127, a channel of "
                f"0 to 15, and last within the {score.length} quarter notes of the "
                f"score, got {note}."
            )
        on, off = _NOTE_ON << 4 | note.channel, _NOTE_OFF << 4 | note.channel
        events.append((start, 2, bytes([on, note.pitch, 80])))
        events.append((stop, 1, bytes([off, note.pitch, 0])))
    events.append((round(score.length * _PER_QUARTER), 3, bytes([_META, _END, 0])))
    track, now = bytearray(), 0
    for tick, _, event in sorted(events):  # at the same tick, ends come first
        track += _as_number(tick - now) + event
        now = tick
    head = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, _PER_QUARTER)
    with atomic_write(path) as file:
        file.write(head + struct.pack(">4sI", b"MTrk", len(track)) + track)


def _as_number(value: int) -> bytes:
    """A number as bytes of seven bits, all but the last with the high bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))
