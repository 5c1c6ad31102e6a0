"""Tables of series: what is read, and every fault by its row and column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recurro.data import cut_table, read_series, read_table
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset

GOOD = """shop,day,sold,price,visits,size
a,2024-01-01,3,1.5,10,7
b,2024-01-01,30,2.5,20,9
a,2024-01-02,4,1.6,11,7
b,2024-01-02,40,2.6,21,9
a,2024-01-03,5,1.7,12,7
a,2024-01-04,,1.8,,7
"""
ROLES = {
    "id": "shop",
    "time": "day",
    "target": ["sold"],
    "known": ["price"],
    "past": ["visits"],
    "static": ["size"],
}


def read(folder, text, **roles):
    file = folder / "table.csv"
    file.write_text(text)
    return read_series(file, **(roles or ROLES))


def check_good(table):
    a, b = table.series
    assert (a.name, b.name, len(a), len(b)) == ("a", "b", 3, 2)
    assert a.target.ravel().tolist() == [3, 4, 5]
    np.testing.assert_allclose(a.known.ravel(), [1.5, 1.6, 1.7, 1.8], rtol=1e-6)
    assert b.past.tolist() == [[20], [21]]
    assert (a.static.tolist(), b.static.tolist()) == ([7], [9])
    assert a.times.tolist()[2].isoformat() == "2024-01-03T00:00:00"
    assert (table.targets, table.known, table.static) == (
        ("sold",),
        ("price",),
        ("size",),
    )


def test_series_of_one_table(tmp_path):
    check_good(read(tmp_path, GOOD))


def test_other_tables_are_the_same(tmp_path):
    frame = pl.read_csv(GOOD.encode(), try_parse_dates=True)
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for end in ("parquet", "tsv", "jsonl"):
        check_good(read_series(tmp_path / f"t.{end}", **ROLES))
    check_good(read_series(read_table(tmp_path / "t.tsv"), **ROLES))
    (tmp_path / "t.csv").write_text(GOOD.replace("shop", "Läden"), encoding="cp1252")
    roles = {**ROLES, "id": "Läden", "encoding": "cp1252"}
    check_good(read_series(tmp_path / "t.csv", **roles))


@pytest.mark.parametrize(
    ("stamps", "kind"),
    [
        (["2023-11", "2023-12", "2024-01", "2024-02"], "datetime64[us]"),
        (["2024-01-31", "2024-02-07", "2024-02-14"], "datetime64[us]"),
        (["2023-01-01", "2024-01-01", "2025-01-01"], "datetime64[us]"),
        (["2024-01-01 00:30", "2024-01-01 01:00"], "datetime64[us]"),
        (["2024-01-01T23:59:59", "2024-01-02T00:00:00"], "datetime64[us]"),
        (["-2", "0", "2"], "int64"),
    ],
)
def test_stamps(tmp_path, stamps, kind):
    text = "t,y\n" + "".join(f"{stamp},1\n" for stamp in stamps)
    table = read(tmp_path, text, time="t", target=["y"])
    assert table.series[0].times.dtype == kind
    assert len(table.series[0]) == len(stamps)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a,2024-01-02,4,", "a,2024-01-02,,", "line 4, column 'sold' .* got none"),
        ("a,2024-01-02,4,", "a,2024-01-02,NaN,", "line 4, column 'sold' .* got none"),
        ("4,1.6", "4,", "line 4, column 'price' .* got none"),
        (",1.8,", ",,", "line 7, column 'price' .* got none"),
        ("1.6,11,", "1.6,,", "line 4, column 'visits' .* got none"),
        ("40,", "4o,", "line 5, column 'sold' .* finite number, got '4o'"),
        ("40,", "inf,", "line 5, column 'sold' .* finite number, got 'inf'"),
        ("11,7", "11,8", "line 4, column 'size' .* series 'a', got 8 after 7"),
        ("11,7", "11,", "line 4, column 'size' .* got none"),
        ("a,2024-01-02", ",2024-01-02", "line 4, column 'shop' .* got nothing"),
        ("a,2024-01-02", "a,2024-01-01", "line 4, column 'day' .* a new time"),
        ("a,2024-01-02", "a,2023-01-02", "line 4, column 'day' .* must come after"),
        ("a,2024-01-04", "a,2024-01-05", "line 7, column 'day' .* 1 day after"),
        ("a,2024-01-02", "a,yesterday", "line 4, column 'day' .* got 'yesterday'"),
        ("a,2024-01-02", "a,", "line 4, column 'day' .* got ''"),
        ("a,2024-01-02", "a,2", "line 4, column 'day' .* like the first one"),
        ("sold", "gone", "must have a column 'sold', it has 'shop', 'day', 'gone'"),
    ],
)
def test_faults_are_named_by_row_and_column(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert "\n" not in str(caught.value)
    assert "table.csv" in str(caught.value)


def test_an_end_without_targets_needs_something_known_ahead(tmp_path):
    with pytest.raises(DataError, match=r"line 3, column 'y' .* got none"):
        read(tmp_path, "t,y\n1,1\n2,\n", time="t", target=["y"])
    with pytest.raises(DataError, match=r"line 2, column 'y' .* must have a target"):
        read(tmp_path, "t,y,k\n1,,1\n2,,1\n", time="t", target=["y"], known=["k"])


def test_wrong_roles(tmp_path):
    for roles, found in (
        ({"target": ["y"], "known": ["y"]}, "target and known"),
        ({"target": ["y", "y"]}, "target and target"),
    ):
        with pytest.raises(ArgumentError, match=f"'y' must have one role, got {found}"):
            read(tmp_path, "t,y\n1,1\n", time="t", **roles)
    with pytest.raises(ArgumentError, match="there must be a target"):
        read(tmp_path, "t,y\n1,1\n", time="t", target=[])


def test_real_tables():
    ett = read_series(dataset("ett/ETTh1.csv"), time="date", target=["OT", "HUFL"])
    assert ett.series[0].target.shape == (17420, 2)
    months = dataset("classic-series/airline-passengers.csv")
    table = read_series(months, time="Month", target=["Passengers"])
    assert table.series[0].target[-1].tolist() == [432]
    taxi = dataset("nab/realKnownCause/nyc_taxi.csv")
    assert len(read_series(taxi, time="timestamp", target=["value"]).series[0]) == 10320
    days = dataset(
        "classic-series/daily-min-temperatures.csv"
    )  # leap days are left out
    with pytest.raises(DataError, match=r"line 1462, column 'Date' .* 1 day after"):
        read_series(days, time="Date", target=["Temp"])


GAPS = """month,sold,price
2024-01,1,10
2024-02,2,
2024-05,5,40
2024-06,,50
2024-07,7,60
2024-08,,70
"""


@pytest.mark.parametrize(
    ("fill", "sold", "price"),
    [
        ("linear", [1, 2, 3, 4, 5, 6, 7], [10, 17.5, 25, 32.5, 40, 50, 60, 70]),
        ("previous", [1, 2, 2, 2, 5, 5, 7], [10, 10, 10, 10, 40, 50, 60, 70]),
    ],
)
def test_gaps_are_filled_as_asked_and_counted(tmp_path, fill, sold, price):
    roles = {"time": "month", "target": ["sold"], "known": ["price"]}
    table = read(tmp_path, GAPS, **roles, fill=fill)
    (series,) = table.series
    assert series.target.ravel().tolist() == sold
    assert series.known.ravel().tolist() == price
    assert (table.added, table.filled) == (2, 2)
    assert table.notes == (f"filled in 2 missing rows and 2 missing numbers ({fill})",)
    months = np.arange("2024-01", "2024-08", dtype="datetime64[M]")
    np.testing.assert_array_equal(series.times, months.astype("datetime64[us]"))
    with pytest.raises(DataError, match=r"line 4, column 'month'.* 1 month after"):
        read(tmp_path, GAPS, **roles)


def test_what_cannot_be_filled_is_named(tmp_path):
    roles = {"time": "t", "target": ["y"], "fill": "linear"}
    with pytest.raises(DataError, match="line 2, column 'y'"):
        read(tmp_path, "t,y\n1,\n2,3\n3,4\n", **roles)
    with pytest.raises(DataError, match=r"line 5, column 't'.*multiple"):
        read(tmp_path, "t,y\n0,1\n2,1\n4,1\n7,1\n", **roles)
    with pytest.raises(DataError, match="again"):
        read(tmp_path, "t,y\n0,1\n0,1\n", **roles)
    whole = read(tmp_path, "t,y\n0,1\n2,3\n4,1\n8,1\n", **roles)
    assert whole.series[0].times.tolist() == [0, 2, 4, 6, 8]


def test_leap_days_that_are_missing_are_named_or_filled():
    path = dataset("classic-series/daily-min-temperatures.csv")
    roles = {"time": "Date", "target": ["Temp"]}
    with pytest.raises(DataError, match=r"line 1462.*'1985-01-01'"):
        read_series(path, **roles)
    table = read_series(path, **roles, fill="linear")
    assert (table.added, table.filled, len(table.series[0])) == (2, 0, 3652)


def test_the_first_steps_of_each_series(tmp_path):
    table = read(tmp_path, GOOD)
    cut = cut_table(table, [2, 1])
    assert [len(series) for series in cut.series] == [2, 1]
    assert len(cut.series[0].known) == len(cut.series[0].times) == 2
    assert [len(series) for series in cut_table(table, 9).series] == [3, 2]


@pytest.mark.parametrize(
    ("stamps", "days", "fault"),
    [
        ("rising", ["2024-01-01", "2024-01-02", "2024-01-09"], None),
        ("even", ["2024-01-01", "2024-01-02", "2024-01-09"], "line 4.*1 day after"),
        ("rising", ["2024-01-01", "2024-01-02", "2024-01-02"], "line 4.*again"),
        ("rising", ["2024-01-02", "2024-01-01"], "line 3.*must come after"),
        ("any", ["2024-01-02", "2024-01-01", "2024-01-01"], None),
        ("any", ["2024-01-02", "monday"], "line 3, column 't'.*'monday'"),
    ],
)
def test_how_stamps_may_come(tmp_path, stamps, days, fault):
    text = "t,y\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days))
    wanted = {"time": "t", "target": ["y"], "stamps": stamps}
    if fault is None:
        series = read(tmp_path, text, **wanted).series[0]
        assert [str(day)[:10] for day in series.times] == days
        assert series.target.ravel().tolist() == list(range(len(days)))
    else:
        with pytest.raises(DataError, match=fault):
            read(tmp_path, text, **wanted)


@pytest.mark.parametrize(
    ("line", "cells"), [("2024-01-02,2", 2), ("2024-01-02,2,3,4", 4)]
)
def test_a_ragged_row_is_named_even_beside_the_columns_that_are_read(
    tmp_path, line, cells
):
    file = tmp_path / "a.csv"
    file.write_text(f"day,sold,price\n2024-01-01,1,1\n{line}\n2024-01-03,3,3\n")
    with pytest.raises(
        DataError, match=f"line 3 of .* must have 3 cells .* got {cells}"
    ):
        read_series(file, time="day", target=["sold"])
