"""Translation on the command line."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.cli.command import complaint, recurro

SMALL = [
    *("--tokens", "word", "--min-count", 1, "--hidden-size", 8, "--epochs", 1),
    *("--set", "model.beam_size=2", "--set", "model.max_length=4", "-q"),
]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A run of translation, and the folder of the files it was trained on."""
    place = tmp_path_factory.mktemp("translate")
    for name, count in (("train", 12), ("test", 3)):
        for side, words in (("de", ["eins zwei", "drei"]), ("en", ["one two", "III"])):
            (place / f"{name}.{side}").write_text("\n".join(words * count) + "\n")
    sides = ["--source", place / "train.de", "--target", place / "train.en"]
    test = ["--test", place / "test.de", "--test", place / "test.en"]
    out = recurro(
        *("train", "translate", *sides, *test, *SMALL, "--lower"),
        *("-o", place / "run"),
    ).out
    assert "nearest text" in out
    assert "case:lc" in out
    assert f"recurro predict {place / 'run'} FILE" in out
    return place


def test_files_are_scored_and_translated(numbers):
    run, source, target = (numbers / name for name in ("run", "test.de", "test.en"))
    told = json.loads(recurro("evaluate", run, source, target, "--json").out)
    assert set(told) == {"perplexity", "bleu", "chrf", "signature"}
    assert "nrefs:1|case:lc" in recurro("evaluate", run, source, target).out
    assert len(recurro("predict", run, source).out.splitlines()) == 6
    rows = json.loads(recurro("predict", run, source, "--json", "--beam", 2).out)
    assert len(rows[0]["candidates"]) == 2
    assert rows[0]["text"] == rows[0]["candidates"][0]["text"]


def test_a_run_that_goes_on_gets_its_picture_too(numbers):
    picture = numbers / "run" / "attention.svg"
    drawn = picture.read_text()
    picture.unlink()
    rows = json.loads(recurro("resume", numbers / "run", "--json", "-q").out)
    assert [row["name"] for row in rows["baselines"]][-1] == "network"
    assert picture.read_text() == drawn


def test_where_attention_looked_is_drawn(numbers):
    tree = ElementTree.parse(numbers / "run" / "attention.svg").getroot()
    assert tree.tag.endswith("svg")


def test_tables_conversations_and_presets(folder):
    (folder / "pairs.tsv").write_text("".join(f"a {n}\tc d\n" for n in range(12)))
    talk = "".join(f"- - a {n}\n  - c d\n" for n in range(12))
    (folder / "talk.yml").write_text("conversations:\n" + talk)
    for data, preset in (("pairs.tsv", "cho"), ("talk.yml", "luong")):
        words = ["train", "translate", data, *SMALL, "--preset", preset, "--json"]
        told = json.loads(recurro(*words, "-o", "run", "--overwrite").out)
        assert told["signature"].startswith("nrefs:1|case:mixed")


def test_bad_input_is_one_line(numbers, folder):
    (folder / "a.de").write_text("eins\nzwei\n")
    (folder / "a.en").write_text("one\n")
    (folder / "b.en").write_text("one\n\n")
    train = ["train", "translate", "--source", "a.de"]
    assert "a.en: must have a line for each" in complaint(*train, "--target", "a.en")
    assert "b.en: line 2 must hold a text" in complaint(*train, "--target", "b.en")
    assert "got --source. See" in complaint(*train)
    assert "Did you mean 'google'" in complaint(
        *train, "--target", "a.en", "--preset", "googel"
    )
    one = complaint("evaluate", numbers / "run", "a.de")
    assert "come with a second file" in one
