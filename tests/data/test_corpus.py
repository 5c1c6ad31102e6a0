import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import Corpus, Tokenizer, build_corpus, read_text
from recurro.data import text as text_module
from recurro.errors import DataError, VocabularyError
from tests.data.strategies import cut, texts

KINDS = ["char", "byte", "word", "bpe:270"]


@pytest.mark.parametrize("kind", KINDS)
@given(parts=cut(texts))
@settings(max_examples=40, deadline=None)
def test_a_corpus_is_the_encoded_text(tmp_path_factory, kind, parts):
    parts = ["x y", *parts]
    text = "".join(parts)
    tokenizer = Tokenizer.fit(parts, kind)
    path = tmp_path_factory.mktemp("corpus") / "text.ids"
    for corpus in (
        build_corpus(parts, tokenizer),
        build_corpus(parts, tokenizer, path),
    ):
        assert corpus.ids.dtype == (np.uint8 if tokenizer.size <= 256 else np.uint16)
        assert (corpus.size, corpus.eos_id) == (tokenizer.size, tokenizer.eos_id)
        first = "" if kind == "word" else tokenizer.decode(corpus.ids[:1])
        targets = tokenizer.decode(corpus.ids)[1 if kind == "word" else 0 :]
        assert corpus.targets == len(corpus.ids) - 1
        assert corpus.characters == len(targets) - len(first)
        if kind == "word":
            assert targets == tokenizer.decode(tokenizer.encode(text + "\n"))
        else:
            assert targets == text
    again = Corpus.open(path, tokenizer)
    assert isinstance(again.ids, np.memmap)
    assert np.array_equal(again.ids, corpus.ids)
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("kind", KINDS)
@given(items=st.lists(texts, max_size=8))
@settings(max_examples=40, deadline=None)
def test_lines_come_back_one_by_one(kind, items):
    items = [" ".join(item.split()) for item in ["x", *items, "y z"]]
    items = [item for item in items if item]
    tokenizer = Tokenizer.fit(items, kind, lines=True)
    corpus = build_corpus(items, tokenizer)
    lines = [corpus.line(i) for i in range(len(corpus.starts) - 1)]
    assert [tokenizer.decode(line) for line in lines] == [i + "\n" for i in items]
    assert corpus.ids[0] == tokenizer.eos_id
    assert corpus.targets == sum(map(len, lines))
    assert corpus.characters == sum(len(item) + 1 for item in items)


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(2, "uint8"), (255, "uint8"), (256, "uint8"), (257, "uint16"),
     (65_536, "uint16"), (65_537, "uint32")],
)  # fmt: skip
def test_ids_take_the_fewest_bytes_that_hold_them(tmp_path, size, dtype):
    text = "".join(map(chr, range(0x10000, 0x10000 + size)))
    tokenizer = Tokenizer.fit([text])
    corpus = build_corpus([text], tokenizer, tmp_path / "text.ids")
    assert corpus.ids.dtype == dtype
    assert np.array_equal(corpus.ids, np.arange(size))
    assert corpus.ids.max() == size - 1


def test_characters_count_letters_and_not_bytes():
    text = "n é日😀"
    for kind in ("char", "byte", "bpe:257"):
        tokenizer = Tokenizer.fit([text], kind)
        assert tokenizer.decode(tokenizer.encode(text)[:1]) == "n"
        assert build_corpus([text], tokenizer).characters == 4


def test_words_count_what_stands_after_them_and_hidden_letters_too():
    tokenizer = Tokenizer.fit(["to be to be or"], "word", min_count=2)
    corpus = build_corpus(["  to  elephants\n\nbe"], tokenizer)
    assert corpus.characters == len("to elephants\nbe\n")
    assert tokenizer.decode(corpus.ids) == "\nto <unk>\nbe\n"


@pytest.mark.parametrize("kind", ["char", "byte", "bpe:270"])
@pytest.mark.parametrize("text", ["", "a"])
@pytest.mark.parametrize("name", [None, "text.ids"])
def test_fewer_than_two_tokens_are_refused(tmp_path, kind, text, name):
    tokenizer = Tokenizer.fit(["ab"], kind)
    path = None if name is None else tmp_path / name
    with pytest.raises(DataError, match="at least two tokens"):
        build_corpus([text], tokenizer, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["char", "word"])
def test_no_line_at_all_is_refused(kind):
    tokenizer = Tokenizer.fit(["a", "b"], kind, lines=True)
    with pytest.raises(DataError, match="at least two tokens"):
        build_corpus([], tokenizer)


def test_running_text_has_no_lines():
    corpus = build_corpus(["abc\nd"], Tokenizer.fit(["abc\nd"]))
    with pytest.raises(DataError, match="must consist of lines"):
        _ = corpus.starts


def test_an_unknown_symbol_leaves_the_old_file(tmp_path):
    path = tmp_path / "text.ids"
    tokenizer = Tokenizer.fit(["ab"])
    build_corpus(["abab"], tokenizer, path)
    before = path.read_bytes()
    with pytest.raises(VocabularyError, match="got 'c'"):
        build_corpus(["ab" * 5000, "abc"], tokenizer, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def written(tmp_path):
    tokenizer = Tokenizer.fit(["hello"])
    path = tmp_path / "text.ids"
    build_corpus(["hello hello".replace(" ", "")], tokenizer, path)
    return path, tokenizer


def test_another_vocabulary_is_refused(written):
    path, tokenizer = written
    assert Corpus.open(path, tokenizer).ids.tolist() == [1, 0, 2, 2, 3] * 2
    with pytest.raises(DataError, match="made with another vocabulary"):
        Corpus.open(path, Tokenizer.fit(["hallo"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "must have 522 bytes, got 521"),
        (lambda data: data + b"\0", "must have 522 bytes, got 523"),
        (lambda data: data[:100], "start is damaged"),
        (lambda data: b"", "start is damaged"),
        (lambda data: b"[1]" + data[3:], "start is damaged"),
        (lambda data: b"\xff" * len(data), "start is damaged"),
        (lambda data: data[:-1] + b"\0", "checksum differs"),
        (lambda data: data.replace(b'rs": 9', b'rs": 8'), "checksum differs"),
        (lambda data: data.replace(b'"eos_id": null', b'"eos_id": 1   '), "checksum"),
        (lambda data: data.replace(b'ns": 10', b'ns": -1'), "header .* is damaged"),
        (lambda data: data.replace(b'ns": 10', b'ns": 1.'), "start is damaged"),
        (lambda data: data.replace(b'"uint8"', b'"int64"'), "header .* is damaged"),
        (lambda data: data.replace(b'on": 1', b'on": 2'), "must have version 1, got 2"),
    ],
)
def test_a_damaged_corpus_is_refused(written, change, message):
    path, _ = written
    data = path.read_bytes()
    assert change(data) != data
    path.write_bytes(change(data))
    with pytest.raises(DataError, match=message):
        Corpus.open(path)


def test_a_missing_corpus_is_refused(tmp_path):
    for path in (tmp_path / "none.ids", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            Corpus.open(path)


def test_the_header_holds_numbers_alone(written):
    header = json.loads(written[0].read_bytes()[:512])
    assert header["tokens"] == 10
    assert header["characters"] == 9


@pytest.mark.parametrize(
    ("kind", "block_size", "limit"), [("char", 1 << 20, 40), ("word", 1 << 12, 1)]
)
def test_a_large_text_is_never_whole_in_memory(
    tmp_path, monkeypatch, kind, block_size, limit
):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", block_size)
    line = "the sun is up and the sea is blue\n"
    lines = 2_000_000 if kind == "char" else 60_000
    text = tmp_path / "text.txt"
    text.write_text(line * lines)
    tracemalloc.start()
    try:
        tokenizer = Tokenizer.fit(read_text(text), kind)
        corpus = build_corpus(read_text(text), tokenizer, tmp_path / "text.ids")
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert peak < limit < len(line) * lines / 2**20
    assert corpus.targets == lines * (len(line) if kind == "char" else 10) - (
        kind == "char"
    )
