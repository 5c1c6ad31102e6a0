import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import Tokenizer, read_word2vec
from recurro.errors import DataError

VOCABULARY = ("a", "b", "c")


@pytest.fixture
def vectors(tmp_path):
    def write(text):
        path = tmp_path / "vectors.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "3 2\nb 1 -2.5\nx 0 0\na 3e1 .5\n",
        "b 1 -2.5\r\nx 0 0\r\na 3e1 .5",
        "3 2\nb 1 -2.5 \nx 0 0 \na 3e1 .5 \n",
        "4 2\nb 1 -2.5\nx 0 0\na 3e1 .5\nb 7 7\n",
    ],
)
def test_known_words_get_their_vectors(vectors, text):
    matrix, found = read_word2vec(vectors(text), VOCABULARY)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[30, 0.5], [1, -2.5], [0, 0]]
    assert found.tolist() == [True, True, False]


def test_a_word_with_a_space_is_not_its_first_part(vectors):
    matrix, found = read_word2vec(vectors("2 2\na . 9 9\na 1 2\n"), VOCABULARY)
    assert matrix[0].tolist() == [1, 2]
    assert found.tolist() == [True, False, False]


def test_white_space_of_other_kinds_is_part_of_a_word(vectors):
    _, found = read_word2vec(vectors("\u00a0 1 2\n\u3000 3 4\n"), ("\u3000", "x"))
    assert found.tolist() == [True, False]


@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_what_was_written_is_read(tmp_path_factory, words, length, data):
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = [data.draw(st.lists(numbers, min_size=length, max_size=length))
            for _ in range(words)]  # fmt: skip
    path = tmp_path_factory.mktemp("vectors") / "v.txt"
    text = "".join(f"w{i} {' '.join(map(repr, row))}\n" for i, row in enumerate(rows))
    path.write_text(f"{words} {length}\n{text}")
    matrix, found = read_word2vec(path, [f"w{i}" for i in range(words)])
    assert np.array_equal(matrix, np.array(rows, np.float32))
    assert found.all()


def test_the_symbols_of_a_tokenizer(vectors):
    tokenizer = Tokenizer.fit(["to be or not to be"], "word")
    matrix, found = read_word2vec(vectors("to 1\n</s> 2\n"), tokenizer.symbols)
    assert matrix.shape == (tokenizer.size, 1)
    assert found.sum() == 2
    assert matrix[tokenizer.ids["to"]] == 1
    assert matrix[tokenizer.eos_id] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3 2\na 1 2\nb 3 4\n", "must have 3 vectors, as its first line says, got 2"),
        ("1 2\na 1 2\nb 3 4\n", "must have 1 vectors, as its first line says, got 2"),
        ("2 2\na 1 2\nb 3", "line 3 .* must be a word and 2 finite numbers, got 1"),
        ("a nan 2\n", "line 1 .* finite numbers, got 2: 'nan 2'"),
        ("a 1e99 2\n", "line 1 .* finite numbers"),
        ("a x 2\n", "line 1 .* 'x 2'"),
        ("q 1 2\n", r"at least one symbol of the vocabulary \('a', 'b', 'c', \.\.\.\)"),
        ("2 0\na\nb\n", "at least one number"),
        ("a\n", "must be a word and its numbers, or two counts, got 'a'"),
        ("", "is empty"),
        (b"\xff 1 2", "0xff at byte 0"),
    ],
)
def test_damaged_vectors_are_refused(vectors, text, message):
    with pytest.raises(DataError, match=message):
        read_word2vec(vectors(text), VOCABULARY)
