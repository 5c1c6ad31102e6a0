from __future__ import annotations

from pathlib import Path

import pytest

from recurro.bench import picture
from recurro.bench.picture import check_picture, draw
from recurro.errors import ArgumentError, MissingExtraError


def row(table="layers", steady=True, **ratios):
    """A row as JSON has it."""
    figures = {
        kind: {"ratio": {"lower": r, "median": r, "upper": r}, "steady": steady}
        for kind, r in ratios.items()
    }
    required = dict.fromkeys(ratios, 1.5)
    case = {"table": table, "name": "LSTM", "shape": [1, 2, 3, 4]}
    case |= {"against": "nn.LSTM", "required": required}
    return {"case": case, "figures": figures}


ROWS = [
    row(forward=2.0, train=0.5),
    row(steady=False, train=20.0),
    row("stream", step=9.0),
    row("stream"),
]


def test_every_ratio_is_in_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.svg"
    draw(ROWS, path)
    text = path.read_text()
    for label in ("2.00", "0.50", "20", "9.00"):
        assert f"<!-- {label} -->" in text
    assert text.count("<!-- LSTM 1, 2, 3, 4 / nn.LSTM -->") == 2
    assert text.count("<!-- stream: LSTM 1, 2, 3, 4 / nn.LSTM -->") == 1


def test_one_panel_is_enough(tmp_path):
    pytest.importorskip("matplotlib")
    draw(ROWS[:1], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_what_cannot_be_drawn_is_said_before(monkeypatch, tmp_path):
    with pytest.raises(
        ArgumentError, match=r"end in \.png, \.svg, \.pdf, got 'a\.gif'"
    ):
        check_picture(Path("a.gif"))
    monkeypatch.setattr(picture, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'recurro\[plot\]'"):
        check_picture(Path("a.png"))


def test_nothing_cannot_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(ArgumentError, match="there must be a figure"):
        draw(ROWS[3:], tmp_path / "a.png")
