"""Pairs of sequences, each of a length of its own, in batches that waste little."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from recurro.data.batching import PADDING, least_padded, padding
from recurro.data.sequences import Sequences
from recurro.errors import ArgumentError, DataError
from recurro.types import Batch, Shard

__all__ = ["pair_batches", "pair_groups"]

_POOL = 256
"""Batches that are sorted by length together."""


def pair_groups(
    sources: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
) -> list[np.ndarray]:
    """Group pairs whose sources, and whose targets, are of similar length.

    Pairs are sorted by the target's length and cut into about as many bands as a band
    then has batches; each band is sorted by the source's length, in turn rising and
    falling, so that neighbours are alike in both.

    Args:
        sources: The length of each source ``(pairs,)``.
        targets: The length of each target ``(pairs,)``.
        batch_size: Pairs in a group, >= 1; the last group may be smaller.
        generator: Where given, pairs are shuffled before those within 256 batches are
            sorted, and groups after; the same pairs then meet in no two passes. Where
            more than a tenth of either side is padding, groups differ in size; see
            `least_padded`.

    Returns:
        The numbers of the pairs in each group; every pair is in exactly one.

    Raises:
        ArgumentError: If ``batch_size`` is below 1.

    Example:
        >>> lengths = np.array([5, 2, 5, 2]), np.array([3, 4, 3, 4])
        >>> [group.tolist() for group in pair_groups(*lengths, 2)]
        [[1, 3], [0, 2]]
    """
    if batch_size < 1:
        raise ArgumentError(f"batches: batch_size must be >= 1, got {batch_size}.")
    count = len(sources)
    order, pool = np.arange(count), max(count, 1)
    if generator is not None:
        order = torch.randperm(count, generator=generator).numpy()
        pool = _POOL * batch_size
    groups = []
    for start in range(0, count, pool):
        part = order[start : start + pool]
        part = part[np.argsort(targets[part], kind="stable")]
        bands = np.array_split(part, round(math.sqrt(-(-len(part) // batch_size))))
        turns = [
            band[np.argsort((-1) ** number * sources[band], kind="stable")]
            for number, band in enumerate(bands)
        ]
        part = np.concatenate(turns)
        groups += np.split(part, range(batch_size, len(part), batch_size))
    if generator is None:
        return groups
    pairs = [sources, targets]
    if max(padding(each, groups) for each in pairs) > PADDING:
        groups = least_padded(np.concatenate(groups), pairs, batch_size)
    shuffled = torch.randperm(len(groups), generator=generator).tolist()
    return [groups[number] for number in shuffled]


def pair_batches(
    sources: Sequences,
    targets: Sequences,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
    shard: Shard | None = None,
) -> Iterator[Batch]:
    """Go through all pairs once, in batches alike in both lengths.

    Args:
        sources: What is read.
        targets: What is to be written, each ended by its stop.
        batch_size: Pairs in a batch, over all processes.
        generator: Shuffles, see `pair_groups`; the same on every process.
        shard: Which process this is: of ``world``, it gets every ``world``-th pair of
            each batch.

    Returns:
        The batches, as many on every process: inputs ``(time, batch)`` or ``(time,
        batch, channels)`` with lengths, the targets one row after the other ``(ids,)``.

    Raises:
        DataError: If there are not as many targets as sources.
    """
    if len(sources) != len(targets):
        raise DataError(
            f"batches: there must be a target for each of {len(sources)} sources, got "
            f"{len(targets)}. Take both from the same source."
        )
    shard = shard or Shard()
    lengths = sources.lengths, targets.lengths
    for rows in pair_groups(*lengths, batch_size, generator=generator):
        yield sources.batch(rows[shard.rank :: shard.world], targets)
