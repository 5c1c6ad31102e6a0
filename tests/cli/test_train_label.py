from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from recurro.data.films import write_films
from recurro.data.occlusion import moving_targets
from tests.cli.command import complaint, recurro

SMALL = (
    *("--hidden-size", 8, "--epochs", 6, "--learning-rate", 0.02),
    *("--batch-size", 4, "-q"),
)


@pytest.fixture
def table(folder):
    """Sensors over which a target moves, a row for each time."""
    seen = moving_targets(30, steps=10, cells=3, longest=4)
    rows = [
        {"run": f"r{n}", "second": t, **dict(zip("abc", frame.tolist(), strict=True))}
        | {"label": f"cell {label}"}
        for n, (item, labels) in enumerate(zip(seen.items, seen.labels, strict=True))
        for t, (frame, label) in enumerate(zip(item, labels, strict=True))
    ]
    pl.DataFrame(rows).write_csv("frames.csv")
    return pl.DataFrame(rows)


def test_frames_of_a_table(folder, table):
    names = ("--id", "run", "--time", "second")
    told = json.loads(
        recurro(
            "train", "label", "frames.csv", *SMALL, *names, "-o", "run", "--json"
        ).out
    )
    assert [row["name"] for row in told["baselines"]] == [
        "most frequent",
        "without memory",
        "network",
    ]
    found = json.loads(recurro("evaluate", "run", "frames.csv", "--json").out)
    assert set(found) >= {"log_loss", "accuracy", "macro_f1"}
    assert found["accuracy"] > 0.7
    table.drop("label").write_csv("new.csv")
    rows = json.loads(recurro("predict", "run", "new.csv", "--json").out)
    assert len(rows) == 300
    assert [rows[11][key] for key in ("sequence", "frame")] == ["r1", 1]
    right = np.mean([r["label"] for r in rows] == table["label"].to_numpy())
    assert right == pytest.approx(found["accuracy"])
    assert "was finished already" in recurro("resume", "run", "-q").err


def test_a_tenth_by_the_hash_of_ids_and_a_column_that_never_changes(folder, table):
    table.with_columns(b=7).write_csv("frames.csv")
    words = ("--id", "run", "--test", "hash", "--json", "-o", "run")
    told = recurro(
        "train", "label", "frames.csv", "--cell", "memoryless", *SMALL, *words
    )
    assert json.loads(told.out)["test"]["accuracy"] > 0
    assert told.err.count("columns that never change: 'b'.") == 1
    table.with_columns(more=1).write_csv("more.csv")
    recurro("evaluate", "run", "more.csv")  # reads the columns of training
    odd = table.with_columns(label=pl.lit("cell 9"))
    odd.write_csv("odd.csv")
    line = complaint("evaluate", "run", "odd.csv")
    assert "frame 0 of the sequence from line 2 of 'odd.csv'" in line


def test_films_in_files_of_arrays(folder):
    films = [np.full((4, 6, 6), n % 2 + n / 99, np.float32) for n in range(20)]
    labels = [["night", "day"][n % 2] for n in range(20)]
    write_films(folder / "films.npz", films, [[label] * 4 for label in labels])
    write_films(folder / "new.npz", films[:3])
    recurro("train", "label", "films.npz", *SMALL, "--cell", "memoryless", "-o", "run")
    found = json.loads(recurro("evaluate", "run", "films.npz", "--json").out)
    assert found["accuracy"] == 1
    lines = recurro("predict", "run", "new.npz").out.splitlines()
    assert [line.split("\t")[:3] for line in lines[3:5]] == [
        ["0", "3", "night"],
        ["1", "0", "day"],
    ]


def test_bad_input_is_one_line(folder, table):
    fault = table.with_columns(
        label=pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise("label")
    )
    fault.write_csv("gap.csv")
    table.drop("label").write_csv("none.csv")
    table.with_columns(label=pl.lit("one")).write_csv("one.csv")
    table.with_columns(b=pl.lit("")).write_csv("still.csv")
    fault.fill_null("cell 9").write_csv("odd.csv")
    for words, error in [
        (("gap.csv", "--id", "run"), "column 'label' of 'gap.csv' must be a label"),
        (("none.csv", "--id", "run"), "'none.csv' must have a column 'label'"),
        (("one.csv", "--id", "run"), "at least two classes, got only ['one']"),
        (("frames.csv", "--id", "who"), "must have a column 'who'"),
        (
            ("frames.csv", "--features", "a,b", "--test", "hash"),
            "must have names to be",
        ),
        (
            ("frames.csv", "--id", "run", "--test", "odd.csv"),
            "frame 4 of the sequence from line 2 of 'odd.csv' must have one of the 3",
        ),
        (("still.csv", "--id", "run"), "column 'b' must hold a number somewhere"),
        (("none.npz",), "'none.npz' must be a file of arrays"),
    ]:
        assert error in complaint("train", "label", *words, *SMALL)
    assert not (folder / "runs").exists()
