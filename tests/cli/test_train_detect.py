from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from tests.cli.command import complaint, recurro

SMALL = (
    *("--cell", "lstm", "--hidden-size", 8, "--window", 24, "--probation", 0.4),
    *("--set", "train.max_steps=15", "--learning-rate", 0.02, "-q"),
)


@pytest.fixture
def table(folder):
    """Hours of a load with a daily wave, which stands still for a while."""
    steps = np.arange(600)
    load = np.sin(steps / 3.82) + np.random.default_rng(0).normal(0, 0.05, 600)
    load[500:530] = 0.2
    when = np.datetime64("2024-01-01T00", "us") + steps * np.timedelta64(1, "h")
    frame = pl.DataFrame({"when": when, "load": load})
    frame = frame.with_columns(odd=((steps >= 500) & (steps < 535)).astype(int))
    frame.write_csv("load.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    frame.drop("odd").write_csv("plain.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    return frame


def test_detect_from_a_table(folder, table):
    told = json.loads(
        recurro("train", "detect", "load.csv", "--label", "odd", *SMALL, "--json").out
    )
    run = told["run"]
    assert [row["name"] for row in told["baselines"]] == ["last value", "network"]
    found = json.loads(recurro("evaluate", run, "load.csv", "--json").out)
    assert (found["recall"], found["precision"], found["f1"]) == (1, 1, 1)
    assert found["f1_of_three_sigma"] == 0
    page = (folder / run / "report.html").read_text()
    assert "known anomaly" in page
    assert "alerts: " in page
    assert "the first 240 learnt from" in page
    scores = pl.read_csv(f"{run}/scores.csv")
    assert scores.columns == ["time", "load", "score", "alert"]
    assert len(scores) == 600
    lines = recurro("predict", run, "load.csv").out.splitlines()
    names, *rows = [line.split("\t") for line in lines]
    assert names == scores.columns
    assert [int(row[-1]) for row in rows] == scores["alert"].to_list()
    alerts = [row[0] for row in rows if row[-1] == "1"]
    assert any("2024-01-21T20" <= stamp < "2024-01-23T07" for stamp in alerts)
    assert "was finished already" in recurro("resume", run, "-q").err


def test_anomalies_in_a_file_of_their_own(folder, table):
    recurro("train", "detect", "plain.csv", *SMALL, "-o", "run")
    stamps = ["2024-01-21 20:00:00", "2024-01-23 06:00:00"]
    (folder / "spans.csv").write_text(f"start,end\n{stamps[0]},{stamps[1]}\n")
    (folder / "spans.json").write_text(json.dumps([stamps]))
    (folder / "named.json").write_text(json.dumps({"plain.csv": [stamps]}))
    told = [
        recurro("evaluate", "run", "plain.csv", name, "--json").out
        for name in ("spans.csv", "spans.json", "named.json")
    ]
    assert told[0] == told[1] == told[2]
    assert json.loads(told[0])["recall"] == 1
    (folder / "bad.json").write_text('[["2030-01-01", "2030-01-02"]]')
    (folder / "odd.json").write_text('[["monday", "tuesday"]]')
    (folder / "other.json").write_text('{"x.csv": []}')
    for files, error in [
        ((), "anomalies: must be given to judge alerts, got none"),
        (("bad.json",), "must lie in 'plain.csv', got 2030-01-01 to 2030-01-02"),
        (("odd.json",), "first and the last stamp of each anomaly"),
        (("other.json",), "must name the anomalies of 'plain.csv', it has those of"),
        (("none.json",), "'none.json' must be JSON, or CSV"),
        (("spans.csv", "spans.json"), "got 3 files"),
    ]:
        assert error in complaint("evaluate", "run", "plain.csv", *files)


@pytest.mark.parametrize(
    ("change", "words", "error"),
    [
        ({"load": 3.0}, (), "'load' must change in the 240 steps that are learnt from"),
        ({}, ("--target", "lode"), "must have a column 'lode'"),
        ({}, ("--stamps", "odd"), "--stamps: must be 'even', 'rising' or 'any'"),
        ({}, ("--probation", 0.1), "must have more than 24 steps (window)"),
        ({}, ("--threshold", 2), "--threshold: must be below 0.5"),
    ],
)
def test_bad_input_is_one_line(folder, table, change, words, error):
    table.drop("odd").with_columns(
        **{k: pl.lit(v) for k, v in change.items()}
    ).write_csv("t.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    assert error in complaint("train", "detect", "t.csv", *SMALL, *words)
    (folder / "few.csv").write_text("when,load\n1,1\n2,1\n3,1\n")
    assert "more than 24 steps (window)" in complaint(
        "train", "detect", "few.csv", *SMALL
    )
    for name, said in ((".", "must be a table, got a folder"), ("no", "no file 'no'")):
        assert said in complaint("train", "detect", name, *SMALL)
    assert not (folder / "runs").exists()


def test_gaps_and_stamps_that_are_not_even(folder, table):
    rows = table.drop("odd")
    fmt = {"datetime_format": "%Y-%m-%d %H:%M:%S"}
    pl.concat([rows[:300], rows[301:]]).write_csv("gap.csv", **fmt)
    pl.concat([rows[:300], rows[299:]]).write_csv("double.csv", **fmt)
    assert "line 302, column 'when'" in complaint("train", "detect", "gap.csv", *SMALL)
    error = complaint("train", "detect", "double.csv", *SMALL)
    assert "line 302, column 'when'" in error
    assert "again" in error
    assert "--stamps" in error
    filled = recurro(
        *("train", "detect", "gap.csv", *SMALL, "--fill", "linear", "-o", "gap")
    )
    assert "filled in 1 missing rows and 0 missing numbers" in filled.err
    recurro("train", "detect", "double.csv", *SMALL, "--stamps", "any", "-o", "double")
    assert len(pl.read_csv("double/scores.csv")) == 601
