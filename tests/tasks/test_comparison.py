from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.baselines import NGramModel, Unigram
from recurro.cells import GRU
from recurro.data import Tokenizer, build_corpus
from recurro.errors import RunError
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork
from recurro.tasks import comparison
from recurro.tasks.class_mixture import class_ngrams, fit_mixture
from recurro.tasks.comparison import (
    class_figures,
    compare,
    compare_classes,
    mixture,
    read_comparison,
)
from recurro.tasks.language_task import Part
from recurro.train import RunFolder

TEXT = "the cat sat on the mat and the dog sat on the cat. " * 20


def parts() -> tuple[LanguageNetwork, Tokenizer, Part, Part]:
    tokenizer = Tokenizer.fit([TEXT])
    train, valid = (build_corpus([t], tokenizer) for t in (TEXT, "the cat sat. " * 9))
    network = LanguageNetwork(tokenizer.size, Recurrent(GRU(), 4, 4)).eval()
    return network, tokenizer, Part(train), Part(valid)


def test_rows_are_those_of_the_models_alone():
    network, tokenizer, train, valid = parts()
    rows = {row["name"]: row for row in compare(network, tokenizer, train, valid)}
    ids, size = valid.corpus.ids, train.corpus.size
    for name, model in (
        ("unigram", Unigram(size)),
        ("6-gram, Kneser-Ney", NGramModel(size, 6)),
    ):
        expected = -model.fit(train.corpus.ids).log_probs(ids).mean()
        assert rows[name]["nats_per_token"] == pytest.approx(expected)
        assert rows[name]["perplexity"] == pytest.approx(np.exp(expected))
        assert rows[name]["bits_per_char"] == pytest.approx(expected / np.log(2))
    assert list(rows)[-1] == "network"


def test_a_long_text_is_counted_near_its_end(monkeypatch):
    network, tokenizer, train, valid = parts()
    monkeypatch.setattr(comparison, "MOST", 200)
    rows = compare(network, tokenizer, train, valid)
    assert rows[2]["name"] == "6-gram, Kneser-Ney, last 200 tokens"
    last = NGramModel(train.corpus.size, 6).fit(train.corpus.ids[-200:])
    expected = -last.log_probs(valid.corpus.ids).mean()
    assert rows[2]["nats_per_token"] == pytest.approx(expected)


def test_the_weight_comes_from_the_other_half():
    good, bad = np.log(np.full(50, 0.9)), np.log(np.full(50, 0.1))
    first, second = np.concatenate([good, bad]), np.concatenate([bad, good])
    mixed = mixture(first, second)
    # The first half is weighted by what suits the second, where the first model is bad.
    assert mixed[:50] == pytest.approx(bad, rel=1e-2)
    assert mixed[50:] == pytest.approx(bad, rel=1e-2)
    same = mixture(first, first)
    np.testing.assert_allclose(same, first)


def test_a_mixture_is_never_far_from_the_better_model():
    draw = np.random.default_rng(0)
    first, second = np.log(draw.uniform(0.05, 0.9, (2, 4000)))
    mixed = mixture(first, second)
    assert mixed.mean() > max(first.mean(), second.mean())


def test_one_token_can_be_mixed():
    assert mixture(np.log([0.5]), np.log([0.25]))[0] == pytest.approx(np.log(0.375))


def test_figures_of_classes():
    joint = np.log([[0.6, 0.2], [0.1, 0.3], [0.2, 0.1]])
    found = class_figures(joint, np.array([0, 1, 1]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    chances = [0.75, 0.75, 1 / 3]
    assert found["log_loss"] == pytest.approx(-np.log(chances).mean())


def test_ngrams_of_each_class_tell_languages_apart():
    items, labels = ["abab", "baba", "xyxy", "yxyx"] * 5, np.array([0, 0, 1, 1] * 5)
    tokenizer = Tokenizer.fit(items, lines=True)
    part = Part(build_corpus(items, tokenizer), True, labels)
    network = LanguageNetwork(tokenizer.size, Recurrent(GRU(), 4, 4), conditions=2)
    rows = compare_classes(
        network.eval(), class_ngrams(part, "char", 2), part, np.log([0.5, 0.5])
    )
    assert rows[0] == {
        "name": "largest class",
        "accuracy": 0.5,
        "macro_f1": pytest.approx(1 / 3),
        "log_loss": pytest.approx(np.log(2)),
    }
    assert rows[1]["accuracy"] == 1.0


def test_ngrams_of_a_class_learn_from_its_lines_alone():
    items, labels = ["ab", "xy", "ba"], np.array([0, 1, 0])
    tokenizer = Tokenizer.fit(items, lines=True)
    part = Part(build_corpus(items, tokenizer), True, labels)
    own = build_corpus(["ab", "ba"], tokenizer)
    wanted = NGramModel(tokenizer.size, 6, boundary=tokenizer.eos_id).fit(own.ids)
    found = class_ngrams(part, "char", 2)[0]
    np.testing.assert_array_equal(
        found.log_probs(part.corpus.ids), wanted.log_probs(part.corpus.ids)
    )


def test_a_mixture_gives_the_better_model_the_weight():
    items = ["abab", "xyxy", "baba", "yxyx"] * 5
    labels = np.array([0, 1, 0, 1] * 5)
    tokenizer = Tokenizer.fit(items, lines=True)
    part = Part(build_corpus(items, tokenizer), True, labels)
    ngrams = class_ngrams(part, "char", 2)

    class Uniform(torch.nn.Linear):
        def losses(self, batch, state=None):
            counted = (batch.targets >= 0).float()
            return counted * np.log(tokenizer.size), None

    both = fit_mixture(Uniform(1, 1), ngrams, part)
    assert both.weight < 0.1
    likelihood = both.log_likelihoods(part.corpus)
    assert (likelihood.argmax(1) == labels).all()


def test_a_damaged_comparison_is_refused(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    assert read_comparison(run) == []
    run.write_json("baselines.json", {"name": "network"})
    with pytest.raises(RunError, match="must be a list of rows"):
        read_comparison(run)
