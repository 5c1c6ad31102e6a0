from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from recurro.data import draw_house_numbers
from recurro.errors import ConfigError, DataError, RunError
from recurro.nn.glimpse import GlimpseNetwork
from recurro.tasks import GlimpseReader
from recurro.tasks.picture_config import ReadData
from recurro.tasks.picture_reader import PictureReader, vary_pictures

SMALL = {"hidden_size": 12, "patch": 4, "epochs": 1, "batch_size": 16}
DRAWN = draw_house_numbers(60, length=(1, 3))
X, Y = DRAWN.images, DRAWN.numbers


@pytest.fixture(scope="module")
def model() -> GlimpseReader:
    return GlimpseReader(**SMALL).fit(X, Y)


def test_it_learns_to_read_clearly_better_than_what_is_most_frequent() -> None:
    train, test = (
        draw_house_numbers(count, part, length=1, shape=(10, 10))
        for count, part in ((700, "train"), (200, "test"))
    )
    model = GlimpseReader(
        hidden_size=48,
        glimpses=1,
        rotate=0,
        stretch=0,
        shift=0,
        epochs=8,
        batch_size=16,
        learning_rate=0.005,
    )
    model.fit(train.images, train.numbers)
    usual = model.baselines_[0]
    assert usual["name"] == "most frequent number"
    score = model.score(test.images, test.numbers)
    assert score > 0.4 > usual["sequence_accuracy"] + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["soft", "reinforce"])
def test_numbers_of_unseen_digits_are_read(attention) -> None:
    train, test = (
        draw_house_numbers(10_000),
        draw_house_numbers(1_000, "test", seed=1),
    )
    model = GlimpseReader(attention=attention).fit(train.images, train.numbers)
    assert model.score(test.images, test.numbers) >= 0.95


def test_figures_are_counted_by_hand(model) -> None:
    found = model.predict(X)
    right = [a == b for a, b in zip(found, Y, strict=True)]
    digits = sum(
        a == b
        for f, t in zip(found, Y, strict=True)
        for a, b in zip(f, t, strict=False)
    )
    figures = model.evaluate(X, Y)
    assert figures["sequence_accuracy"] == pytest.approx(np.mean(right))
    assert figures["digit_accuracy"] == pytest.approx(digits / len("".join(Y)))
    assert model.score(X, Y) == figures["sequence_accuracy"]


def test_numbers_are_of_digits_and_not_longer_than_in_training(model) -> None:
    assert model.longest_ == 3
    assert all(1 <= len(n) <= 3 and n.isdigit() for n in model.predict(X))
    assert ((model.confidence(X) > 0) & (model.confidence(X) <= 1)).all()


def test_the_confidence_is_that_of_the_number_that_is_read(model) -> None:
    given = torch.from_numpy(model.reader_(X[:1]).values)
    with torch.no_grad():
        chances = model.network_.eval().look(given, 3).logits[:, 0].softmax(-1)
    [number] = model.predict(X[:1])
    wanted = np.prod([chances[place, int(d)] for place, d in enumerate(number)])
    if len(number) < 3:
        wanted *= float(chances[len(number), 10])
    assert model.confidence(X[:1])[0] == pytest.approx(float(wanted), rel=1e-4)


def test_glances_tell_what_was_seen(model) -> None:
    seen = model.look(X[:5])
    assert seen.windows.shape == (5, 7, 1, 4)
    assert seen.patches.shape == (5, 7, 1, 4, 4)
    assert seen.numbers == model.predict(X[:5])
    assert seen.each == 2


def test_what_is_held_out_is_not_learnt_from() -> None:
    """Neither weights nor scales depend on pictures that choices are made on."""
    fits = [
        GlimpseReader(**SMALL, keep="last").fit(X[:40], Y[:40], valid=held)
        for held in ((X[40:], Y[40:]), (np.ones((2, 16, 32)), ["1", "2"]))
    ]
    first, second = (fit.network_.state_dict() for fit in fits)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert fits[0].reader_ == fits[1].reader_ == PictureReader.learn(list(X[:40]))
    assert fits[0].baselines_ != fits[1].baselines_


@pytest.mark.parametrize("attention", ["soft", "reinforce"])
def test_a_run_is_loaded_and_resumed(attention, tmp_path) -> None:
    out = tmp_path / "run"
    model = GlimpseReader(**SMALL, attention=attention, out=out).fit(X, Y)
    loaded = GlimpseReader.load(out)
    assert loaded.longest_ == 3
    assert loaded.predict(X) == model.predict(X)
    assert GlimpseReader.resume(out).baselines_ == model.baselines_
    (out / "numbers.json").write_text(json.dumps({"longest": None}))
    with pytest.raises(RunError, match=r"numbers\.json"):
        GlimpseReader.load(out)


def test_pictures_are_varied_anew_in_each_pass_and_the_same_again(model) -> None:
    passes = model._passes(model.reader_, list(X[:4]), model._targets(Y[:4]))
    first, again, other = (passes(n).sequences.values for n in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_numbers_of_similar_length_are_learnt_together() -> None:
    drawn = draw_house_numbers(2000, length=(1, 4), shape=(10, 40))
    model = GlimpseReader()
    targets = model._learn_targets(drawn.numbers)
    sequences = PictureReader((10, 40))(drawn.images)
    batches = [*model._batches(sequences, targets, 32, generator=torch.Generator())]
    ids = torch.cat([batch.targets for batch in batches])
    assert len(ids) == len(targets.values)
    rows = [targets.lengths[row] for row in range(2000)]
    told = [GlimpseNetwork._rows(_Ends, batch.targets) for batch in batches]
    assert sum(digits.numel() for digits in told) < 1.1 * sum(rows)


class _Ends:
    end, longest = 10, 4


def test_each_variation_keeps_to_its_bound() -> None:
    """A dot is moved by at most so many pixels; a turn leaves the middle in place."""
    given = np.zeros((50, 9, 13), np.float32)
    given[:, 4, 6] = 1
    draw = np.random.default_rng(0)
    ys, xs = np.mgrid[:9, :13]
    moved = vary_pictures(given, ReadData(rotate=0, stretch=0, shift=2), draw)
    places = [(moved * axis).sum((1, 2)) / moved.sum((1, 2)) for axis in (ys, xs)]
    for found, middle in zip(places, (4, 6), strict=True):
        assert np.abs(found - middle).max() == pytest.approx(2, abs=0.2)
    turned = vary_pictures(given, ReadData(rotate=40, stretch=0.2, shift=0), draw)
    assert np.allclose(turned[:, 4, 6], 1, atol=1e-5)


def test_turned_pictures_keep_their_shape() -> None:
    """A bar that lies, turned by up to a right angle, stays as long as it was."""
    given = np.zeros((200, 21, 31), np.float32)
    given[:, 10, 10:21] = 1
    data = ReadData(rotate=90, stretch=0, shift=0)
    turned = vary_pictures(given, data, np.random.default_rng(0)) > 0.3
    ys, xs = np.mgrid[:21, :31]
    spans = [np.hypot(np.ptp(ys[one]), np.ptp(xs[one])) for one in turned if one.any()]
    assert 8.5 < min(spans) <= max(spans) < 11.5


def test_the_verbs_of_scikit_learn() -> None:
    model = GlimpseReader(**SMALL)
    assert clone(model).get_params() == model.get_params()
    scores = cross_val_score(model, X, np.array(Y), cv=2, error_score="raise")
    assert scores.shape == (2,)


@pytest.mark.parametrize(
    ("images", "numbers", "what"),
    [
        (X, None, "must be the number on each picture"),
        (X, [*"12"] * 29 + ["1"], "one target per sequence, got 59 for 60"),
        (X, ["1"] * 60, "numbers must differ to be learnt, all 60 are '1'"),
        (X, ["1"] * 59 + ["1a"], "number 59 must be a text of digits"),
        ([], [], "must be a list of at least one"),
        ([X[0], X[1, :, :9]], ["1", "2"], "item 1 must be of height and width"),
    ],
)
def test_what_cannot_be_learnt_from(images, numbers, what) -> None:
    with pytest.raises(DataError, match=what):
        GlimpseReader(**SMALL).fit(images, numbers)


def test_what_cannot_be_read(model) -> None:
    with pytest.raises(DataError, match=r"item 0 must be .*\(16, 32\).*\(16, 24\)"):
        model.predict(np.zeros((1, 16, 24)))
    with pytest.raises(DataError, match=r"at most 3 digits.*'1234'"):
        model.evaluate(X[:1], ["1234"])


@pytest.mark.parametrize("wrong", [{"glimpses": 0}, {"patch": 1}, {"spread": 0.0}])
def test_arguments_out_of_range(wrong) -> None:
    with pytest.raises(ConfigError):
        _ = GlimpseReader(**wrong).settings


def test_masks_of_whole_sequences_are_refused() -> None:
    settings = GlimpseReader.kind
    with pytest.raises(ConfigError, match=r"zoneout.*step by step"):
        settings(task="read", model={"zoneout": 0.1})
