from collections import Counter

import numpy as np
import pytest

from recurro.data import TextFilter, is_test, read_classes
from recurro.errors import DataError
from tests.datasets import dataset


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.tsv"
        path.write_text(text)
        return path

    return write


def pairs(data):
    return [
        (data.classes[label], item)
        for label, item in zip(data.labels, data.items, strict=True)
    ]


def test_a_folder_of_classes(tmp_path):
    (tmp_path / "Greek.txt").write_text("Nikolaou\n\n  Pappas \r\n")
    (tmp_path / "Czech.txt").write_text("Dvořák")
    (tmp_path / "notes.md").write_text("nothing")
    (tmp_path / ".hidden.txt").write_text("nothing")
    data = read_classes(tmp_path)
    assert data.classes == ("Czech", "Greek")
    assert data.labels.dtype == np.int64
    assert pairs(data) == [
        ("Czech", "Dvořák"),
        ("Greek", "Nikolaou"),
        ("Greek", "Pappas"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ham\tsee you\n\nspam\tyou won\nham\tok",
        "label\ttext\nham\tsee you\nspam\tyou won\nham\t ok \n",
        "id\ttext\tlabel\n1\tsee you\tham\n2\tyou won\tspam\n3\tok\tham\n",
    ],
)
def test_a_table(table, text):
    assert pairs(read_classes(table(text))) == [
        ("ham", "see you"),
        ("spam", "you won"),
        ("ham", "ok"),
    ]


def test_named_columns(table):
    path = table("who\tline\nA\tx y\nB\tz\n")
    data = read_classes(path, label_column="who", text_column="line")
    assert pairs(data) == [("A", "x y"), ("B", "z")]
    with pytest.raises(DataError, match="must name the columns 'who' and 'words'"):
        read_classes(path, label_column="who", text_column="words")


def test_a_text_may_hold_tabs_and_blank_ones_are_left_out(table):
    data = read_classes(table("a\tx\ty\nb\t \nb\tz\n"))
    assert pairs(data) == [("a", "x\ty"), ("b", "z")]


def test_the_filter_is_for_texts_alone(table):
    text_filter = TextFilter(lower=True, keep="abcdefghijklmnopqrstuvwxyz ")
    data = read_classes(
        table("HAM\tSee You!\nSPAM\tWON\nHAM\t123\n"), text_filter=text_filter
    )
    assert pairs(data) == [("HAM", "see you"), ("SPAM", "won")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\tx\n\nbroken\n",
            "line 3 of '.*table.tsv' must be a class, a tab and a text",
        ),
        ("a\tx\n \ty\n", "line 2"),
        ("label\ttext\tmore\na\tx\n", r"line 2 .*\(3 columns\)"),
        ("a\tx\na\ty\n", "at least two classes, got 1"),
        ("label\ttext\n", "at least two classes, got 0"),
        ("", "is empty"),
    ],
)
def test_a_table_that_is_none_is_refused(table, text, message):
    with pytest.raises(DataError, match=message):
        read_classes(table(text))


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no \.txt file"):
        read_classes(tmp_path)
    (tmp_path / "A.txt").write_text("x")
    with pytest.raises(DataError, match="at least two classes, got 1"):
        read_classes(tmp_path)
    (tmp_path / "B.txt").write_text("")
    with pytest.raises(DataError, match=r"B\.txt' is empty"):
        read_classes(tmp_path)
    with pytest.raises(DataError, match="no file"):
        read_classes(tmp_path / "none")


def test_surnames():
    data = read_classes(dataset("surnames"))
    assert (len(data.items), len(data.classes)) == (18_098, 18)
    train, test = data.split()
    assert train.classes == test.classes == data.classes
    assert not any(map(is_test, train.items))
    assert all(map(is_test, test.items))
    assert Counter(pairs(train)) + Counter(pairs(test)) == Counter(pairs(data))
    assert 0.09 < len(test.items) / 18_098 < 0.11


def test_messages():
    data = read_classes(dataset("sms-spam/sms_dev.tsv"))
    assert data.classes == ("ham", "spam")
    assert Counter(data.labels.tolist()) == {0: 4518 - 590, 1: 590}
