"""Tasks of sequences: killed and resumed, each ends with the same bits."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recurro.data import Sound, draw_scenes, write_captioned, write_wav
from tests.cli.command import process, recurro
from tests.cli.test_kill import step_of

pytestmark = pytest.mark.slow

NAMES = ["Anna", "Bo", "Cem", "Dora"]
Words = tuple[object, ...]


def rows(count: int, form: Callable[[int], str]) -> str:
    return "".join(form(n) + "\n" for n in range(count))


def classify(folder: Path) -> Words:
    kinds = ["a\txy", "b\tyx"]
    text = rows(60, lambda n: f"{kinds[n % 2]} {n}")
    (folder / "data.tsv").write_text(text)
    return ("data.tsv", "--tokens", "char", "--dropout", 0.2)


def regress(folder: Path) -> Words:
    (folder / "data.tsv").write_text(rows(60, lambda n: f"{n % 7}\tcosts {n % 7} {n}"))
    return ("data.tsv", "--tokens", "char", "--dropout", 0.2)


def tag(folder: Path) -> Words:
    text = rows(60, lambda n: f"{NAMES[n % 4]}\tNAME\nwaits{n}\tVERB\n")
    (folder / "data.conll").write_text(text)
    letters = ("--set", "model.letter_hidden_size=4")
    return ("data.conll", "--head", "crf", "--embedding-size", 8, *letters)


def label(folder: Path) -> Words:
    draw = np.random.default_rng(0)
    steps = [
        (n, t, int(draw.integers(0, 5))) for n in range(60) for t in range(3 + n % 4)
    ]
    text = "".join(f"{n},{t},{x},{'ab'[x > 2]}\n" for n, t, x in steps)
    (folder / "data.csv").write_text("id,time,x,label\n" + text)
    return ("data.csv", "--id", "id", "--time", "time")


def music(folder: Path) -> Words:
    pieces = [
        [[60 + n % 5], [64], [67, 55 + t % 3], []] for n in range(60) for t in (n,)
    ]
    (folder / "data.json").write_text(json.dumps(pieces))
    return ("data.json",)


def transcribe(folder: Path) -> Words:
    for n in range(40):
        wave = 0.3 * np.sin((0.2 + n % 2) * np.arange(1600 + 50 * n))
        write_wav(folder / f"{n}.wav", Sound(wave, 8000))
    text = "file,text\n" + rows(40, lambda n: f"{n}.wav,{'lh'[n % 2]}")
    (folder / "data.csv").write_text(text)
    return ("data.csv", "--join", "1,2", "--set", "data.bands=8")


def forecast(folder: Path) -> Words:
    days = np.arange("2024-01-01", "2024-07-01", dtype="datetime64[D]")
    text = rows(len(days), lambda n: f"{days[n]},{10 + n % 7 + n % 5}")
    (folder / "data.csv").write_text("day,sold\n" + text)
    columns = ("--time", "day", "--target", "sold")
    return ("data.csv", *columns, "--horizon", 2, "--history", 8)


def detect(folder: Path) -> Words:
    load = np.sin(np.arange(600) / 3.82)
    text = "time,load\n" + rows(600, lambda n: f"{n},{load[n]:.5f}")
    (folder / "data.csv").write_text(text)
    return ("data.csv", "--time", "time", "--window", 24, "--probation", 0.6)


def translate(folder: Path) -> Words:
    pytest.importorskip("sacrebleu")
    text = rows(60, lambda n: f"{NAMES[n % 4]} sees {n}\t{n} is seen by {NAMES[n % 4]}")
    (folder / "data.tsv").write_text(text)
    return ("data.tsv", "--tokens", "char", "--embedding-size", 8)


def caption(folder: Path) -> Words:
    pytest.importorskip("PIL.Image")
    write_captioned(folder / "photos", draw_scenes(60))
    short = ("--set", "model.max_length=6", "--set", "model.beam_size=1")
    return ("photos", "--set", "model.place_size=8", *short)


TASKS = [
    *(classify, regress, tag, label, music, transcribe),
    *(forecast, detect, translate, caption),
]


@pytest.mark.parametrize("make", TASKS, ids=lambda make: make.__name__)
def test_a_killed_run_ends_as_if_it_had_lived(folder, make):
    words = (
        *("train", make.__name__, *make(folder), "--hidden-size", 8),
        *("--batch-size", 8, "--epochs", 8, "-q", "--set", "train.checkpoint_steps=3"),
    )
    with process(*words, "-o", "killed", cwd=folder) as killed:
        saved = folder / "killed" / "state" / "checkpoint.safetensors"
        while not saved.exists() or step_of(folder / "killed") < 9:
            assert killed.poll() is None, killed.communicate()
            time.sleep(0.01)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    stopped = step_of(folder / "killed")
    recurro("resume", "killed", "-q")
    assert 9 <= stopped < step_of(folder / "killed")
    recurro(*words, "-o", "whole")
    for name in ("model.safetensors", "baselines.json"):
        one, other = (folder / run / name for run in ("killed", "whole"))
        assert one.read_bytes() == other.read_bytes(), name
