import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import (
    allowed_transitions,
    find_scheme,
    find_spans,
    read_conll,
    score_spans,
    token_accuracy,
)
from recurro.data.spans import SpanScores
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset

# The rules of conlleval, one border at a time: whether a span ends between the first
# tag and the second, and whether one starts there.
BORDERS = [
    ("B-x", "B-x", True, True),
    ("B-x", "I-x", False, False),
    ("B-x", "E-x", False, False),
    ("B-x", "O", True, False),
    ("B-x", "I-y", True, True),
    ("B-x", "B-y", True, True),
    ("I-x", "B-x", True, True),
    ("I-x", "I-x", False, False),
    ("I-x", "E-x", False, False),
    ("I-x", "O", True, False),
    ("I-x", "I-y", True, True),
    ("I-x", "E-y", True, True),
    ("O", "B-x", False, True),
    ("O", "I-x", False, True),
    ("O", "E-x", False, True),
    ("O", "O", False, False),
    ("E-x", "E-x", True, True),
    ("E-x", "I-x", True, True),
    ("E-x", "O", True, False),
    ("E-x", "I-y", True, True),
    # What later versions of the program add for single words.
    ("E-x", "B-x", True, True),
    ("B-x", "S-x", True, True),
    ("I-x", "S-x", True, True),
    ("O", "S-x", False, True),
    ("S-x", "I-x", True, True),
    ("S-x", "E-x", True, True),
    ("S-x", "S-x", True, True),
    ("S-x", "O", True, False),
]


@pytest.mark.parametrize(("before", "now", "ends", "starts"), BORDERS)
def test_borders(before, now, ends, starts):
    spans = find_spans([before, now])
    assert any(end == 1 for _, _, end in spans) == ends
    assert any(start == 1 for _, start, _ in spans) == starts


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        # The same two spans, side by side, in three schemes.
        ("I-x I-x B-x O", [("x", 0, 2), ("x", 2, 3)]),
        ("B-x I-x B-x O", [("x", 0, 2), ("x", 2, 3)]),
        ("B-x E-x S-x O", [("x", 0, 2), ("x", 2, 3)]),
        ("B-x L-x U-x O", [("x", 0, 2), ("x", 2, 3)]),
        ("B-x I-x I-x", [("x", 0, 3)]),
        ("B-creative-work I-creative-work", [("creative-work", 0, 2)]),
        ("O I-x I-y I-y O I-x", [("x", 1, 2), ("y", 2, 4), ("x", 5, 6)]),
        ("B I I O", [("", 0, 3)]),
        ("O O", []),
        ("", []),
    ],
)
def test_spans(tags, spans):
    assert find_spans(tags.split()) == spans


def test_published_scores():
    # https://www.clips.uantwerpen.be/conll2000/chunking/output.html: 459 phrases, found
    # 539, correct 371: precision 68.83, recall 80.83, FB1 74.35.
    scores = SpanScores(gold=459, predicted=539, correct=371, by_type={})
    figures = (scores.precision, scores.recall, scores.f1)
    assert [round(100 * figure, 2) for figure in figures] == [68.83, 80.83, 74.35]


def test_scores_by_hand():
    gold = [["B-NP", "I-NP", "O", "B-VP"], ["B-NP", "B-NP"], ["B-PP"]]
    predicted = [["B-NP", "I-NP", "O", "B-NP"], ["B-NP", "I-NP"], ["O"]]
    scores = score_spans(gold, predicted)
    assert (scores.gold, scores.predicted, scores.correct) == (5, 3, 1)
    assert (scores.precision, scores.recall, scores.f1) == (1 / 3, 1 / 5, 2 / 8)
    assert list(scores.by_type) == ["NP", "PP", "VP"]
    nouns = scores.by_type["NP"]
    assert (nouns.gold, nouns.predicted, nouns.correct) == (3, 3, 1)
    assert scores.by_type["VP"].precision == scores.by_type["VP"].recall == 0
    assert token_accuracy(gold, predicted) == 4 / 7
    assert score_spans([["O"]], [["O"]]).f1 == 0


def test_a_span_counts_only_with_both_borders_and_its_type():
    gold = [["B-x", "I-x", "I-x"]]
    for wrong in (["B-x", "I-x", "O"], ["O", "B-x", "I-x"], ["B-y", "I-y", "I-y"]):
        assert score_spans(gold, [wrong]).correct == 0
    assert score_spans(gold, [["I-x", "I-x", "E-x"]]).f1 == 1  # another scheme


KINDS = {"IOB1": "BI", "IOB2": "BI", "IOBES": "BIES"}


@st.composite
def tagged(draw, scheme):
    """Spans of a sentence, and its tags in a scheme."""
    tags, spans, before = [], [], None
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["O", "x", "y"]))
        size = draw(st.integers(1, 3))
        start = len(tags)
        if kind == "O":
            tags += ["O"] * size
        else:
            spans.append((kind, start, start + size))
            prefixes = ["I"] * size
            if scheme != "IOB1" or before == kind:
                prefixes[0] = "B"
            if scheme == "IOBES":
                prefixes[-1] = "S" if size == 1 else "E"
            tags += [f"{prefix}-{kind}" for prefix in prefixes]
        before = kind
    return tags, spans


@pytest.mark.parametrize("scheme", KINDS)
@given(data=st.data())
def test_every_scheme_is_read_and_allowed(scheme, data):
    tags, spans = data.draw(tagged(scheme))
    assert find_spans(tags) == spans
    names = ["O", *(f"{p}-{kind}" for kind in "xy" for p in KINDS[scheme])]
    allowed = allowed_transitions(names, scheme)
    path = [-1, *map(names.index, tags), -1]
    if tags:
        assert allowed[path[:-1], path[1:]].all()


@pytest.mark.parametrize("scheme", KINDS)
@given(data=st.data())
def test_what_is_allowed_is_of_the_scheme(scheme, data):
    """A walk along what is allowed, written anew from its spans, is the same."""
    names = ["O", *(f"{p}-{kind}" for kind in "xy" for p in KINDS[scheme])]
    allowed = allowed_transitions(names, scheme)
    tags, now = [], -1
    for _ in range(data.draw(st.integers(1, 8))):
        now = data.draw(st.sampled_from(np.flatnonzero(allowed[now, :-1]).tolist()))
        tags.append(names[now])
    if allowed[now, -1]:
        again, before = ["O"] * len(tags), ("", 0, 0)
        for span in find_spans(tags):
            kind, start, end = span
            again[start:end] = [f"I-{kind}"] * (end - start)
            if scheme != "IOB1" or (before[0], before[2]) == (kind, start):
                again[start] = f"B-{kind}"
            if scheme == "IOBES":
                again[end - 1] = f"{'S' if end - start == 1 else 'E'}-{kind}"
            before = span
        assert again == tags


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["O B-x I-x", "B-y"], "IOB2"),
        (["O I-x I-x", "I-y"], "IOB1"),
        (["I-x B-x"], "IOB1"),
        (["B-x I-x", "O I-y"], "IOB2"),  # the last one breaks it
        (["B-x E-x"], "IOBES"),
        (["U-x"], "IOBES"),
        (["O O"], None),
        (["NOUN VERB"], None),
        (["-LRB- NN"], None),
        ([], None),
    ],
)
def test_find_scheme(sentences, scheme):
    assert find_scheme([sentence.split() for sentence in sentences]) == scheme


def test_real_names_are_iob2():
    for name in ("wnut17train.conll", "emerging.dev.conll"):
        tags = read_conll(dataset(f"wnut17/{name}")).tags
        assert find_scheme(tags) == "IOB2"
        assert score_spans(tags, tags).f1 == 1


def test_bad_input(unchecked):
    for tag in ("NOUN", "X-x", "", "-x", "O-x"):
        with pytest.raises(DataError, match=f"got '{tag}'"):
            find_spans(["O", tag])
    with pytest.raises(DataError, match="for all 2 sentences, got 1"):
        score_spans([["O"], ["O"]], [["O"]])
    with pytest.raises(DataError, match=r"sentence 2 must have .* 1 words, got 2"):
        token_accuracy([["A"], ["B"]], [["A"], ["B", "B"]])
    with pytest.raises(DataError, match="must be a word"):
        token_accuracy([[]], [[]])
    with pytest.raises(ArgumentError, match="scheme must be one of IOB1, IOB2, IOBES"):
        allowed_transitions(["O"], "BIO")
    with pytest.raises(DataError, match="of the scheme IOB2, got 'S-x'"):
        allowed_transitions(["O", "S-x"], "IOB2")
