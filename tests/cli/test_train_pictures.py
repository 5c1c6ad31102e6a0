from __future__ import annotations

import json

import numpy as np
import pytest

from recurro.data import draw_house_numbers
from tests.cli.command import complaint, recurro

Image = pytest.importorskip("PIL.Image")
SMALL = ["--epochs", 1, "--hidden-size", 8, "--patch", 4, "--batch-size", 16, "-q"]
DRAWN = draw_house_numbers(30, length=(1, 2))


def size_of(file) -> tuple[int, int]:
    with Image.open(file) as opened:
        return opened.size


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A folder of pictures, named by their numbers."""
    place = tmp_path_factory.mktemp("houses")
    for row, (image, number) in enumerate(
        zip(DRAWN.images, DRAWN.numbers, strict=True)
    ):
        grey = (255 * (1 - image)).astype(np.uint8)
        Image.fromarray(grey).save(place / f"{number}_{row:02}.png")
    return place


@pytest.fixture(scope="module")
def reader(houses, tmp_path_factory):
    run = tmp_path_factory.mktemp("read") / "run"
    out = recurro("train", "read", houses, *SMALL, "-o", run).out
    assert "nearest picture" in out
    assert f"recurro predict {run}" in out
    return run


@pytest.fixture(scope="module")
def painter(houses, tmp_path_factory):
    run = tmp_path_factory.mktemp("paint") / "run"
    out = recurro("train", "paint", houses, *SMALL, "--steps", 2, "-o", run).out
    assert "plain autoencoder" in out
    assert "--png FILE" in out
    return run


def test_numbers_are_read_and_scored(reader, houses):
    figures = json.loads(recurro("evaluate", reader, houses, "--json").out)
    assert list(figures) == ["sequence_accuracy", "digit_accuracy"]
    rows = json.loads(recurro("predict", reader, houses, "--json").out)
    names = sorted(file.name for file in houses.glob("*.png"))
    assert [row["image"] for row in rows] == names
    right = [row["number"] == row["image"].split("_")[0] for row in rows]
    assert figures["sequence_accuracy"] == pytest.approx(np.mean(right))
    one = recurro("predict", reader, houses / names[0]).out.split("\t")
    assert one[0] == rows[0]["number"]


def test_a_strip_of_glimpses_is_left(reader):
    # 3 pictures held out of 16 by 24 pixels, 5 times as large; 5 glimpses
    size = 96 + 5 * (24 * 5 + 10), 3 * (2 * 80 + 38) + 10
    assert size_of(reader / "glimpses.png") == size


def test_a_run_of_reading_goes_on_and_takes_arrays(reader, folder):
    before = (reader / "glimpses.png").read_bytes()
    (reader / "glimpses.png").unlink()
    rows = json.loads(recurro("resume", reader, "--json", "-q").out)["baselines"]
    assert rows[-1]["name"] == "network"
    assert (reader / "glimpses.png").read_bytes() == before
    np.savez("a.npz", images=DRAWN.images, numbers=DRAWN.numbers)
    assert "sequence accuracy" in recurro("evaluate", reader, "a.npz").out


def test_pictures_are_painted(painter, houses, folder):
    assert size_of(painter / "strokes.png") == (10 + 3 * 130, 6 * 90 + 10)
    [(name, value)] = json.loads(
        recurro("evaluate", painter, houses, "--json").out
    ).items()
    rows = json.loads(recurro("predict", painter, houses, "--json").out)
    assert name == "bound"
    assert value == pytest.approx(-np.mean([row["log_prob"] for row in rows]))
    words = ["generate", painter, "--number", 3, "--seed", 1, "--png"]
    assert recurro(*words, "a.png").out == "a.png\n"
    assert size_of("a.png") == (10 + 3 * 130, 3 * 90 + 10)
    told = json.loads(recurro(*words, "b.png", "--json").out)
    assert np.shape(told["pictures"]) == (3, 16, 24)


def test_what_is_asked_for_wrongly(reader, painter, houses, folder):
    assert "--png FILE" in complaint("generate", painter)
    assert "ends in .png" in complaint("generate", painter, "--png", "a.jpg")
    assert "--text" in complaint("generate", painter, "--text", "a", "--png", "a.png")
    assert "--midi" in complaint("generate", painter, "--midi", "a.mid")
    assert "--prompt" in complaint("generate", painter, "-p", "7", "--png", "a.png")
    assert "recurro predict" in complaint("generate", reader)
    assert "--attention" in complaint("train", "read", houses, "--attention", "hard")
    assert "no file or folder 'digit'" in complaint("train", "read", "digit")
    (folder / "house.png").write_bytes(next(houses.iterdir()).read_bytes())
    assert "'house.png' must begin with the number" in complaint(
        "train", "read", "house.png"
    )
    (folder / "7.png").write_bytes(b"nothing")
    assert "'7.png' must be a picture that opens" in complaint(
        "predict", reader, "7.png"
    )
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("7.png")
    assert "'7.png' must be of height and width (16, 24)" in complaint(
        "predict", reader, "7.png"
    )
    (folder / "empty").mkdir()
    assert "must be or hold a picture" in complaint("train", "paint", "empty")
