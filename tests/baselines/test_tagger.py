from collections import Counter
from itertools import chain, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.baselines import HMMTagger, MostFrequentTag
from recurro.data import read_conll, score_spans, token_accuracy
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset

WORDS = [["the", "cat", "sat"], ["the", "dog", "ran"], ["a", "bat"], ["The", "can"]]
TAGS = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"], ["DET", "NOUN"], ["DET", "X"]]
TAGGERS = [
    MostFrequentTag(),
    HMMTagger(),
    HMMTagger(2),
    HMMTagger(smoothing=0),
    HMMTagger(suffix_length=0, rare=1),
]


def best_by_enumeration(model, sentence, words, tags):
    """The most probable path of all, from the published equation."""
    counts = Counter(chain(*tags))
    edge, scores = len(model.tags_), {}
    for path in product(range(edge), repeat=len(sentence)):
        around = [edge, edge, *path, edge]
        score = sum(
            model.transmat_[triple]
            for triple in zip(around, around[1:], around[2:], strict=False)
        )
        for word, tag in zip(sentence, path, strict=True):
            share = counts[model.tags_[tag]] / counts.total()
            with np.errstate(divide="ignore"):
                score += np.log(model.tag_probs(word)[tag] / share)
        scores[path] = score
    return scores


@given(
    data=st.lists(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.sampled_from("XYZ")), min_size=1
        ),
        min_size=1,
        max_size=6,
    ),
    sentence=st.lists(st.sampled_from("abcde"), min_size=1, max_size=4),
    order=st.sampled_from([2, 3]),
    smoothing=st.sampled_from([0, 0.5]),
)
def test_the_best_path_of_all(data, sentence, order, smoothing):
    words = [[word for word, _ in pairs] for pairs in data]
    tags = [[tag for _, tag in pairs] for pairs in data]
    model = HMMTagger(order, smoothing=smoothing).fit(words, tags)
    scores = best_by_enumeration(model, sentence, words, tags)
    (found,) = model.predict([sentence])
    path = tuple(map(model.tags_.index, found))
    assert scores[path] == pytest.approx(max(scores.values()))
    assert np.isfinite(scores[path])


def test_transitions_by_hand():
    model = HMMTagger().fit(
        [["a", "b"], ["a", "b"], ["b"]], [["X", "Y"], ["X", "Y"], ["Y"]]
    )
    # With # for the edge, each triple with (count - 1) / (total - 1) of its last one,
    # two and three tags; N = 8:
    #   # # X 2: X 1/7, # X 1/2, # # X 1/2 -> two (the shorter of equals)
    #   # X Y 2: Y 2/7, X Y 1/1, # X Y 1/1 -> two
    #   X Y # 2: # 2/7, Y # 2/2, X Y # 1/1 -> two
    #   # # Y 1: Y 2/7, # Y 0/2, # # Y 0/2 -> one
    #   # Y # 1: # 2/7, Y # 2/2, # Y # 0/0 -> two
    votes = np.array([1, 7, 0]) + 1
    weights = votes / votes.sum()
    assert model.weights_ == pytest.approx(weights)
    x, y, edge = 0, 1, 2
    expected = weights @ [2 / 8, 2 / 3, 2 / 3]
    assert np.exp(model.transmat_[edge, edge, x]) == pytest.approx(expected)
    expected = weights @ [3 / 8, 1, 1]
    assert np.exp(model.transmat_[x, y, edge]) == pytest.approx(expected)
    expected = weights @ [3 / 8, 0, 0]
    assert np.exp(model.transmat_[y, y, y]) == pytest.approx(expected)
    seen = np.exp(model.transmat_[edge, edge]), np.exp(model.transmat_[edge, x])
    assert [probs.sum() for probs in seen] == pytest.approx([1, 1])


def test_two_tags_look_at_two():
    model = HMMTagger(2).fit(WORDS, TAGS)
    assert model.weights_[2] == 0
    assert (model.transmat_ == model.transmat_[:1]).all()
    assert np.exp(model.transmat_).sum(2) == pytest.approx(np.ones((5, 5)))


def test_endings_by_hand():
    words = [["aing", "bing", "cang", "run", "Sing"]]
    tags = [["V", "V", "N", "V", "N"]]
    model = HMMTagger(suffix_length=2).fit(words, tags)
    shares = np.array([2 / 5, 3 / 5])  # N, V
    theta = np.std(shares, ddof=1)
    assert model.theta_ == pytest.approx(theta)

    def add(counts, before):
        return (np.array(counts) / sum(counts) + theta * before) / (1 + theta)

    none = add([1, 3], shares)  # of the words in lower case
    one = add([1, 2], none)  # -g
    two = add([1, 2], one)  # -ng
    assert model.tag_probs("ming") == pytest.approx(two)
    assert model.tag_probs("mag") == pytest.approx(one)
    assert model.tag_probs("ma") == pytest.approx(none)
    assert model.tag_probs("7") == pytest.approx(shares)
    assert model.tag_probs("Ming")[0] > 0.8
    assert model.tag_probs("aing") == pytest.approx((np.array([0, 1]) + two) / 2)
    exact = HMMTagger(smoothing=0).fit(words, tags)
    assert exact.tag_probs("aing").tolist() == [0, 1]


def test_frequent_words_do_not_tell_about_endings():
    words, tags = [["the"] * 11 + ["bathe", "lathe"]], [["DET"] * 11 + ["VERB"] * 2]
    model = HMMTagger(rare=10).fit(words, tags)
    assert model.tags_[model.tag_probs("scythe").argmax()] == "VERB"
    assert model.tags_[model.tag_probs("the").argmax()] == "DET"


def test_most_frequent_tag():
    model = MostFrequentTag().fit(WORDS, TAGS)
    assert model.predict([["the", "can", "new"], [], ["DOG"]]) == [
        ["DET", "X", "NOUN"],
        [],
        ["NOUN"],
    ]
    assert model.score(WORDS, TAGS) == 1
    repeated = MostFrequentTag().fit([["a", "a", "b", "b"]], [["X", "Y", "Z", "Z"]])
    assert repeated.predict([["a", "c"]]) == [["X", "Z"]]


@pytest.mark.parametrize("model", TAGGERS, ids=lambda model: type(model).__name__)
class TestEveryTagger:
    def test_it_learns(self, model):
        assert model.fit(WORDS, TAGS) is model
        assert model.tags_ == ("DET", "NOUN", "VERB", "X")
        predicted = model.predict(WORDS)
        assert model.score(WORDS, TAGS) == token_accuracy(TAGS, predicted) >= 0.8

    def test_sentences_are_independent(self, model):
        sentences = [*WORDS, [], ["unheard", "of", "42"]]
        model.fit([*WORDS, []], [*TAGS, []])
        together = model.predict(sentences)
        assert together == [model.predict([sentence])[0] for sentence in sentences]
        assert [*map(len, together)] == [*map(len, sentences)]
        assert model.predict([]) == []

    def test_one_tag(self, model):
        assert model.fit([["a"]], [["X"]]).predict([["b", "a"]]) == [["X", "X"]]

    def test_bad_data(self, model):
        with pytest.raises(DataError, match="tags for all 4 sentences, got 3"):
            model.fit(WORDS, TAGS[:3])
        with pytest.raises(DataError, match=r"sentence 2 must have .* 2 words, got 1"):
            model.fit([["a"], ["a", "b"]], [["X"], ["X"]])
        with pytest.raises(DataError, match="at least one word"):
            model.fit([[], []], [[], []])
        with pytest.raises(DataError, match="tags for all 1 sentences, got 0"):
            model.score([["a"]], [])


def test_bad_arguments():
    for model in (MostFrequentTag(), HMMTagger()):
        with pytest.raises(ArgumentError, match="must have been fitted"):
            model.predict([["a"]])
    for bad in ({"order": 1}, {"smoothing": -1}, {"suffix_length": -1}, {"rare": 0}):
        (name,) = bad
        with pytest.raises(ArgumentError, match=f"HMMTagger: {name} must be"):
            HMMTagger(**bad)
    with pytest.raises(ArgumentError, match="smoothing must be a number >= 0, got nan"):
        HMMTagger(smoothing=float("nan"))


def test_real_parts_of_speech():
    train = read_conll(dataset("ud-english-ewt/train.tsv"))
    dev = read_conll(dataset("ud-english-ewt/dev.tsv"))
    words, tags = train.words[:2000], train.tags[:2000]
    simple = MostFrequentTag().fit(words, tags).score(dev.words[:300], dev.tags[:300])
    model = HMMTagger().fit(words, tags)
    assert 0.80 < simple < model.score(dev.words[:300], dev.tags[:300]) - 0.04


def test_real_names():
    train = read_conll(dataset("wnut17/wnut17train.conll"))
    dev = read_conll(dataset("wnut17/emerging.dev.conll"))
    model = HMMTagger().fit(train.words, train.tags)
    simple = MostFrequentTag().fit(train.words, train.tags)
    scores = [score_spans(dev.tags, m.predict(dev.words)).f1 for m in (simple, model)]
    assert scores[0] < scores[1]
    assert scores[1] > 0.1
