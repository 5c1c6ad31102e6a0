from __future__ import annotations

import sys

import numpy as np
import pytest

from recurro.data import as_pictures, read_numbered
from recurro.data.numbered_pictures import as_numbers
from recurro.errors import DataError, MissingExtraError

Image = pytest.importorskip("PIL.Image")

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.fixture
def folder(tmp_path):
    for name in ("47.png", "05_2.png", "05_1.PNG"):
        Image.fromarray(GREY).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_folder_names_its_numbers(folder) -> None:
    found = read_numbered(folder)
    assert found.names == ["05_1.PNG", "05_2.png", "47.png"]
    assert found.numbers == ["05", "05", "47"]
    pictures = as_pictures(found.pictures)
    assert np.allclose(pictures[0], GREY / 255, atol=1e-4)


def test_a_table_names_pictures_and_numbers(folder) -> None:
    table = folder / "numbers.csv"
    table.write_text("image,number\n47.png,74\n05_2.png,50\n")
    found = read_numbered(table)
    assert (found.numbers, found.names) == (["74", "50"], ["47.png", "05_2.png"])
    table.write_text("image,number\n47.png,7x\n")
    with pytest.raises(DataError, match=r"line 2.*'number'.*digits.*'7x'"):
        read_numbered(table)
    table.write_text("image,number\n48.png,7\n")
    with pytest.raises(DataError, match=r"line 2.*picture that is there"):
        read_numbered(table)


def test_arrays_hold_images_and_numbers(tmp_path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, images=np.zeros((2, 3, 4)), numbers=["1", "02"])
    assert read_numbered(file).numbers == ["1", "02"]
    np.savez(file, images=np.zeros((2, 3, 4)))
    assert len(read_numbered(file, numbers=False).pictures) == 2
    with pytest.raises(DataError, match="must have an array 'numbers', got images"):
        read_numbered(file)
    np.savez(file, images=np.zeros((2, 3, 4)), numbers=["1"])
    with pytest.raises(DataError, match="a number for each of its 2 images, got 1"):
        read_numbered(file)
    np.savez(file, images=np.zeros((2, 3, 4)), numbers=["1", "-2"])
    with pytest.raises(DataError, match=r"number 1 must be a text of digits.*'-2'"):
        read_numbered(file)
    np.savez(file, images=np.zeros((2, 3, 4, 3)), numbers=["1", "2"])
    with pytest.raises(DataError, match=r"must be \(items, height, width\)"):
        read_numbered(file)
    whole = file.read_bytes()
    for damaged in (b"nothing", b"", b"PK\x03\x04torn", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot be read"):
            read_numbered(file)


def test_drawn_numbers_are_named_by_a_word() -> None:
    train, test = read_numbered("digits:3"), read_numbered("digits:3", "test")
    assert {len(number) for number in train.numbers} == {3}
    assert (len(train.numbers), len(test.numbers)) == (10_000, 1_000)
    with pytest.raises(DataError, match=r"no file or folder 'digit'.*write 'digits'"):
        read_numbered("digit")


def test_names_without_a_number(folder) -> None:
    (folder / "47.png").rename(folder / "house.png")
    with pytest.raises(DataError, match=r"house.png' must begin with the number"):
        read_numbered(folder)
    assert len(read_numbered(folder, numbers=False).pictures) == 3


def test_a_folder_without_pictures(tmp_path) -> None:
    with pytest.raises(DataError, match="must be or hold a picture"):
        read_numbered(tmp_path)


def test_a_picture_that_does_not_open(folder) -> None:
    (folder / "47.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match=r"47.png' must be a picture that opens"):
        as_pictures(read_numbered(folder).pictures)


def test_a_picture_of_another_size(folder) -> None:
    Image.fromarray(GREY.T.copy()).save(folder / "47.png")
    with pytest.raises(DataError, match=r"47.png' must be of .*\(3, 4\).*\(4, 3\)"):
        as_pictures(read_numbered(folder).pictures)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        (np.zeros((2, 3, 3)), r"item 1 must be numbers \(height, width\)"),
        (np.full((2, 3), 16.0), "item 1 must hold numbers from 0 to 1"),
        (np.full((2, 3), np.nan), "item 1 must hold finite numbers"),
        (np.zeros((3, 3)), r"item 1 must be of height and width \(2, 3\)"),
    ],
)
def test_arrays_that_are_no_pictures(item, what) -> None:
    with pytest.raises(DataError, match=what):
        as_pictures([np.zeros((2, 3)), item])


@pytest.mark.parametrize("given", [None, "47", [47], ["4 7"], ["٤"]])
def test_numbers_of_other_symbols(given) -> None:
    with pytest.raises(DataError, match="number"):
        as_numbers(given, "fit")


def test_without_pillow_it_is_said_what_to_install(folder, monkeypatch) -> None:
    from recurro.data import pictures

    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    assert "PIL" in sys.modules
    with pytest.raises(MissingExtraError, match=r"recurro\[images\]"):
        as_pictures(read_numbered(folder).pictures)


def test_arrays_that_are_no_greys_are_named(tmp_path) -> None:
    file, images = tmp_path / "a.npz", np.zeros((2, 3, 4))
    images[1, 2, 0] = np.nan
    np.savez(file, images=images, numbers=["1", "2"])
    with pytest.raises(DataError, match=r"image 1 of .*a\.npz.* got nan in row 2, col"):
        read_numbered(file)
    np.savez(file, images=np.full((2, 3, 4), 9.0), numbers=["1", "2"])
    with pytest.raises(DataError, match=r"image 0 of .*a\.npz.* from 0 to 1"):
        read_numbered(file)
    np.savez(file, images=images, numbers=[1, 2])
    with pytest.raises(DataError, match=r"number 0 must be a text .* got 1\. Mend"):
        read_numbered(file)
