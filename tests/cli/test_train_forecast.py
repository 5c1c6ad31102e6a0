from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.command import complaint, recurro

DAYS = np.arange("2024-01-01", "2024-05-01", dtype="datetime64[D]")
SALES = "shop,day,sold,price\n" + "".join(
    f"{shop},{day},{10 + n % 7 + n % 5 + k},{n % 3}\n"
    for k, shop in enumerate("ab")
    for n, day in enumerate(DAYS)
)
COLUMNS = ("--id", "shop", "--time", "day", "--target", "sold", "--known", "price")
SMALL = ("--horizon", 2, "--history", 8, "--hidden-size", 4, "--epochs", 1, "-q")


def test_train_evaluate_predict_resume(folder):
    (folder / "sales.csv").write_text(SALES)
    words = (*COLUMNS, "--until", "2024-04-10", "--head", "quantile", "-o", "run")
    told = json.loads(
        recurro("train", "forecast", "sales.csv", *SMALL, *words, "--json").out
    )
    names = [row["name"] for row in told["baselines"]]
    assert names[:3] == ["naive", "drift", "seasonal naive"]
    assert names[-1] == "network"
    page = (folder / "run" / "report.html").read_text()
    assert "Forecast of a" in page
    assert "measured" in page
    found = json.loads(recurro("evaluate", "run", "sales.csv", "--json").out)
    assert set(found) == {"mse", "mae", "mase", "crps", "coverage"}
    more = SALES + "".join(f"{s},2024-05-0{d},,{d}\n" for s in "ab" for d in (1, 2))
    (folder / "more.csv").write_text(more)
    words = ("predict", "run", "more.csv", "--interval", 0.8)
    rows = json.loads(recurro(*words, "--json").out)
    assert [row["time"] for row in rows] == ["2024-05-01", "2024-05-02"] * 2
    assert list(rows[0]) == ["id", "time", "mean", "q0.1", "q0.5", "q0.9"]
    assert all(row["q0.1"] <= row["q0.5"] <= row["q0.9"] for row in rows)
    lines = recurro(*words).out.splitlines()
    assert lines[0].split("\t") == list(rows[0])
    assert lines[1].startswith("a\t2024-05-01\t")
    (folder / "short.csv").write_text("".join(SALES.splitlines(keepends=True)[:4]))
    for verb, said in (("evaluate", "8 steps to read"), ("predict", "the 8 steps")):
        line = complaint(verb, "run", "short.csv")
        assert f"series: series 'a' of 'short.csv' must have {said}" in line
    rows = SALES.splitlines(keepends=True)
    (folder / "gap.csv").write_text("".join(rows[:5] + rows[6:]))
    assert "--set data.fill=linear in training" in complaint(
        "predict", "run", "gap.csv"
    )
    assert "was finished already" in recurro("resume", "run", "-q").err
    line = complaint("evaluate", "run", "sales.csv", "--interval", 0.8)
    assert "--interval must be left out" in line


def test_gaps_are_filled_only_on_request_and_said(folder):
    rows = SALES.splitlines(keepends=True)
    (folder / "gaps.csv").write_text("".join(rows[:5] + rows[7:]))
    words = ("train", "forecast", "gaps.csv", *SMALL, *COLUMNS, "-o", "run")
    assert "line 6, column 'day'" in complaint(*words)
    assert "(--fill previous or --fill linear adds" in complaint(*words)
    words = (*words[:-4], "-o", "run", "--fill", "linear")  # nothing known ahead
    for line in (words, ("predict", "run", "gaps.csv")):
        said = "'gaps.csv': filled in 2 missing rows and 0 missing numbers (linear)."
        assert said in recurro(*line).err


def test_volatility(folder):
    walk = 100 * np.exp(np.random.default_rng(0).normal(0, 0.01, 200).cumsum())
    text = "".join(f"{n},{price:.4f}\n" for n, price in enumerate(walk))
    (folder / "prices.csv").write_text("day,close\n" + text)
    words = ("train", "forecast", "prices.csv", *SMALL, "--time", "day", "-o", "run")
    told = recurro(*words, "--target", "volatility").out
    assert "GARCH(1,1)" in told
    assert "returns: true" in (folder / "run" / "config.yaml").read_text()
    rows = json.loads(recurro("predict", "run", "prices.csv", "--json").out)
    assert {"volatility", "value_at_risk"} < set(rows[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "time must name a column of 'sales.csv', got none. Give --time"),
        ((*COLUMNS, "--target", "sold"), "'sold' must have one role, got target and"),
        (("--time", "day"), "target must name a column"),
        (("--time", "day", "--target", "gold"), "must have a column 'gold'"),
        (("--time", "day", "--target", "sold"), "line 123, column 'day'"),
        (
            ("--time", "day", "--target", "sold", "--price", "sold"),
            "--price: must come",
        ),
        (("--time", "day", "--target", "volatility", "--id", "shop"), "sold, price"),
        ((*COLUMNS, "--horizon", 999), "of 'sales.csv' must have 3996 steps"),
        ((*COLUMNS, "--head", "cauchy"), "--head: must be"),
        ((*COLUMNS, "--held-out", 1), "--held-out: must be below 1"),
        ((*COLUMNS, "--until", "2020-01-01"), "must begin by 2020-01-01"),
        ((*COLUMNS, "--calendar", "moon"), "--calendar: must be"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, words, said):
    (folder / "sales.csv").write_text(SALES)
    assert said in complaint("train", "forecast", "sales.csv", "-q", *words)
    assert not (folder / "runs").exists()
