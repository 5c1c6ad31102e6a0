"""The table of models: aligned, complete, and readable for any figures."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from recurro.report import baseline_table, rich_table

ROWS = [
    {"name": "uniform", "nats_per_token": 4.1744, "perplexity": 65.0},
    {"name": "5-gram", "nats_per_token": 1.7, "perplexity": 5.474},
    {"name": "network", "nats_per_token": 1.53, "perplexity": 4.618},
]


def test_plain_table_letter_by_letter():
    assert baseline_table(ROWS) == (
        "model    nats per token  perplexity\n"
        "-------  --------------  ----------\n"
        "uniform           4.174      65.000\n"
        "5-gram            1.700       5.474\n"
        "network           1.530       4.618"
    )


def cells(value, *others):
    rows = [{"name": "a", "x": v} for v in (value, *others)]
    return [line.split()[1] for line in baseline_table(rows).splitlines()[2:]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([492.311, 344.74], ["492.311", "344.740"]),
        ([12492.311, 4.5], ["12,492.3", "4.5"]),
        ([1.0, None, float("nan")], ["1.000", "–", "–"]),  # noqa: RUF001
        ([1.0, float("inf")], ["1.000", "∞"]),
        ([0.000123, 0.00001], ["0.000123", "0.000010"]),
        ([0.0, 0.0], ["0.000", "0.000"]),
        ([61446, 2906], ["61,446", "2,906"]),
        ([-1.5, 2], ["-1.500", "2.000"]),
    ],
)
def test_numbers(values, expected):
    assert cells(*values) == expected


def test_figures_that_some_models_lack():
    table = baseline_table([{"name": "a", "x": 1.0}, {"name": "b", "y": 2.0}])
    assert [line.split() for line in table.splitlines()[2:]] == [
        ["a", "1.000", "–"],  # noqa: RUF001
        ["b", "–", "2.000"],  # noqa: RUF001
    ]


def test_no_rows():
    assert baseline_table([]) == ""
    assert rich_table([]).row_count == 0


texts = st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1, max_size=9)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": texts, "x": st.none() | st.floats(-1e6, 1e6), "y": st.integers()}
        ),
        min_size=1,
    )
)
def test_right_columns_end_together(rows):
    lines = baseline_table(rows).split("\n")
    assert len(lines) == len(rows) + 2
    assert len({cell_len(line) for line in lines}) == 1


def shown(table):
    console = Console(file=StringIO(), width=80, color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_rich_table_shows_the_same_cells():
    plain, rich = baseline_table(ROWS), shown(rich_table(ROWS))
    without_rule = [line for line in plain.splitlines() if not line.startswith("-")]
    assert [line.split() for line in rich.splitlines()] == [
        line.split() for line in without_rule
    ]


def test_rich_table_takes_markup_for_text():
    rows = [{"name": "[bold]x[/bold] [/]", "x": 1.0}]
    assert "[bold]x[/bold] [/]" in shown(rich_table(rows))
