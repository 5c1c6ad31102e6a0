from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from recurro.data import LabelledItems, is_test
from recurro.errors import ArgumentError, DataError, VocabularyError
from recurro.tasks.config import DataSettings
from recurro.tasks.corpora import (
    blocks_of,
    build_corpora,
    corpus_of,
    labelled_corpora,
    lines_of,
    open_corpora,
    open_labelled,
)

PLAIN, LINES = DataSettings(), DataSettings(lines=True)
TEXT = "".join(f"line {i} of the text\n" for i in range(50))
ITEMS = [f"item {i}" for i in range(200)]


def text_of(corpora, part) -> str:
    return corpora.tokenizer.decode(getattr(corpora, part).ids)


def test_the_end_of_running_text_is_held_out():
    corpora = build_corpora(TEXT, None, DataSettings(held_out=0.1))
    train, valid = text_of(corpora, "train"), text_of(corpora, "valid")
    assert train + valid == TEXT
    assert len(train) == int(0.9 * len(TEXT))


def test_words_are_cut_between_lines():
    corpora = build_corpora(TEXT, None, DataSettings(tokens="word", held_out=0.1))
    lines = TEXT.splitlines()
    assert text_of(corpora, "train").split("\n")[1:-1] == lines[:45]
    # "45" to "49" do not stand in the training part, which is where words come from.
    expected = [line.replace(line.split()[1], "<unk>") for line in lines[45:]]
    assert text_of(corpora, "valid").split("\n")[1:-1] == expected


def test_lines_are_held_out_by_their_hash():
    corpora = build_corpora(ITEMS, None, LINES)
    train, valid = (text_of(corpora, part).split() for part in ("train", "valid"))
    assert valid == " ".join(item for item in ITEMS if is_test(item)).split()
    assert len(train) + len(valid) == 2 * len(ITEMS)


def test_the_training_part_of_a_hash_split_is_split_again():
    rest = [item for item in ITEMS if not is_test(item)]
    corpora = build_corpora(rest, None, LINES)
    valid = text_of(corpora, "valid").strip().split("\n")
    assert 0 < len(valid) < len(rest) / 4
    assert all(is_test(item + "\n") for item in valid)


def test_a_text_too_short_to_split_is_chosen_on_itself():
    with pytest.warns(UserWarning, match="too short to hold a part of it out"):
        corpora = build_corpora("hello", None, PLAIN)
    assert text_of(corpora, "train") == text_of(corpora, "valid") == "hello"


def test_a_validation_text_leaves_the_text_whole():
    corpora = build_corpora("abc" * 9, "cba" * 3, PLAIN)
    assert text_of(corpora, "train") == "abc" * 9
    assert text_of(corpora, "valid") == "cba" * 3


@pytest.mark.parametrize("lines", [False, True])
def test_the_alphabet_is_that_of_the_training_part_alone(lines):
    """What only the part held out has is counted as unknown, and named."""
    settings = DataSettings(lines=lines)
    seen, strange = (["abba", "baab"] * 9, ["bZ", "a!Z"])
    train, held = (part if lines else "".join(part) for part in (seen, strange))
    with pytest.warns(UserWarning, match=r"2 symbols that .* lacks, 'Z', '!': counted"):
        corpora = build_corpora(train, held, settings)
    assert set(corpora.tokenizer.symbols) - {"\n"} == {"a", "b", "\ufffd"}
    assert text_of(corpora, "valid").replace("\n", "") == "b\ufffda\ufffd\ufffd"
    with pytest.raises(VocabularyError, match="got 'Z'"):
        build_corpora(train, held, DataSettings(lines=lines, unknown="error"))


def test_a_symbol_of_the_end_is_not_learnt():
    late = "ab" * 500 + "z!" * 10
    with pytest.warns(UserWarning, match="2 symbols"):
        found = build_corpora(late, None, PLAIN).tokenizer
    assert set(found.symbols) == {"a", "b", "\ufffd"}
    cut = build_corpora(late, None, DataSettings(min_count=2))
    assert set(cut.tokenizer.symbols) == {"a", "b", "\ufffd"}


def test_whether_symbols_are_held_out_decides_nothing_else():
    """The same training part gives the same vocabulary, whatever is held out."""
    found = [build_corpora("abc" * 20, held, PLAIN) for held in ("ab" * 9, "cab")]
    assert found[0].tokenizer == found[1].tokenizer


def test_files_folders_patterns_and_texts_are_read_alike(tmp_path):
    cut = TEXT.index("line 20")
    for name, part in (("a.txt", TEXT[:cut]), ("b.txt", TEXT[cut:])):
        (tmp_path / name).write_text(part)
    expected = build_corpora(TEXT, None, PLAIN)
    for paths in (
        tmp_path,
        tmp_path / "*.txt",
        [tmp_path / "a.txt", tmp_path / "b.txt"],
    ):
        found = build_corpora(paths, None, PLAIN)
        assert (found.train.ids == expected.train.ids).all()
        assert (found.valid.ids == expected.valid.ids).all()


def test_filters_hold_for_texts_files_and_items(tmp_path):
    settings = DataSettings(lower=True, strip_accents=True, alphabet="abcde ")
    (tmp_path / "a.txt").write_text("Éclair, déjà")
    assert "".join(blocks_of("Éclair, déjà", settings)()) == "eca dea"
    assert "".join(blocks_of(tmp_path / "a.txt", settings)()) == "eca dea"
    lines = DataSettings(lines=True, lower=True, alphabet="ab")
    assert list(blocks_of(["AB", "x", "ba"], lines)()) == ["ab", "ba"]
    assert list(blocks_of("AB\nx\nba\n", lines)()) == ["ab", "ba"]


def test_the_name_of_a_file_is_no_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(TEXT)
    with pytest.raises(ArgumentError, match=r"Pass Path\('a.txt'\)"):
        build_corpora("a.txt", None, PLAIN)


@pytest.mark.parametrize("text", [["a", "b"], [Path("a"), "b"], []])
def test_what_is_neither_text_nor_paths_is_refused(text):
    with pytest.raises(ArgumentError, match="must be a text, Path objects or"):
        blocks_of(text, PLAIN)


def test_ids_on_disk_are_those_in_memory(tmp_path):
    there = build_corpora(TEXT, None, PLAIN)
    disk = build_corpora(TEXT, None, PLAIN, tmp_path)
    again = open_corpora(tmp_path, disk.tokenizer)
    for part in ("train", "valid"):
        assert isinstance(getattr(again, part).ids, np.memmap)
        assert (getattr(again, part).ids == getattr(there, part).ids).all()


def test_corpus_of_knows_only_the_vocabulary():
    tokenizer = build_corpora(TEXT, None, PLAIN).tokenizer
    assert tokenizer.decode(corpus_of("of the line", tokenizer, PLAIN).ids)
    with pytest.raises(VocabularyError, match="'Z'"):
        corpus_of("the Zebra", tokenizer, PLAIN)


def test_lines_of_are_stripped_and_not_blank(tmp_path):
    (tmp_path / "a.txt").write_text(" Ann\n\n  \nBob ")
    for settings in (PLAIN, LINES):
        assert lines_of(tmp_path / "a.txt", settings) == ["Ann", "Bob"]
        assert lines_of(" Ann\n\n  \nBob ", settings) == ["Ann", "Bob"]


def labelled(count: int = 300) -> LabelledItems:
    items = [f"{'xyz'[i % 3]}{i}" for i in range(count)]
    return LabelledItems(items, np.arange(count) % 3, ("x", "y", "z"))


def test_labels_stay_with_their_items(tmp_path):
    data = labelled()
    tokenizer, train, valid = labelled_corpora(data, LINES, tmp_path)
    assert len(train.labels) + len(valid.labels) == len(data.items)
    for part in (train, valid, *open_labelled(tmp_path, tokenizer)):
        for row, label in enumerate(part.labels):
            text = tokenizer.decode(part.corpus.line(row))
            assert text[0] == data.classes[label]


def test_each_class_keeps_items_to_train_on():
    held = next(item for item in ("m" + str(i) for i in range(99)) if is_test(item))
    data = labelled()
    rare = LabelledItems(
        [*data.items, held], np.append(data.labels, 3), (*data.classes, "m")
    )
    _, train, _ = labelled_corpora(rare, LINES)
    assert set(train.labels.tolist()) == {0, 1, 2, 3}


def test_few_items_are_chosen_on_themselves():
    items = [item for item in labelled().items if not is_test(item)]
    few = LabelledItems(
        [i for i in items if not is_test(i + "\n")][:3], np.arange(3), ("a", "b", "c")
    )
    with pytest.warns(UserWarning, match="too few items"):
        _, train, valid = labelled_corpora(few, LINES)
    assert (train.corpus.ids == valid.corpus.ids).all()


def test_an_unknown_letter_is_replaced_where_classes_are_told_apart():
    tokenizer, _, _ = labelled_corpora(labelled(), LINES)
    assert tokenizer.decode(tokenizer.encode("xé")) == "x\ufffd"
    strict = DataSettings(lines=True, unknown="error")
    with warnings.catch_warnings():
        tokenizer, _, _ = labelled_corpora(labelled(), strict)
    with pytest.raises(VocabularyError):
        tokenizer.encode("xé")


def test_damaged_labels_are_refused(tmp_path):
    tokenizer, _, _ = labelled_corpora(labelled(), LINES, tmp_path)
    (tmp_path / "train.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match="must hold the classes of the items"):
        open_labelled(tmp_path, tokenizer)
