from __future__ import annotations

import numpy as np
import pytest

from recurro.data import as_drawing, draw_lines, strokes_of, write_text
from recurro.data.handwriting import SYMBOLS, Hand
from recurro.errors import ArgumentError, DataError

NEAT = Hand(0, 0, 0, 0, 0)


def test_all_symbols_are_drawn_apart() -> None:
    """Each has lines of its own, between the top of a b and the foot of a p."""
    seen = set()
    for symbol in SYMBOLS.strip():
        drawing = write_text(symbol, np.random.default_rng(0), NEAT)
        places = np.concatenate(strokes_of(as_drawing(drawing)))
        assert np.ptp(places[:, 1]) <= 22
        assert np.ptp(places[:, 0]) <= 13
        behind = write_text(f"k{symbol}", np.random.default_rng(0), NEAT)
        seen.add(behind.tobytes())
    assert len(seen) == len(SYMBOLS) - 1 == 42


def test_symbols_stand_side_by_side_and_spaces_part_them() -> None:
    draw = np.random.default_rng(0)
    close, apart = (
        [line[:, 0] for line in strokes_of(write_text(text, draw, NEAT))]
        for text in ("vv", "v v")
    )
    assert close[1].min() > close[0].max()
    assert apart[1].min() - close[1].min() == pytest.approx(7.0)


def test_jitter_is_of_the_seed_and_of_the_size_that_is_told() -> None:
    first, again, other = (
        write_text("jitter", np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    neat = write_text("l" * 200, np.random.default_rng(0), NEAT)
    wobbly = write_text("l" * 200, np.random.default_rng(0), Hand(0, 0, 0, 0, 0.5))
    off = np.cumsum(wobbly[:, 1] - neat[:, 1])
    assert off.std() == pytest.approx(0.5, rel=0.1)
    leaning = write_text("k", np.random.default_rng(3), Hand(0.3, 0, 0, 0, 0))
    assert leaning[0, 0] != 0
    assert write_text("k", np.random.default_rng(3), NEAT)[0, 0] == 0


def test_lines_are_deterministic_and_have_every_symbol() -> None:
    lines = draw_lines(400, seed=3)
    again = draw_lines(400, seed=3)
    assert lines.texts == again.texts
    assert all(map(np.array_equal, lines.points, again.points))
    assert lines.texts is not None
    assert set("".join(lines.texts)) == set(SYMBOLS)
    assert max(len(text.split()) for text in lines.texts) == 2
    assert all(np.array_equal(as_drawing(line), line) for line in lines.points)
    assert draw_lines(5, seed=4).texts != lines.texts[:5]


def test_what_cannot_be_written() -> None:
    draw = np.random.default_rng(0)
    with pytest.raises(DataError, match="got 'A', 'é' in 'Aé'"):
        write_text("Aé", draw)
    with pytest.raises(DataError, match="must have something to write"):
        write_text("  ", draw)
    for settings in ({"count": 0}, {"count": 1, "words": 0}):
        with pytest.raises(ArgumentError, match="count and words must be at least 1"):
            draw_lines(**settings)
