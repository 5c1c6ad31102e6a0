from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from recurro.data import Sound, load_samples, read_spoken, write_wav
from recurro.errors import DataError


def record(path: Path, rate: int = 8000, count: int = 800) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_wav(path, Sound(np.linspace(-0.5, 0.5, count), rate))
    return path


def test_a_folder_with_texts_beside(tmp_path: Path) -> None:
    for name in ("b.wav", "more/a.WAV"):
        record(tmp_path / name).with_suffix(".txt").write_text(f"said {name}\n")
    record(tmp_path / ".hidden.wav")
    found = read_spoken(tmp_path)
    assert [file.name for file in found.files] == ["b.wav", "a.WAV"]
    assert found.texts == ("said b.wav", "said more/a.WAV")
    (tmp_path / "b.txt").unlink()
    assert read_spoken(tmp_path, texts=False).files == found.files
    assert read_spoken(found.files[0], texts=False).files == found.files[:1]


def test_a_table_names_files_beside_it(tmp_path: Path) -> None:
    record(tmp_path / "sounds" / "a.wav")
    record(tmp_path / "b.wav")
    table = tmp_path / "said.csv"
    table.write_text('text,file\n"seven, three",sounds/a.wav\n12,b.wav\n')
    found = read_spoken(table)
    assert found.files == (tmp_path / "sounds" / "a.wav", tmp_path / "b.wav")
    assert found.texts == ("seven, three", "12")
    (tmp_path / "said.jsonl").write_text('{"file": "b.wav", "text": 12}\n')
    assert read_spoken(tmp_path / "said.jsonl").texts == ("12",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "'{0}/a.wav' must have its text in 'a.txt' beside it, got no such file"),
        ("", "'{0}/a.txt' is empty"),
        (" \n", "'{0}/a.txt' must hold one line of text, got 0"),
        ("two\nlines", "'{0}/a.txt' must hold one line of text, got 2"),
    ],
)
def test_a_text_that_is_not_there(tmp_path: Path, text: str | None, said: str) -> None:
    record(tmp_path / "a.wav")
    if text is not None:
        (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=re.escape(said.format(tmp_path))):
        read_spoken(tmp_path)


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must hold a WAV file, got none"):
        read_spoken(tmp_path)
    record(tmp_path / "a.wav").with_suffix(".txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    with pytest.raises(DataError, match=r"b.txt' must have a WAV file beside it"):
        read_spoken(tmp_path)
    table = tmp_path / "t.csv"
    table.write_text("file,text\na.wav,a\nc.wav,c\n")
    with pytest.raises(DataError, match=r"line 3, column 'file' of .*a file that is t"):
        read_spoken(table)
    table.write_text("file,text\na.wav,\n")
    with pytest.raises(DataError, match=r"line 2, column 'text' of .* got nothing"):
        read_spoken(table)
    table.write_text("name,text\na.wav,a\n")
    with pytest.raises(DataError, match="must have a column 'file', it has 'name'"):
        read_spoken(table)


def test_all_recordings_come_to_one_rate(tmp_path: Path) -> None:
    given = [
        record(tmp_path / "a.wav", 16000, 1600),
        str(record(tmp_path / "b.wav")),
        Sound(np.zeros(441, np.float32), 11025),
        np.zeros(5),
        np.zeros(5, np.int16),
    ]
    samples, changed = load_samples(given, 8000)
    assert [len(item) for item in samples] == [800, 800, 320, 5, 5]
    assert {item.dtype for item in samples} == {np.dtype(np.float32)}
    assert changed == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a.wav", "must be a list of at least one, got 'a.wav'"),
        ([], "must be a list of at least one, got []"),
        ([np.zeros(3), np.zeros((3, 2))], "item 1 must be finite samples (time,)"),
        ([np.zeros(0)], "item 0 must be finite samples (time,), at least one"),
        ([np.array([np.nan])], "item 0 must be finite"),
        ([[1.0, "x"]], "item 0 must be finite"),
        ([Sound(np.zeros(9), 4000)], "item 0 must have at least 8000 samples per sec"),
    ],
)
def test_recordings_that_cannot_be_used(given: object, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        load_samples(given, 8000)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"a.wav' must have .* at byte"):
        load_samples([path], 8000)
    slow = record(tmp_path / "slow.wav", 4000)
    with pytest.raises(DataError, match=r"slow.wav' must have at least 8000 .* 4000"):
        load_samples([slow], 8000)
