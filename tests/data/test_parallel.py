"""Pairs of texts from files, and files that hold none."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurro.data import read_pairs
from recurro.errors import DataError
from tests.datasets import dataset


def written(folder: Path, **files: str) -> list[Path]:
    """Files by their names, with a point for each underline."""
    paths = []
    for name, text in files.items():
        paths.append(folder / name.replace("_", "."))
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_lines_go_with_each_other(tmp_path: Path) -> None:
    files = written(tmp_path, a_de="eins\r\nzwei  \n", a_en="one\ntwo")
    found = read_pairs(files)
    assert (found.sources, found.targets) == (("eins", "zwei  "), ("one", "two"))


@pytest.mark.parametrize("header", ["", "source\ttarget\n"])
def test_a_table_of_two_columns(tmp_path: Path, header: str) -> None:
    files = written(tmp_path, a_tsv=f"{header}eins\tone\nzwei\ttwo\n")
    assert read_pairs(files).targets == ("one", "two")
    assert read_pairs(files, targets=False).sources == ("eins", "zwei")


def test_sources_alone(tmp_path: Path) -> None:
    files = written(tmp_path, a_de="eins\nzwei\n", a_tsv="source\neins\n")
    assert read_pairs(files[:1], targets=False).sources == ("eins", "zwei")
    assert read_pairs(files[1:], targets=False).sources == ("eins",)
    with pytest.raises(DataError, match="come with a second file"):
        read_pairs(files[:1])


def test_conversations_pair_each_line_with_its_answer(tmp_path: Path) -> None:
    text = (
        "conversations:\n- - Hi\n  - Hello\n  - How are\n    you?\n- - '1'\n  - Yes\n"
    )
    found = read_pairs(written(tmp_path, a_yml=text))
    assert found.sources == ("Hi", "Hello", "1")
    assert found.targets == ("Hello", "How are you?", "Yes")


def test_lines_that_nothing_answers_are_counted(tmp_path: Path) -> None:
    text = "conversations:\n- - Hi\n  - Hello\n- alone\n- - also\n"
    with pytest.warns(UserWarning, match="2 conversations have a single line"):
        assert len(read_pairs(written(tmp_path, a_yml=text)).sources) == 1


def test_the_corpus_of_conversations() -> None:
    with pytest.warns(UserWarning, match=r"trivia\.yml: 1 conversations"):
        found = read_pairs([dataset("dialog-english")])
    assert len(found.sources) == len(found.targets) > 2000


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a_de": "x\ny\n", "a_en": "x\n"},
            r"a\.en: must have a line for each of .* 2",
        ),
        ({"a_de": "x\ny\n", "a_en": "x\n\n"}, r"a\.en: line 2 must hold a text"),
        ({"a_de": "x\n \n", "a_en": "x\ny\n"}, r"a\.de: line 2 must hold a text"),
        ({"a_de": "", "a_en": "x\n"}, r"a\.de: must hold texts, got none"),
        ({"a_tsv": "x\ty\nz\n"}, r"a\.tsv: line 2 must have two columns.* got 1"),
        ({"a_tsv": "x\ty\nz\t \n"}, r"a\.tsv: line 2 must hold a target"),
        ({"a_tsv": "source\ttarget\n"}, "must hold pairs of texts, got none"),
        ({"a_yml": "conversations: ["}, r"a\.yml: must be YAML, got a fault"),
        ({"a_yml": "talks: []"}, "must have a list of conversations"),
        ({"a_yml": "conversations:\n- a: b\n"}, "conversation 1 must be a list"),
        ({"a_yml": "conversations:\n- - a\n  - ''\n"}, "conversation 1 must hold text"),
        ({"a_de": "x", "b_de": "x", "c_de": "x"}, "one table or two files"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_pairs(written(tmp_path, **files))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs([tmp_path / "none.tsv"])
    (tmp_path / "a.tsv").write_bytes(b"caf\xe9\tx\n")
    with pytest.raises(DataError, match="must be utf-8, got another byte at 3"):
        read_pairs([tmp_path / "a.tsv"])
    assert read_pairs([tmp_path / "a.tsv"], encoding="latin-1").sources == ("café",)
    with pytest.raises(DataError, match=r"must hold \.yml files"):
        read_pairs([tmp_path])
