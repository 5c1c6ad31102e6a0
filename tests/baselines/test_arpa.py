"""ARPA files: read back, read by another reader, and refused where they are wrong."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.baselines import NGramModel, read_arpa, write_arpa
from recurro.errors import DataError

SYMBOLS = ["<unk>", "a", "</s>", "b", "c"]
BOUNDARY = 2

sentences = st.lists(
    st.lists(st.sampled_from([1, 3, 4]), max_size=6), min_size=1, max_size=12
)

SRILM = rb"""
Words before the data are passed over.

\data\
ngram 1=5
ngram  2 = 3
ngram 3=1

\1-grams:
-1.0 </s>
-99 <s> -0.5
-0.5 a -0.25
-0.75	b	-0.125
-2 c

\2-grams:
-0.25 <s> b
-0.5 a b -0.1
-0.3 b </s>

\3-grams:
-0.05 a b </s>

\end\
"""


def joined(lines):
    row = [BOUNDARY]
    for line in lines:
        row += [*line, BOUNDARY]
    return row


def written(model, symbols):
    write_arpa(model, symbols, file := io.BytesIO())
    return file.getvalue()


class Reader:
    """What an ARPA file says, by a dictionary and the rule of backoff."""

    def __init__(self, text):
        self.table, self.order = {}, 0
        for line in text.decode().split("\n"):
            if line.endswith("-grams:"):
                self.order = int(line[1])
            elif self.order and "\t" in line:
                prob, words, *backoff = line.split("\t")
                self.table[tuple(words.split(" "))] = (
                    float(prob),
                    float(backoff[0]) if backoff else 0.0,
                )

    def log10(self, words):
        """log10 P(last word | words before)."""
        if words in self.table:
            return self.table[words][0]
        return self.table.get(words[:-1], (0, 0))[1] + self.log10(words[1:])

    def sentence(self, words):
        row = ["<s>", *words, "</s>"]
        return [
            self.log10(tuple(row[max(i - self.order + 1, 0) : i + 1]))
            for i in range(1, len(row))
        ]


@settings(deadline=None, max_examples=100)
@given(train=sentences, test=sentences, order=st.integers(1, 5))
def test_a_reader_of_the_file_finds_the_same_probabilities(train, test, order):
    model = NGramModel(5, order, boundary=BOUNDARY).fit(joined(train))
    reader = Reader(written(model, SYMBOLS))
    wanted = [p for line in test for p in reader.sentence([SYMBOLS[i] for i in line])]
    found = model.log_probs(joined(test)) / math.log(10)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(train=sentences, order=st.integers(1, 5), bounded=st.booleans())
def test_read_back_it_is_the_same(train, order, bounded):
    model = NGramModel(5, order, boundary=BOUNDARY if bounded else None)
    symbols = SYMBOLS if bounded else ["<unk>", "a", "\n", "b", "c"]
    text = joined(train)
    content = written(model.fit(text), symbols)
    again, read = read_arpa(io.BytesIO(content))
    assert read == tuple(symbols)
    assert (again.size, again.order) == (model.size, model.order)
    assert again.boundary == model.boundary
    assert len(again.tables_) == order
    for mine, other in zip(model.tables_, again.tables_, strict=True):
        np.testing.assert_array_equal(mine.keys, other.keys)
        np.testing.assert_allclose(mine.log_probs, other.log_probs, rtol=1e-6)
        np.testing.assert_allclose(mine.backoffs, other.backoffs, atol=1e-6)
    assert written(again, read) == content


def test_the_file_looks_as_kenlm_writes_it(tmp_path):
    lines = [[1, 3], [1, 4]]
    model = NGramModel(5, 2, boundary=BOUNDARY).fit(joined(lines))
    write_arpa(model, SYMBOLS, tmp_path / "model.arpa")
    text = (tmp_path / "model.arpa").read_text()
    head, unigrams, bigrams, end = text.rstrip("\n").split("\n\n")
    assert head == "\\data\\\nngram 1=6\nngram 2=5"
    rows = [line.split("\t") for line in unigrams.split("\n")]
    assert rows[0] == ["\\1-grams:"]
    assert [row[1] for row in rows[1:]] == ["<s>", "<unk>", "a", "</s>", "b", "c"]
    assert all(len(row) == 3 for row in rows[1:])
    assert ["-99", "<s>"] in [row[:2] for row in rows]
    # gamma(<s>) = D(1)... one bigram <s> a with count 2: D = 1, of a total of 2.
    weight = next(float(row[2]) for row in rows[1:] if row[1] == "<s>")
    assert weight == pytest.approx(math.log10(0.5), abs=1e-6)
    assert next(row[2] for row in rows[1:] if row[1] == "</s>") == "0"
    rows = [line.split("\t") for line in bigrams.split("\n")]
    words = ["a b", "a c", "<s> a", "b </s>", "c </s>"]
    assert [row[1] for row in rows[1:]] == words
    assert all(len(row) == 2 for row in rows[1:])
    assert end == "\\end\\"


def test_a_file_in_the_manner_of_srilm():
    model, symbols = read_arpa(io.BytesIO(SRILM))
    assert symbols == ("</s>", "a", "b", "c")
    assert (model.boundary, model.order, model.size) == (0, 3, 4)
    text = [0, 2, 0, 1, 2, 0, 3, 2]  # <s> b </s> a b </s> c b
    wanted = [-0.25, -0.3, -0.5 - 0.5, -0.5, -0.05, -0.5 - 2, -0.75]
    found = model.log_probs(text) / math.log(10)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_white_space_and_signs_in_symbols(tmp_path):
    symbols = [" ", "\n", "\t", "\\u{20}", "\\", "é", "\u3000", "\0", "u{20}"]
    generator = np.random.default_rng(0)
    text = generator.integers(0, len(symbols), 300)
    model = NGramModel(len(symbols), 3).fit(text)
    write_arpa(model, symbols, tmp_path / "model.arpa")
    again, read = read_arpa(tmp_path / "model.arpa")
    assert read == tuple(symbols)
    np.testing.assert_allclose(again.log_probs(text), model.log_probs(text), rtol=1e-6)


def test_the_boundary_may_have_any_name():
    model = NGramModel(3, 2, boundary=0).fit([0, 1, 2, 0])
    _, read = read_arpa(io.BytesIO(written(model, ["\n", "a", "b"])))
    assert read == ("</s>", "a", "b")


def test_symbols_that_cannot_be_written():
    model = NGramModel(3, 2, boundary=0).fit([0, 1, 2, 0])
    running = NGramModel(3, 2).fit([0, 1, 2, 0])
    for wrong, one, symbols in [
        ("one symbol for each of the 3 ids, got 2", model, ["</s>", "a"]),
        ("got '<s>'", model, ["</s>", "a", "<s>"]),
        ("got ''", model, ["</s>", "a", ""]),
        ("must differ", model, ["</s>", "a", "a"]),
        ("must differ", model, ["\n", "a", "</s>"]),
        ("got '</s>'", running, ["</s>", "a", "b"]),
    ]:
        with pytest.raises(DataError, match=wrong):
            write_arpa(one, symbols, io.BytesIO())


def edited(old, new):
    assert old in SRILM
    return SRILM.replace(old, new)


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 0, "must have a line"),
        (b"some text\n", 1, "must have a line"),
        (SRILM[: SRILM.index(b"\\1-")], 8, "1-grams: must stand here"),
        (edited(b"ngram 3", b"ngram 4"), 7, "number of 3-grams"),
        (edited(b"ngram 1=5", b"ngram 1=6"), 15, "log10 P, 1 known words"),
        (edited(b"ngram 1=5", b"ngram 1=4"), 14, "line .2-grams: must follow"),
        (edited(b"-2 c", b"-2 a"), 14, "each 1-gram must stand once"),
        (edited(b"-2 c", b"x c"), 14, "log10 P, 1 known words"),
        (edited(b"-2 c", b"2 c"), 14, "log10 P, 1 known words"),
        (edited(b"-2 c", b"nan c"), 14, "must be finite"),
        (edited(b"-0.75\tb", b"-inf b"), 13, "must be finite"),
        (edited(b"-2 c", b"-2 c 0 0"), 14, "log10 P, 1 known words"),
        (edited(b"-2 c", b"-2"), 14, "log10 P, 1 known words"),
        (edited(b"-2 c", b"-2 \xff"), 14, "must be UTF-8"),
        (edited(b"-99 <s> -0.5", b"-99 d -0.5"), 14, "must both be among"),
        (edited(b"a b -0.1", b"a d -0.1"), 18, "log10 P, 2 known words"),
        (edited(b"a b -0.1", b"<s> b -0.1"), 18, "each n-gram must stand once"),
        (edited(b"-0.3 b </s>", b"-0.3 </s> b"), 19, "<s> must be a first word"),
        (edited(b"-0.3 b </s>", b"-0.3 b <s>"), 19, "<s> must be a first word"),
        (edited(b"a b </s>\n", b"a c </s>\n"), 22, "must be an n-gram of the file"),
        (edited(b"\\3-grams:", b"\\4-grams:"), 21, "line .3-grams: must follow"),
        (edited(b"\\end\\", b""), 24, "line .end. must follow"),
        (SRILM[: SRILM.index(b"-0.05")], 21, "1 rows of 3-grams"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, content, line, what):
    path = tmp_path / "wrong.arpa"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"wrong.arpa', line {line}: .*{what}"):
        read_arpa(path)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"'no/such\.arpa' cannot be read"):
        read_arpa("no/such.arpa")
