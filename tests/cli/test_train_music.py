from __future__ import annotations

import json

import pytest

from recurro.data import Note, Score, read_midi, read_wav, write_midi
from tests.cli.command import complaint, recurro

BROKEN = [[60], [64], [67], []] * 3
PARTS = {"train": [BROKEN] * 6, "valid": [BROKEN[1:]], "test": [BROKEN[2:], BROKEN]}
SMALL = ["--hidden-size", 8, "--epochs", 2, "--step", 0.5, "-q"]


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """A run of music and the file it was trained on."""
    place = tmp_path_factory.mktemp("music")
    data = place / "pieces.json"
    data.write_text(json.dumps(PARTS))
    out = recurro("train", "music", data, *SMALL, "-o", place / "run").out
    assert "Markov chain of each key" in out
    assert f"recurro generate {place / 'run'} --midi FILE" in out
    return place / "run", data


def test_the_part_named_test_is_scored(song):
    run, data = song
    [(name, value)] = json.loads(recurro("evaluate", run, data, "--json").out).items()
    assert name == "nll_per_frame"
    rows = recurro("predict", run, data).out.splitlines()
    assert [row.split("\t")[1:] for row in rows] == [["0", "10"], ["1", "12"]]
    rows = json.loads(recurro("resume", run, "--json", "-q").out)["baselines"]
    assert [row["name"] for row in rows][-1] == "network"
    assert value > 0


def test_a_piece_is_composed_as_midi_and_sound(song, folder):
    run, data = song
    words = ["generate", run, "-n", 8, "--seed", 1]
    recurro(*words, "--tempo", 60, "--midi", "a.mid", "--wav", "a.wav")
    score = read_midi("a.mid")
    assert (score.length, score.tempo) == (4, 60)
    assert read_wav("a.wav").seconds == pytest.approx(4.08, abs=0.01)
    frames = json.loads(recurro(*words, "--json").out)["frames"]
    assert len(frames) == 8
    printed = recurro(*words, "--prompt", data).out.splitlines()
    assert printed[:3] == ["67", "-", "60"]
    assert len(printed) == 10 + 8
    assert recurro("evaluate", run, "a.mid").out.startswith("nll per frame")


def test_midi_files_of_a_folder_are_learnt(folder):
    for number in range(4):
        notes = [Note(n, n + 1, 60 + number + n) for n in range(6)]
        write_midi(folder / f"{number}.mid", Score(tuple(notes), 6))
    out = recurro("train", "music", folder, *SMALL, "-o", "run", "--json").out
    assert json.loads(out)["nll_per_frame"] > 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--top-k", 3], "--top-k: must be left out for a run of music"),
        (["--class", "x"], "--class: must be left out"),
        (["--number", 2], "--number: must be left out"),
        (["--tempo", 0, "--midi", "a.mid"], "--tempo: must be above 0"),
        (["--tempo", 90], "got 90 without these"),
        (["--prompt", "none.mid"], "no file 'none.mid'"),
        (["--length", 0], "--length: must be at least 1"),
    ],
)
def test_generate_refuses(song, words, expected):
    assert expected in complaint("generate", song[0], *words)


def test_text_has_no_midi(run):
    assert "--midi: is for a run of music" in complaint("generate", run, "--midi", "a")
    assert "--tempo: is for a run of music" in complaint("generate", run, "--tempo", 9)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.mid", b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x09", "at byte 18"),
        ("a.json", b'{"other": [[[60]]]}', "have a part named train, got other"),
        ("a.json", b"[[[60]], [[60], [5]]]", "piece 1, frame 1: a pitch must be"),
    ],
)
def test_bad_input_leaves_nothing(folder, name, content, expected):
    (folder / name).write_bytes(content)
    found = complaint("train", "music", name, "-o", "run")
    assert f"'{name}'" in found
    assert expected in found
    assert not (folder / "run").exists()
