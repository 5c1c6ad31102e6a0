"""Pictures and captions from the files that people have, whole and damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recurro.data.captioned import read_captioned, read_pictures, write_captioned
from recurro.data.drawings import draw_scenes
from recurro.errors import DataError, MissingExtraError
from tests.datasets import dataset

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def photos(tmp_path):
    """A folder of three drawn pictures and their captions."""
    folder = tmp_path / "photos"
    write_captioned(folder, draw_scenes(3))
    return folder


def lines(folder, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "captions.jsonl").write_text(text)


def complaint(*arguments, **options):
    with pytest.raises(DataError) as caught:
        read_captioned(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_written_is_read(photos):
    drawn, found = draw_scenes(3), read_captioned(photos)
    assert found.captions == drawn.captions
    assert found.names == drawn.names == ("00000.png", "00001.png", "00002.png")
    assert found.notes == ()
    for a, b in zip(found.items, drawn.items, strict=True):
        np.testing.assert_array_equal(a, b)
    again = read_captioned(photos / "captions.jsonl")
    assert again.captions == drawn.captions
    assert read_pictures(photos).names == drawn.names
    assert len(read_pictures(photos / "00001.png")) == 1


def test_pictures_of_any_size_are_brought_to_one(photos):
    Image.new("L", (90, 40), 200).save(photos / "00001.png")
    message = complaint(photos)
    assert "00001.png' must be of the size of" in message
    assert "(32, 32, 3), got (40, 90, 3)" in message
    found = read_captioned(photos, side=24)
    assert {item.shape for item in found.items} == {(24, 24, 3)}
    with pytest.raises(DataError, match="must be of the size"):
        read_pictures(photos)


def test_pictures_without_captions_are_counted(photos):
    Image.new("RGB", (32, 32)).save(photos / "more.png")
    (note,) = read_captioned(photos).notes
    assert note.startswith("1 images of ")


def test_captions_of_a_table_of_single_ones(tmp_path, photos):
    table = tmp_path / "said.csv"
    table.write_text("image,caption\n00000.png,one\n00002.png,two\n00000.png, also  1 ")
    found = read_captioned(table, photos)
    assert found.names == ("00000.png", "00002.png")
    assert found.captions == (("one", "also 1"), ("two",))
    assert len(found.notes) == 1


def test_features_by_name_and_by_row(tmp_path):
    file = dataset("flickr30k-captions/val_head400.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    table = tmp_path / "few.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows[:5]))
    grids = np.random.default_rng(0).normal(size=(5, 4, 4, 6))
    np.save(tmp_path / "a.npy", grids)
    names = [row["image"] for row in rows[:5]]
    np.savez(tmp_path / "a.npz", **dict(zip(names, grids, strict=True)), more=grids[0])
    ordered = read_captioned(table, tmp_path / "a.npy")
    named = read_captioned(table, tmp_path / "a.npz")
    for found in (ordered, named):
        assert found.names == tuple(names)
        assert found.captions[0] == tuple(rows[0]["captions"])
        assert found.items[4].dtype == np.float32
        np.testing.assert_allclose(found.items[4], grids[4], rtol=1e-6)
    assert ordered.notes == ()
    assert len(named.notes) == 1
    np.save(tmp_path / "short.npy", grids[:4])
    assert "5 rows" in complaint(table, tmp_path / "short.npy")
    assert read_pictures(tmp_path / "a.npz").names == (*names, "more")
    assert read_pictures(tmp_path / "a.npy").names == tuple("01234")


def test_a_picture_that_does_not_open_is_named(photos):
    (photos / "00001.png").write_bytes(b"no picture")
    assert "00001.png' must be a picture that opens" in complaint(photos)
    whole = (photos / "00002.png").read_bytes()
    (photos / "00001.png").write_bytes(whole[: len(whole) // 2])
    assert "00001.png' must be a picture that opens" in complaint(photos)


def test_captions_and_images_must_meet(photos):
    row = {"image": "00000.png", "captions": ["one"]}
    lines(photos, row, {"image": "gone.png", "captions": ["two"]})
    message = complaint(photos)
    assert "line 2, column 'image'" in message
    assert "got 'gone.png'" in message
    for captions in ([], None, [""], ["one", 2], " "):
        lines(photos, row, {"image": "00001.png", "captions": captions})
        message = complaint(photos)
        assert "line 2, column 'captions'" in message
    lines(photos, row, {"image": "", "captions": ["two"]})
    assert "line 2, column 'image'" in complaint(photos)
    (photos / "captions.jsonl").write_text('{"image": "00000.png", "caption')
    assert "line 1" in complaint(photos)


def test_a_folder_without_captions(photos):
    (photos / "captions.jsonl").unlink()
    assert "must hold one table that says what is said" in complaint(photos)
    assert "no file or folder" in complaint(photos / "gone")
    assert "another kind of file" in complaint(photos / "00000.png")
    for name in ("a.jsonl", "b.jsonl"):
        (photos / name).write_text("")
    assert "a.jsonl, b.jsonl" in complaint(photos)


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (np.full((3, 2), np.nan), "finite numbers"),
        (np.array(["a", "b", "c"]), "must be numbers"),
        (np.zeros((0, 2)), "got none"),
    ],
)
def test_features_must_be_numbers(tmp_path, array, fault):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=fault):
        read_pictures(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", here=array)
    with pytest.raises(DataError, match="'here'.*" + fault):
        read_pictures(tmp_path / "a.npz")


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "a.npy").write_bytes(b"no array")
    for name in ("a.npz", "a.npy"):
        with pytest.raises(DataError, match="must hold arrays of numbers"):
            read_pictures(tmp_path / name)
    with pytest.raises(DataError, match="must hold a picture"):
        read_pictures(tmp_path)


def test_without_pillow_it_says_what_to_install(photos, monkeypatch):
    monkeypatch.setattr("recurro.data.pictures.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"recurro\[images\]"):
        read_pictures(photos)
