from __future__ import annotations

import numpy as np
import pytest

from recurro.baselines.music import IndependentKeys, MarkovKeys
from recurro.data import read_pieces
from tests.datasets import dataset


@pytest.mark.parametrize("kind", [IndependentKeys, MarkovKeys])
def test_the_chances_of_all_that_may_follow_sum_to_one(kind) -> None:
    rolls = [np.random.default_rng(n).integers(0, 2, (9, 3)) * 1.0 for n in range(4)]
    model = kind().fit(rolls)
    frames = np.array([[n >> key & 1 for key in range(3)] for n in range(8)]) * 1.0
    total = sum(
        np.exp(model.log_probs(np.stack([rolls[0][0], frame]))[1]) for frame in frames
    )
    assert total == pytest.approx(1)


def test_by_hand() -> None:
    rolls = [np.array([[1.0], [1.0], [0.0]]), np.array([[0.0]])]
    assert IndependentKeys().fit(rolls).chance_ == pytest.approx(2.5 / 5)
    # After silence: on, off (the second piece); after sound: on, off.
    assert MarkovKeys().fit(rolls).chance_.ravel() == pytest.approx([1.5 / 3, 1.5 / 3])
    found = MarkovKeys().fit(rolls[:1]).log_probs(np.array([[1.0], [1.0]]))
    assert np.exp(found) == pytest.approx([1.5 / 2, 1.5 / 3])


def test_the_figures_of_the_chorales() -> None:
    """As computed apart from this code: 11.09 and 10.49 per frame after the first."""
    parts = read_pieces(dataset("jsb-chorales/jsb-chorales-quarter.json"))
    for kind, wanted in ((IndependentKeys, 11.09), (MarkovKeys, 10.49)):
        model = kind().fit(parts["train"])
        found = np.concatenate([model.log_probs(roll)[1:] for roll in parts["test"]])
        assert -found.mean() == pytest.approx(wanted, abs=0.02)
