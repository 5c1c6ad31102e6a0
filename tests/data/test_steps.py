from __future__ import annotations

import pytest

from recurro.data import Roles, read_steps
from recurro.errors import ArgumentError, DataError

TABLE = """who,when,x,y,label
a,2024-01-01,1,2,up
b,2024-01-01,5,,down
a,2024-01-02,3,4,up
"""


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "a.csv"
        path.write_text(text)
        return path

    return write


def test_series_by_id_and_time(table) -> None:
    a, b = read_steps(table(TABLE), Roles(id="who", time="when"))
    assert (a.name, b.name) == ("a", "b")
    assert a.values.tolist() == [[1, 2], [3, 4]]
    assert a.labels == ["up", "up"]
    assert (a.rows, a.features) == ([0, 2], ("x", "y"))
    assert b.values[0, 1] != b.values[0, 1]
    (one,) = read_steps(table("x,y\n1,2\n3,4\n"), Roles(features=("y",)))
    assert (one.name, one.values.tolist(), one.labels) == ("", [[2], [4]], None)


@pytest.mark.parametrize(
    ("text", "roles", "said"),
    [
        (TABLE, Roles(id="whom"), r"must have a column 'whom'.*with --id"),
        (TABLE, Roles(id="who"), "line 2, column 'when' .* finite number"),
        (
            TABLE.replace("b,", ",", 1),
            Roles(id="who"),
            "line 3, column 'who' .*nothing",
        ),
        (
            TABLE.replace("01-02", "01-01"),
            Roles(id="who", time="when"),
            "line 4, column 'when' .* '2024-01-01' again. Keep one",
        ),
        (
            TABLE.replace("2024-01-02", "2023-01-01"),
            Roles(id="who", time="when"),
            "line 4, column 'when' .* got '2023-01-01' after '2024-01-01'",
        ),
        (
            TABLE.replace("2024-01-02", "soon"),
            Roles(id="who", time="when"),
            "line 4, column 'when' .* a date .* got 'soon'",
        ),
        (TABLE, Roles(id="who", features=("q",)), "column 'q', .* --features"),
        (TABLE, Roles(label="class", time="when"), "column 'class', .* --label"),
        ("who,label\na,up\n", Roles(id="who"), "that were measured beside label, who"),
    ],
)
def test_bad_input(table, text, roles, said) -> None:
    with pytest.raises(DataError, match=said):
        read_steps(table(text), roles)


def test_a_column_with_two_roles(table) -> None:
    with pytest.raises(ArgumentError, match="one role"):
        read_steps(table(TABLE), Roles(id="who", time="when", features=("who", "x")))
