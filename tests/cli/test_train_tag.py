from __future__ import annotations

import json

import pytest

from tests.cli.command import complaint, recurro

ROWS = "".join(
    f"so{n}\tO\nAnna\tB-person\nBo\tI-person\ncame\tO\n\n"
    f"Anna\tB-person\nsaw\tO\nit{n}\tO\n\n"
    for n in range(20)
)
SMALL = ("--hidden-size", 8, "--embedding-size", 8, "--batch-size", 8, "-q")
SMALL += ("--set", "model.letter_hidden_size=4")
TREE = "1\tAnna\t_\tPROPN\tNNP\t_\t_\t_\t_\t_\n2\tran\t_\tVERB\tVBD\t_\t_\t_\t_\t_\n\n"


def test_names(folder):
    (folder / "names.conll").write_text(ROWS)
    words = ("--head", "crf", "--epochs", 4, "--learning-rate", 0.02, "--out", "run")
    told = json.loads(
        recurro("train", "tag", "names.conll", *SMALL, *words, "--json").out
    )
    assert [row["name"] for row in told["baselines"]] == [
        "most frequent tag",
        "hidden Markov",
        "network",
    ]
    assert told["span_f1"] > 0.9
    assert (folder / "run" / "report.html").exists()
    found = json.loads(recurro("evaluate", "run", "names.conll", "--json").out)
    assert {"accuracy", "span_f1", "span_precision", "span_recall"} < {*found}

    (folder / "new.txt").write_text("# said\nso\nAnna\nBo\ncame\n\nAnna\nsaw\n")
    lines = recurro("predict", "run", "new.txt").out.splitlines()
    assert lines[0] == "# said"
    assert lines[1:6] == ["so O", "Anna B-person", "Bo I-person", "came O", ""]
    rows = json.loads(recurro("predict", "run", "new.txt", "--json").out)
    assert rows[1] == {"words": ["Anna", "saw"], "tags": ["B-person", "O"]}
    assert "was finished already" in recurro("resume", "run", "-q").err
    assert complaint("generate", "run") == (
        "generate: RUN must be of lm, ngram, hmm, esn, music, strokes or paint, "
        "got one of tag: 'run'. Ask it with 'recurro predict'."
    )


def test_fields_of_conllu(folder):
    (folder / "trees.conllu").write_text(
        "".join(TREE.replace("Anna", f"Anna{n}") for n in range(20))
    )
    words = (*SMALL, "--epochs", 1, "--column", "XPOS", "-o", "run")
    assert "hidden Markov" in recurro("train", "tag", "trees.conllu", *words).out
    assert "column: XPOS" in (folder / "run" / "config.yaml").read_text()
    lines = recurro("predict", "run", "trees.conllu").out.splitlines()
    assert [line.split("\t")[3] for line in lines[:2]] == ["PROPN", "VERB"]
    assert {line.split("\t")[4] for line in lines if line} <= {"NNP", "VBD"}


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("a\tX\tY\n", (), "column must say which of the 3 columns"),
        ("a\tX\nb\n", (), "line 2 of 'bad.tsv' must have as many columns"),
        ("\n\n", (), "'bad.tsv' must hold a word"),
        ("a\tX\n", ("--column", "upos"), "column must be a number from 2 on"),
        (ROWS, ("--head", "normal"), "--head: must be 'softmax' or 'crf'"),
        (ROWS, ("--set", "model.pooling=max"), "model.pooling: is no key"),
        (ROWS, ("--vectors", "none.txt"), "none.txt"),
    ],
)
def test_bad_input(folder, text, words, said):
    (folder / "bad.tsv").write_text(text)
    assert said in complaint("train", "tag", "bad.tsv", *SMALL, *words)
    assert not (folder / "runs").exists()


def test_files_to_choose_and_to_test_on(folder):
    (folder / "names.conll").write_text(ROWS)
    (folder / "dev.conll").write_text(ROWS[: ROWS.index("so1")])
    words = (*SMALL, "--epochs", 1, "-o", "run", "--encoding", "latin-1")
    files = ("--valid", "dev.conll", "--test", "dev.conll")
    recurro("train", "tag", "names.conll", *words, *files)
    valid, test = (
        json.loads((folder / "run" / name).read_text())
        for name in ("baselines.json", "test.json")
    )
    assert test == valid  # the same sentences
    assert "encoding: latin-1" in (folder / "run" / "config.yaml").read_text()


def test_tags_that_were_never_seen(folder):
    (folder / "names.conll").write_text(ROWS)
    (folder / "other.conll").write_text("so\tO\nRome\tB-place\n")
    small = ("train", "tag", "names.conll", *SMALL, "--epochs", 1, "-o", "run")
    said = "line 2 of 'other.conll' must have one of the 3 tags seen in training"
    assert said in complaint(*small, "--valid", "other.conll")
    recurro(*small)
    line = complaint("evaluate", "run", "other.conll")
    assert said in line
    assert "'B-place'" in line
