"""Series cut into windows: what is learnt from, what is told, and what never leaks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, cross_validate

from recurro import SequenceClassifier, SequenceRegressor
from recurro.data import Roles, equal_recordings, read_labelled
from recurro.errors import ConfigError, DataError
from recurro.tasks.sequence_runs import read_examples
from tests.datasets import dataset

SMALL = {"hidden_size": 8, "learning_rate": 0.02, "batch_size": 16, "backend": "vendor"}


def recordings(count: int = 20) -> list[np.ndarray]:
    """Recordings that each hold one number alone, the first three of them twice."""
    once = [np.full((int(9 + n % 3), 1), float(n)) for n in range(count)]
    return [*once, *(item.copy() for item in once[:3])]


@pytest.mark.parametrize("seed", range(3))
def test_windows_of_a_recording_are_on_one_side_and_those_of_its_double(
    tmp_path, seed
) -> None:
    items = recordings()
    labels = [int(item[0, 0]) % 2 for item in items]
    model = SequenceClassifier(
        **SMALL,
        epochs=1,
        window=4,
        stride=2,
        held_out=0.4,
        seed=seed,
        out=tmp_path / "run",
    )
    model.fit(items, labels)
    (train, _), (held, _) = read_examples(model.run_).parts()
    assert all(cut.shape == (4, 1) for cut in [*train, *held])
    values = [{float(cut[0, 0]) for cut in part} for part in (train, held)]
    assert not values[0] & values[1]
    assert values[0] | values[1] == set(map(float, range(20)))
    assert len(values[1]) == 8
    assert model.reader_.scaler.mean[0] == pytest.approx(np.mean(train), rel=1e-5)


def test_the_doubles_of_a_recording_are_on_one_side_without_windows_too(
    tmp_path,
) -> None:
    items = recordings(4) * 3
    model = SequenceRegressor(**SMALL, epochs=1, held_out=0.5, out=tmp_path / "run")
    model.fit(items, [float(item[0, 0]) for item in items])
    (train, _), (held, _) = read_examples(model.run_).parts()
    assert not {item[0, 0] for item in train} & {item[0, 0] for item in held}
    assert len(train) + len(held) == len(items)


def test_groups_for_scikit_learn() -> None:
    items = recordings()
    labels = np.array([int(item[0, 0]) % 2 for item in items])
    groups = equal_recordings(items)
    assert groups[-3:].tolist() == [0, 1, 2]
    model = SequenceClassifier(**SMALL, epochs=1, window=5, stride=5)
    folds = StratifiedGroupKFold(2)
    found = cross_validate(model, items, labels, groups=groups, cv=folds)
    assert np.isfinite(found["test_score"]).all()


def falling(count: int = 40, seed: int = 0) -> tuple[list, list]:
    """Walks that fall to an end, and how many steps are left to it at each."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(15, 30, count)
    left = [np.arange(n)[::-1].astype(float) for n in lengths]
    return [(y + draw.normal(0, 0.5, len(y)))[:, None] for y in left], left


def test_a_number_at_each_step() -> None:
    items, left = falling()
    model = SequenceRegressor(**SMALL, epochs=10, window=6, stride=4).fit(items, left)
    mean, _, network = model.baselines_
    assert network["rmse"] < 0.4 * mean["rmse"]
    items, left = falling(10, seed=1)
    begun = [item[:12] for item in items]
    last = [part[11] for part in left]
    np.testing.assert_array_equal(
        model.predict(begun), model.predict([item[6:] for item in begun])
    )
    figures = model.evaluate(begun, last)  # of the last step alone
    error = model.predict(begun) - last
    assert figures["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    blank = [np.append(np.full(11, np.nan), number) for number in last]
    assert model.evaluate(begun, blank) == figures
    assert model.score(begun, last) == figures["r2"]
    every = model.evaluate(items[:2], left[:2])
    error = np.concatenate(
        [
            model.predict([item[:end] for end in range(len(item), 5, -4)]) - y[:4:-4]
            for item, y in zip(items[:2], left[:2], strict=True)
        ]
    )
    assert every["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


def test_scaling_and_the_place_of_targets_are_those_of_the_training_part() -> None:
    items, left = falling(12)
    wild = [item * 1000 for item in items], [y * 1000 for y in left]
    model = SequenceRegressor(**SMALL, epochs=1, window=5, held_out=0.0)
    plain = model.fit(items, left)
    reader, place = plain.reader_, plain.network_.head.place.item()
    windows = [item[end - 5 : end] for item in items for end in range(5, len(item) + 1)]
    assert reader.scaler.mean[0] == pytest.approx(np.mean(windows), rel=1e-4)
    model.fit(items, left, valid=wild, test=wild)
    assert model.reader_ == reader
    assert model.network_.head.place.item() == place
    assert len(model.deviates_) == len(windows)


def test_a_run_remembers_its_windows(tmp_path) -> None:
    items, left = falling(12)
    model = SequenceRegressor(**SMALL, epochs=2, window=5, stride=3, out=tmp_path / "a")
    model.fit(items, left)
    for again in (SequenceRegressor.load(model.out), model.resume(model.out)):
        assert (again.window, again.stride) == (5, 3)
        np.testing.assert_array_equal(again.predict(items), model.predict(items))


def test_remaining_life_of_a_few_engines() -> None:
    table = np.loadtxt(dataset("cmapss-fd001") / "train_FD001.txt")
    runs = [table[table[:, 0] == engine] for engine in range(1, 25)]
    items = [run[:, [6, 8, 11, 15, 19]] for run in runs]
    left = [np.minimum(125, np.arange(len(run))[::-1]) for run in runs]
    model = SequenceRegressor(
        hidden_size=16,
        bidirectional=False,
        pooling="last",
        window=30,
        stride=8,
        epochs=10,
        learning_rate=0.01,
    )
    model.fit(items[:19], left[:19])
    found = model.evaluate(items[19:], left[19:])
    guess = np.std(np.concatenate([y[29:] for y in left[19:]]))
    assert found["rmse"] < 0.6 * guess
    assert 0.6 < found["coverage"] <= 1


def test_activities_of_recordings_that_were_never_seen(tmp_path) -> None:
    for name in ("bending1", "lying", "walking"):
        (tmp_path / name).symlink_to(dataset("arem") / name)
    found = read_labelled(tmp_path, Roles(label="Lable", time="time"))
    folds = StratifiedGroupKFold(3).split(
        found.items, found.labels, equal_recordings(found.items)
    )
    train, test = (found.select(part) for part in next(folds))
    model = SequenceClassifier(
        hidden_size=12,
        embedding_size=12,
        learning_rate=0.02,
        epochs=6,
        window=60,
        stride=60,
    )
    model.fit(train.items, train.labels, test=(test.items, test.labels))
    largest, _, network = model.test_
    assert network["accuracy"] > largest["accuracy"] + 0.2
    assert network["log_loss"] < 0.7 * largest["log_loss"]


@pytest.mark.parametrize(
    ("y", "said"),
    [
        ([1.0], "one target per sequence, got 1 for 2"),
        (None, "one target per sequence, got 0 for 2"),
        ([1.0, [1.0, 2.0]], r"item 1 must be .* each of its 3 steps .* shape \(2,\)"),
        ([1.0, np.nan], "item 1 must be a finite number, .* got nan"),
        ([1.0, np.inf], "item 1 must be a finite number, .* got "),
        ([1.0, "many"], "item 1 must be a finite number"),
        ([[np.nan] * 2, [np.nan] * 3], "must be a number at the end of a window"),
    ],
)
def test_bad_numbers(y, said) -> None:
    model = SequenceRegressor(**SMALL, epochs=1, window=2, held_out=0.0)
    with pytest.raises(DataError, match=said):
        model.fit([[1.0, 2.0], [3.0, 4.0, 5.0]], y)


def test_bad_windows() -> None:
    with pytest.raises(DataError, match="to be cut into windows, got texts"):
        SequenceClassifier(**SMALL, epochs=1, window=2).fit(["a", "b"], ["a", "b"])
    with pytest.raises(ConfigError, match="must come with a window, got 3"):
        SequenceRegressor(**SMALL, stride=3).fit([[1.0]], [1.0])
    with pytest.raises(DataError, match="must give a number for each sequence"):
        SequenceRegressor(**SMALL).fit([[1.0, 2.0]], [[1.0, 2.0]])
