from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from recurro.cli.main import build
from tests.cli.command import complaint, recurro
from tests.data.test_programs import LECTURE

SMALL = [
    *("--length", 2, "--nesting", 1, "--programs", 60, "--hidden-size", 8),
    *("--epochs", 1, "--set", "data.chosen_on=20", "--set", "data.tested_on=20", "-q"),
]


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    place = tmp_path_factory.mktemp("execute")
    out = recurro("train", "execute", *SMALL, "-o", place / "run").out
    assert "held out:" in out
    assert "test:" in out
    assert "most frequent answer" in out
    (place / "programs.txt").write_text("print(7)\n\n" + LECTURE[0][0] + "\n")
    return place / "run", place / "programs.txt"


def test_new_programs_are_scored_of_each_length_and_nesting(executor):
    found = json.loads(recurro("evaluate", executor[0], "--json").out)
    assert list(found) == [
        *("char_accuracy", "exact_match", "char_accuracy_1_1", "exact_match_1_1"),
        *("char_accuracy_2_1", "exact_match_2_1"),
    ]
    found = json.loads(recurro("evaluate", *executor, "--json").out)
    assert list(found) == ["char_accuracy", "exact_match"]


def test_programs_of_a_file_and_of_standard_input_are_answered(executor):
    run, file = executor
    rows = json.loads(recurro("predict", run, file, "--json").out)
    assert [(row["prints"], row["line"]) for row in rows] == [
        ("7", "1"),
        ("25011", "3"),
    ]
    words = ["predict", str(run), "-"]
    again = CliRunner().invoke(build(), words, input=file.read_text())
    assert again.stdout.splitlines() == ["\t".join(row.values()) for row in rows]


def test_a_run_goes_on(executor):
    out = recurro("resume", executor[0], "--json", "-q").out
    assert json.loads(out)["baselines"][-1]["name"] == "network"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print(7/2)", "b.txt, line 1, column 8: must be of digits"),
        ("\nprint(1)\nprint(2+q)", "b.txt, line 3, column 9: must be assigned before"),
        ("print(1)\na=2\n", "b.txt, line 2: the last program must end with print"),
        ("", "b.txt"),
    ],
)
def test_bad_programs_are_named_by_file_line_and_column(
    executor, tmp_path, text, message
):
    (tmp_path / "b.txt").write_text(text)
    for verb in ("predict", "evaluate"):
        assert message in complaint(verb, executor[0], tmp_path / "b.txt")


def test_what_makes_no_sense_is_refused(executor, run):
    train = ("train", "execute", "-o", executor[0].parent / "none")
    assert "nesting" in complaint(*train, "--problem", "addition", "--nesting", 2)
    assert "length" in complaint(*train, "--length", 0)
    assert "curriculum" in complaint(*train, "--curriculum", "hard")
    assert "validate_every" in complaint(*train, "--set", "train.validate_every=3")
    assert "a folder" in complaint("predict", executor[0], executor[0].parent)
    assert "is scored on a file, got none" in complaint("evaluate", run)
