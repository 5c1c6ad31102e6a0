"""Windows of series: what is read and forecast, and that nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data import (
    Series,
    SeriesScaler,
    SeriesTable,
    Window,
    cut_windows,
    windows,
)
from recurro.errors import ArgumentError, DataError


def series(values, name="", ahead=0):
    values = np.asarray(values, np.float32).reshape(len(values), -1)
    count = len(values)
    known = np.arange(count + ahead, dtype=np.float32)[:, None]
    return Series(
        name,
        np.arange(count),
        values,
        known,
        -known[:count],
        np.array([count], np.float32),
    )


def table(*several):
    return SeriesTable(several, ("y",), ("k",), ("p",), ("s",))


TWO = table(series([1, 2, 4, 8, 16, 32, 64, 128]), series([5, 5, 5, 5], "flat"))


def test_parts_share_no_target_and_miss_none():
    long = table(series(np.arange(100)))
    forecast = [
        {w.origin + h for w in windows(long, 5, 3, start=a, stop=b) for h in range(3)}
        for a, b in [(0.0, 0.6), (0.6, 0.8), (0.8, 1.0)]
    ]
    assert forecast == [set(range(5, 60)), set(range(60, 80)), set(range(80, 100))]
    strided = windows(long, 5, 3, stride=40)
    assert [w.origin for w in strided] == [5, 45, 85]


def test_a_cut_by_hand():
    cut = cut_windows(TWO, [Window(0, 3), Window(1, 2)], 2, 2)
    assert cut.history[..., 0].T.tolist() == [[2, 4], [5, 5]]
    assert cut.future[..., 0].T.tolist() == [[8, 16], [5, 5]]
    assert cut.known[..., 0].T.tolist() == [[1, 2, 3, 4], [0, 1, 2, 3]]
    assert cut.past[..., 0].T.tolist() == [[-1, -2], [0, -1]]
    assert cut.static.tolist() == [[8], [4]]


@pytest.mark.parametrize("subtract_last", [False, True])
def test_scaling_is_undone(subtract_last):
    scaler = SeriesScaler.fit(TWO, stop=0.5)
    chosen = [Window(0, 3), Window(1, 2), Window(0, 6)]
    plain = cut_windows(TWO, chosen, 2, 2)
    cut = cut_windows(TWO, chosen, 2, 2, scaler=scaler, subtract_last=subtract_last)
    np.testing.assert_allclose(cut.restore(cut.future), plain.future, rtol=1e-6)
    np.testing.assert_allclose(cut.restore(cut.history), plain.history, rtol=1e-6)
    samples = np.stack([cut.future, cut.future + 1])
    assert cut.restore(samples).shape == samples.shape
    if subtract_last:
        assert (cut.history[-1] == 0).all()
    else:
        own = scaler.scale(0, plain.history[:, 0])
        np.testing.assert_allclose(cut.history[:, 0], own, rtol=1e-6)
        np.testing.assert_allclose(scaler.unscale(0, own), plain.history[:, 0])


def test_the_scaler_reads_the_training_part_alone():
    scaler = SeriesScaler.fit(TWO, stop=0.5)
    first = np.array([1, 2, 4, 8])
    assert scaler.mean[:, 0].tolist() == [first.mean(), 5]
    assert scaler.std[:, 0].tolist() == [first.std(), 1]  # constant: left as it is
    other = SeriesScaler.fit(
        table(series([1, 2, 4, 8, 0, 0, 0, 9e9]), *TWO.series[1:]), 0.5
    )
    np.testing.assert_array_equal(other.mean, scaler.mean)
    np.testing.assert_array_equal(other.std, scaler.std)


def test_the_time_to_come_has_covariates_and_no_target():
    ahead = table(series([1, 2, 3], "x", ahead=2))
    cut = cut_windows(ahead, [Window(0, 3)], 2, 2)
    assert cut.future is None
    assert cut.known[..., 0].ravel().tolist() == [1, 2, 3, 4]
    with pytest.raises(DataError, match=r"series 'x' .* \(k\) up to step 6, it has 5"):
        cut_windows(ahead, [Window(0, 3)], 2, 3)
    bare = SeriesTable(
        (
            Series(
                "", np.arange(3), np.ones((3, 1)), *[np.ones((3, 0))] * 2, np.ones(0)
            ),
        ),
        ("y",),
    )
    assert cut_windows(bare, [Window(0, 3)], 2, 9).known.shape == (11, 1, 0)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: windows(TWO, 0, 1), ArgumentError, "ints >= 1"),
        (
            lambda: windows(TWO, 1, 1, start=0.5, stop=0.5),
            ArgumentError,
            "start < stop",
        ),
        (lambda: windows(TWO, 8, 1), DataError, "8 steps to read and 1 to forecast"),
        (lambda: windows(TWO, 1, 9), DataError, "it has 8 in all"),
        (lambda: cut_windows(TWO, [], 1, 1), ArgumentError, "there must be a window"),
        (
            lambda: cut_windows(TWO, [Window(1, 1)], 2, 1),
            DataError,
            "'flat' must have the 2",
        ),
        (lambda: cut_windows(TWO, [Window(1, 5)], 2, 1), DataError, "step 5, it has 4"),
        (lambda: SeriesScaler.fit(TWO, 0.0), ArgumentError, "stop must be in"),
        (lambda: SeriesScaler.fit(TWO, 0.1), DataError, "it has none of 8"),
    ],
)
def test_wrong_calls(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
