"""n-gram models against the formulas, against themselves, and against bad input."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.baselines import BaselineStepper, NGramModel, ngram
from recurro.errors import ArgumentError, DataError, ShapeError, VocabularyError
from recurro.generate import sample
from tests.baselines.oracle import END, START, KneserNey
from tests.datasets import dataset

BOUNDARY = 0

words = st.integers(1, 4)
sentences = st.lists(st.lists(words, max_size=8), min_size=1, max_size=20)
texts = st.lists(st.integers(0, 3), min_size=2, max_size=80)


def joined(lines):
    """Sentences as one row of ids, a boundary before, between and after them."""
    return [BOUNDARY, *itertools.chain(*([*line, BOUNDARY] for line in lines))]


@settings(deadline=None, max_examples=200)
@given(train=sentences, test=sentences, order=st.integers(1, 6))
def test_sentences_agree_with_the_formulas(train, test, order):
    oracle = KneserNey(train, 6, order, bounded=True)
    model = NGramModel(6, order, boundary=BOUNDARY).fit(joined(train))
    wanted = [
        oracle.at([START, *line, END], end)
        for line in test
        for end in range(1, len(line) + 2)
    ]
    np.testing.assert_allclose(np.exp(model.log_probs(joined(test))), wanted, rtol=2e-6)
    assert list(model.fallback_) == oracle.fallback
    np.testing.assert_allclose(model.discounts_, [d[1:] for d in oracle.discount[1:]])


@settings(deadline=None, max_examples=200)
@given(train=texts, test=texts, order=st.integers(1, 6))
def test_running_text_agrees_with_the_formulas(train, test, order):
    oracle = KneserNey([train], 5, order, bounded=False)
    model = NGramModel(5, order).fit(train)
    wanted = [oracle.at(test, end) for end in range(1, len(test))]
    np.testing.assert_allclose(np.exp(model.log_probs(test)), wanted, rtol=2e-6)
    assert list(model.fallback_) == oracle.fallback


def test_discounts_are_estimated_where_the_text_allows():
    generator = np.random.default_rng(0)
    text = generator.geometric(0.3, 3000).clip(max=9).tolist()
    oracle = KneserNey([text], 10, 4, bounded=False)
    model = NGramModel(10, 4).fit(text)
    assert model.fallback_ == (1, 2)  # of the others there are enough
    assert list(model.fallback_) == oracle.fallback
    np.testing.assert_allclose(model.discounts_, [d[1:] for d in oracle.discount[1:]])
    wanted = [oracle.at(text, end) for end in range(1, 200)]
    np.testing.assert_allclose(np.exp(model.log_probs(text[:200])), wanted, rtol=2e-6)


@settings(deadline=None, max_examples=100)
@given(
    train=texts,
    context=st.lists(st.integers(0, 4), max_size=6),
    order=st.integers(1, 6),
    boundary=st.sampled_from([None, 0, 3]),
)
def test_the_stepper_sums_to_one_and_agrees_with_log_probs(
    train, context, order, boundary
):
    model = NGramModel(5, order, boundary=boundary).fit(train)
    contexts = model.start(1)
    for token in context:
        contexts = model.advance(contexts, np.array([token]))
    following = model.next_log_probs(contexts)[0]
    np.testing.assert_allclose(np.exp(following).sum(), 1, rtol=2e-6)
    if context:
        scored = [model.log_probs([*context, word])[-1] for word in range(5)]
        np.testing.assert_allclose(following, scored, atol=1e-12)


def test_the_stepper_keeps_batch_rows_apart():
    generator = np.random.default_rng(1)
    text = generator.integers(0, 4, 500)
    model = NGramModel(4, 3, boundary=3).fit(text)
    stepper = BaselineStepper(model)
    rows = torch.tensor(generator.integers(0, 4, (7, 5)))
    state = stepper.init(5)
    scores = torch.zeros(5)
    for now, following in itertools.pairwise(rows):
        state, log_probs = stepper.step(state, now)
        scores += log_probs.gather(1, following[:, None])[:, 0]
    wanted = [model.log_probs(column).sum() for column in rows.T.numpy()]
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)

    order = torch.tensor([4, 4, 0])
    _, picked = stepper.step(stepper.select(state, order), rows[0][order])
    _, all_rows = stepper.step(state, rows[0])
    assert torch.equal(picked, all_rows[order])


def test_a_decoder_samples_the_text_back():
    text = np.frombuffer(b"the cat sat on the mat. " * 20, np.uint8)
    model = NGramModel(256, 12).fit(text)
    drawn = sample(
        BaselineStepper(model),
        [int(i) for i in text[:12]],
        30,
        temperature=0.0,
    )
    assert bytes(drawn) == text[12:42].tobytes()


def test_the_limits_of_blocks_do_not_show(monkeypatch):
    text = np.random.default_rng(2).integers(0, 5, 400).astype(np.uint8)
    model = NGramModel(5, 4, boundary=0).fit(text[:200])
    wanted = model.log_probs(text)
    for block in (1, 2, 3, 7, 398, 399, 400):
        monkeypatch.setattr(ngram, "_BLOCK", block)
        np.testing.assert_array_equal(model.log_probs(text), wanted)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int32, np.int64])
def test_every_integer_type_is_read_and_left_as_it_is(kind):
    text = np.random.default_rng(3).integers(0, 200, 600).astype(kind)
    text.flags.writeable = False
    model = NGramModel(200, 3, boundary=7).fit(text)
    wanted = NGramModel(200, 3, boundary=7).fit(text.tolist()).log_probs(text.tolist())
    np.testing.assert_array_equal(model.log_probs(text), wanted)


def test_order_100_on_a_small_text():
    text = dataset("tinyshakespeare/input.txt").read_bytes()[:30_000]
    ids = np.frombuffer(text, np.uint8)
    train, test = ids[:25_000], ids[25_000:]
    short, long = NGramModel(256, 8).fit(train), NGramModel(256, 100).fit(train)
    # No run of 100 is met again, yet the higher orders must not do harm ...
    assert long.evaluate(test)["perplexity"] < 1.01 * short.evaluate(test)["perplexity"]
    # ... and text that was seen is nearly certain.
    assert long.score(train) > -0.01 > short.score(train)
    assert all(n in long.fallback_ for n in range(60, 101))
    contexts = long.start(1)
    for token in train[200:320]:
        contexts = long.advance(contexts, np.array([token]))
    assert (contexts >= 0).all()
    following = np.exp(long.next_log_probs(contexts)[0])
    np.testing.assert_allclose(following.sum(), 1, rtol=1e-5)
    assert following.argmax() == train[320]
    tables = long.tables_
    used = sum(t.keys.nbytes + t.log_probs.nbytes + t.backoffs.nbytes for t in tables)
    assert used <= 16 * 100 * len(train)


def test_an_order_beyond_the_text_adds_nothing():
    text = [0, 1, 0, 1, 1]
    short, long = NGramModel(2, 5).fit(text), NGramModel(2, 50).fit(text)
    np.testing.assert_array_equal(short.log_probs(text), long.log_probs(text))
    probe = [1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1]
    np.testing.assert_array_equal(short.log_probs(probe), long.log_probs(probe))


def test_what_was_never_seen_shares_alike():
    model = NGramModel(10, 3, boundary=0).fit([0, 1, 2, 0])
    # D_1 = 1/2 for each of 3 counts, one each: gamma = 1/2, of which a tenth each.
    np.testing.assert_allclose(np.exp(model.log_probs([7, 8, 9, 7])), 0.05, rtol=1e-6)


def test_a_vocabulary_of_one_symbol_is_certain():
    for boundary in (None, 0):
        model = NGramModel(1, 3, boundary=boundary).fit([0, 0, 0, 0])
        np.testing.assert_array_equal(model.log_probs([0, 0, 0]), [0, 0])
        assert model.evaluate([0, 0])["perplexity"] == 1


def test_nothing_to_score():
    model = NGramModel(2, 2).fit([0, 1])
    assert model.log_probs([]).shape == model.log_probs([1]).shape == (0,)
    for text in ([], [1]):
        with pytest.raises(DataError, match="at least two tokens"):
            model.evaluate(text)
        with pytest.raises(DataError, match="at least two tokens"):
            model.score(text)


def test_score_is_the_mean_log_probability():
    model = NGramModel(3, 2).fit([0, 1, 2, 0, 1, 1])
    text = [0, 1, 2, 2]
    assert model.score(text) == pytest.approx(model.log_probs(text).mean())
    assert np.exp(-model.score(text)) == pytest.approx(
        model.evaluate(text)["perplexity"]
    )


def test_tokens_of_gives_the_ngrams_of_the_text():
    text = [0, 1, 2, 0, 1, 1]
    model = NGramModel(3, 3).fit(text)
    for n in (2, 3):
        found = model.tokens_of(n, np.arange(len(model.tables_[n - 1].keys)))
        windows = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
        assert sorted(map(tuple, found.tolist())) == sorted(windows)


@pytest.mark.parametrize("boundary", [None, 2])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_saved_and_loaded_is_the_same(tmp_path, order, boundary):
    text = np.random.default_rng(4).integers(0, 6, 300)
    model = NGramModel(6, order, boundary=boundary).fit(text)
    model.save(tmp_path / "model.npz")
    loaded = NGramModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.log_probs(text), model.log_probs(text))
    np.testing.assert_array_equal(
        loaded.next_log_probs(loaded.advance(loaded.start(1), [3])),
        model.next_log_probs(model.advance(model.start(1), [3])),
    )
    assert (loaded.size, loaded.order, loaded.boundary) == (6, order, boundary)
    assert loaded.discounts_ == model.discounts_
    assert loaded.fallback_ == model.fallback_
    model.save(stream := io.BytesIO())
    stream.seek(0)
    assert NGramModel.load(stream).score(text) == model.score(text)


def test_load_refuses_what_save_did_not_write(tmp_path):
    path = tmp_path / "model.npz"
    NGramModel(6, 3).fit(np.random.default_rng(5).integers(0, 6, 300)).save(path)
    whole = path.read_bytes()
    with np.load(path) as file:
        parts = dict(file)

    def refuses(match="must be a file that NGramModel.save wrote"):
        with pytest.raises(DataError, match=match):
            NGramModel.load(path)

    for content in (b"", b"no such file", whole[:-40], whole[:100]):
        path.write_bytes(content)
        refuses()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 255
    path.write_bytes(changed)
    refuses()
    wrong = {
        "format": np.array("recurro-ngram-9"),
        "keys": np.sort(parts["keys"])[::-1],
        "log_probs": np.full_like(parts["log_probs"], np.nan),
        "backoffs": parts["backoffs"][1:],
        "lengths": parts["lengths"][:-1],
        "size": np.array(0),
        "boundary": np.array(99),
        "discounts": np.array([object()]),
    }
    for name, value in wrong.items():
        np.savez(path, **{**parts, name: value})
        refuses()
        np.savez(path, **{key: part for key, part in parts.items() if key != name})
        refuses()
    far = parts["keys"].copy()
    far[-1] = 1 << 60
    np.savez(path, **{**parts, "keys": far})
    refuses("contexts that do not exist")
    path.unlink()
    refuses("No such file")


@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_named():
    for order in (0, -1, 2.5):
        with pytest.raises(ArgumentError, match="order must be an int >= 1"):
            NGramModel(3, order)
    with pytest.raises(ArgumentError, match="size must be an int >= 1, got 0"):
        NGramModel(0)
    for boundary in (-1, 3):
        with pytest.raises(ArgumentError, match="boundary must be an id from 0 to 2"):
            NGramModel(3, boundary=boundary)
    model = NGramModel(3)
    for text in ([], [1]):
        with pytest.raises(DataError, match="at least 2 ids, got"):
            model.fit(text)
    with pytest.raises(VocabularyError, match="from 0 to 2, got 0 to 3"):
        model.fit([0, 1, 3])
    with pytest.raises(VocabularyError, match="from 0 to 2, got -1 to 1"):
        model.fit([-1, 1])
    with pytest.raises(ShapeError, match="integers"):
        model.fit([0.5, 1.0])
    with pytest.raises(ShapeError, match="integers"):
        model.fit([[0, 1], [1, 0]])
    for use in (
        lambda: model.log_probs([0, 1]),
        lambda: model.advance(model.start(1), np.array([0])),
        lambda: model.next_log_probs(model.start(1)),
        lambda: model.save(io.BytesIO()),
    ):
        with pytest.raises(ArgumentError, match="must be fitted"):
            use()
    model.fit([0, 1, 2])
    with pytest.raises(VocabularyError, match="from 0 to 2, got 0 to 3"):
        model.log_probs([0, 3])
