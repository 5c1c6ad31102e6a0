from __future__ import annotations

import sys

import numpy as np
import pytest

from recurro.data import as_drawing, read_svg, write_png, write_svg
from recurro.errors import ArgumentError, DataError, MissingExtraError

CROSS = as_drawing([[10, 10, 1], [-10, 0, 0], [10, -10, 1]])


def test_a_sheet_holds_all_drawings(tmp_path) -> None:
    write_svg(tmp_path / "a.svg", [CROSS] * 6, columns=3)
    lines = read_svg(tmp_path / "a.svg")
    assert len(lines) == 12
    lefts = {round(float(line[:, 0].min()), 3) for line in lines}
    tops = {round(float(line[:, 1].min()), 3) for line in lines}
    assert (len(lefts), len(tops)) == (3, 2)


def test_a_png_is_black_where_the_pen_was(tmp_path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_png(tmp_path / "a.png", [as_drawing([[10, 0, 1], [0, 10, 0], [-10, 0, 1]])])
    with image.open(tmp_path / "a.png") as picture:
        grey = np.asarray(picture)
    dark = np.flatnonzero((grey < 128).any(1))
    middle = len(grey) // 2
    assert dark.min() < 0.1 * len(grey)
    assert dark.max() > 0.9 * len(grey)
    assert (grey[middle] == 255).all()  # the pen was lifted on the way down


def test_pictures_of_nothing_and_without_place(tmp_path) -> None:
    for write, name in ((write_svg, "a.svg"), (write_png, "a.png")):
        with pytest.raises(ArgumentError, match="must be at least one to draw"):
            write(tmp_path / name, [])
        with pytest.raises(DataError, match="cannot be written"):
            write(tmp_path / "none" / name, [CROSS])


def test_png_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match="pip install recurro"):
        write_png(tmp_path / "a.png", [CROSS])
