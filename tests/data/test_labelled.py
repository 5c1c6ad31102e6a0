from __future__ import annotations

import pytest

from recurro.data import read_items, read_labelled
from recurro.errors import DataError


def test_each_kind_of_file(tmp_path) -> None:
    (tmp_path / "a.ts").write_text("@targetLabel true\n@data\n1,2:3.5\n")
    items, labels = read_labelled(tmp_path / "a.ts")
    assert (items[0].tolist(), labels) == ([[1.0], [2.0]], [3.5])
    assert read_items(tmp_path / "a.ts")[0].tolist() == items[0].tolist()
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "Rossi.txt").write_text("x\n\ny\n")
    (tmp_path / "it" / "Bianchi.txt").write_text("z\n")
    assert read_labelled(tmp_path / "it") == (
        ["z", "x", "y"],
        ["Bianchi", "Rossi", "Rossi"],
    )
    assert read_items(tmp_path / "it" / "Rossi.txt") == ["x", "y"]


def test_a_file_that_says_nothing(tmp_path) -> None:
    (tmp_path / "a.ts").write_text("@data\n1,2\n")
    with pytest.raises(DataError, match="must say a class or a number"):
        read_labelled(tmp_path / "a.ts")
