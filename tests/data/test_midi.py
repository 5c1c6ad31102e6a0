from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data.midi import DRUMS, Note, Score, read_midi, write_midi
from recurro.errors import ArgumentError, DataError

END = "00 FF 2F 00"


def midi(*tracks: str, form: int = 1, division: int = 96, head: int = 6) -> bytes:
    """A file of tracks in hexadecimal."""
    parts = [b"MThd", struct.pack(">IHHH", head, form, len(tracks), division)]
    parts.append(bytes(head - 6))
    for track in tracks:
        data = bytes.fromhex(track)
        parts += [b"MTrk", struct.pack(">I", len(data)), data]
    return b"".join(parts)


@pytest.fixture
def notes(tmp_path):
    """Read the notes of a file of these tracks."""

    def read(*tracks: str, **header: int) -> Score:
        (tmp_path / "a.mid").write_bytes(midi(*tracks, **header))
        return read_midi(tmp_path / "a.mid")

    return read


@pytest.fixture
def fault(tmp_path):
    """What is said of these bytes."""

    def read(content: bytes) -> str:
        (tmp_path / "bad.mid").write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_midi(tmp_path / "bad.mid")
        said = str(caught.value)
        assert said.startswith(f"read_midi: '{tmp_path / 'bad.mid'}' must ")
        assert said.endswith("standard MIDI file, or leave it out.")
        return said

    return read


def test_the_example_of_the_standard(notes) -> None:
    # Standard MIDI Files 1.0, the example of format 0, with running status.
    score = notes(
        "00 FF 58 04 04 02 18 08  00 FF 51 03 07 A1 20  00 C0 05  00 C1 2E  00 C2 46"
        "00 92 30 60  00 3C 60  60 91 43 40  60 90 4C 20  81 40 82 30 40  00 3C 40"
        "00 81 43 40  00 80 4C 40" + END,
        form=0,
    )
    assert score.notes == (
        *(Note(0, 4, 48, 2), Note(0, 4, 60, 2), Note(1, 4, 67, 1), Note(2, 4, 76, 0)),
    )
    assert (score.length, score.tempo) == (4, 120)


def test_tracks_play_together_and_the_first_tempo_counts(notes) -> None:
    score = notes(
        "00 FF 51 03 0F 42 40  60 FF 51 03 07 A1 20" + END,
        "60 90 40 40  60 90 40 00" + END,
        "00 99 24 40  60 89 24 00" + END,
        head=8,
    )
    assert score.notes == (Note(0, 1, 36, DRUMS), Note(1, 2, 64))
    assert (score.length, score.tempo) == (2, 60)


def test_what_is_held_ends_at_the_end_or_when_struck_again(notes) -> None:
    score = notes("00 90 40 40  30 90 40 40  30 90 41 40  60 FF 2F 00")
    assert score.notes == (Note(0, 0.5, 64), Note(0.5, 2, 64), Note(1, 2, 65))


def test_other_events_are_passed_over(notes) -> None:
    score = notes(
        "00 F0 03 01 02 F7  00 F7 01 00  00 E0 00 40  00 D0 10  00 A0 40 10"
        "00 B0 40 7F  00 80 50 40  00 90 40 40  60 80 40 40" + END
    )
    assert score.notes == (Note(0, 1, 64),)


@pytest.mark.parametrize(
    ("track", "byte", "what"),
    [
        ("00 40 40", 23, "must have a status here, got 0x40"),
        ("00 90 40", 24, "must have 2 more bytes in this track, got 1"),
        ("00 90 80 40", 24, "must have a value of 0 to 127, got 128"),
        ("00 F4 00 00", 23, "must have no status 0xf4"),
        ("FF FF FF FF 00", 22, "must have a number of at most four bytes"),
        ("00", 23, "must have an event here, the track ends"),
        ("00 FF 51 02 07 A1" + END, 23, "must state a tempo by three bytes"),
        ("00 FF 51 03 00 00 00" + END, 23, "must state a tempo by three bytes"),
        ("00 FF 01 05 41", 26, "must have 5 more bytes in this track, got 1"),
    ],
)
def test_a_corrupt_track_is_named_by_its_byte(fault, track, byte, what) -> None:
    said = fault(midi(track))
    assert what in said
    assert f", at byte {byte}. " in said


@pytest.mark.parametrize(
    ("content", "byte", "what"),
    [
        (b"", 0, "must begin with 'MThd', got ''"),
        (b"RIFFabcd", 0, "must begin with 'MThd', got 'RIFF'"),
        (b"MThd\0\0\0\6", 4, "must have a header of 14 bytes, got 8"),
        (midi(END, form=2), 8, "must be of format 0 or 1, got 2"),
        (midi(END, division=0xE728), 12, "must count ticks of a quarter note"),
        (midi(END, division=0), 12, "must count ticks of a quarter note"),
        (midi(END)[:-1], 18, "must have the 4 bytes that its chunk 'MTrk' states"),
        (midi(END) + b"MT", 26, "must have a chunk's name and size"),
        (midi(END, END)[:26], 26, "must have 2 tracks, as it says at byte 10, got 1"),
        (midi(), 14, "must have 1 tracks"),
    ],
)
def test_a_corrupt_file_is_named_by_its_byte(fault, content, byte, what) -> None:
    said = fault(content)
    assert what in said
    assert f", at byte {byte}. " in said


def test_a_missing_file(tmp_path) -> None:
    with pytest.raises(DataError, match="must be a readable file: No such file"):
        read_midi(tmp_path / "none.mid")


voices = st.dictionaries(
    st.tuples(st.integers(0, 127), st.integers(0, 15)),
    st.lists(st.integers(0, 5000), max_size=8, unique=True).map(sorted),
    max_size=5,
)
"""When each of some keys begins and ends, in ticks."""


@settings(max_examples=50)
@given(voices=voices, rest=st.integers(0, 400))
def test_what_is_written_reads_back(tmp_path_factory, voices, rest) -> None:
    notes = [
        Note(start / 480, stop / 480, pitch, channel)
        for (pitch, channel), ticks in voices.items()
        for start, stop in zip(ticks[::2], ticks[1::2], strict=False)
    ]
    last = max([round(note.stop * 480) for note in notes], default=0)
    score = Score(tuple(notes), (last + rest) / 480, 100.0)
    path = tmp_path_factory.getbasetemp() / "round.mid"
    write_midi(path, score)
    back = read_midi(path)
    assert (back.length, back.tempo) == (score.length, score.tempo)
    assert sorted(back.notes) == sorted(notes)
    assert [note[0] for note in back.notes] == sorted(note[0] for note in notes)


@settings(max_examples=200)
@given(st.data())
def test_damage_is_refused_or_read_but_nothing_else(tmp_path_factory, data) -> None:
    content = bytearray(
        midi("00 90 40 40  60 80 40 40  00 C0 01  60 FF 51 03 07 A1 20")
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    path = tmp_path_factory.getbasetemp() / "damaged.mid"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_midi(path)
    except DataError as error:
        assert "at byte" in str(error)


@pytest.mark.parametrize(
    "score",
    [
        Score((Note(0, 1, 128),), 1),
        Score((Note(0, 1, 60, 16),), 1),
        Score((Note(1, 1, 60),), 1),
        Score((Note(0, 2, 60),), 1),
    ],
)
def test_notes_that_cannot_be_written_are_named(tmp_path, score) -> None:
    with pytest.raises(ArgumentError, match="note 0 must have a key of 0 to 127"):
        write_midi(tmp_path / "a.mid", score)
    with pytest.raises(ArgumentError, match="tempo must be at least"):
        write_midi(tmp_path / "a.mid", Score((), 1, tempo=1))
    assert not list(tmp_path.iterdir())
