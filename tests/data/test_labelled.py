from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from recurro.data import (
    Roles,
    equal_recordings,
    is_test,
    read_classes,
    read_frames,
    read_items,
    read_labelled,
    read_step_numbers,
)
from recurro.errors import DataError
from tests.datasets import dataset

PAIRS = [("ham", "See you"), ("spam", "You won")]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def pairs(found) -> list[tuple[object, object]]:
    return list(zip(found.labels, found.items, strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "ham\tSee you\n\nspam\tYou won"),
        ("a.tsv", "text\tlabel\nSee you\tham\nYou won\tspam\n"),
        ("a.train", "ham See you\nspam You won\n"),
        ("a.txt", "ham\tSee you\nspam\tYou won\n"),
        ("a.csv", "id,text,label\n1,See you,ham\n2,You won,spam\n"),
        (
            "a.jsonl",
            '{"text": "See you", "label": "ham"}\n{"text": "You won", "label": "spam"}',
        ),
    ],
)
def test_each_kind_of_file_of_texts(write, name, text) -> None:
    found = read_labelled(write(name, text))
    assert pairs(found) == PAIRS
    assert found.keys == found.items
    assert found.places[1].endswith(f"{name}'")


@pytest.mark.parametrize("line", ["\tSee you", "ham\t", "ham See you"])
@pytest.mark.parametrize("number", [1, 3])
def test_a_cell_of_a_table_without_names_is_missing(write, line, number) -> None:
    lines = ["spam\tYou won", "", "ham\tOk\tthen"]
    lines[number - 1] = line
    path = write("a.tsv", "\n".join(lines))
    with pytest.raises(DataError, match=f"line {number} of .* must be a label, a tab"):
        read_labelled(path)


def test_blank_lines_are_counted(write) -> None:
    path = write("a.tsv", "ham\tSee you\n\n \t\nspam\tYou won\n\n")
    found = read_labelled(path)
    assert found.places[1] == f"line 4 of '{path}'"
    assert found.notes == (f"'{path}': blank lines left out: 3.",)


def test_columns_by_name(write) -> None:
    path = write("a.csv", "who,said\nham,See you\nspam,You won\n")
    roles = Roles(text="said", label="who")
    assert pairs(read_labelled(path, roles)) == PAIRS
    assert read_items(path, Roles(text="said")).items == ["See you", "You won"]
    joined = read_labelled(path, Roles(text="said,who", label="who"))
    assert joined.items[0] == "See you | ham"
    with pytest.raises(DataError, match="must have a column 'text', it has 'who', 'sa"):
        read_labelled(path)


def test_series(write) -> None:
    path = write("a.ts", "@targetLabel true\n@data\n1,2:3.5\n")
    found = read_labelled(path)
    assert (found.items[0].tolist(), found.labels) == ([[1.0], [2.0]], [3.5])
    assert read_items(path).labels == [None]
    with pytest.raises(DataError, match="names to be split by hash"):
        found.split()
    table = write("a.csv", "who,x,label\na,1,up\nb,5,down\na,2,up\n")
    found = read_labelled(table, Roles(id="who"))
    assert (found.keys, found.labels) == (["a", "b"], ["up", "down"])
    assert found.items[0].tolist() == [[1.0], [2.0]]


def test_a_number_at_each_step(write) -> None:
    path = write("a.csv", "id,x,left\na,1,2\nb,5,\na,2,1\nb,6,0.5\n")
    roles = Roles(id="id", label="left")
    found = read_step_numbers(path, roles)
    assert found.items[0].tolist() == [[1.0], [2.0]]
    assert found.labels[0].tolist() == [2.0, 1.0]
    np.testing.assert_array_equal(found.labels[1], [np.nan, 0.5])
    assert found.notes == (f"'{path}': 1 of 4 steps have no number.",)
    bad = write("b.csv", "x,left\n1,2\n2,two\n")
    with pytest.raises(DataError, match=r"line 3, column 'left' .* got 'two'"):
        read_step_numbers(bad, Roles(label="left"))
    with pytest.raises(
        DataError, match="must have a column 'life', it has 'x', 'left'"
    ):
        read_step_numbers(bad, Roles(label="life"))
    new = write("c.csv", "id,x\na,1\n")  # what is to be told is not there yet
    assert read_items(new, roles).items[0].tolist() == [[1.0]]


def test_a_series_that_is_there_twice_is_on_one_side(write, tmp_path) -> None:
    for number in range(60):
        label = "up" if number % 2 else "down"
        write(f"{label}/s{number}.csv", f"x\n{number // 4 * 2 + number % 2}\n")
    train, test = read_labelled(tmp_path).split()
    values = [{float(item[0, 0]) for item in part.items} for part in (train, test)]
    assert not values[0] & values[1]
    assert len(values[0] | values[1]) == 30
    assert len(train) + len(test) == 60


def test_activities_with_all_their_dirt() -> None:
    found = read_labelled(dataset("arem"), Roles(label="Lable", time="time"))
    assert Counter(item.shape for item in found.items) == {(480, 6): 62, (479, 6): 3}
    assert found.labels == [key.split("/")[0] for key in found.keys]
    mended = found.items[found.keys.index("bending2/dataset4.csv")]
    assert mended[0].tolist() == [32.5, 0.5, 0, 0, 19, 1]
    assert not any(np.isnan(item).any() for item in found.items)
    assert len(found.notes) == 3
    assert "480 rows" in found.notes[-1]
    assert "bending2/dataset4.csv" in found.notes[-1]
    groups = equal_recordings(found.items)
    names = [key.removeprefix("lying/dataset") for key in found.keys]
    twice = {
        frozenset({names[first], names[number]})
        for number, first in enumerate(groups)
        if first != number
    }
    pairs_known = [(5, 12), (7, 13), (9, 14)]
    assert twice == {frozenset({f"{a}.csv", f"{b}.csv"}) for a, b in pairs_known}


def test_folders(write, tmp_path) -> None:
    write("it/Rossi.txt", "x\n\ny\n")
    write("it/Bianchi.txt", "z\n")
    write("it/notes.md", "nothing")
    found = read_labelled(tmp_path / "it")
    assert pairs(found) == [("Bianchi", "z"), ("Rossi", "x"), ("Rossi", "y")]
    assert found.notes == (
        f"'{tmp_path}/it/notes.md': neither text nor table, left out.",
        f"'{tmp_path}/it/Rossi.txt': blank lines left out: 1.",
    )
    assert read_items(tmp_path / "it" / "Rossi.txt").items == ["x", "y"]

    (tmp_path / "reviews").mkdir()
    write("reviews/pos/1.txt", "so\ngood\n")
    write("reviews/neg/1.txt", "bad")
    found = read_labelled(tmp_path / "reviews")
    assert pairs(found) == [("neg", "bad"), ("pos", "so good")]

    (tmp_path / "moves").mkdir()
    write("moves/walk/1.csv", "x,y\n1,2\n")
    write("moves/run/1.csv", "x,y\n3,4\n5,6\n")
    found = read_labelled(tmp_path / "moves")
    assert (found.labels, found.keys) == (["run", "walk"], ["run/1.csv", "walk/1.csv"])
    write("moves/run/2.csv", "x\n3\n")
    with pytest.raises(DataError, match="must have the columns x, y as the files"):
        read_labelled(tmp_path / "moves")


def test_frames(write) -> None:
    path = write("a.csv", "who,x,label\na,1,up\nb,5,down\na,2,down\n")
    found = read_frames(path, Roles(id="who"))
    assert found.labels == [["up", "down"], ["down"]]
    with pytest.raises(
        DataError, match=r"line 4, column 'label' .* the same in all ste"
    ):
        read_labelled(path, Roles(id="who"))
    with pytest.raises(DataError, match=r"line 2, column 'label' .* got nothing"):
        read_frames(write("b.csv", "x,label\n1,\n"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.ts", "@data\n1,2\n", "must say a class or a number"),
        ("a.csv", "text,label\nx,a\n,b\n", "line 3, column 'text' .* got nothing"),
        ("a.csv", "text,label\nx,a\ny,\n", "line 3, column 'label' .* got nothing"),
        ("a.csv", "text,label\nx,a\ny\n", "line 3 of .* 2 cells"),
        ("a.tsv", "a\tx\nb\n", "line 2 of .* a tab and a text, got 'b'"),
        ("a.tsv", "a\tx\nb\t \n", r"line 2 of .* a tab and a text, got 'b.t'"),
        ("a.txt", "a x\nb\n", "line 2 of .* a space and a text, got 'b'"),
        ("a.txt", "we are\nnot by\nany class\n", "begin with a label, got 3 different"),
        ("a.jsonl", '{"text": "x"}\n', "must have a column 'label', it has 'text'"),
        ("a.txt", "", "is empty"),
    ],
)
def test_bad_input(write, name, text, said) -> None:
    with pytest.raises(DataError, match=said):
        read_labelled(write(name, text))


def test_columns_where_there_are_none(write, tmp_path) -> None:
    series = write("a.ts", "@classLabel true\n@data\n1,2:a\n")
    with pytest.raises(DataError, match="Leave --text out"):
        read_labelled(series, Roles(text="x"))
    write("it/A.txt", "x\n")
    with pytest.raises(DataError, match="Leave --id out"):
        read_labelled(tmp_path / "it", Roles(id="x"))
    with pytest.raises(DataError, match="must name the columns 'said' and 'label'"):
        read_labelled(write("a.train", "1 good\n"), Roles(text="said"))
    write("mixed/A.txt", "x\n")
    write("mixed/a.csv", "x\n1\n")
    with pytest.raises(DataError, match=r"of one kind: .* 'A.txt' and 'a.csv'"):
        read_labelled(tmp_path / "mixed")


def test_real_texts() -> None:
    found = read_labelled(dataset("sst2/stsa.binary.dev"))
    assert Counter(found.labels) == {"0": 428, "1": 444}
    surnames, known = (
        read_labelled(dataset("surnames")),
        read_classes(dataset("surnames")),
    )
    assert surnames.items == known.items
    train, test = surnames.split()
    assert len(train) + len(test) == len(surnames)
    assert all(map(is_test, test.items))
    assert not any(map(is_test, train.items))
