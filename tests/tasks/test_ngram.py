from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recurro.baselines import NGramModel, read_arpa
from recurro.errors import ArgumentError, ConfigError, RunError
from recurro.tasks import LanguageModel, NGramLanguageModel
from tests.datasets import dataset

TEXT = "".join(f"the {w} sat on the mat\n" for w in ["cat", "dog", "owl", "cat"] * 30)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> NGramLanguageModel:
    run = tmp_path_factory.mktemp("runs") / "run"
    return NGramLanguageModel(3, out=run).fit(TEXT)


def test_it_is_the_model_of_the_baselines(fitted):
    tokenizer = fitted.tokenizer_
    lines = TEXT.splitlines(keepends=True)
    cut = int(0.95 * len(lines))
    ids = np.array([tokenizer.eos_id, *tokenizer.encode("".join(lines[:cut]))])
    model = NGramModel(tokenizer.size, 3, boundary=tokenizer.eos_id).fit(ids)
    rest = np.array([tokenizer.eos_id, *tokenizer.encode("".join(lines[cut:]))])
    assert fitted.figures_ == model.evaluate(rest, tokenizer.unk_id)
    assert fitted.evaluate("".join(lines[cut:])) == fitted.figures_
    expected = -np.log(fitted.figures_["perplexity"])
    assert fitted.score("".join(lines[cut:])) == pytest.approx(expected)


def test_unknown_words_are_counted(fitted):
    found = fitted.evaluate("the bat sat on the mat\n")
    assert (found["oov"], found["tokens"]) == (1, 7)
    assert found["perplexity_known"] != found["perplexity"]


def test_lines_add_up(fitted):
    text = "the cat sat\nthe owl sat\n"
    log_probs = fitted.log_prob(text)
    assert log_probs.shape == (2,)
    expected = -8 * np.log(fitted.evaluate(text)["perplexity"])
    assert log_probs.sum() == pytest.approx(expected)


def test_items(tmp_path):
    items = ["abc", "abd", "bcd", "acd"] * 20
    model = NGramLanguageModel(4, tokens="char", lines=True).fit(items, items)
    values = model.log_prob(["abc", "zbc"[1:], "dca"])
    assert values[0] > values[2]
    assert model.generate(length=20, seed=1).count("\n") == 0


def test_text_is_written(fitted):
    first = fitted.generate("the", 30, seed=1)
    assert first.startswith("the ")
    assert first == fitted.generate("the", 30, seed=1)
    assert "<unk>" not in fitted.generate("the", 200, temperature=1.5, seed=1)
    with pytest.raises(ArgumentError, match="label is for a model by class"):
        fitted.generate(label="x")


def test_a_run_is_all_that_is_needed(fitted):
    again = NGramLanguageModel.load(fitted.run_.path)
    assert again.evaluate(TEXT) == fitted.evaluate(TEXT)
    assert again.settings.order == 3
    with pytest.raises(
        RunError, match="must be a run of task 'lm', got one of 'ngram'"
    ):
        LanguageModel.load(fitted.run_.path)


def test_a_run_folder_is_not_taken_from_another_run(fitted):
    with pytest.raises(RunError, match="the folder of another run"):
        NGramLanguageModel(2, out=fitted.run_.path).fit(TEXT)


def test_arpa(fitted, tmp_path):
    fitted.to_arpa(tmp_path / "model.arpa")
    model, symbols = read_arpa(tmp_path / "model.arpa")
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    line = [ids[s] for s in ["</s>", "the", "owl", "sat", "on", "the", "mat", "</s>"]]
    expected = fitted.log_prob("the owl sat on the mat\n")[0]
    assert model.log_probs(line).sum() == pytest.approx(expected, rel=1e-5)


def test_it_is_an_estimator():
    model = NGramLanguageModel(2, tokens="char")
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.evaluate("ab")
    with pytest.raises(ConfigError, match="order"):
        NGramLanguageModel(0).fit(TEXT)


def test_war_and_peace():
    model = NGramLanguageModel(3, held_out=0.1)
    found = model.fit(dataset("war-and-peace/input.txt")).figures_
    assert found["perplexity"] == pytest.approx(495.746, rel=1e-3)
    assert found["perplexity_known"] == pytest.approx(344.740, rel=1e-3)
    assert (found["oov"], found["tokens"]) == (2906, 61446)
