from __future__ import annotations

import json

import numpy as np
import pytest

from recurro.data import Sound, write_wav
from tests.cli.command import complaint, recurro

SMALL = (
    *("--hidden-size", 8, "--num-layers", 1, "--batch-size", 4, "--epochs", 2, "-q"),
    *("--set", "data.bands=8"),
)


@pytest.fixture
def spoken(folder):
    """Recordings of two tones, their texts beside them, and a table of both."""
    (folder / "said").mkdir()
    rows = ["file,text"]
    for number in range(12):
        text = "lh"[number % 2]
        wave = 0.3 * np.sin((0.2 + number % 2) * np.arange(1600 + 50 * number))
        path = folder / "said" / f"{number}.wav"
        write_wav(path, Sound(wave, 8000))
        path.with_suffix(".txt").write_text(text)
        rows.append(f"said/{number}.wav,{text}")
    (folder / "said.csv").write_text("\n".join(rows))
    return folder


def test_transcribe(spoken):
    words = ("--join", "1,2", "-o", "run", "--json")
    told = json.loads(recurro("train", "transcribe", "said.csv", *SMALL, *words).out)
    names = [row["name"] for row in told["baselines"]]
    assert names == ["most frequent text", "11 templates, joined", "network"]
    config = (spoken / "run" / "config.yaml").read_text()
    for line in ("task: transcribe", "bands: 8", "- said.csv", "- 2"):
        assert line in config
    found = json.loads(recurro("evaluate", "run", "said", "--json").out)
    assert set(found) == {"nats_per_token", "token_error_rate", "word_error_rate"}
    lines = recurro("predict", "run", "said", "--beam", 4).out.splitlines()
    assert [line.split("\t")[0] for line in lines][:2] == ["said/0.wav", "said/1.wav"]
    [row] = json.loads(recurro("predict", "run", "said/3.wav", "--json").out)
    assert set(row) == {"file", "text"}
    assert "was finished already" in recurro("resume", "run", "-q").err


def test_a_language_model_has_its_say(spoken):
    recurro("train", "transcribe", "said", *SMALL, "-o", "run")
    (spoken / "lines.txt").write_text("lh\nhl\n" * 30)
    recurro(
        *("train", "ngram", "lines.txt", "--lines", "--tokens", "char"),
        *("--order", 2, "-o", "counted"),
    )
    plain = recurro("evaluate", "run", "said.csv", "--json").out
    words = ("--lm", "counted", "--lm-weight", 2, "--json")
    found = recurro("evaluate", "run", "said.csv", *words).out
    assert json.loads(found).keys() == json.loads(plain).keys()
    assert "must come with --lm" in complaint(
        "predict", "run", "said", "--lm-weight", 2
    )
    assert "--beam: must be left out for a run of ngram" in complaint(
        "evaluate", "counted", "lines.txt", "--beam", 2
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-folder",), "no file or folder 'no-such-folder'"),
        (("said.csv", "--join", "3,2"), "--join: must be a number from 1"),
        (("said.csv", "--tokens", "byte"), "--tokens: must be"),
        (("said.csv", "--set", "data.bands=300"), "--set data.bands: does not fit"),
        (("said.csv", "--rate", 16000), "'said/0.wav' must have at least 16000"),
    ],
)
def test_what_is_wrong_is_said(spoken, words, said):
    assert said in complaint("train", "transcribe", *words, "-o", "run")
    assert not (spoken / "run").exists()


def test_a_damaged_recording_is_named(spoken):
    path = spoken / "said" / "7.wav"
    path.write_bytes(path.read_bytes()[:99])
    line = complaint("train", "transcribe", "said", "-o", "run")
    assert "'said/7.wav' must have" in line
    assert "at byte" in line


def test_blank_lines_of_a_table_are_said(spoken):
    text = (spoken / "said.csv").read_text()
    (spoken / "gaps.csv").write_text(text.replace("said/3", "\n\nsaid/3"))
    note = "recurro: note: 'gaps.csv': blank lines left out: 2."
    assert note in recurro("train", "transcribe", "gaps.csv", *SMALL, "-o", "run").err
    assert note in recurro("evaluate", "run", "gaps.csv").err
    assert note in recurro("predict", "run", "gaps.csv").err
