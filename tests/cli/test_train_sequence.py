from __future__ import annotations

import json

import pytest

from tests.cli.command import complaint, recurro

TABLE = "".join(
    f"{words[:2]}\t{words} {'-' * n}\n"
    for n in range(1, 13)
    for words in ("abab ba", "xyx yx", "ab ba ab", "xy yx xy")
)
SERIES = "@classLabel true up down\n@data\n" + "".join(
    f"{n},{n + 1},{n + 2}:up\n{n},{n - 1},{n - 2}:down\n" for n in range(24)
)
SMALL = ("--hidden-size", 8, "--batch-size", 8, "--learning-rate", 0.02, "-q")


def test_classify_texts(folder):
    (folder / "rows.tsv").write_text(TABLE)
    words = ("--tokens", "char", "--epochs", 6, "--out", "run")
    told = json.loads(
        recurro("train", "classify", "rows.tsv", *SMALL, *words, "--json").out
    )
    assert told["accuracy"] == 1.0
    assert [row["name"] for row in told["baselines"]] == [
        "largest class",
        "naive Bayes on pieces",
        "network",
    ]
    assert (folder / "run" / "report.html").exists()
    found = json.loads(recurro("evaluate", "run", "rows.tsv", "--json").out)
    assert set(found) == {
        *("accuracy", "macro_f1", "log_loss", "calibration_error", "f1_ab", "f1_xy"),
    }
    assert set(told["calibration"]) == {"temperature", "before", "after"}
    (folder / "new.txt").write_text("ab ba\nxy yx\n")
    lines = recurro("predict", "run", "new.txt").out.splitlines()
    assert [line.split("\t")[::2] for line in lines] == [
        ["ab", "ab ba"],
        ["xy", "xy yx"],
    ]
    again = recurro("resume", "run", "-q")
    assert "was finished already" in again.err


def test_columns_by_name_and_a_part_to_test_on(folder):
    rows = [line.split("\t") for line in TABLE.splitlines()]
    words = [f"{n} {text}" for n, (_, text) in enumerate(rows)]
    table = "".join(f"{kind},{w}\n" for (kind, _), w in zip(rows, words, strict=True))
    (folder / "rows.csv").write_text("which,words\n" + table)
    names = ("--text", "words", "--label", "which", "--test", "hash")
    told = json.loads(
        recurro(
            "train", "classify", "rows.csv", *SMALL, *names, "--json", "-o", "run"
        ).out
    )
    assert [row["name"] for row in told["test_baselines"]][-1] == "network"
    assert told["test"]["accuracy"] > 0.8
    config = (folder / "run" / "config.yaml").read_text()
    assert "text: words" in config
    assert "On the part to test on" in (folder / "run" / "report.html").read_text()
    found = json.loads(recurro("evaluate", "run", "rows.csv", "--json").out)
    assert found["accuracy"] > 0.8
    rows = json.loads(recurro("predict", "run", "rows.csv", "--json").out)
    assert rows[3]["text"] == words[3]
    (folder / "new.csv").write_text("which,words\nzz,ab\n")
    assert "line 2 of 'new.csv' must name one of the 2 classes" in complaint(
        "evaluate", "run", "new.csv"
    )


def test_classify_series_by_settings_from_everywhere(folder, monkeypatch):
    (folder / "walks.ts").write_text(SERIES)
    monkeypatch.setenv("RECURRO_TRAIN_EPOCHS", "2")
    words = ("--pooling", "last,max", "--set", "model.bidirectional=false")
    out = recurro("train", "classify", "walks.ts", *SMALL, *words, "-o", "run").out
    assert "logistic regression on statistics" in out
    config = (folder / "run" / "config.yaml").read_text()
    for line in ("epochs: 2", "bidirectional: false", "task: classify", "- last"):
        assert line in config
    rows = json.loads(recurro("predict", "run", "walks.ts", "--json").out)
    assert len(rows) == 48
    assert set(rows[0]) == {"class", "probability"}


def test_regress(folder):
    (folder / "rows.tsv").write_text(
        TABLE.replace("ab\t", "1\t").replace("xy\t", "9\t")
    )
    recurro("train", "regress", "rows.tsv", *SMALL, "--epochs", 3, "-o", "run")
    found = json.loads(recurro("evaluate", "run", "rows.tsv", "--json").out)
    assert set(found) == {"nats", "rmse", "mae", "r2", "coverage", "width"}
    (folder / "new.txt").write_text("ab ba\n")
    [row] = json.loads(recurro("predict", "run", "new.txt", "--json").out)
    assert row["mean"] < 9
    words = ("--interval", 0.5, "--json")
    [row] = json.loads(recurro("predict", "run", "new.txt", *words).out)
    assert row["low"] < row["mean"] < row["high"]
    less = json.loads(recurro("evaluate", "run", "rows.tsv", *words).out)
    assert less["width"] < found["width"]
    assert "in (0, 1), got 2.0" in complaint(
        "evaluate", "run", "rows.tsv", "--interval", 2
    )


def test_series_in_windows(folder):
    (folder / "walks.ts").write_text(SERIES)
    words = ("--window", 2, "--epochs", 1, "-o", "run")
    recurro("train", "classify", "walks.ts", *SMALL, *words)
    assert "window: 2" in (folder / "run" / "config.yaml").read_text()
    found = json.loads(recurro("predict", "run", "walks.ts", "--json").out)
    assert len(found) == 48


def test_a_number_at_each_step_of_series_in_a_table(folder):
    rows = [
        f"{engine},{step},{20 - step + 0.1 * engine},{20 - step}"
        for engine in range(12)
        for step in range(20)
    ]
    (folder / "life.csv").write_text("\n".join(["engine,step,heat,left", *rows]))
    words = ("--id", "engine", "--time", "step", "--label", "left", "--window", 4)
    told = recurro(
        "train", "regress", "life.csv", *words, *SMALL, "--stride", 3, "-o", "run"
    )
    assert "ridge on statistics" in told.out
    begun = [row.split(",") for row in rows if int(row.split(",")[1]) < 9]
    last = [",".join([*row[:3], "12" * (row[1] == "8")]) for row in begun]
    (folder / "test.csv").write_text("\n".join(["engine,step,heat,left", *last]))
    found = json.loads(recurro("evaluate", "run", "test.csv", "--json").out)
    new = [",".join(row[:3]) for row in begun]
    (folder / "new.csv").write_text("\n".join(["engine,step,heat", *new]))
    lives = json.loads(recurro("predict", "run", "new.csv", "--json").out)
    assert [row["id"] for row in lives] == [str(engine) for engine in range(12)]
    error = sum((row["mean"] - 12) ** 2 for row in lives) / 12
    assert found["rmse"] == pytest.approx(error**0.5, rel=1e-4)
    (folder / "bad.csv").write_text("engine,step,heat,left\n1,1,3,soon\n")
    assert "line 2, column 'left' of 'bad.csv'" in complaint(
        "evaluate", "run", "bad.csv"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("regress", "void.tsv"), "line 2 of 'void.tsv' must say a number"),
        (("regress", "rows.tsv"), "line 1 of 'rows.tsv' must say a number"),
        (
            ("regress", "pay.tsv", "--head", "log-normal"),
            "the number of line 2 of 'pay.tsv' must be above 0 for a log-normal head",
        ),
        (
            ("regress", "pay.tsv", "--head", "poisson"),
            "line 1 of 'pay.tsv' must be a count",
        ),
        (("regress", "same.tsv"), "numbers must differ to be learnt, all 2 are 3."),
        (("classify", "no.ts"), "no.ts"),
        (("classify", "rows.tsv", "--head", "normal"), "softmax or ordinal"),
        (("classify", "rows.tsv", "--hidden-size", 0), "--hidden-size: must be"),
        (("classify", "rows.tsv", "--set", "train.bptt=3"), "bptt"),
        (("classify", "rows.tsv", "--pooling", "median"), "--pooling"),
        (("classify", "rows.tsv", "--window", 3), "got texts"),
        (("classify", "rows.tsv", "--stride", 3), "must come with a window"),
    ],
)
def test_bad_input_leaves_nothing(folder, words, said):
    (folder / "rows.tsv").write_text(TABLE)
    (folder / "pay.tsv").write_text("1.5\tone two\n0\tthree four\n")
    (folder / "same.tsv").write_text("3\tone two\n3\tthree four\n")
    (folder / "void.tsv").write_text("1.5\tone two\nnan\tthree four\n")
    assert said in complaint("train", *words, "-o", "run")
    assert not (folder / "run").exists()


def test_blank_lines_are_shown_by_every_verb(folder):
    (folder / "rows.tsv").write_text(TABLE + "\n\n")
    words = ("train", "classify", "rows.tsv", *SMALL, "--epochs", 1, "-o", "run")
    for line in (
        (*words, "--test", "rows.tsv"),
        ("evaluate", "run", "rows.tsv"),
        ("predict", "run", "rows.tsv"),
    ):
        err = recurro(*line).err
        assert err.count("note: 'rows.tsv': blank lines left out: 2.") == 1


def test_a_run_is_scored_on_one_file(folder):
    (folder / "rows.tsv").write_text(TABLE)
    recurro("train", "classify", "rows.tsv", *SMALL, "--epochs", 1, "-o", "run")
    assert "Name one." in complaint("evaluate", "run", "rows.tsv", "rows.tsv")
    for verb in ("evaluate", "predict"):
        assert "must be left out" in complaint(
            verb, "run", "rows.tsv", "--interval", 0.5
        )


def steps(count, form):
    """A table of series of five steps, one of which may lack a number."""
    rows = [form(n, t) for n in range(count) for t in range(5)]
    return "\n".join(["id,time,x,y,label", *rows, ""])


def test_a_number_that_lacks_in_a_file_to_test_on_is_named(folder):
    whole = steps(20, lambda n, t: f"{n},{t},{(n % 2 - 0.5) * t},{n},{'ab'[n % 2]}")
    (folder / "whole.csv").write_text(whole)
    (folder / "bad.csv").write_text(whole.replace("7,3,1.5,7,b", "7,3,,7,b"))
    words = ("whole.csv", *SMALL, "--id", "id", "--time", "time", "--epochs", 1)
    recurro("train", "classify", *words, "-o", "run")
    named = "sequences: line 40, column 'x' of 'bad.csv' must hold a number, as all did"
    assert named in complaint("evaluate", "run", "bad.csv")
    assert named in complaint("predict", "run", "bad.csv")
    words = (*words, "-o", "other", "--test", "bad.csv")
    assert named in complaint("train", "classify", *words)
    assert not (folder / "other" / "model.safetensors").exists()  # nothing was trained
    (folder / "one.ts").write_text("@classLabel false\n@data\n1,2,3\n")
    line = complaint("predict", "run", "one.ts")
    assert line.startswith("sequences: series 0 of 'one.ts' must have 2 channels")


def test_a_single_number_that_lacks_is_learnt_of(folder):
    for item in range(12):  # wherever it is
        text = steps(
            12,
            lambda n, t, item=item: (
                f"{n},{t},{'' if (n, t) == (item, 2) else t},{n},{'ab'[n % 2]}"
            ),
        )
        (folder / "gap.csv").write_text(text)
        words = ("gap.csv", *SMALL, "--id", "id", "--time", "time", "--epochs", 1)
        words += ("--set", "data.held_out=0.5", "-o", "run", "--overwrite")
        recurro("train", "classify", *words)
