import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import (
    TextFilter,
    count_text,
    cut_text,
    read_lines,
    read_text,
    split_lines,
)
from recurro.data import text as text_module
from recurro.data.text import join_items, raw_lines, recut
from recurro.errors import ArgumentError, DataError
from tests.data.strategies import blocks, cut, texts

TRICKY = "é e\u0301 😀 👩‍👩‍👧 日本\r\nЖ\r\rß\n\0 \u2028 ﬁ \ufeff end"


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.txt"):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_characters_cut_at_block_borders_come_out_whole(
    write, monkeypatch, size, encoding
):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", size)
    path = write(TRICKY.encode(encoding))
    expected = TRICKY.replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(read_text(path, encoding=encoding)) == expected


def test_reads_what_python_reads(write):
    path = write(TRICKY * 100_000)
    pieces = list(read_text(path))
    assert len(pieces) > 3
    assert "".join(pieces) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_text(write, encoding):
    data = "\ufeffhi\ufeff".encode("utf-8" if encoding[:5] == "utf-8" else "utf-16-le")
    assert "".join(read_text(write(data), encoding=encoding)) == "hi\ufeff"


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"abc\xe9def", "utf-8", "must be utf-8 text, got 0xe9 at byte 3 .*--encoding"),
        (b"\xef\xbb\xbfabc\xff", "utf-8", "0xff at byte 6"),
        (b"\xef\xbb\xbfabc\xff", "utf-8-sig", "0xff at byte 6"),
        ("abc€".encode()[:-1], "utf-8", "0xe2 at byte 3"),
        ("né".encode("utf-16"), "utf-8", "0xff at byte 0.*perhaps utf-16"),
        ("né".encode("utf-16-le")[:-1], "utf-16-le", "0xe9 at byte 2"),
        ("né".encode(), "ascii", "must be ascii text, got 0xc3 at byte 1"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_bytes_that_are_no_text_are_named(
    write, monkeypatch, size, data, encoding, message
):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", size)
    with pytest.raises(DataError, match=message):
        list(read_text(write(data), encoding=encoding))


@pytest.mark.parametrize("encoding", ["klingon", "base64", "", "a\0b"])
def test_an_encoding_that_is_none_is_refused_at_once(write, encoding):
    with pytest.raises(ArgumentError, match="encoding must be"):
        read_text(write("text"), encoding=encoding)


def test_latin_1_is_read_on_request(write):
    path = write("déjà".encode("latin-1"))
    assert "".join(read_text(path, encoding="latin-1")) == "déjà"


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(write, data):
    with pytest.raises(DataError, match=r"'.*a\.txt' is empty"):
        list(read_text(write(data)))


def test_a_text_that_the_filter_empties_is_an_error(write):
    with pytest.raises(DataError, match=r"is empty after TextFilter\(.*keep='z'"):
        list(read_text(write("abc"), text_filter=TextFilter(keep="z")))


def test_several_files_are_parted_by_line_ends(write, tmp_path):
    write("one", "1.txt")
    write("", "2.txt")
    write("two\n", "3.txt")
    write("three", "4.txt")
    assert "".join(read_text(tmp_path)) == "one\ntwo\nthree"
    assert list(read_lines(tmp_path / "*.txt")) == ["one", "two", "three"]


def test_progress_ends_at_the_size_of_all_files(write, tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", 4)
    write("héllo world", "1.txt")
    write("again", "2.txt")
    seen = []
    list(read_text(tmp_path, progress=lambda *step: seen.append(step)))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert seen[-1] == (17, 17)
    assert {total for _, total in seen} == {17}


def test_reading_is_lazy(write, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", 4)
    seen = []
    pieces = read_text(write("0123456789"), progress=lambda *step: seen.append(step))
    assert next(pieces) == "0123"
    assert len(seen) <= 1


@given(cut(texts))
def test_lines_do_not_depend_on_blocks(parts):
    whole = "".join(parts)
    lines = whole.split("\n")
    assert list(raw_lines(parts)) == (lines if lines[-1] else lines[:-1])
    assert list(split_lines(parts)) == [s for line in lines if (s := line.strip())]


@given(cut(texts))
def test_recut_keeps_the_text_and_cuts_no_word(parts):
    pieces = list(recut(parts))
    assert "".join(pieces) == "".join(parts)
    assert all(pieces)
    for before, after in pairwise(pieces):
        assert after[0].isspace() and not before[-1].isspace()


def test_recut_does_not_hoard_a_text_without_white_space(monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_SIZE", 10)
    assert list(recut(["aaaaaa"] * 5)) == ["a" * 12, "a" * 12, "a" * 6]


@given(cut(texts), st.integers(0, 40), st.integers(0, 40) | st.none())
def test_cut_text_is_a_slice(parts, start, stop):
    whole = "".join(parts)
    assert "".join(cut_text(parts, start, stop)) == whole[start:stop]
    assert count_text(parts) == len(whole)
    lines = [line.strip() + "\n" for line in whole.split("\n") if line.strip()]
    assert list(cut_text(parts, start, stop, lines=True)) == lines[start:stop]
    assert count_text(parts, lines=True) == len(lines)


def test_cut_text_stops_reading_at_its_end():
    def endless():
        while True:
            yield "ab"

    assert "".join(cut_text(endless(), 1, 4)) == "bab"


def test_joined_items_come_apart_again():
    items = [f"item {i}" for i in range(10_000)]
    assert list(split_lines(join_items(items))) == items


@pytest.mark.parametrize("item", ["", "  ", "a\nb", "\n"])
def test_an_item_that_is_no_line_is_refused(item):
    with pytest.raises(DataError, match="an item must be text on one line"):
        list(join_items(["fine", item]))


def test_filters_one_by_one():
    text = "Élan\tÅngström\x07 İ\n\0ﬁ"
    assert TextFilter()(text) == text
    assert TextFilter(lower=True)("ÀBÇ") == "àbç"
    assert TextFilter(strip_accents=True)("Élan Ångström ñ") == "Elan Angstrom n"
    assert TextFilter(strip_accents=True)("e\u0301") == "e"
    assert TextFilter(strip_accents=True)("한국어 日本") == "한국어 日本"
    assert TextFilter(drop_control=True)("a\x07b\0c\td\ne\x7f") == "abc\td\ne"
    assert TextFilter(keep="ab")("abc\nA") == "ab\n"
    assert TextFilter(lower=True, keep="a")("A") == "a"


@given(cut(st.text(max_size=60)), st.booleans(), st.booleans(), st.booleans())
def test_a_filter_does_not_depend_on_blocks(parts, lower, strip_accents, drop_control):
    text_filter = TextFilter(lower, strip_accents, drop_control)
    whole = text_filter("".join(parts))
    assert "".join(text_filter.apply(parts)) == whole
    if drop_control:
        kinds = {unicodedata.category(c) for c in whole if c not in "\t\n"}
        assert "Cc" not in kinds
    if strip_accents:
        assert "Mn" not in {unicodedata.category(c) for c in whole}


@settings(max_examples=30)
@given(blocks)
def test_decoding_does_not_depend_on_the_block_size(tmp_path_factory, parts):
    whole = "".join(parts).replace("\r", "")
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_bytes(("x" + whole).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_SIZE", 3)
        assert "".join(read_text(path)) == "x" + whole
