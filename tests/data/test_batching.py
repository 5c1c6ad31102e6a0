import json
import string
from itertools import chain, combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import (
    Tokenizer,
    build_corpus,
    chunks,
    columns,
    line_batch,
    line_batches,
    line_groups,
    padding,
    read_labelled,
    read_tagged,
    shrink,
)
from recurro.data.batching import least_padded
from recurro.errors import ArgumentError, DataError
from recurro.types import Shard
from tests.datasets import dataset

ALPHABET = np.arange(26, dtype=np.uint8)


def letters(ids):
    return ["".join(string.ascii_lowercase[i] for i in row) for row in ids]


def counted(batch):
    """The pairs (input, target) of a batch that count, column by column."""
    pairs = zip(batch.inputs.T.flatten(), batch.targets.T.flatten(), strict=True)
    return [(int(x), int(y)) for x, y in pairs if y >= 0]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_the_lecture_s_alphabet_in_four_columns():
    [batch] = chunks(columns(ALPHABET, 4), 100)
    assert letters(batch.inputs[:6]) == ["agms", "bhnt", "ciou", "djpv", "ekqw", "flrx"]
    assert letters(batch.targets[:6]) == [
        "bhnt",
        "ciou",
        "djpv",
        "ekqw",
        "flrx",
        "gmsy",
    ]
    # One target is left, z after y; it is the last of the last column.
    assert counted(batch)[-1] == (24, 25)
    assert batch.targets[6].tolist() == [-1, -1, -1, 25]
    assert len(counted(batch)) == 25


def test_the_columns_of_pytorch_s_example():
    # batchify and get_batch of pytorch/examples, word_language_model/main.py.
    ids = torch.randint(1000, (777,), generator=generator(0))
    steps = 777 // 5
    data = ids.narrow(0, 0, steps * 5).view(5, -1).t().contiguous()
    theirs = [(data[i : i + 35], data[i + 1 : i + 36]) for i in range(0, steps, 35)]
    # 777 = 5 * 155 + 2: with 5 targets and a token fewer the columns are the same.
    ours = list(chunks(columns(ids.numpy()[: steps * 5 + 1], 5), 35))
    assert len(ours) == len(theirs)
    for batch, (inputs, targets) in zip(ours, theirs, strict=True):
        assert torch.equal(batch.inputs, inputs)
        assert torch.equal(batch.targets[: len(targets)], targets)


def test_hello_and_a_batch_that_shrinks():
    tokenizer = Tokenizer.fit(["hello"])
    corpus = build_corpus(["hello"], tokenizer)
    batch_size, length, note = shrink(len(corpus.ids), 64, 100)
    assert (batch_size, length) == (1, 4)
    assert note == (
        "The text has only 5 tokens: batch size 64 -> 1, chunk length 100 -> 4."
    )
    [batch] = chunks(columns(corpus.ids, batch_size), length)
    assert tokenizer.decode(batch.inputs.flatten().tolist()) == "hell"
    assert tokenizer.decode(batch.targets.flatten().tolist()) == "ello"


@given(st.integers(2, 200), st.integers(1, 30), st.integers(1, 60), st.integers(1, 4))
def test_shrunk_columns_fill_their_chunks(tokens, batch_size, length, world):
    batch_size = max(batch_size, world)
    if tokens - 1 < world:
        with pytest.raises(DataError, match="at least"):
            shrink(tokens, batch_size, length, world)
        return
    batch, chunk, note = shrink(tokens, batch_size, length, world)
    assert world <= batch <= batch_size
    assert 1 <= chunk <= length
    assert (note is None) == ((batch, chunk) == (batch_size, length))
    sizes = columns(np.zeros(tokens, np.uint8), batch).sizes
    assert sizes.min() >= chunk or batch == world
    assert sizes.max() >= chunk
    if tokens - 1 >= batch_size * length:
        assert note is None


@given(st.integers(2, 300), st.integers(1, 12), st.integers(1, 50), st.booleans())
def test_every_target_comes_exactly_once_in_order(tokens, batch_size, length, random):
    batch_size = min(batch_size, tokens - 1)
    ids = np.arange(tokens, dtype=np.uint16)
    batches = list(
        chunks(
            columns(ids, batch_size),
            length,
            generator=generator(tokens) if random else None,
        )
    )
    pairs = [pair for batch in batches for pair in counted(batch)]
    assert sorted(pairs) == [(i, i + 1) for i in range(tokens - 1)]
    assert [batch.fresh for batch in batches] == [True] + [False] * (len(batches) - 1)
    # Each column goes on from chunk to chunk where it stopped.
    inputs = torch.cat([batch.inputs for batch in batches])
    targets = torch.cat([batch.targets for batch in batches])
    for column, target in zip(inputs.T, targets.T, strict=True):
        real = column[target >= 0]
        assert torch.equal(real, torch.arange(len(real)) + real[0])
    assert (targets[:-1] >= 0).all()
    assert inputs.min() >= 0 and inputs.max() < tokens
    if not random:
        assert all(len(batch.inputs) == length for batch in batches[:-1])


@given(st.integers(1, 5), st.integers(0, 7), st.integers(0, 100), st.integers(1, 20))
def test_the_columns_of_all_processes_are_the_whole(world, more, extra, length):
    batch_size = world + more
    ids = np.arange(batch_size + 1 + extra)
    parts = [columns(ids, batch_size, Shard(rank, world)) for rank in range(world)]
    everything = list(chunks(columns(ids, batch_size), length))
    shards = [list(chunks(part, length)) for part in parts]
    assert all(len(shard) == len(everything) for shard in shards)
    for i, whole in enumerate(everything):
        for name in ("inputs", "targets"):
            joined = torch.cat([getattr(shard[i], name) for shard in shards], 1)
            assert torch.equal(joined, getattr(whole, name))


def test_random_lengths_are_those_of_awd_lstm():
    ids = np.zeros(2_000_001, np.uint8)
    cols = columns(ids, 10)

    def lengths(seed):
        return [len(b.inputs) for b in chunks(cols, 70, generator=generator(seed))][:-1]

    first = lengths(1)
    assert first == lengths(1)
    assert first != lengths(2)
    halves = [length for length in first if length < 52]
    wholes = [length for length in first if length >= 52]
    assert 0.03 < len(halves) / len(first) < 0.07
    assert 69 < np.mean(wholes) + 0.5 < 71  # the whole part of a normal number
    assert 4.5 < np.std(wholes) < 5.5
    assert 33 < np.mean(halves) + 0.5 < 37


def test_random_lengths_are_at_least_five():
    cols = columns(np.zeros(1000, np.uint8), 1)
    lengths = [len(b.inputs) for b in chunks(cols, 1, generator=generator(0))]
    assert min(lengths[:-1]) == 5


def test_batches_are_int64_and_do_not_share_memory_with_the_text(tmp_path):
    corpus = build_corpus(["abcab"], Tokenizer.fit(["abc"]), tmp_path / "text.ids")
    [batch] = chunks(columns(corpus.ids, 1), 10)
    assert batch.inputs.dtype == batch.targets.dtype == torch.int64
    batch.inputs.zero_()
    assert corpus.ids.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: columns(ALPHABET, 0), ArgumentError, "batch_size must be >= 1"),
        (lambda: columns(ALPHABET, 2, Shard(0, 3)), ArgumentError, "must be >= 3"),
        (lambda: columns(ALPHABET[:3], 4), DataError, "3 tokens is too short for 4"),
        (lambda: next(chunks(columns(ALPHABET, 4), 0)), ArgumentError, "length must"),
        (lambda: shrink(1, 4, 4), DataError, "at least 2 tokens, got 1"),
        (lambda: shrink(5, 8, 4, 8), DataError, "at least 9 tokens, got 5"),
        (lambda: shrink(5, 0, 4), ArgumentError, "got 0 and 4"),
        (lambda: shrink(5, 4, 0), ArgumentError, "got 4 and 0"),
        (lambda: line_groups(ALPHABET, 0), ArgumentError, "batch_size must be >= 1"),
    ],
)
def test_sizes_out_of_range_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


ITEMS = ["Ann", "Bo", "Christopher", "Al", "Eve", "Jo", "X"]


@pytest.fixture
def lines():
    tokenizer = Tokenizer.fit(ITEMS, lines=True)
    return tokenizer, build_corpus(ITEMS, tokenizer)


def test_a_line_starts_from_a_line_end_and_ends_with_its_own(lines):
    tokenizer, corpus = lines
    batch = line_batch(corpus, np.array([2, 1]), np.arange(7) * 10)
    assert batch.lengths.tolist() == [12, 3]
    assert batch.condition.tolist() == [20, 10]
    assert batch.fresh
    assert tokenizer.decode(batch.inputs[:, 0].tolist()) == "\nChristopher"
    assert tokenizer.decode(batch.targets[:, 0].tolist()) == "Christopher\n"
    assert tokenizer.decode(batch.inputs[:3, 1].tolist()) == "\nBo"
    assert tokenizer.decode(batch.targets[:3, 1].tolist()) == "Bo\n"
    assert (batch.targets[3:, 1] == -1).all()
    assert (batch.inputs[3:, 1] == tokenizer.eos_id).all()


def read_back(tokenizer, batches):
    """The items of batches, each with its condition."""
    found = []
    for batch in batches:
        for column in range(batch.inputs.shape[1]):
            targets = batch.targets[:, column]
            real = targets[targets >= 0]
            if len(real):
                assert len(real) == batch.lengths[column]
                label = (
                    None if batch.condition is None else int(batch.condition[column])
                )
                found.append((tokenizer.decode(real.tolist())[:-1], label))
    return found


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_line_comes_exactly_once_over_all_processes(
    lines, world, batch_size, seed
):
    tokenizer, corpus = lines
    found, steps = [], set()
    for rank in range(world):
        batches = list(
            line_batches(
                corpus,
                batch_size,
                generator=None if seed is None else generator(seed),
                shard=Shard(rank, world),
                labels=np.arange(7),
            )
        )
        steps.add(len(batches))
        found += read_back(tokenizer, batches)
    assert sorted(found) == sorted((item, i) for i, item in enumerate(ITEMS))
    assert steps == {-(-7 // batch_size)}


@given(
    st.lists(st.integers(1, 50), max_size=300),
    st.integers(1, 20),
    st.integers(0, 5) | st.none(),
)
def test_groups_hold_every_line_once(lengths, batch_size, seed):
    lengths = np.array(lengths, np.int64)

    def groups():
        random = None if seed is None else generator(seed)
        return [g.tolist() for g in line_groups(lengths, batch_size, generator=random)]

    first = groups()
    assert sorted(chain(*first)) == list(range(len(lengths)))
    assert len(first) == -(-len(lengths) // batch_size)
    assert all(len(group) <= 2 * batch_size for group in first)
    assert first == groups()


def test_groups_waste_little_and_change_with_the_seed():
    lengths = np.random.default_rng(0).integers(1, 100, 5000)

    def waste(groups):
        padded = sum(lengths[group].max() * len(group) for group in groups)
        return padded / lengths.sum() - 1

    one, two = (line_groups(lengths, 32, generator=generator(s)) for s in (1, 2))
    assert waste(one) < 0.05
    assert waste(line_groups(lengths, 32)) < 0.02
    assert [g.tolist() for g in one] != [g.tolist() for g in two]
    assert not np.array_equal(np.concatenate(one), np.argsort(lengths, kind="stable"))


@pytest.mark.parametrize("shape", [1.1, 1.5, 2.0])
def test_heavy_tails_are_sorted_in_larger_pools(shape):
    draw = np.random.default_rng(0).pareto(shape, 40_000)
    lengths = np.minimum(5 * (1 + draw), 2000).astype(int)
    groups = line_groups(lengths, 16, generator=generator(1))
    padded = sum(lengths[group].max() * len(group) for group in groups)
    assert 1 - lengths.sum() / padded < 0.1
    assert sorted(np.concatenate(groups)) == list(range(len(lengths)))


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=9),
    st.integers(1, 4),
)
def test_batches_of_different_sizes_are_the_best_there_are(pairs, batch_size):
    lengths, count = [np.array(side) for side in zip(*pairs, strict=True)], len(pairs)

    def steps(groups):
        return sum(len(g) * side[g].max() for g in groups for side in lengths)

    found = least_padded(np.arange(count), lengths, batch_size)
    assert np.concatenate(found).tolist() == list(range(count))
    assert len(found) == -(-count // batch_size)
    ways = (
        np.split(np.arange(count), cuts)
        for cuts in combinations(range(1, count), len(found) - 1)
    )
    fit = [way for way in ways if max(map(len, way)) <= 2 * batch_size]
    assert steps(found) == min(map(steps, fit))


def sizes_of(name):
    """How many tokens the items of a real set have, and how many make a batch."""
    if name == "jsb-chorales":
        path = dataset("jsb-chorales/jsb-chorales-quarter.json")
        return np.array([len(piece) for piece in json.loads(path.read_text())["train"]])
    if name == "kanji-strokes":
        with np.load(dataset("kanji-strokes/short_kanji.npz")) as saved:
            return saved["train_lengths"].astype(np.int64)
    if name in ("ud-english-ewt/train.tsv", "wnut17/wnut17train.conll"):
        words = read_tagged(dataset(name), "2").words
        return np.array([len(sentence) for sentence in words])
    items = read_labelled(dataset(name)).items
    if name == "surnames":
        return np.array([len(item) + 1 for item in items])
    texts = isinstance(items[0], str)
    return np.array([len(item.split()) + 1 if texts else len(item) for item in items])


@pytest.mark.parametrize(
    ("name", "batch_size"),
    [
        ("sst2/stsa.binary.train", 50),
        ("sms-spam/sms_dev.tsv", 32),
        ("surnames", 64),
        ("japanese-vowels/JapaneseVowels_TRAIN.ts", 16),
        ("ud-english-ewt/train.tsv", 32),
        ("wnut17/wnut17train.conll", 16),
        ("jsb-chorales", 16),
        ("kanji-strokes", 50),
    ],
)
def test_a_tenth_of_the_batches_of_real_sets_at_most_is_padding(name, batch_size):
    lengths = sizes_of(name)
    few = np.random.default_rng(0).permutation(len(lengths))[: 12 * batch_size]
    for some in (lengths, lengths[few]):  # a dozen batches are enough
        groups = line_groups(some, batch_size, generator=generator(0))
        assert padding(some, groups) < 0.1
        assert len(groups) == -(-len(some) // batch_size)


def test_a_process_without_lines_gets_an_idle_row(lines):
    tokenizer, corpus = lines
    batch = line_batch(corpus, np.array([], np.int64), np.arange(7))
    assert batch.targets.tolist() == [[-1]]
    assert batch.inputs.tolist() == [[tokenizer.eos_id]]
    assert batch.lengths.tolist() == [1]


def test_labels_must_match_the_lines(lines):
    with pytest.raises(DataError, match="a label for each of the 7 lines, got 6"):
        next(line_batches(lines[1], 2, labels=np.arange(6)))


def test_the_lines_of_words(tmp_path):
    items = ["to be", "or not", "to"]
    tokenizer = Tokenizer.fit(items, "word", lines=True)
    corpus = build_corpus(items, tokenizer, tmp_path / "words.ids")
    [batch] = line_batches(corpus, 5)
    assert sorted(item for item, _ in read_back(tokenizer, [batch])) == sorted(items)
