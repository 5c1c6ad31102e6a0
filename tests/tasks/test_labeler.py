"""A label for each frame: what memory keeps, and one frame at a time loses."""

from __future__ import annotations

import numpy as np
import pytest

from recurro import LSTM, FrameLabeler, Memoryless
from recurro.data.occlusion import moving_shapes, moving_targets
from recurro.errors import DataError, RunError

SMALL = {"hidden_size": 24, "epochs": 12, "learning_rate": 0.02, "batch_size": 12}
FAST = {"cell": LSTM(), "backend": "vendor", **SMALL}


def accuracies(model, seen):
    """The share of right labels out of sight and in sight."""
    named = np.concatenate([np.array(row) for row in model.predict(seen.items)])
    true = np.concatenate([np.array(row) for row in seen.labels])
    hidden = np.concatenate(seen.hidden)
    right = named == true
    return right[hidden].mean(), right[~hidden].mean()


@pytest.fixture(scope="module")
def tracker():
    seen = moving_targets(120, steps=16, cells=4, longest=6)
    return FrameLabeler(**FAST).fit(seen.items, seen.labels)


def test_a_target_out_of_sight_is_kept_by_memory_and_lost_without(tracker):
    """The point of the lecture: error of both, where nothing is to be seen."""
    seen = moving_targets(120, steps=16, cells=4, longest=6)
    new = moving_targets(100, steps=16, cells=4, longest=6, seed=1)
    plain = tracker.without_memory().set_params(epochs=4, learning_rate=0.05)
    plain.fit(seen.items, seen.labels)
    kept, in_sight = accuracies(tracker, new)
    lost, plain_in_sight = accuracies(plain, new)
    assert kept > 0.9
    assert lost < 0.45  # one of four cells, by chance
    assert min(in_sight, plain_in_sight) > 0.98


def test_the_baselines_stand_beside_it(tracker):
    rows = {row["name"]: row for row in tracker.baselines_}
    assert list(rows) == ["most frequent", "without memory", "network"]
    accuracy = {name: row["accuracy"] for name, row in rows.items()}
    assert accuracy["most frequent"] < accuracy["without memory"]
    assert accuracy["without memory"] < accuracy["network"] - 0.05
    assert set(rows["network"]) >= {"name", "log_loss", "accuracy", "macro_f1"}


def test_without_memory_the_order_of_frames_does_not_matter():
    seen = moving_targets(20, steps=16, cells=4, longest=6)
    plain = FrameLabeler(cell=Memoryless(), hidden_size=8, epochs=2)
    plain.fit(seen.items, seen.labels)
    assert [row["name"] for row in plain.baselines_] == ["most frequent", "network"]
    item, order = seen.items[0], np.random.default_rng(0).permutation(16)
    chances = plain.predict_proba([item, item[order]])
    np.testing.assert_allclose(chances[0][order], chances[1], rtol=1e-4)


def test_films_are_read_by_convolutions(tmp_path):
    """Where a bright pixel is; a run on disk is the same model."""
    draw = np.random.default_rng(0)
    places = draw.integers(0, 16, (60, 8))
    films = np.zeros((60, 8, 16, 16), np.float32)
    np.put_along_axis(films[:, :, 7], places[..., None], 1.0, axis=2)
    labels = np.where(places < 8, "left", "right").tolist()
    out = tmp_path / "run"
    model = FrameLabeler(
        cell=Memoryless(), hidden_size=8, epochs=6, learning_rate=0.02, out=out
    )
    model.set_params(batch_size=8).fit(films[:40], labels[:40])
    assert model.score(films[40:], labels[40:]) > 0.9
    read = FrameLabeler.load(out)
    assert read.predict(films[40:]) == model.predict(films[40:])
    assert read.reader_.shape == (16, 16)
    again = FrameLabeler.resume(out)
    assert again.baselines_ == model.baselines_
    with pytest.raises(DataError, match=r"item 0 must have frames of shape \(16, 16\)"):
        model.predict([np.zeros((3, 8, 8))])
    (out / "films.json").unlink()
    with pytest.raises(RunError):
        FrameLabeler.load(out)


@pytest.mark.slow
def test_shapes_behind_a_wall_are_named_with_memory():
    films, new = moving_shapes(400), moving_shapes(150, seed=1)
    model = FrameLabeler(epochs=20, learning_rate=0.003, batch_size=16)
    model.set_params(schedule="cosine").fit(films.items, films.labels)
    figures = model.evaluate(new.items, new.labels)
    plain = next(r for r in model.baselines_ if r["name"] == "without memory")
    assert figures["accuracy"] >= 0.95
    assert plain["accuracy"] < 0.85


def test_nothing_of_the_part_held_out_is_learnt():
    seen = moving_targets(20, steps=16, cells=4, longest=6)
    other = [item if n < 10 else 100 + item for n, item in enumerate(seen.items)]
    found = [
        FrameLabeler(cell=Memoryless(), hidden_size=4, epochs=1, held_out=0).fit(
            seen.items[:10], seen.labels[:10]
        )
    ]
    valid = (other[10:], seen.labels[10:])
    model = FrameLabeler(cell=Memoryless(), hidden_size=4, epochs=1)
    found.append(model.fit(other[:10], seen.labels[:10], valid=valid))
    assert found[0].reader_ == found[1].reader_


FILM = np.zeros((4, 6, 6), np.float32)


@pytest.mark.parametrize(
    ("items", "labels", "error"),
    [
        ([], [], "must be at least one"),
        (["a text"], [["x"]], "must be numbers, got a text"),
        ([np.zeros((0, 2))], [[]], "at least one step"),
        ([np.ones((3, 2)), np.ones((3, 1))], [["a"] * 3] * 2, "item 1 must have 2"),
        ([np.ones(3)], [["a", "b"]], "target for each of its 3 steps, got 2"),
        ([np.ones(3)], [["a", "a", "a"]], "at least two classes"),
        ([np.ones(3)], [["a", None, "b"]], "step 1 of item 0 must be a word"),
        ([FILM, FILM[:, :5]], [list("abab")] * 2, r"item 1 must have frames of shape"),
        ([FILM, FILM * np.nan], [list("abab")] * 2, "item 1 must hold finite numbers"),
        ([FILM[:0]], [[]], "item 0 must have a frame"),
    ],
)
def test_frames_that_cannot_be_used(items, labels, error):
    with pytest.raises(DataError, match=error):
        FrameLabeler(epochs=1).fit(items, labels)


def test_labels_not_seen_in_training_are_named(tracker):
    with pytest.raises(DataError, match="step 1 of item 0 must be one of the 4"):
        tracker.evaluate([np.zeros((2, 4))], [[0, 9]])
