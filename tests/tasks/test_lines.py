"""Validity, uniqueness and novelty of the lines that a model writes."""

from __future__ import annotations

import pytest

from recurro.cells import GRU
from recurro.data import Tokenizer, build_corpus, is_test
from recurro.errors import ArgumentError, RunError
from recurro.tasks import LanguageModel
from recurro.tasks import lines as judging
from recurro.tasks.lines import check_lines, line_figures
from tests.datasets import dataset

TRAINED = ["CCO", "C1CC1", "CO"]


def figures(texts, grammar=None, kind="char"):
    tokenizer = Tokenizer.fit([*TRAINED, "N=()"], kind, lines=True)
    return line_figures(texts, build_corpus(TRAINED, tokenizer), tokenizer, grammar)


@pytest.mark.parametrize("kind", ["char", "byte", "bpe:260"])
def test_figures_by_hand(kind, monkeypatch):
    monkeypatch.setattr(judging, "find_spec", lambda name: None)
    #        valid, seen  new   new    again  bad: ring  valence
    texts = ["CCO", "CCN", "CN", "CCN", "C1CC", "C=O=C"]
    found = figures(texts, "smiles", kind)
    assert found == {
        "validity": pytest.approx(5 / 6),
        "valence_validity": pytest.approx(4 / 6),
        "uniqueness": pytest.approx(4 / 5),  # CCN twice
        "novelty": pytest.approx(3 / 4),  # all but CCO
    }


def test_without_a_grammar_all_lines_count():
    assert figures(["CO", "CO", "OOO", "()"]) == {
        "uniqueness": pytest.approx(3 / 4),
        "novelty": pytest.approx(2 / 3),
    }


def test_nothing_valid_is_nothing():
    found = figures(["(", "C("], "smiles")
    assert [found[key] for key in ("validity", "uniqueness", "novelty")] == [0, 0, 0]


def test_a_model_of_molecules_learns_to_write_them(tmp_path):
    """From fifteen hundred molecules, most of what it writes is valid."""
    source = tmp_path / "small.smi"
    rows = (dataset("smiles") / "qm9_dev.smi").read_text().split()
    rows = [row for row in rows if len(row) <= 12]
    source.write_text("\n".join(rows[:: len(rows) // 1500]) + "\n")
    model = LanguageModel(
        lines=True,
        cell=GRU(),
        hidden_size=64,
        epochs=6,
        batch_size=16,
        learning_rate=0.01,
        schedule="cosine",
        out=tmp_path / "run",
    ).fit(source)
    uniform, *_, ngram, _, network = model.baselines_
    assert "validity" not in uniform
    assert network["validity"] > max(0.6, ngram["validity"] + 0.1)
    assert network["novelty"] > 0.5
    loaded = LanguageModel.load(tmp_path / "run")
    assert loaded.grammar_ == "smiles"
    found = loaded.evaluate_lines(300, seed=3)
    assert found == model.evaluate_lines(300, seed=3)
    assert found["validity"] == pytest.approx(network["validity"], abs=0.1)
    written = [
        one.text for one in model.generate_batch([""], 99, number=300, seed=3)[0]
    ]
    again = model.judge_lines(written)
    assert again["validity"] == pytest.approx(found["validity"], abs=0.02)
    trained = [row for row in source.read_text().split()[:300] if not is_test(row)]
    assert model.judge_lines(trained)["novelty"] == 0
    model.save(tmp_path / "saved")
    assert LanguageModel.load(tmp_path / "saved").grammar_ == "smiles"


def test_lines_that_are_no_molecules_are_told():
    tokenizer = Tokenizer.fit(["CCO ethanol", "CN"], lines=True)
    lines = build_corpus(["CN", "CCO ethanol"] * 3, tokenizer)
    with pytest.warns(UserWarning, match="^3 of 6 lines .* such as 'CCO ethanol'"):
        check_lines(lines, tokenizer, "smiles")
    check_lines(lines, tokenizer, None)
    check_lines(build_corpus(["CN"], tokenizer), tokenizer, "smiles")


def test_what_cannot_be_judged(tmp_path):
    running = LanguageModel(hidden_size=4, epochs=1, batch_size=2).fit("to be or " * 60)
    with pytest.raises(ArgumentError, match="got one of running text"):
        running.evaluate_lines(10)
    names = ["anna", "bob", "carl", "dora"] * 5
    items = LanguageModel(lines=True, hidden_size=4, epochs=1, batch_size=4)
    items.fit(names, names)
    assert set(items.evaluate_lines(20)) == {"uniqueness", "novelty"}
    items.save(tmp_path / "run")
    with pytest.raises(RunError, match="must hold what the run learns from"):
        LanguageModel.load(tmp_path / "run").evaluate_lines(10)
