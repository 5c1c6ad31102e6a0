"""Batches of pairs: each once, little padding, shared among processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurro.data import Sequences, padding, pair_batches, pair_groups
from recurro.errors import ArgumentError, DataError
from recurro.types import Shard
from tests.datasets import dataset


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    sources = draw.integers(3, 40, count)
    return sources, np.maximum(1, sources + draw.integers(-3, 4, count))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("shuffled", [False, True])
def test_each_pair_comes_once(batch_size: int, shuffled: bool) -> None:
    generator = torch.Generator().manual_seed(1) if shuffled else None
    groups = pair_groups(*drawn(500), batch_size, generator=generator)
    assert sorted(np.concatenate(groups)) == list(range(500))
    assert len(groups) == -(-500 // batch_size)
    assert max(map(len, groups)) <= (2 if shuffled else 1) * batch_size


def test_passes_differ_but_seeds_do_not() -> None:
    def groups(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        found = pair_groups(*drawn(300), 8, generator=generator)
        return [group.tolist() for group in found]

    assert groups(3) == groups(3)
    assert groups(3) != groups(4)


def test_translations_waste_little() -> None:
    folder = dataset("multi30k-en-de")
    lengths = [
        np.array([len(line.split()) for line in path.read_text("utf-8").splitlines()])
        for path in (folder / "train.de", folder / "train.en")
    ]
    for batch_size in (32, 64, 128):
        generator = torch.Generator().manual_seed(0)
        groups = pair_groups(*lengths, batch_size, generator=generator)
        assert max(padding(side, groups) for side in lengths) < 0.1
    some = [side[:2000] for side in lengths]  # few, in batches of different sizes
    groups = pair_groups(*some, 64, generator=torch.Generator().manual_seed(0))
    assert max(padding(side, groups) for side in some) < 0.1
    assert max(map(len, groups)) <= 128


def test_batches_hold_the_pairs() -> None:
    sources = Sequences.of([np.arange(1, n + 1) for n in (3, 1, 2)])
    targets = Sequences.of([np.array([7, 0]), np.array([0]), np.array([8, 9, 0])])
    batches = [
        list(pair_batches(sources, targets, 2, shard=Shard(rank, 2)))
        for rank in range(2)
    ]
    seen = [
        (batch.inputs.T.tolist(), batch.targets.tolist())
        for rank in batches
        for batch in rank
    ]
    assert sorted(targets for _, targets in seen) == [[], [0], [7, 0], [8, 9, 0]]
    assert len(batches[0]) == len(batches[1]) == 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="batch_size must be >= 1, got 0"):
        pair_groups(*drawn(3), 0)
    one, two = Sequences.of([np.ones(1)]), Sequences.of([np.ones(1)] * 2)
    with pytest.raises(DataError, match="each of 1 sources, got 2"):
        next(pair_batches(one, two, 4))
