from __future__ import annotations

import json

import numpy as np
import pytest

from recurro.data import draw_scenes, write_captioned
from recurro.report.looks import draw_looks
from recurro.tasks.captioner import Look
from tests.cli.command import complaint, recurro

Image = pytest.importorskip("PIL.Image")

SMALL = (
    *("--hidden-size", 16, "--epochs", 2, "--batch-size", 8, "-q"),
    *("--set", "model.place_size=8", "--set", "model.beam_size=1"),
    *("--set", "model.max_length=6"),
)


@pytest.fixture
def photos(folder):
    """A folder of drawn pictures of several sizes, and their captions."""
    write_captioned("photos", draw_scenes(24))
    for number in range(3):
        path = folder / "photos" / f"{number:05d}.png"
        Image.open(path).resize((40, 36)).save(path)
    return folder / "photos"


def test_a_folder_of_photographs(photos):
    """Train, evaluate, predict; the report has four grades, the folder a picture."""
    options = (*SMALL, "--side", 16, "--test", "photos", "-o", "run")
    told = json.loads(recurro("train", "caption", "photos", *options, "--json").out)
    assert [row["name"] for row in told["baselines"]] == [
        "most frequent caption",
        "nearest picture",
        "network",
    ]
    assert set(told["test"]) == {"name", "perplexity", "bleu", "exact_match"}
    found = json.loads(recurro("evaluate", "run", "photos", "--json").out)
    assert found["perplexity"] == pytest.approx(told["test"]["perplexity"])
    rows = json.loads(recurro("predict", "run", "photos", "--json").out)
    assert [row["image"] for row in rows] == [f"{n:05d}.png" for n in range(24)]
    assert rows[0]["caption"]
    (line,) = recurro("predict", "run", "photos/00007.png").out.splitlines()
    assert line == f"00007.png\t{rows[7]['caption']}"
    samples = json.loads((photos.parent / "run" / "samples.json").read_text())
    titles = [sample["title"].split(":")[0] for sample in samples]
    assert titles == ["without errors", "minor errors", "somewhat related", "unrelated"]
    counts = [int(sample["title"].split(": ")[1].split()[0]) for sample in samples]
    assert sum(counts) == 24
    with Image.open("run/attention.png") as sheet:
        assert min(sheet.size) > 100


def test_a_run_that_goes_on_gets_samples_and_picture_too(photos):
    options = (*SMALL, "--side", 16, "--test", "photos", "-o", "run")
    recurro("train", "caption", "photos", *options)
    run = photos.parent / "run"
    left = {n: (run / n).read_bytes() for n in ("samples.json", "attention.png")}
    for name in (*left, "baselines.json"):
        (run / name).unlink()
    recurro("resume", "run", "-q")
    assert {name: (run / name).read_bytes() for name in left} == left
    assert "without errors:" in (run / "report.html").read_text()
    assert "was finished already" in recurro("resume", "run", "-q").err


def test_features_in_files_of_arrays(folder):
    draw = np.random.default_rng(0)
    names = [f"{n}.jpg" for n in range(20)]
    lines = [json.dumps({"image": n, "captions": [f"it is {n[0]}"]}) for n in names]
    (folder / "said.jsonl").write_text("\n".join(lines))
    np.savez("places.npz", **{name: draw.normal(size=(3, 4)) for name in names})
    options = (*SMALL, "--images", "places.npz", "--attention", "general", "-o", "run")
    recurro("train", "caption", "said.jsonl", *options)
    rows = json.loads(recurro("predict", "run", "places.npz", "--json").out)
    assert [row["image"] for row in rows] == names
    found = json.loads(recurro("evaluate", "run", "said.jsonl", "--json").out)
    assert set(found) == {"perplexity", "bleu", "exact_match"}
    same = recurro("evaluate", "run", "said.jsonl", "places.npz", "--json").out
    assert json.loads(same) == found


def test_scenes_are_drawn_where_no_file_is_named(folder):
    options = (*SMALL, "--test", "scenes:6", "-o", "run", "--json")
    told = json.loads(recurro("train", "caption", "scenes:30", *options).out)
    assert told["test"]["name"] == "network"
    rows = json.loads(recurro("predict", "run", "scenes:5", "--json").out)
    assert len(rows) == 5


def test_what_is_wrong_is_said_in_a_line(photos):
    (photos / "00004.png").write_bytes(b"none")
    assert "00004.png' must be a picture that opens" in complaint(
        "train", "caption", "photos", "--side", 16
    )
    (photos / "00004.png").write_bytes((photos / "00005.png").read_bytes())
    assert "must be of the size of" in complaint("train", "caption", "photos")
    (photos / "captions.jsonl").write_text('{"image": "gone.png", "captions": ["a"]}')
    assert "'gone.png'" in complaint("train", "caption", "photos", "--side", 16)
    (photos / "captions.jsonl").unlink()
    assert "must hold one table" in complaint("train", "caption", "photos")
    assert "no file or folder 'scene'" in complaint("train", "caption", "scene")


def test_looks_are_drawn_bright_where_was_looked(tmp_path):
    weights = np.zeros((2, 2, 2))
    weights[0, 0, 0] = weights[1, 1, 1] = 1
    grey = np.full((8, 8, 3), 200, np.uint8)
    draw_looks(tmp_path / "a.png", [grey], [Look(("one", "two"), weights)])
    with Image.open(tmp_path / "a.png") as sheet:
        pixels = np.asarray(sheet)
    left = 8 + 120
    assert pixels[20, left + 20, 0] == 200
    assert pixels[100, left + 100, 0] == 50
    assert pixels[20, left + 120 + 20, 0] == 50
    assert pixels[100, left + 120 + 100, 0] == 200


def test_a_picture_of_another_size_is_named(folder):
    write_captioned("photos", draw_scenes(24))
    recurro("train", "caption", "photos", *SMALL, "-o", "run")
    write_captioned("others", draw_scenes(3))
    path = folder / "others" / "00001.png"
    Image.open(path).resize((40, 36)).save(path)
    for verb in ("evaluate", "predict"):
        line = complaint(verb, "run", "others")
        assert "00001.png" in line
        assert "item" not in line
