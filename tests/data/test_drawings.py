"""Drawn scenes: what is said of them is what is there, and some is withheld."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recurro.data.drawings import COLOURS, KINDS, SIZES, WITHHELD, draw_scenes
from recurro.errors import ArgumentError

THING = re.compile(r"a (small|large) (\w+) (\w+)")


def things(caption):
    """Size, colour and kind of each."""
    return THING.findall(caption)


def test_the_same_seed_draws_the_same():
    one, two, other = draw_scenes(20), draw_scenes(20), draw_scenes(20, seed=1)
    assert one.captions == two.captions != other.captions
    assert all(np.array_equal(a, b) for a, b in zip(one.items, two.items, strict=True))
    longer = draw_scenes(30)
    assert longer.captions[:20] == one.captions


@pytest.mark.parametrize("unseen", [False, True])
def test_some_pairs_are_only_there_where_asked_for(unseen):
    scenes = draw_scenes(400, unseen=unseen)
    seen = set()
    for captions in scenes.captions:
        pairs = {(colour, kind) for _, colour, kind in things(captions[0])}
        assert bool(pairs & WITHHELD) == unseen
        seen |= pairs
    every = {(colour, kind) for colour in COLOURS for kind in KINDS}
    assert seen == (every if unseen else every - WITHHELD)
    assert {size for texts in scenes.captions for size, _, _ in things(texts[0])} == {
        *SIZES
    }


def test_each_colour_and_each_kind_is_learnt_with_others():
    assert {colour for colour, _ in WITHHELD} == set(COLOURS)
    for kind in KINDS:
        assert sum((colour, kind) not in WITHHELD for colour in COLOURS) >= 4


def test_one_thing_has_a_place_and_two_a_relation():
    for (caption,) in draw_scenes(100).captions:
        count = len(things(caption))
        assert (count == 2) == bool(re.search(" (left of|above) ", caption))
        assert (count == 1) == bool(re.search(" (at|in) the ", caption))


def test_what_is_said_is_what_is_seen():
    """Colours, places and relations, told from the pixels by another rule."""
    scenes = draw_scenes(200, seed=3)
    for picture, captions in zip(scenes.items, scenes.captions, strict=True):
        assert picture.shape == (32, 32, 3)
        assert picture.dtype == np.uint8
        said = things(captions[0])
        bright = picture.astype(float).max(2) > 110
        nearest = np.stack(
            [
                -np.linalg.norm(_hue(picture) - _hue(np.array(c)), axis=2)
                for c in COLOURS.values()
            ]
        ).argmax(0)
        names = {list(COLOURS)[n] for n in np.unique(nearest[bright])}
        assert {colour for _, colour, _ in said} <= names
        if len(said) == 2 and said[0][1] != said[1][1]:
            (y1, x1), (y2, x2) = (
                np.argwhere(bright & (nearest == list(COLOURS).index(colour))).mean(0)
                for _, colour, _ in said
            )
            across = " left of " in captions[0]
            assert (x1 < x2 - 5) if across else (y1 < y2 - 5)


def _hue(colour):
    """Colours of equal brightness."""
    values = np.atleast_3d(colour).reshape(*np.shape(colour)[:-1], 3).astype(float)
    return values / np.maximum(values.max(-1, keepdims=True), 1)


def test_there_must_be_a_picture():
    with pytest.raises(ArgumentError, match="at least 1, got 0"):
        draw_scenes(0)
