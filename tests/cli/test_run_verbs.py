"""resume, evaluate, predict and generate: what is done with a run."""

from __future__ import annotations

import json

import pytest

from recurro.tasks import ClassLanguageModel, LanguageModel
from tests.cli.command import complaint, recurro

SAID = "the sun is up\n\nwe row and sing\n"


@pytest.fixture
def said(folder):
    (folder / "said.txt").write_text(SAID)
    return folder / "said.txt"


def test_evaluate(run, said):
    expected = LanguageModel.load(run).evaluate(said)
    assert json.loads(recurro("evaluate", run, said, "--json").out) == expected
    out = recurro("evaluate", run, said).out
    assert [line.rsplit("  ", 1)[0].strip() for line in out.splitlines()] == [
        "nats per token",
        "bits per char",
        "perplexity",
    ]
    assert f"{expected['nats_per_token']:.3f}" in out
    assert complaint("evaluate", run, said, "--samples", 3).startswith(
        "--samples: is for a run of lm of lines, got 3 for another."
    )


def test_evaluate_by_class(class_run, folder):
    (folder / "rows.tsv").write_text("ab\tabab\nxy\txxyy\nab\tbbba\n")
    found = json.loads(recurro("evaluate", class_run, "rows.tsv", "--json").out)
    assert found["accuracy"] == 1.0
    assert set(found) == {"accuracy", "macro_f1", "log_loss"}
    assert "Name one." in complaint("evaluate", class_run, "rows.tsv", "rows.tsv")


def test_predict(run, said):
    values = LanguageModel.load(run).log_prob(said)
    rows = [line.split("\t") for line in recurro("predict", run, said).out.splitlines()]
    assert [row[1] for row in rows] == ["the sun is up", "we row and sing"]
    assert [float(row[0]) for row in rows] == pytest.approx(values, abs=1e-4)
    found = json.loads(recurro("predict", run, said, "--json").out)
    assert found[1]["text"] == "we row and sing"
    assert found[1]["log_prob"] == pytest.approx(values[1])


def test_predict_by_class(class_run, folder):
    (folder / "items.txt").write_text("abba\n\nxyyx\n")
    lines = recurro("predict", class_run, "items.txt").out.splitlines()
    assert [line.split("\t")[::2] for line in lines] == [["ab", "abba"], ["xy", "xyyx"]]
    expected = ClassLanguageModel.load(class_run).predict_proba(["abba"]).max()
    found = json.loads(recurro("predict", class_run, "items.txt", "--json").out)
    assert found[0]["probability"] == pytest.approx(expected)


def test_generate(run):
    words = ("generate", run, "--prompt", "the ", "--length", 30, "--seed", 1)
    first = recurro(*words).out
    assert first == recurro(*words, "--stream").out
    assert len(first) == 4 + 30 + 1
    assert first.startswith("the ")
    assert first != recurro(*words[:-1], 2).out
    assert recurro(*words, "--temperature", 0).out != first
    assert recurro(*words, "--top-k", 1).out == recurro(*words, "-t", 0).out
    assert recurro(*words, "--top-p", 0.0001).out == recurro(*words, "-t", 0).out
    beam = recurro("generate", run, "-p", "the ", "-n", 10, "--beam", 4).out
    assert beam == recurro("generate", run, "-p", "the ", "-n", 10, "--beam", 4).out


def test_generate_several(run):
    out = recurro("generate", run, "-p", "we", "-n", 8, "--seed", 1, "--number", 3).out
    assert out.count("we") >= 3


def test_generate_for_programs(run):
    words = ("generate", run, "-p", "we", "-n", 8, "--seed", 1)
    texts = json.loads(recurro(*words, "--number", 2, "--json").out)
    assert [set(row) for row in texts] == [{"text"}, {"text"}]
    assert texts[0]["text"] + "\n" == recurro(*words).out
    assert texts[1]["text"] + "\n" == recurro(*words[:-1], 2).out


def test_generate_by_rules(run):
    words = ("generate", run, "-p", "we", "-n", 60, "--seed", 1)
    assert "a" in recurro(*words).out
    assert "a" not in recurro(*words, "--forbid", "a").out
    once = recurro(*words, "--repetition-penalty", 1e6, "-n", 8).out[2:].rstrip("\n")
    assert len(set(once)) == len(once)
    best = recurro(*words, "--beam", 3, "--number", 3, "-n", 5, "--json").out
    log_probs = [row["log_prob"] for row in json.loads(best)]
    assert len(log_probs) == 3
    assert log_probs == sorted(log_probs, reverse=True)
    letters = LanguageModel.load(run).tokenizer_.symbols
    every = [word for letter in letters for word in ("--forbid", letter)]
    assert "the rules must leave an id" in complaint(*words, *every)


def test_generate_by_class(class_run):
    out = recurro("generate", class_run, "--class", "xy", "--seed", 1, "-t", 0.5).out
    assert set(out.strip()) <= set("xy")
    assert complaint("generate", class_run).startswith(
        "--class: must be one of ab, xy, got none."
    )
    assert "ab, xy, got 'z'." in complaint("generate", class_run, "--class", "z")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--prompt", "é€"], "prompt: every symbol must be in the vocabulary, got 'é'"),
        (["--temperature", -1], "--temperature: must be a finite number of at least 0"),
        (["--temperature", "nan"], "--temperature: must be a finite number"),
        (["--length", 0], "--length: must be at least 1, got 0"),
        (["--top-k", 0], "--top-k: must be at least 1, got 0"),
        (["--top-p", 2], "--top-p: must be above 0 and at most 1, got 2.0"),
        (["--top-p", 0], "--top-p: must be above 0"),
        (["--beam", 0], "--beam: must be at least 1, got 0"),
        (["--beam", 2, "--top-k", 2], "draws nothing, got --top-k too"),
        (["--beam", 2, "-t", 0.5], "draws nothing, got --temperature too"),
        (["--beam", 2, "--number", 3], "--number: must be at most --beam 2"),
        (["--min-length", 3], "min_length: is for models of lines"),
        (["--min-length", -1], "--min-length: must be at least 0, got -1"),
        (["--repetition-penalty", 0], "--repetition-penalty: must be above 0, got 0"),
        (["--forbid", "é"], "forbid: every symbol must be in the vocabulary, got 'é'"),
        (["--forbid", ""], "forbid: a text must have at least one symbol"),
        (["--beam", 2, "--stream"], "draws nothing, got --stream too"),
        (["--json", "--stream"], "--stream: must be left out with --json"),
        (["--class", "x"], "--class: is for a run by class, got 'x' for another run"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_generate_refuses(run, words, expected):
    assert expected in complaint("generate", run, *words)


def test_a_finished_run_is_resumed_without_change(run, folder):
    before = (run / "model.safetensors").read_bytes()
    outcome = recurro("resume", run)
    assert "network" in outcome.out
    note = f"recurro: note: {run}: was finished already; nothing was left to train."
    assert note in outcome.err.splitlines()
    assert (run / "model.safetensors").read_bytes() == before


def test_ngrams_are_used_like_networks(folder):
    out = recurro("train", "ngram", "sea.txt", "--order", 3, "-o", "n", "-q").out
    assert out.splitlines()[0].startswith("perplexity")
    found = json.loads(
        recurro("train", "ngram", "sea.txt", "-o", "m", "-q", "--json").out
    )
    assert set(found) == {"run", "perplexity", "perplexity_known", "oov", "tokens"}
    seen = json.loads(recurro("evaluate", "n", "sea.txt", "--json").out)
    assert seen["tokens"] == 1530 + 180
    assert recurro("predict", "n", "sea.txt").out.count("\n") == 180
    text = recurro("generate", "n", "-p", "the sun", "-n", 5, "--seed", 1).out
    assert text.startswith("the sun")
    assert "of a network" in complaint("resume", "n")
    recurro("train", "ngram", "sea.txt", "-o", "a", "-q", "--arpa", "sea.arpa")
    assert (folder / "sea.arpa").read_text().startswith("\\data\\")


def test_bench_ngram(folder):
    out = recurro("bench", "ngram", "sea.txt", "--orders", "2,3").out
    assert "2-gram" in out
    found = json.loads(recurro("bench", "ngram", "sea.txt", "--json").out)
    assert [row["order"] for row in found] == [3, 5]
    assert "numbers with commas" in complaint(
        "bench", "ngram", "sea.txt", "--orders", "x"
    )
