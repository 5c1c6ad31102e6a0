import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import (
    Tokenizer,
    count_text,
    cut_text,
    read_lines,
    read_text,
    tail_start,
)
from recurro.data.bpe import byte_signs
from recurro.errors import ArgumentError, DataError, VocabularyError
from tests.data.strategies import cut, texts
from tests.datasets import dataset

KINDS = ["char", "byte", "word", "bpe:270"]
PROSE = "It's  the  cat's\n\n  naïve 日本 hat,\nthe hat of the cats. 😀\n"


def normal(text):
    """What a word tokenizer keeps of a text."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept = "\n".join(line for line in lines[:-1] if line)
    return kept + "\n" * bool(kept) + lines[-1]


@pytest.mark.parametrize("kind", KINDS)
@given(parts=cut(texts), data=st.data())
@settings(max_examples=60, deadline=None)
def test_text_comes_back_and_blocks_do_not_matter(kind, parts, data):
    text = "".join(parts)
    tokenizer = Tokenizer.fit([*parts, " x y z"], kind)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64
    expected = normal(text) if kind == "word" else text
    assert tokenizer.decode(ids) == expected
    assert "".join(tokenizer.pieces(ids.tolist())) == expected
    blocks = [ids for ids, _ in tokenizer.encode_blocks(parts)]
    assert np.array_equal(np.concatenate([ids[:0], *blocks]), ids)
    characters = sum(count for _, count in tokenizer.encode_blocks(parts))
    tail = kind == "word" and bool(text.split("\n")[-1].split())  # its space
    assert characters == len(expected) + tail
    assert Tokenizer.fit([text, " x y z"], kind) == tokenizer
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer
    assert tokenizer.missing(text) == []


@pytest.mark.parametrize("kind", KINDS)
@given(items=st.lists(texts, max_size=5))
@settings(max_examples=40, deadline=None)
def test_items_end_with_a_newline(kind, items):
    items = [" ".join(item.split()) for item in [*items, "x", "y"]]
    items = [item for item in items if item]
    tokenizer = Tokenizer.fit(items, kind, lines=True)
    assert tokenizer.lines
    assert tokenizer.decode([tokenizer.eos_id]) == "\n"
    for item in items:
        ids = tokenizer.encode(item + "\n")
        assert np.flatnonzero(ids == tokenizer.eos_id).tolist() == [len(ids) - 1]
        assert tokenizer.decode(ids) == item + "\n"
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again == tokenizer
    assert again.eos_id == tokenizer.eos_id


def test_the_lecture_s_vocabulary():
    tokenizer = Tokenizer.fit(["hello"])
    assert tokenizer.symbols == ("e", "h", "l", "o")
    assert tokenizer.encode("hello").tolist() == [1, 0, 2, 2, 3]
    assert (tokenizer.size, tokenizer.unk_id, tokenizer.eos_id) == (4, None, None)


def test_words_are_sorted_by_frequency_after_the_special_ones():
    tokenizer = Tokenizer.fit(["b a b\nc a b"], "word")
    assert tokenizer.symbols == ("<unk>", "</s>", "b", "a", "c")
    assert (tokenizer.unk_id, tokenizer.eos_id) == (0, 1)
    assert tokenizer.encode("\n\na  d\n \n</s> <unk>\nb").tolist() == [
        3,
        0,
        1,
        0,
        0,
        1,
        2,
    ]


def test_rare_symbols_are_replaced_or_dropped():
    blocks = ["aaabbbc", "d\ufffd"]
    replaced = Tokenizer.fit(blocks, "char", min_count=3)
    assert replaced.symbols == ("a", "b", "\ufffd")
    assert replaced.unk_id == 2
    assert replaced.encode("abcX").tolist() == [0, 1, 2, 2]
    assert replaced.decode([0, 2]) == "a\ufffd"
    dropped = Tokenizer.fit(blocks, "char", min_count=3, unknown="drop")
    assert dropped.symbols == ("a", "b")
    assert dropped.encode("cabX").tolist() == [0, 1]
    words = Tokenizer.fit(["a b a b c"], "word", min_count=2, unknown="drop")
    assert words.symbols == ("</s>", "a", "b")
    assert words.decode(words.encode("c a c b\nc\n")) == "a b\n\n"


def test_max_size_keeps_the_most_frequent():
    text = "e" * 5 + "t" * 4 + "a" * 3 + "o" * 2
    assert Tokenizer.fit([text], max_size=3).symbols == ("e", "t", "\ufffd")
    words = Tokenizer.fit([" ".join(text)], "word", max_size=4)
    assert words.symbols == ("<unk>", "</s>", "e", "t")
    whole = Tokenizer.fit([text], max_size=4, unknown="error")
    assert whole.symbols == ("a", "e", "o", "t")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("char", "hexyzabqw", r"among the 4 of .* got 'x', 'y', 'z', 'a', 'b', \.\.\."),
        ("char", "hé", "got 'é'"),
        ("word", "h e\nxyz", "got 'xyz'"),
        ("word", "h </s>", "got '</s>'"),
    ],
)
def test_symbols_outside_the_vocabulary_are_named(kind, text, message):
    text_of = {"char": "hello", "word": "h e l l o </s>"}
    tokenizer = Tokenizer.fit([text_of[kind]], kind, unknown="error")
    with pytest.raises(VocabularyError, match=message):
        tokenizer.encode(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_ids_outside_the_vocabulary_are_refused(kind, wrong):
    tokenizer = Tokenizer.fit([PROSE], kind)
    with pytest.raises(VocabularyError, match=rf"in \[0, {tokenizer.size}\), got"):
        tokenizer.decode([0, wrong])


@pytest.mark.parametrize("kind", ["char", "byte", "bpe:300"])
def test_half_a_surrogate_pair_is_refused(kind):
    tokenizer = Tokenizer.fit([PROSE], kind)
    with pytest.raises(DataError, match="surrogate pair at character 3"):
        tokenizer.encode("the\udcff")


@pytest.mark.parametrize("kind", ["char", "word"])
@pytest.mark.parametrize(
    ("blocks", "settings", "message"),
    [
        ([], {}, "got none"),
        (["aaaa"], {}, "got only 'a"),
        (["a b"], {"min_count": 2}, r"got 0 of \d \(min_count=2\)"),
        (["a b a b"], {"max_size": 2}, "max_size=2"),
    ],
)
def test_a_vocabulary_of_one_symbol_is_refused(kind, blocks, settings, message):
    with pytest.raises(VocabularyError, match=f"at least two.*{message}"):
        Tokenizer.fit([block.strip() for block in blocks], kind, **settings)


def test_items_of_one_letter_differ_by_their_length():
    assert Tokenizer.fit(["a", "aa"], lines=True).symbols == ("\n", "a")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("", {}, "kind must be"),
        ("letters", {}, "kind must be char, byte, word or bpe:N, got 'letters'"),
        ("bpe", {}, "kind must be .* with a number N"),
        ("bpe:many", {}, "kind must be .* with a number N"),
        ("char:5", {}, "kind must be .* got 'char:5'"),
        ("bpe:256", {}, "N >= 257"),
        ("char", {"min_count": 0}, "min_count must be an int >= 1"),
        ("char", {"max_size": 1}, "max_size must be an int >= 2"),
        ("byte", {"max_size": 9}, "max_size and unknown are for char and word"),
        ("bpe:300", {"unknown": "drop"}, "max_size and unknown are for char and word"),
        ("byte", {"min_count": 2}, "min_count is for"),
    ],
)
def test_settings_out_of_range_are_refused(kind, settings, message):
    with pytest.raises(ArgumentError, match=message):
        Tokenizer.fit(["ab"], kind, **settings)


def test_an_error_of_the_reader_comes_through_the_library():
    def broken():
        yield "to be or not to be " * 10
        raise DataError("read: broken.")

    with pytest.raises(DataError, match=r"read: broken\."):
        Tokenizer.fit(broken(), "bpe:300")


def test_the_signs_of_bytes_are_those_of_the_library():
    from tokenizers.pre_tokenizers import ByteLevel

    signs = byte_signs()
    assert sorted(signs) == sorted(ByteLevel.alphabet())
    assert sorted(signs.values()) == list(range(256))
    every = "".join(map(chr, range(256))) + "😀"
    word = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(every)
    assert bytes(signs[sign] for sign in word[0][0]) == every.encode()


def test_byte_pairs_merge_the_most_frequent_pair_first():
    tokenizer = Tokenizer.fit(["abab abab\n" * 3 + "cd"], "bpe:258")
    assert tokenizer.merges[0] == ("a", "b")
    assert tokenizer.symbols[256:] == ("ab", "abab")
    assert len(tokenizer.encode("abab\n\ncd")) == 5  # abab, two newlines, c, d


def test_byte_pairs_are_the_same_each_time_and_shorten_the_text():
    text = "".join(cut_text(read_text(dataset("tinyshakespeare/input.txt")), 0, 50_000))
    first, second = (Tokenizer.fit([text], "bpe:600") for _ in range(2))
    assert first == second
    assert first.size == 600
    assert len(first.encode(text)) < len(text) / 2


def test_streamed_bytes_come_as_whole_characters():
    tokenizer = Tokenizer.fit(["x"], "byte")
    pieces = list(tokenizer.pieces(tokenizer.encode("é€a").tolist()))
    assert pieces == ["", "é", "", "", "€", "a", ""]
    assert tokenizer.decode([0xC3]) == "\ufffd"
    assert tokenizer.decode([0xFF, 65]) == "\ufffdA"


def test_the_words_of_war_and_peace():
    path = dataset("war-and-peace/input.txt")
    lines = count_text(read_text(path), lines=True)
    start = tail_start(lines, 0.1)
    tokenizer = Tokenizer.fit(cut_text(read_text(path), 0, start, lines=True), "word")
    rest = list(cut_text(read_text(path), start, lines=True))
    # The counts that the Kneser-Ney figures of this text rest on.
    words = Counter(word for line in rest for word in line.split())
    unknown = sum(n for word, n in words.items() if word not in tokenizer.ids)
    ids = tokenizer.encode("".join(rest))
    assert (len(ids), unknown) == (61_446, 2_906)
    assert np.count_nonzero(ids == tokenizer.unk_id) == 2_906


def test_the_characters_of_real_sets():
    shakespeare = read_text(dataset("tinyshakespeare/input.txt"))
    assert Tokenizer.fit(shakespeare).size == 65
    names = read_lines(dataset("names/names.txt"))
    assert Tokenizer.fit(names, lines=True).size == 27


def edited(tokenizer, **changes):
    content = json.loads(tokenizer.to_json())
    for name, value in changes.items():
        content[name] = value
        if value is None:
            del content[name]
    return json.dumps(content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbols": ["a"]}, "'symbols' is damaged"),
        ({"symbols": ["a", "a", "b"]}, "'symbols' is damaged"),
        ({"symbols": ["a", 3]}, "'symbols' is damaged"),
        ({"symbols": {"a": 1}}, "'symbols' is damaged"),
        ({"symbols": None}, "'symbols' is damaged"),
        ({"kind": "letters"}, "'kind' is damaged"),
        ({"kind": ["char"]}, "'kind' is damaged"),
        ({"lines": 1}, "'lines' is damaged"),
        ({"unknown": "ignore"}, "'unknown' is damaged"),
        ({"unknown": {}}, "'unknown' is damaged"),
        ({"unknown": "drop"}, "was changed"),
        ({"fingerprint": None}, "'fingerprint' is damaged"),
        ({"fingerprint": "00"}, "was changed"),
        ({"format": "other"}, "must be a vocabulary of recurro"),
        ({"version": 2}, "must have version 1, got 2. Use the version"),
        ({"version": None}, "must have version 1, got None"),
    ],
)
def test_a_damaged_vocabulary_is_refused(kind, changes, message):
    tokenizer = Tokenizer.fit([PROSE], kind)
    with pytest.raises(DataError, match=message):
        Tokenizer.from_json(edited(tokenizer, **changes))


@pytest.mark.parametrize(
    "merges", [None, 3, [["a"]], [["a", 1]], [["a", "\n"]], [["q", "z"]]]
)
def test_damaged_merges_are_refused(merges):
    tokenizer = Tokenizer.fit([PROSE], "bpe:270")
    with pytest.raises(DataError, match="merges"):
        Tokenizer.from_json(edited(tokenizer, merges=merges))


@pytest.mark.parametrize("kind", KINDS)
def test_one_symbol_changed_by_hand_is_noticed(kind):
    tokenizer = Tokenizer.fit([PROSE], kind)
    symbols = [*tokenizer.symbols]
    symbols[-1], symbols[-2] = symbols[-2], symbols[-1]
    with pytest.raises(DataError, match=r"changed|damaged|merges"):
        Tokenizer.from_json(edited(tokenizer, symbols=symbols))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "a\0"])
def test_what_is_no_vocabulary_is_refused(text):
    with pytest.raises(DataError, match=r"vocabulary: 'v\.json' must be"):
        Tokenizer.from_json(text, "'v.json'")


def test_save_and_load(tmp_path):
    path = tmp_path / "vocabulary.json"
    tokenizer = Tokenizer.fit(["a\0\u2028😀\ufeff\r"])
    tokenizer.save(path)
    assert Tokenizer.load(path) == tokenizer
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"vocabulary\.json' cannot be read"):
        Tokenizer.load(path)
    with pytest.raises(DataError, match=r"none\.json' cannot be read"):
        Tokenizer.load(tmp_path / "none.json")
