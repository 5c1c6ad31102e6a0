"""What is held out: a part that nothing is learnt from, and that lacks no class."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recurro import SequenceClassifier
from recurro.data import Sequences
from recurro.tasks.sequence_runs import read_examples
from recurro.tasks.vector_task import held_out_rows
from recurro.tasks.windows import groups_of

SMALL = {"hidden_size": 4, "epochs": 1, "backend": "vendor"}


@pytest.mark.parametrize("seed", range(5))
def test_no_class_of_an_item_or_of_a_step_is_held_out_alone(seed):
    ids = np.array([0] * 20 + [1] * 3 + [2])
    steps = Sequences.of([np.array([0, 0]), *(np.array([0, k]) for k in ids)])
    for targets in (ids, steps):
        rows = held_out_rows(targets, 0.5, seed, classes=True)
        rest = np.setdiff1d(np.arange(len(targets)), rows)
        left = targets[rest]
        seen = left.values if isinstance(left, Sequences) else left
        assert set(seen) == {0, 1, 2}
        assert len(rows) >= 5


def test_a_group_with_a_class_of_its_own_stays_whole():
    targets, groups = np.array([0, 1, 0, 0, 0, 2]), np.array([0, 0, 1, 2, 3, 4])
    for seed in range(8):  # the first two are one group, and 1 is nowhere else
        rows = held_out_rows(targets, 0.5, seed, classes=True, groups=groups)
        assert not {0, 1, 5} & set(rows)


def test_equal_texts_and_sentences_belong_together():
    assert groups_of(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert groups_of([["a", "b"], ["ab"], ["a", "b"]]).tolist() == [0, 1, 0]


def test_equal_texts_are_on_one_side_and_classes_counted_on_the_other(tmp_path):
    texts = [f"{'ab'[n % 2]} {n % 20}" for n in range(60)]
    labels = [text[0] for text in texts]
    model = SequenceClassifier(**SMALL, held_out=0.3, out=tmp_path / "run")
    model.fit(texts, labels)
    (train, classes), (held, _) = read_examples(model.run_).parts()
    assert not set(train) & set(held)
    assert len(train) + len(held) == 60
    counts = json.loads((tmp_path / "run" / "classes.json").read_text())["items"]
    assert counts == np.bincount(classes).tolist()


def test_something_is_always_left_to_learn_from():
    for groups in ([0, 0, 0], [0, 1, 0]):
        for seed in range(4):
            rows = held_out_rows(
                np.arange(3.0), 0.9, seed, classes=False, groups=np.array(groups)
            )
            assert len(rows) == 0 if max(groups) == 0 else 0 < len(rows) < 3
