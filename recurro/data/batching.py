"""Batches: running text in columns and chunks, and lines of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator

from recurro.data.corpus import Corpus
from recurro.errors import ArgumentError, DataError
from recurro.types import Batch, Shard

IGNORED = -1
"""The target that counts for nothing."""

_POOL = 64
"""Batches that are sorted by length together, if that leaves little padding."""

PADDING = 0.1
"""The share of padding above which more are."""

_MORE = 2
"""Times the wanted lines that a batch may have, where batches differ in size."""

_AREA = 4_000_000
"""Batches that are weighed against each other at once, as memory allows."""


@dataclass(frozen=True, eq=False)
class Columns:
    """A running text cut into columns that stand side by side.

    Column j reads ``ids[starts[j] : starts[j] + sizes[j]]`` and predicts the same one
    further, so that its last target is the first input of column j + 1: every token but
    the first is a target exactly once. Sizes differ by at most one.

    Attributes:
        ids: The text ``(tokens,)``.
        starts: Where each column starts ``(batch,)``.
        sizes: How many tokens each column reads ``(batch,)``.
        steps: The size of the longest column of all, also of those elsewhere.
    """

    ids: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    steps: int

    def batch(self, start: int, stop: int, *, fresh: bool) -> Batch:
        """The steps from ``start`` to before ``stop`` of all columns."""
        time = np.arange(start, stop)[:, None]
        place = np.minimum(self.starts + time, len(self.ids) - 2)
        targets = self.ids[place + 1].astype(np.int64)
        targets[time >= self.sizes] = IGNORED
        inputs = self.ids[place].astype(np.int64)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), fresh=fresh)


def shrink(
    tokens: int, batch_size: int, length: int, world: int = 1
) -> tuple[int, int, str | None]:
    """Make batch and chunk small enough for a short text.

    Each column is to be at least one chunk long; first the batch shrinks, then the
    chunk.

    Args:
        tokens: How many tokens the text has.
        batch_size: The wanted number of columns, >= 1.
        length: The wanted chunk length, >= 1.
        world: How many processes share the columns; each needs one.

    Returns:
        The batch size, the chunk length, and a line that says what was shrunk or
        ``None``.

    Raises:
        ArgumentError: If a number is below 1 or the batch smaller than the world.
        DataError: If the text has not even one target for each process.

    Example:
        >>> shrink(5, batch_size=64, length=100)[:2]
        (1, 4)
    """
    if batch_size < world or min(length, world) < 1:
        raise ArgumentError(
            f"batches: batch_size must be >= {max(world, 1)} (the processes) and "
            f"length >= 1, got {batch_size} and {length}."
        )
    targets = tokens - 1
    if targets < world:
        raise DataError(
            f"batches: the text must have at least {world + 1} tokens, got {tokens}. "
            "Give more text."
        )
    batch = max(world, min(batch_size, targets // length))
    chunk = min(length, -(-targets // batch))
    if (batch, chunk) == (batch_size, length):
        return batch, chunk, None
    return (
        batch,
        chunk,
        f"The text has only {tokens} tokens: batch size {batch_size} -> {batch}, chunk "
        f"length {length} -> {chunk}.",
    )


def columns(ids: np.ndarray, batch_size: int, shard: Shard | None = None) -> Columns:
    """Lay a running text out in columns, as PyTorch's word_language_model does.

    (That one also drops the last targets of each column; here none is dropped.)

    Args:
        ids: The text ``(tokens,)``.
        batch_size: The number of columns over all processes.
        shard: Which process this is; it gets its own part of the columns.

    Raises:
        ArgumentError: If the batch is smaller than the number of processes.
        DataError: If there are fewer targets than columns; see `shrink`.

    Example:
        >>> alphabet = np.arange(26)
        >>> batch = columns(alphabet, 4).batch(0, 6, fresh=True)
        >>> print(*("".join(chr(97 + i) for i in row) for row in batch.inputs))
        agms bhnt ciou djpv ekqw flrx
    """
    shard = shard or Shard()
    if batch_size < shard.world:
        raise ArgumentError(
            f"columns: batch_size must be >= {shard.world} (the number of processes), "
            f"got {batch_size}."
        )
    targets = len(ids) - 1
    if targets < batch_size:
        raise DataError(
            f"columns: a text of {len(ids)} tokens is too short for {batch_size} "
            "columns. Shrink the batch."
        )
    size, more = divmod(targets, batch_size)
    sizes = np.full(batch_size, size)
    sizes[batch_size - more :] += 1
    starts = np.cumsum(sizes) - sizes
    first, last = (batch_size * (shard.rank + i) // shard.world for i in (0, 1))
    return Columns(ids, starts[first:last], sizes[first:last], size + (more > 0))


def chunks(
    cols: Columns, length: int, *, generator: Generator | None = None
) -> Iterator[Batch]:
    """Cut columns into chunks of time, each with its targets.

    Args:
        cols: The columns.
        length: Steps in a chunk, >= 1.
        generator: Where given, each chunk has a random length as in AWD-LSTM: normal
            around ``length``, or in one of 20 cases around half of it, with a standard
            deviation of 5, and at least 5. (There the learning rate is scaled by the
            length of the chunk over ``length``.)

    Returns:
        The batches: ids ``(time, batch)``; only the first is ``fresh``. A target of -1,
        which only the last step of all can have, counts for nothing.

    Example:
        >>> text = np.array([7, 4, 11, 11, 14])  # hello
        >>> [batch] = chunks(columns(text, 1), 4)
        >>> batch.inputs.flatten().tolist(), batch.targets.flatten().tolist()
        ([7, 4, 11, 11], [4, 11, 11, 14])

    References:
        Merity, Keskar and Socher (2018), arXiv:1708.02182, section 5.
    """
    if length < 1:
        raise ArgumentError(f"chunks: length must be an int >= 1, got {length}.")
    start = 0
    while start < cols.steps:
        step = length if generator is None else _random_length(length, generator)
        stop = min(start + step, cols.steps)
        yield cols.batch(start, stop, fresh=start == 0)
        start = stop


def _random_length(length: int, generator: Generator) -> int:
    """A chunk length as AWD-LSTM draws it."""
    half = torch.rand((), generator=generator).item() >= 0.95
    mean = length / 2 if half else length
    drawn = mean + 5 * torch.randn((), generator=generator).item()
    return max(5, int(drawn))


def line_groups(
    lengths: np.ndarray,
    batch_size: int,
    *,
    generator: Generator | None = None,
) -> list[np.ndarray]:
    """Group lines of similar length into batches.

    Args:
        lengths: The length of each line ``(lines,)``.
        batch_size: How many lines to a group, >= 1; the last group may be smaller.
        generator: Where given, lines are shuffled, sorted by length within pools of 64
            batches (of four times as many as long as more than a tenth of the batches
            is padding), and the batches shuffled. Without, all are sorted by length.
            Where more than a tenth is padding even so, as of a few lines of very
            different lengths, batches differ in size; see `least_padded`.

    Returns:
        The line numbers of each group, as many groups as there are without; every line
        is in exactly one.

    Example:
        >>> [group.tolist() for group in line_groups(np.array([3, 1, 2]), 2)]
        [[1, 2], [0]]
    """
    if batch_size < 1:
        raise ArgumentError(f"batches: batch_size must be >= 1, got {batch_size}.")
    count = len(lengths)
    if generator is None:
        order = np.argsort(lengths, kind="stable")
        return [order[i : i + batch_size] for i in range(0, count, batch_size)]
    order = torch.randperm(count, generator=generator).numpy()
    pool = _POOL * batch_size
    groups = _in_pools(lengths, order, pool, batch_size)
    while pool < count and padding(lengths, groups) > PADDING:
        pool *= 4
        groups = _in_pools(lengths, order, pool, batch_size)
    if padding(lengths, groups) > PADDING:
        groups = least_padded(np.concatenate(groups), [lengths], batch_size)
    shuffled = torch.randperm(len(groups), generator=generator).tolist()
    return [groups[i] for i in shuffled]


def _in_pools(
    lengths: np.ndarray, order: np.ndarray, pool: int, batch_size: int
) -> list[np.ndarray]:
    """Batches of lines that are sorted by length within pools of so many lines."""
    groups = []
    for i in range(0, len(order), pool):
        part = order[i : i + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        groups += [part[j : j + batch_size] for j in range(0, len(part), batch_size)]
    return groups


def least_padded(
    order: np.ndarray, lengths: Sequence[np.ndarray], batch_size: int
) -> list[np.ndarray]:
    """Cut lines into batches of different sizes, so that least of them is padding.

    Long lines come in batches of few, short ones in batches of many, at most twice
    ``batch_size``. Of all ways to cut the lines of up to 64 batches into as many, the
    best one is found: with s(k, j) the least number of steps that k batches of the
    first j lines take, s(k, j) = min_n s(k - 1, j - n) + n max(lengths of the last n).

    Args:
        order: The numbers of the lines, those alike side by side ``(lines,)``.
        lengths: The length of each line, or several of each: of source and target.
        batch_size: How many lines to a batch on average, >= 1.

    Returns:
        The line numbers of each batch, as many as if all but the last had that size.

    Example:
        >>> lengths = np.array([2, 2, 2, 2, 9, 10])
        >>> [len(group) for group in least_padded(np.arange(6), [lengths], 3)]
        [4, 2]
    """
    batches = _AREA // (_MORE * batch_size**2)
    pool = batch_size * min(max(4, batches), _POOL)
    parts = [order[i : i + pool] for i in range(0, len(order), pool)]
    return [
        group
        for part in parts
        for group in np.split(part, _best_cuts([i[part] for i in lengths], batch_size))
    ]


def _best_cuts(lengths: Sequence[np.ndarray], batch_size: int) -> list[int]:
    """Where batches begin, but the first; see `least_padded`."""
    count = len(lengths[0])
    batches, most = -(-count // batch_size), min(_MORE * batch_size, count)
    area = np.full((most + 1, count + 1), np.inf)  # of n lines that end at j
    longest = np.zeros((len(lengths), count + 1))
    for n in range(1, most + 1):
        last = np.stack(lengths)[:, : count + 1 - n]
        longest[:, n:] = np.maximum(longest[:, n:], last)
        area[n, n:] = n * longest[:, n:].sum(0)
    steps = np.full(count + 1, np.inf)
    steps[0] = 0
    sizes = np.zeros((batches, count + 1), np.int64)
    for k in range(batches):
        before, steps = steps, np.full(count + 1, np.inf)
        for n in range(1, most + 1):
            found = before[: count + 1 - n] + area[n, n:]
            better = found < steps[n:]
            steps[n:][better], sizes[k, n:][better] = found[better], n
    cuts = [count]
    for k in reversed(range(batches)):
        cuts.append(cuts[-1] - int(sizes[k, cuts[-1]]))
    return cuts[-2:0:-1]


def padding(lengths: np.ndarray, groups: list[np.ndarray]) -> float:
    """The share of the steps of batches that only fill them up.

    Args:
        lengths: The length of each line ``(lines,)``.
        groups: The numbers of the lines in each batch.

    Example:
        >>> round(padding(np.array([3, 1]), [np.array([0, 1])]), 3)
        0.333
    """
    steps = sum(len(group) * int(lengths[group].max()) for group in groups)
    return float(1 - lengths.sum() / steps) if steps else 0.0


def line_batch(
    corpus: Corpus, rows: np.ndarray, labels: np.ndarray | None = None
) -> Batch:
    """Put lines side by side: each reads from a line end on and ends with its own.

    Args:
        corpus: A corpus of lines.
        rows: The line numbers ``(batch,)``. None at all gives one row without targets,
            so that a process without lines can keep step with the others.
        labels: The class id of every line of the corpus ``(lines,)``.

    Returns:
        Ids ``(time, batch)``, filled up with line ends, their targets -1; with lengths,
        and with the labels of the rows as ``condition``.
    """
    starts = corpus.starts
    lengths = starts[rows + 1] - starts[rows]
    time = np.arange(max(1, lengths.max(initial=0)))[:, None]
    if len(rows) == 0:
        rows, lengths = np.zeros(1, np.int64), np.zeros(1, np.int64)
    place = np.minimum(starts[rows] + time, len(corpus.ids) - 1)
    past = time >= lengths
    inputs = corpus.ids[place - 1].astype(np.int64)
    inputs[past] = corpus.ids[0]
    targets = corpus.ids[place].astype(np.int64)
    targets[past] = IGNORED
    return Batch(
        torch.from_numpy(inputs),
        torch.from_numpy(targets),
        lengths=torch.from_numpy(np.maximum(lengths, 1)),
        condition=None if labels is None else torch.from_numpy(labels[rows]),
    )


def line_batches(
    corpus: Corpus,
    batch_size: int,
    *,
    generator: Generator | None = None,
    shard: Shard | None = None,
    labels: np.ndarray | None = None,
) -> Iterator[Batch]:
    """Go through all lines of a corpus once, in batches of similar length.

    Args:
        corpus: A corpus of lines.
        batch_size: How many lines to a batch, over all processes.
        generator: Shuffles, see `line_groups`; the same on every process.
        shard: Which process this is: of ``world``, it gets every ``world``-th line of
            each batch.
        labels: The class id of every line ``(lines,)``, int64; see `line_batch`.

    Returns:
        The batches, each ``fresh``, as many on every process.
    """
    shard = shard or Shard()
    lines = len(corpus.starts) - 1
    if labels is not None and len(labels) != lines:
        raise DataError(
            f"line_batches: there must be a label for each of the {lines} lines, got "
            f"{len(labels)}. Take labels and lines from the same source."
        )
    lengths = np.diff(corpus.starts)
    for group in line_groups(lengths, batch_size, generator=generator):
        yield line_batch(corpus, group[shard.rank :: shard.world], labels)
