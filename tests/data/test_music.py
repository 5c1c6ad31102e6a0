from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recurro.data.midi import DRUMS, Note, Score, read_midi, write_midi
from recurro.data.music import KEYS, as_roll, read_pieces, roll_of, score_of
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset


@settings(max_examples=30)
@given(
    roll=st.integers(1, 9).flatmap(
        lambda time: arrays(np.float32, (time, KEYS), elements=st.sampled_from([0, 1]))
    ),
    step=st.sampled_from([0.25, 0.5, 1.0, 2.0]),
)
def test_a_roll_goes_through_midi_unchanged(tmp_path_factory, roll, step) -> None:
    path = tmp_path_factory.getbasetemp() / "roll.mid"
    write_midi(path, score_of(roll, step))
    assert np.array_equal(roll_of(read_midi(path), step), roll)


def test_notes_are_rounded_to_frames_and_none_is_lost() -> None:
    notes = (Note(0.0, 0.9, 60), Note(0.95, 2.1, 64), Note(2.6, 2.7, 67))
    roll = roll_of(Score(notes, 3))
    sounding = [np.flatnonzero(frame) + 21 for frame in roll]
    assert [frame.tolist() for frame in sounding] == [[60], [64], [], [67]]
    assert len(roll_of(Score(notes, 3), step=0.5)) == 6
    with pytest.raises(ArgumentError, match="step must be above 0"):
        roll_of(Score(notes, 3), step=0)


def test_the_chorales() -> None:
    path = dataset("jsb-chorales/jsb-chorales-quarter.json")
    parts = read_pieces(path)
    assert {name: len(rolls) for name, rolls in parts.items()} == {
        "test": 77,
        "train": 229,
        "valid": 76,
    }
    assert sum(map(len, parts["test"])) == 4725
    first = json.loads(path.read_text())["train"][0]
    pitches = [np.flatnonzero(frame) + 21 for frame in parts["train"][0]]
    assert [set(frame.tolist()) for frame in pitches] == [set(f) for f in first]


def test_files_of_several_kinds_are_read_together(tmp_path) -> None:
    (tmp_path / "a.json").write_text("[[[60], []], [[61]]]")
    write_midi(tmp_path / "b.MID", Score((Note(0, 1, 62), Note(0, 1, 62, DRUMS)), 1))
    write_midi(tmp_path / "c.midi", Score((Note(0, 2, 63), Note(0, 1, 5)), 2))
    with pytest.warns(UserWarning, match="2 notes of drums or off the keys"):
        parts = read_pieces([tmp_path / "a.json", tmp_path])
    assert list(parts) == [""]
    assert [len(roll) for roll in parts[""]] == [2, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[[60]", "must be JSON or end in .mid, got what cannot be read"),
        ("7", "must be a list of pieces, got 7"),
        ("{}", "must hold pieces, got none"),
        ("[]", "must be a list of pieces, got none"),
        ('{"train": [[[60]]], "test": []}', "part 'test' must be a list of pieces"),
        ('{"train": [[[60]], []]}', "part 'train', piece 1: must be frames"),
        ("[[[60], [60, 20]]]", "piece 0, frame 1: a pitch must be a whole number"),
        ("[[[60.5]]]", "a pitch must be a whole number from 21 to 108"),
        ("[[[true]]]", "got True. Transpose the piece"),
        ('[[["C4"]]]', "got 'C4'"),
        ("[[60]]", "piece 0, frame 0: must be a list of pitches, got 60"),
        ('["abc"]', "piece 0: must be frames of pitches, at least one, got 'abc'"),
    ],
)
def test_bad_json_is_named_by_piece_and_frame(tmp_path, text, what) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_pieces(path)
    assert f"'{path}'" in str(caught.value)
    assert what in str(caught.value)


def test_bad_files(tmp_path) -> None:
    with pytest.raises(DataError, match=r"holds no \.mid file"):
        read_pieces(tmp_path)
    with pytest.raises(DataError, match="no file"):
        read_pieces(tmp_path / "none.json")
    write_midi(tmp_path / "drums.mid", Score((Note(0, 1, 40, DRUMS),), 1))
    with pytest.raises(DataError, match="must hold a note of a piano, got 1 others"):
        read_pieces(tmp_path)


def test_rolls_are_checked() -> None:
    roll = np.zeros((3, KEYS))
    assert as_roll(roll).dtype == np.float32
    with pytest.raises(DataError, match=r"must be \(time, 88\), got shape \(3, 12\)"):
        as_roll(roll[:, :12])
    with pytest.raises(DataError, match=r"got shape \(0, 88\)"):
        as_roll(roll[:0])
    roll[2, 5] = 0.4
    with pytest.raises(DataError, match=r"got 0\.4 in frame 2, key 5"):
        as_roll(roll)
