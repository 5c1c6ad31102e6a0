from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from recurro.data import (
    Scaler,
    Sequences,
    Tokenizer,
    encode_texts,
    join_series,
    read_ts,
    sequence_batches,
)
from recurro.errors import DataError
from recurro.types import Shard
from tests.datasets import dataset


def ragged(lengths: list[int], channels: int = 2, seed: int = 0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(3, 2, (n, channels)).astype(np.float32) for n in lengths]


def test_items_come_back() -> None:
    items = ragged([3, 1, 5])
    joined = join_series(items)
    for row, item in enumerate(items):
        np.testing.assert_array_equal(joined[row], item)
    picked = joined[np.array([2, 0])]
    np.testing.assert_array_equal(picked[0], items[2])
    assert picked.lengths.tolist() == [5, 3]
    assert len(joined[np.array([], np.int64)]) == 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 8))
def test_every_sequence_once_with_its_target(lengths: list[int], size: int) -> None:
    items = ragged(lengths, 1)
    targets = np.arange(len(items))
    generator = torch.Generator().manual_seed(1)
    seen = []
    for batch in sequence_batches(
        join_series(items), targets, size, generator=generator
    ):
        assert batch.lengths is not None
        for column, row in enumerate(batch.targets.tolist()):
            length = int(batch.lengths[column])
            got = batch.inputs[:length, column].numpy()
            np.testing.assert_array_equal(got, items[row])
            assert not batch.inputs[length:, column].any()
            seen.append(row)
    assert sorted(seen) == list(range(len(items)))


def test_processes_share_the_batches() -> None:
    data, targets = join_series(ragged([2] * 5)), np.arange(5)
    parts = [
        list(sequence_batches(data, targets, 4, shard=Shard(rank, 2)))
        for rank in range(2)
    ]
    assert len(parts[0]) == len(parts[1]) == 2
    assert [len(batch.targets) for batch in parts[1]] == [2, 0]
    assert parts[1][1].inputs.shape == (1, 1, 2)  # keeps step, counts for nothing
    seen = [t for part in parts for b in part for t in b.targets.tolist()]
    assert sorted(seen) == list(range(5))


def lengths_of(name: str) -> np.ndarray:
    """The lengths of some sequences: of real ones, or of many short and few long."""
    if name == "japanese-vowels":
        vowels = read_ts(dataset("japanese-vowels/JapaneseVowels_TRAIN.ts"))
        return np.array([len(item) for item in vowels.items])
    draw = np.random.default_rng(0)
    return np.ceil(draw.lognormal(3.0, 0.8, 4000)).astype(np.int64)


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("name", ["japanese-vowels", "many short, few long"])
def test_padding_wastes_less_than_a_tenth(name: str, size: int) -> None:
    lengths = lengths_of(name)
    starts = np.append(0, np.cumsum(lengths))
    data = Sequences(np.zeros((starts[-1], 1), np.float32), starts)
    order = torch.Generator().manual_seed(0)
    batches = sequence_batches(data, np.zeros(len(data)), size, generator=order)
    read = sum(batch.inputs[..., 0].numel() for batch in batches)
    assert lengths.sum() / read > 0.9
    plain = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    as_they_come = sum(len(part) * part.max() for part in plain)
    assert lengths.sum() / as_they_come < 0.8  # so that there is something to waste


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "at least one, got none"),
        ([[]], "item 0 must have at least one step"),
        ([[[1.0, 2.0]], [[1.0]]], "item 1 must have 2 channels .* got 1"),
        ([[1.0], [1.0, float("inf")]], "item 1 .* got inf at step 1, channel 0"),
        ([["a", "b"]], "item 0 must be numbers"),
        ([[[1.0, 2.0], [1.0]]], "item 0 must be numbers"),
        ([np.zeros((2, 2, 2))], r"item 0 must be \(time, channels\)"),
    ],
)
def test_bad_series(items: list, said: str) -> None:
    with pytest.raises(DataError, match=said):
        join_series(items)


def test_missing_numbers_only_where_allowed() -> None:
    with pytest.raises(DataError, match=r"item 0 .* got nan at step 1"):
        join_series([[1.0, float("nan")]], missing=False)


def test_texts() -> None:
    tokenizer = Tokenizer.fit(["to be", "or not"], "word", lines=True)
    data = encode_texts([" to be\n", "or\nnot to"], tokenizer)
    assert data.lengths.tolist() == [3, 4]
    assert tokenizer.decode(data[1]).split() == ["or", "not", "to"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [([], "got none"), (["a", " \n"], "item 1 must hold some text"), (["a", 3], "int")],
)
def test_bad_texts(texts: list, said: str) -> None:
    tokenizer = Tokenizer.fit(["ab"], "char", lines=True)
    with pytest.raises(DataError, match=said):
        encode_texts(texts, tokenizer)


def test_scaler_is_that_of_scikit_learn() -> None:
    data = join_series(ragged([4, 7, 2], 3))
    expected = StandardScaler().fit_transform(data.values.astype(np.float64))
    np.testing.assert_allclose(Scaler.fit(data)(data).values, expected, atol=1e-5)


def test_scaler_ignores_missing_and_flags_them() -> None:
    data = join_series([[[1.0, 5.0], [np.nan, 5.0]], [[3.0, 5.0]]])
    scaler = Scaler.fit(data)
    assert scaler.mean == (2.0, 5.0)
    assert scaler.deviation == (1.0, 1.0)  # a constant channel stays as it is
    assert scaler.width == 3
    assert scaler(data).values.tolist() == [[-1, 0, 0], [-1, 0, 1], [1, 0, 0]]


def test_a_missing_number_is_the_last_one_known_in_its_sequence() -> None:
    draw = np.random.default_rng(0)
    items = ragged([6, 1, 9, 4], 3)
    for item in items:
        item[draw.random(item.shape) < 0.5] = np.nan
    data = join_series(items)
    scaler = Scaler.fit(data)
    found = scaler(data)
    for row, item in enumerate(items):
        for channel in range(3):
            last = 0.0
            for step, number in enumerate(item[:, channel]):
                if not np.isnan(number):
                    mean, std = scaler.mean[channel], scaler.deviation[channel]
                    last = (number - mean) / std
                assert found[row][step, channel] == pytest.approx(last, abs=1e-5)
    np.testing.assert_array_equal(found.values[:, 3:], np.isnan(data.values))


def test_scaler_refuses_what_training_did_not_have() -> None:
    scaler = Scaler.fit(join_series([[1.0, 2.0]]))
    with pytest.raises(DataError, match="item 1, step 1, channel 0 must hold a number"):
        scaler(join_series([[1.0], [2.0, np.nan]]))
    with pytest.raises(DataError, match=r"channel 1 .* all are missing"):
        Scaler.fit(join_series([[[1.0, np.nan]]]))
    with pytest.raises(DataError, match="column 'b' must hold a number somewhere"):
        Scaler.fit(join_series([[[1.0, np.nan]]]), ("a", "b"))


def test_a_batch_leaves_the_data_as_they_are() -> None:
    data = Sequences(np.array([1, 2, 3]), np.array([0, 1, 3]))
    batch = data.batch(np.array([0, 1]), np.zeros(2))
    assert batch.inputs.tolist() == [[1, 2], [0, 3]]
    assert data.values.tolist() == [1, 2, 3]
