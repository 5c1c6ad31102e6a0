from __future__ import annotations

import numpy as np
import pytest

from recurro.data import pictures, read_picture
from recurro.errors import MissingExtraError
from recurro.report.strips import draw_glimpses, draw_strokes
from recurro.tasks.glimpse_reader import Glances
from recurro.tasks.painter import Painted

pytest.importorskip("PIL")


def glances() -> Glances:
    images = np.zeros((2, 10, 14), np.float32)
    images[:, 4, 5] = 1
    windows = np.tile(np.array([[2.0, 1.0, 8.0, 7.0], [-3, -2, 40, 30]]), (2, 5, 1, 1))
    return Glances(images, ["12", "3"], windows, np.ones((2, 5, 2, 4, 4)), each=2)


def test_a_strip_shows_each_glimpse(tmp_path) -> None:
    file = tmp_path / "glimpses.png"
    draw_glimpses(file, glances(), ["12", "4"])
    sheet = read_picture(file).astype(int)
    times = 84 // 10
    assert sheet.shape == (
        2 * (20 * times + 20 + 18) + 10,
        96 + 5 * (14 * times + 10),
        3,
    )
    left, top = 96 + 2 * times, 10 + times
    assert sheet[top, left].tolist() == [0xD9, 0x48, 0x2B]
    dot = sheet[10 + 4 * times + times // 2, 96 + 5 * times + times // 2]
    assert dot.tolist() == [0, 0, 0]


def test_a_strip_shows_each_stroke(tmp_path) -> None:
    canvases = np.linspace(0, 1, 3)[None, :, None, None] * np.ones((2, 3, 8, 8))
    windows = np.full((2, 3, 4), [1.0, 1.0, 4.0, 5.0])
    file = tmp_path / "strokes.png"
    draw_strokes(file, Painted(canvases, windows))
    sheet = read_picture(file).astype(int)
    assert sheet.shape == (2 * 90 + 10, 10 + 4 * 90, 3)
    assert sheet[10 + 70, 10 + 70].tolist() == [238] * 3
    assert sheet[10 + 70, 10 + 3 * 90 + 70].tolist() == [0] * 3


def test_without_pillow_it_is_said_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"recurro\[images\]"):
        draw_glimpses(tmp_path / "a.png", glances())
