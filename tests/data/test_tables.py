from __future__ import annotations

import math

import polars as pl
import pytest

from recurro.data import read_table
from recurro.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_each_kind_of_table_holds_the_same(write, tmp_path) -> None:
    wanted = {"text": ["a, b", "c"], "n": [1, 2]}
    pl.DataFrame(wanted).write_parquet(tmp_path / "a.parquet")
    files = [
        write("a.csv", 'text,n\n"a, b",1\nc,2\n'),
        write("a.tsv", "text\tn\na, b\t1\n\nc\t2\n"),
        write("a.jsonl", '{"text": "a, b", "n": 1}\n{"n": 2, "text": "c"}\n'),
        tmp_path / "a.parquet",
    ]
    for file in files:
        table = read_table(file)
        assert table.columns["text"] == wanted["text"]
        assert table.numbers("n").tolist() == [1.0, 2.0]
    assert read_table(files[1]).places == [2, 4]
    assert read_table(files[1]).notes == ("blank lines left out: 1",)
    assert read_table(files[3]).place(1) == f"row 2 of '{files[3]}'"


def test_quotes_and_newlines_within_a_cell(write) -> None:
    table = read_table(write("a.csv", 'text,n\n"a ""b""\nc",1\nd,2\n'))
    assert table.columns["text"] == ['a "b"\nc', "d"]
    assert table.places == [3, 4]
    assert read_table(write("a.tsv", 'x\ty\n"a\tb"\n')).columns["x"] == ['"a']


def test_missing_numbers(write) -> None:
    table = read_table(write("a.csv", "x\n1\nNA\n?\n2e1\n"))
    numbers = table.numbers("x")
    assert [number for number in numbers if not math.isnan(number)] == [1.0, 20.0]
    assert math.isnan(read_table(write("a.jsonl", '{"x": null}\n')).numbers("x")[0])


def test_columns_without_a_name_and_numbers_in_one_cell(write) -> None:
    path = write("a.csv", ",t,x,y,k\n0,1,2,3,a\n1,2 4 6,,,b\n")
    table = read_table(path, steps=True)
    assert table.columns == {
        "t": ["1", "2"],
        "x": ["2", "4"],
        "y": ["3", "6"],
        "k": ["a", "b"],
    }
    assert [note.split()[:2] for note in table.notes] == [
        ["a", "column"],
        ["1", "rows"],
    ]
    assert read_table(path).columns["t"] == ["1", "2 4 6"]
    short = write("b.csv", "t,x,y,k\n2 4,,,b\n")  # two numbers for three cells
    assert read_table(short, steps=True).columns["t"] == ["2 4"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (",# Columns: time,x", "time"),
        ("#time,x", "time"),
        ("# time,x", "time"),
        ("time,#x", None),
        ("#,x", None),
    ],
)
def test_the_mark_of_a_comment_before_the_first_name(write, header, name) -> None:
    cells = "0,1,2" if header.startswith(",") else "1,2"
    table = read_table(write("a.csv", f"{header}\n{cells}\n"))
    if name is None:
        assert list(table.columns) == header.split(",")
        assert table.notes == ()
    else:
        assert table.columns == {name: ["1"], "x": ["2"]}
        assert "was taken for 'time'" in table.notes[-1]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "x,y\n1,2\n3\n", "line 3 of '.*' must have 2 cells .* got 1"),
        ("a.csv", "x,y\n1,2,3\n", "line 2 of '.*' must have 2 cells .* got 3"),
        ("a.csv", "x,x\n1,2\n", "a name of its own, got 'x' twice"),
        ("a.csv", "x,y\n", "must hold rows"),
        ("a.csv", "", "is empty"),
        ("a.csv", "\n,\n", "must hold rows"),
        ("a.csv", "PK\0\1,x\n1,2\n", "must be a table of text, got other bytes"),
        ("a.csv", 'x,y\n"' + "a" * 200_000, "line 2 of '.*' must be cells .*limit"),
        ("a.csv", 'x,y\n"a,1\nb,2\n', r"line 3 of '.*' must have 2 cells"),
        ("a.jsonl", '{"x": 1}\n[2]\n', r"line 2 of '.*' must be a JSON object"),
        ("a.jsonl", '{"x": 1\n', r"line 1 of '.*' must be a JSON object"),
        ("a.parquet", "no", "must be a Parquet file"),
    ],
)
def test_bad_tables(write, name, text, said) -> None:
    with pytest.raises(DataError, match=said):
        read_table(write(name, text))


def test_bad_cells(write) -> None:
    table = read_table(write("a.csv", "x,y\n1,a\ninf, \n,\n"))
    with pytest.raises(DataError, match="must have a column 'z', it has 'x', 'y'"):
        table.cells("z", "--text")
    with pytest.raises(DataError, match=r"line 3, column 'y' .* nothing\. Fill it in"):
        table.words("y", "be a text")
    with pytest.raises(DataError, match=r"line 3, column 'x' .* got 'inf'"):
        table.numbers("x")
    with pytest.raises(DataError, match=r"line 2, column 'y' .* got 'a'"):
        table.numbers("y")


def test_what_is_no_single_file(write, tmp_path) -> None:
    write("a.csv", "x\n1\n")
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(DataError, match=f"no file '{name}'"):
            read_table(name)
    for path in (tmp_path, tmp_path / "*.csv"):
        with pytest.raises(DataError, match="a folder or several files"):
            read_table(path)


@pytest.mark.parametrize("end", ["csv", "tsv", "jsonl"])
def test_blank_lines_are_counted(write, end) -> None:
    rows = {"csv": ["x,y", "1,2"], "tsv": ["x\ty", "1\t2"], "jsonl": ['{"x": "1"}'] * 2}
    mark = {"csv": ",", "tsv": "\t", "jsonl": " "}[end]
    first, last = rows[end]
    table = read_table(write(f"a.{end}", f"\n{first}\n{mark}\n\n{last}\n"))
    assert table.columns["x"][-1] == "1"
    assert table.places[-1] == 5
    assert table.notes == ("blank lines left out: 3",)
