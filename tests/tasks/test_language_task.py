from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from recurro.cells import GRU, LSTM
from recurro.data import Tokenizer, build_corpus
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork, NetworkStepper
from recurro.tasks import language_task
from recurro.tasks.config import LanguageTraining
from recurro.tasks.language_task import (
    LanguageTask,
    Part,
    figures,
    line_losses,
    line_sums,
    log_likelihoods,
    sum_by_line,
    token_losses,
    total_loss,
)
from recurro.types import Shard

WORDS = ["ann", "bo", "cecilia", "dan", "e", "fay"] * 20


def network_for(tokenizer: Tokenizer, conditions: int = 0) -> LanguageNetwork:
    recurrent = Recurrent(GRU(), 5, 7, 2)
    return LanguageNetwork(tokenizer.size, recurrent, conditions=conditions).eval()


def running(text: str = "to be or not to be. " * 30):
    tokenizer = Tokenizer.fit([text])
    return tokenizer, build_corpus([text], tokenizer)


def items():
    tokenizer = Tokenizer.fit(WORDS, lines=True)
    return tokenizer, build_corpus(WORDS, tokenizer)


def by_hand(network, ids, condition=None) -> np.ndarray:
    """-log P of each id but the first, one step at a time."""
    says = NetworkStepper(network, condition)
    state, losses = says.init(1), []
    for now, following in pairwise(ids):
        state, log_probs = says.step(state, torch.tensor([int(now)]))
        losses.append(-float(log_probs[0, int(following)]))
    return np.array(losses)


def test_running_text_is_scored_from_first_to_last():
    tokenizer, corpus = running()
    network = network_for(tokenizer)
    expected = by_hand(network, corpus.ids)
    found = token_losses(network, Part(corpus), streams=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    loss, tokens = total_loss(network, Part(corpus))
    assert tokens == len(corpus.ids) - 1
    assert loss == pytest.approx(expected.sum(), rel=1e-5)


def test_streams_forget_only_where_they_begin(monkeypatch):
    tokenizer, corpus = running()
    network = network_for(tokenizer)
    monkeypatch.setattr(language_task, "_COLUMN", 150)
    expected = np.concatenate(
        [by_hand(network, part) for part in _columns_of(corpus.ids, 3)]
    )
    np.testing.assert_allclose(token_losses(network, Part(corpus)), expected, rtol=1e-4)
    assert total_loss(network, Part(corpus))[0] == pytest.approx(
        expected.sum(), rel=1e-5
    )


def _columns_of(ids, count):
    targets = len(ids) - 1
    starts = [targets * i // count for i in range(count + 1)]
    return [ids[a : b + 1] for a, b in pairwise(starts)]


def test_chunks_do_not_matter(monkeypatch):
    tokenizer, corpus = running()
    network = network_for(tokenizer)
    whole = token_losses(network, Part(corpus), streams=1)
    monkeypatch.setattr(language_task, "_STEPS", 7)
    np.testing.assert_allclose(
        token_losses(network, Part(corpus), streams=1), whole, rtol=1e-4
    )


def test_lines_stand_alone_and_in_order():
    tokenizer, corpus = items()
    network = network_for(tokenizer)
    expected = [
        by_hand(network, [tokenizer.eos_id, *tokenizer.encode(word + "\n")]).sum()
        for word in WORDS
    ]
    part = Part(corpus, True)
    np.testing.assert_allclose(line_losses(network, part), expected, rtol=1e-4)
    assert total_loss(network, part)[0] == pytest.approx(sum(expected), rel=1e-5)
    assert line_sums(np.ones(corpus.targets), corpus).tolist() == [
        len(word) + 1 for word in WORDS
    ]


def test_likelihoods_by_class():
    tokenizer, corpus = items()
    network = network_for(tokenizer, conditions=3)
    found = log_likelihoods(network, corpus, 3)
    assert found.shape == (len(WORDS), 3)
    word = [tokenizer.eos_id, *tokenizer.encode(WORDS[2] + "\n")]
    for label in range(3):
        expected = -by_hand(network, word, label).sum()
        assert found[2, label] == pytest.approx(expected, rel=1e-4)


def test_shares_add_up():
    for tokenizer, corpus, lines in ((*running(), False), (*items(), True)):
        network = network_for(tokenizer)
        whole = total_loss(network, Part(corpus, lines))
        parts = [total_loss(network, Part(corpus, lines), Shard(r, 2)) for r in (0, 1)]
        assert sum(loss for loss, _ in parts) == pytest.approx(whole[0], rel=1e-5)
        assert sum(tokens for _, tokens in parts) == whole[1]


def test_figures():
    found = figures(6 * np.log(2), tokens=3, characters=6)
    assert found["nats_per_token"] == pytest.approx(2 * np.log(2))
    assert found["bits_per_char"] == pytest.approx(1)
    assert found["perplexity"] == pytest.approx(4)
    assert np.isfinite(figures(1e9, 1, 1)["perplexity"])


def test_losses_are_summed_over_lines_that_are_not_blank():
    text = "\n\nab\n\n  \ncd\nef"
    tokenizer = Tokenizer.fit([text])
    corpus = build_corpus([text], tokenizer)
    ones = np.ones(corpus.targets)
    # The first newline is not predicted; blank lines go to the line before, the first
    # ones to the line after.
    assert sum_by_line(ones, corpus, tokenizer).tolist() == [8.0, 3.0, 2.0]
    words = Tokenizer.fit([text], "word")
    corpus = build_corpus([text], words)
    ones = np.ones(corpus.targets)
    assert sum_by_line(ones, corpus, words).tolist() == [2.0, 2.0, 2.0]


def test_a_text_without_line_ends_is_one_line():
    tokenizer, corpus = running("abc" * 9)
    ones = np.ones(corpus.targets)
    assert sum_by_line(ones, corpus, tokenizer).tolist() == [26.0]


def task_of(lines: bool, **settings) -> LanguageTask:
    tokenizer, corpus = items() if lines else running()
    part = Part(corpus, lines)
    training = LanguageTraining(**{"batch_size": 8, "bptt": 9, **settings})
    return LanguageTask(network_for(tokenizer), part, part, training)


@pytest.mark.parametrize("lines", [False, True])
def test_batches_are_counted_and_the_same_for_the_same_pass(lines):
    task = task_of(lines)
    first, again, other = (task.batches(epoch, Shard()) for epoch in (0, 0, 1))
    assert len(first) == len(list(task.batches(0, Shard())))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.inputs, b.inputs)
    same = all(
        torch.equal(a.targets, b.targets)
        for a, b in zip(task.batches(0, Shard()), other, strict=True)
        if a.targets.shape == b.targets.shape
    )
    assert same != lines  # lines are shuffled anew


def test_every_target_is_learnt_once():
    for lines in (False, True):
        task = task_of(lines)
        learnt = sum(int((b.targets >= 0).sum()) for b in task.batches(0, Shard()))
        assert learnt == task.train.corpus.targets


def test_random_chunks_are_told_by_the_pass():
    task = task_of(False, random_bptt=True, bptt=20, batch_size=2)
    lengths = [
        [len(batch.inputs) for batch in task.batches(epoch, Shard())]
        for epoch in (0, 0, 1)
    ]
    assert lengths[0] == lengths[1] != lengths[2]
    assert len(set(lengths[0])) > 2


def test_a_text_shorter_than_a_batch_shrinks_it():
    tokenizer, corpus = running("hello")
    with pytest.warns(UserWarning, match=r"batch size 64 -> 1, chunk length 100 -> 4"):
        task = LanguageTask(
            network_for(tokenizer),
            Part(corpus),
            Part(corpus),
            LanguageTraining(batch_size=64),
        )
    [batch] = task.batches(0, Shard())
    letters = tokenizer.symbols
    assert [letters[i] for i in batch.inputs.flatten()] == list("hell")
    assert [letters[i] for i in batch.targets.flatten()] == list("ello")


def test_chunks_are_the_shorter_of_k1_and_k2():
    task = task_of(False, bptt=(20, 5), batch_size=2)
    assert max(len(batch.inputs) for batch in task.batches(0, Shard())) == 5


def test_validation_gives_the_three_figures():
    tokenizer, corpus = running()
    network = LanguageNetwork(tokenizer.size, Recurrent(LSTM(), 4, 4)).eval()
    task = LanguageTask(
        network, Part(corpus), Part(corpus), LanguageTraining(batch_size=2)
    )
    scores = task.validate(network)
    assert list(scores) == ["nats_per_token", "bits_per_char", "perplexity"]
    assert scores["nats_per_token"] == pytest.approx(
        by_hand(network, corpus.ids).mean(), rel=1e-5
    )
