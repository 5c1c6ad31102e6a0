from __future__ import annotations

import numpy as np
import pytest

from recurro.data import Drawings, as_drawing, read_drawings, strokes_of, write_drawings
from recurro.data.strokes import drawing_of
from recurro.errors import DataError
from tests.datasets import dataset

LINE = [[3.0, 0.0, 0.0], [0.0, 4.0, 1.0]]


def test_kanji_are_read_by_part() -> None:
    parts = read_drawings(dataset("kanji-strokes/short_kanji.npz"))
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 5000,
        "valid": 600,
    }
    assert parts["valid"].points[0][:2].tolist() == [[12, 23, 0], [-1, 412, 1]]
    assert sum(map(len, parts["train"].points)) == 203_553


def test_drawings_are_written_and_read_back(tmp_path) -> None:
    drawings = [as_drawing(LINE), as_drawing([[1, 1, 1]])]
    parts = {"train": Drawings(drawings, ["ab", "é"]), "test": Drawings(drawings[:1])}
    write_drawings(tmp_path / "a.npz", parts)
    found = read_drawings(tmp_path / "a.npz")
    assert found["train"].texts == ["ab", "é"]
    assert found["test"].texts is None
    for given, read in zip(drawings, found["train"].points, strict=True):
        assert np.array_equal(given, read)


def test_lines_are_a_drawing_and_back() -> None:
    lines = [np.array([[1, 1], [2, 1], [2, 3]]), np.array([[5, 5], [6, 6]])]
    drawing = drawing_of(lines)
    assert drawing.tolist() == [[1, 0, 0], [0, 2, 1], [3, 2, 0], [1, 1, 1]]
    for found, line in zip(strokes_of(drawing), lines, strict=True):
        assert found.tolist() == (line - lines[0][0]).tolist()
    dot = drawing_of([lines[0], np.array([[4, 4]])])
    assert dot[2:].tolist() == [[2, 1, 0], [0, 0, 1]]


def test_a_folder_of_svg_is_drawings(tmp_path) -> None:
    for name, d in (("b", "M0,0L2,0"), ("a", "M9,9L9,12")):
        (tmp_path / f"{name}.svg").write_text(f'<svg><path d="{d}"/></svg>')
    found = read_drawings(tmp_path)[""].points
    assert [drawing.tolist() for drawing in found] == [[[0, 3, 1]], [[2, 0, 1]]]


@pytest.mark.parametrize(
    ("points", "what"),
    [
        ([], "must have at least one point, got none"),
        ([[1, 2]], r"must be \(points, 3\)"),
        ([[1, 2, 0], [1]], "no table of numbers"),
        ([[1, 2, 0], [1, float("nan"), 1]], "got nan in row 1, column dy"),
        ([[1, 2, 0], [1, 1, 2]], r"0 \(down\) or 1 \(lifted\), got 2 in row 1"),
        ([[1, 2, 1], [1, 1, 0]], "lifted at the end, got 0 in the last row, 1. Set"),
        ([[1, 2, 0], [1, 1, 0]], "got 0 in the last row, 1, as in no other row. Set"),
    ],
)
def test_drawings_that_cannot_be_used(points, what) -> None:
    with pytest.raises(DataError, match=f"drawing 7: .*{what}"):
        as_drawing(points, "drawing 7")


def saved(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"a": [1]}, "must have arrays points and lengths.*got a"),
        ({"points": LINE}, "points must come with lengths"),
        ({"points": LINE, "lengths": [1.0, 1.0]}, "points must come with lengths"),
        ({"points": LINE, "lengths": [3]}, "add up to the 2 rows of points, got 1 len"),
        ({"points": LINE, "lengths": [0, 2]}, "drawing 0: must have at least one po"),
        ({"points": LINE, "lengths": [1, 1]}, "drawing 0: the pen must be lifted at"),
        ({"points": LINE, "lengths": [2], "texts": ["a", "b"]}, "a text for each of 1"),
        ({"points": LINE, "lengths": [2], "texts": [3]}, "a text for each of 1"),
        ({"points": np.array([LINE], object), "lengths": [2]}, "plain arrays, got"),
    ],
)
def test_files_that_cannot_be_used(arrays, what, tmp_path) -> None:
    with pytest.raises(DataError, match=rf"read_drawings: '.*a\.npz'.*{what}"):
        read_drawings(saved(tmp_path, **arrays))


def test_paths_that_cannot_be_used(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("a")
    for path, what in (
        (tmp_path / "none.npz", "no file"),
        (tmp_path / "none.svg", "readable file"),
        (tmp_path / "a.txt", "must end in .npz or .svg"),
        (tmp_path, "holds no .svg file"),
    ):
        with pytest.raises(DataError, match=what):
            read_drawings(path)
    (tmp_path / "b.npz").write_text("no archive")
    with pytest.raises(DataError, match="must be an NPZ file"):
        read_drawings(tmp_path / "b.npz")


def test_texts_must_be_there_for_all_or_none(tmp_path) -> None:
    drawings = [as_drawing(LINE)]
    write_drawings(tmp_path / "a.npz", {"": Drawings(drawings, ["a"])})
    write_drawings(tmp_path / "b.npz", {"": Drawings(drawings)})
    with pytest.raises(DataError, match="either all files must have texts or none"):
        read_drawings([tmp_path / "a.npz", tmp_path / "b.npz"])
    write_drawings(tmp_path / "c.npz", {"train": Drawings(drawings)})
    with pytest.raises(DataError, match="all files must have parts or none"):
        read_drawings([tmp_path / "b.npz", tmp_path / "c.npz"])
