"""Moving things out of sight: what is shown is what is said to be shown."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recurro.data.occlusion import SHAPES, moving_shapes, moving_targets
from recurro.errors import ArgumentError


def test_equal_seeds_give_equal_data():
    for make in (moving_targets, moving_shapes):
        one, two, three = make(3, seed=5), make(3, seed=5), make(3, seed=6)
        assert one.labels == two.labels
        np.testing.assert_array_equal(one.items, two.items)
        assert not np.array_equal(one.items, three.items)


def test_a_target_moves_by_one_and_shows_unless_hidden():
    found = moving_targets(50, steps=30, cells=7, longest=9)
    for item, labels, hidden in zip(*vars(found).values(), strict=True):
        assert {abs(b - a) for a, b in pairwise(labels)} == {1}
        assert not hidden[:3].any()
        assert 3 <= hidden.sum() <= 9
        assert (np.diff(np.flatnonzero(hidden)) == 1).all()
        seen = item[~hidden]
        assert seen.argmax(1).tolist() == np.array(labels)[~hidden].tolist()
        assert item[hidden].max() < 0.5


def test_a_shape_is_drawn_whole_cut_or_not_at_all():
    found = moving_shapes(40, steps=30)
    masks = {
        name: np.array([[c == "#" for c in row] for row in rows])
        for name, rows in SHAPES.items()
    }
    assert {row[0] for row in found.labels} == set(SHAPES)
    for film, labels, hidden in zip(*vars(found).values(), strict=True):
        pixels = masks[labels[0]].sum()
        assert len(set(labels)) == 1
        assert (film[:, :, 5:14] == 0.5).all()
        bright = np.concatenate([film[:, :, :5], film[:, :, 14:]], axis=2) > 0.5
        shown = bright.sum((1, 2))
        assert (shown[hidden] == 0).all()
        assert (shown[~hidden] > 0).all()
        assert shown[0] == pixels
    assert 0.2 < np.mean(found.hidden) < 0.5


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (moving_targets, {"count": 0}),
        (moving_targets, {"count": 1, "steps": 13}),
        (moving_targets, {"count": 1, "cells": 1}),
        (moving_shapes, {"count": 1, "wall": 4}),
        (moving_shapes, {"count": 1, "size": 18}),
    ],
)
def test_sizes_out_of_range(make, arguments):
    with pytest.raises(ArgumentError, match="must be at least"):
        make(**arguments)
