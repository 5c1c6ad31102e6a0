from __future__ import annotations

import numpy as np
import torch

from recurro.nn import Evidence


def by_hand(
    items: list[np.ndarray], targets: list[int], row: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """The scores of a row by kind and class, counted from the items anew."""
    total = np.zeros((3, 3))

    def score(feature: int) -> np.ndarray:
        counts = np.zeros(3)
        for item, target in zip(items, targets, strict=True):
            counts[target] += feature in item
        return np.log((counts + 3 * share) / (counts.sum() + 3)) - np.log(share)

    for step in row:
        total[0] += score(step[0]) if step[0] else 0
        total[1] += score(step[1]) if step[1] else 0
        pieces = [score(feature) for feature in step[2:] if feature]
        total[2] += np.mean(pieces, axis=0) if pieces else 0
    return total.ravel()


def test_counts_and_what_is_left_out() -> None:
    draw = np.random.default_rng(0)
    items = [draw.integers(0, 9, (n, 5)) for n in (3, 1, 4, 2, 6, 2, 5)]
    targets = [0, 1, 2, 0, 0, 1, 2]
    evidence = Evidence(8, 3)
    evidence.count([torch.from_numpy(i) for i in items], torch.tensor(targets))
    longest = max(map(len, items))
    x = np.zeros((longest, len(items), 5), np.int64)
    for row, item in enumerate(items):
        x[: len(item), row] = item
    found = evidence(torch.from_numpy(x))
    share = np.bincount(targets) / len(targets)
    expected = [by_hand(items, targets, item, share) for item in items]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    found = evidence(torch.from_numpy(x), torch.tensor(targets[:6]))
    for row, item in enumerate(items):
        left = [i for i in range(len(items)) if i != row or row == 6]  # all for the 7th
        expected = by_hand(
            [items[i] for i in left], [targets[i] for i in left], item, share
        )
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_what_was_never_seen_says_nothing() -> None:
    evidence = Evidence(8, 2)
    evidence.count([torch.tensor([[1, 2, 3]])] * 3, torch.tensor([0, 0, 1]))
    assert evidence(torch.tensor([[[7, 8, 6]]])).abs().max() < 1e-6
