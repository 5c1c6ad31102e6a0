"""Sequences of unequal length, of numbers or of symbols, end to end in one array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, overload

import numpy as np
import torch

from recurro.data.batching import line_groups
from recurro.data.tokens import Tokenizer
from recurro.errors import DataError, ItemError
from recurro.types import Batch, Shard

__all__ = [
    "Scaler",
    "Sequences",
    "Targets",
    "encode_texts",
    "join_series",
    "sequence_batches",
]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Many sequences in one array.

    Attributes:
        values: Symbol ids ``(steps,)``, int64, or numbers ``(steps, channels)``,
            float32; one sequence after the other.
        starts: Where each begins, and the end of the last ``(sequences + 1,)``, int64.
        beside: What stands beside each, such as the text that it writes: symbol ids,
            or ``None``.

    Example:
        >>> two = join_series([[[1.0], [2.0]], [[3.0]]])
        >>> len(two), two.lengths.tolist(), two.values.ravel().tolist()
        (2, [2, 1], [1.0, 2.0, 3.0])
    """

    values: np.ndarray
    starts: np.ndarray
    beside: Sequences | None = None

    def __len__(self) -> int:
        """How many sequences there are."""
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        """Each sequence, as a view."""
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """The steps of each sequence ``(sequences,)``."""
        return np.diff(self.starts)

    @overload
    def __getitem__(self, rows: int | np.integer) -> np.ndarray: ...
    @overload
    def __getitem__(self, rows: slice | np.ndarray) -> Sequences: ...
    def __getitem__(
        self, rows: int | np.integer | slice | np.ndarray
    ) -> np.ndarray | Sequences:
        """One sequence, as a view; or those of several numbers, in that order."""
        if isinstance(rows, int | np.integer):
            return self.values[self.starts[rows] : self.starts[rows + 1]]
        chosen = np.arange(len(self))[rows]
        beside = None if self.beside is None else self.beside[chosen]
        if len(chosen) == 0:
            return Sequences(self.values[:0], np.zeros(1, np.int64), beside)
        return replace(Sequences.of([self[row] for row in chosen]), beside=beside)

    @staticmethod
    def of(parts: Sequence[np.ndarray]) -> Sequences:
        """Join sequences, at least one, each ``(steps, ...)``."""
        starts = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=starts[1:])
        return Sequences(np.concatenate(parts), starts)

    def batch(self, rows: np.ndarray, targets: Targets) -> Batch:
        """Put sequences side by side, filled up with zeros at their ends.

        Args:
            rows: The numbers of the sequences ``(batch,)``. None at all gives one row
                of one step, and no target, so that a process without sequences can
                keep step with the others.
            targets: What is to be predicted of every sequence, or of its steps.

        Returns:
            Inputs ``(time, batch)`` or ``(time, batch, channels)``, with lengths; the
            targets one a row ``(batch,)``, or those of all steps, one row after the
            other ``(steps,)``; what stands beside as the condition ``(batch, length)``,
            filled up with -1.
        """
        picked = torch.from_numpy(flat(targets[rows]))
        starts, lengths = self.starts[rows], self.lengths[rows]
        if len(rows) == 0:
            starts, lengths = np.zeros(1, np.int64), np.ones(1, np.int64)
        time = np.arange(lengths.max())[:, None]
        inputs = self.values[np.minimum(starts + time, len(self.values) - 1)]
        inputs[time >= lengths] = 0
        return Batch(
            torch.from_numpy(inputs),
            picked,
            lengths=torch.from_numpy(lengths),
            condition=None if self.beside is None else self.beside.filled(rows),
        )

    def filled(self, rows: np.ndarray) -> torch.Tensor:
        """Sequences of symbols one a row ``(batch, length)``, filled up with -1.

        Args:
            rows: Their numbers; none at all gives one row of nothing.
        """
        found = np.full((max(1, len(rows)), self.lengths[rows].max(initial=1)), -1)
        for ids, row in zip(found, rows, strict=False):
            ids[: self.lengths[row]] = self[int(row)]
        return torch.from_numpy(found)


Targets: TypeAlias = np.ndarray | Sequences
"""What is said of each sequence, class ids or numbers ``(sequences,)``; or of each step
of each, as sequences of them."""


def flat(targets: Targets) -> np.ndarray:
    """All targets one after the other."""
    return targets.values if isinstance(targets, Sequences) else targets


def sequence_batches(
    sequences: Sequences,
    targets: Targets,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
    shard: Shard | None = None,
) -> Iterator[Batch]:
    """Go through all sequences once, in batches of similar length.

    Args:
        sequences: The sequences.
        targets: What is said of each, or of its steps.
        batch_size: Sequences in a batch, over all processes.
        generator: Shuffles, see `line_groups`; the same on every process.
        shard: Which process this is: of ``world``, it gets every ``world``-th sequence
            of each batch.

    Returns:
        The batches, each ``fresh``, as many on every process.
    """
    shard = shard or Shard()
    for rows in line_groups(sequences.lengths, batch_size, generator=generator):
        yield sequences.batch(rows[shard.rank :: shard.world], targets)


def join_series(
    series: Iterable[Any], *, channels: int | None = None, missing: bool = True
) -> Sequences:
    """Join sequences of numbers.

    Args:
        series: Each ``(time, channels)``, or ``(time,)`` for a single channel.
        channels: How many channels there must be; ``None`` for as many as the first
            sequence has.
        missing: Whether a number may be missing (NaN).

    Raises:
        DataError: If there is none, one is empty, has other channels than the first,
            is not made of numbers, or holds an infinite one; its number is named, from
            0.

    Example:
        >>> join_series([[[1.0, 2.0]], [[1.0]]])
        Traceback (most recent call last):
        recurro.errors.DataError: sequences: item 1 must have 2 channels as the others \
do, got 1. Mend it or leave it out.
    """
    parts: list[np.ndarray] = []
    for number, item in enumerate(series):
        part = _numbers(item, number)
        channels = part.shape[1] if channels is None else channels
        if part.shape[1] != channels:
            raise DataError(
                f"sequences: item {number} must have {channels} channels as the others "
                f"do, got {part.shape[1]}. Mend it or leave it out."
            )
        wrong = np.isinf(part) if missing else ~np.isfinite(part)
        if wrong.any():
            step, channel = np.argwhere(wrong)[0]
            raise DataError(
                f"sequences: item {number} must hold finite numbers, got "
                f"{part[step, channel]} at step {step}, channel {channel}. Mend it, or "
                "leave the item out."
            )
        parts.append(part)
    if not parts:
        raise DataError("sequences: must be at least one, got none. Give some data.")
    return Sequences.of(parts)


def _numbers(item: Any, number: int) -> np.ndarray:  # noqa: ANN401 (to be checked)
    """A sequence as ``(time, channels)``, float32."""
    try:
        part = np.asarray(item, np.float32)
    except (TypeError, ValueError):
        raise DataError(
            f"sequences: item {number} must be numbers (time, channels), got "
            f"{type(item).__name__} that is no such table. Give each step as many "
            "numbers as the others."
        ) from None
    part = part[:, None] if part.ndim == 1 else part
    if part.ndim != 2:
        raise DataError(
            f"sequences: item {number} must be (time, channels), got an array of shape "
            f"{part.shape}. Give a list of such tables."
        )
    if part.size == 0:
        raise DataError(
            f"sequences: item {number} must have at least one step and one channel, "
            f"got shape {part.shape}. Leave it out."
        )
    return part


def encode_texts(texts: Iterable[object], tokenizer: Tokenizer) -> Sequences:
    """Join texts as sequences of symbols, each with the end symbol of its line.

    Args:
        texts: The texts; white space around them is left out, and a newline within
            counts as a space.
        tokenizer: A tokenizer of lines.

    Raises:
        DataError: If there is none, one is no text or empty; its number is named, from
            0.
        VocabularyError: If a symbol is not in the vocabulary, where that is an error.

    Example:
        >>> tokenizer = Tokenizer.fit(["ab", "b"], "char", lines=True)
        >>> encode_texts(["ab", "b"], tokenizer).values.tolist()
        [1, 2, 0, 2, 0]
    """
    parts = [tokenizer.encode(text + "\n") for text in clean_texts(texts)]
    return Sequences.of([np.asarray(part, np.int64) for part in parts])


def clean_texts(texts: Iterable[object]) -> list[str]:
    """Texts as lines: no newline within, no white space around.

    Raises:
        DataError: If there is none, or one is no text or empty.
    """
    cleaned: list[str] = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"sequences: item {number} must be a text as the others are, got "
                f"{type(text).__name__}. Give texts or numbers, not both."
            )
        line = " ".join(text.splitlines()).strip()
        if not line:
            raise DataError(
                f"sequences: item {number} must hold some text, got none. Leave it out."
            )
        cleaned.append(line)
    if not cleaned:
        raise DataError("sequences: must be at least one, got none. Give some data.")
    return cleaned


@dataclass(frozen=True)
class Scaler:
    """Brings each channel to mean 0 and standard deviation 1, as learnt in training.

    x' = (x - m) / s, and for a missing number that of the last one known in its
    sequence, or 0 before the first; a channel that had missing numbers in training gets
    a companion that is 1 where a number is missing and 0 elsewhere.

    Attributes:
        mean: m of each channel.
        deviation: s of each channel; 1 for a constant one.
        flagged: The channels that have a companion.

    Example:
        >>> scaler = Scaler.fit(join_series([[0.0, 2.0], [float("nan"), 4.0, 6.0]]))
        >>> scaler.mean, scaler.flagged
        ((3.0,), (0,))
        >>> scaler(join_series([[3.0, float("nan")]])).values.tolist()
        [[0.0, 0.0], [0.0, 1.0]]

    References:
        Che et al. (2018), arXiv:1606.01865: its baselines GRU-Forward (the last known
        number) and GRU-Simple (the companion).
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    flagged: tuple[int, ...] = ()

    @staticmethod
    def fit(sequences: Sequences, names: Sequence[str] = ()) -> Scaler:
        """Learn means and deviations over all steps of all sequences.

        Args:
            sequences: The training part.
            names: What the channels are called, where they have names.

        Raises:
            DataError: If a channel has no number at all.
        """
        values = sequences.values.astype(np.float64)
        known = ~np.isnan(values)
        counts = known.sum(0)
        if not counts.all():
            empty = int(np.argmin(counts))
            named = f"column {names[empty]!r}" if names else f"channel {empty}"
            raise DataError(
                f"sequences: {named} must hold a number somewhere in the training "
                "part, all are missing. Leave it out."
            )
        mean = np.where(known, values, 0).sum(0) / counts
        spread = np.where(known, values - mean, 0)
        deviation = np.sqrt((spread**2).sum(0) / counts)
        deviation[deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0
        flagged = np.flatnonzero(counts < len(values))
        return Scaler(
            tuple(mean.tolist()), tuple(deviation.tolist()), tuple(flagged.tolist())
        )

    @property
    def width(self) -> int:
        """Channels of what it gives."""
        return len(self.mean) + len(self.flagged)

    def __call__(self, sequences: Sequences) -> Sequences:
        """The same sequences, scaled.

        Raises:
            DataError: If a number is missing in a channel that had all in training.
        """
        values = sequences.values
        gone = np.isnan(values)
        strange = np.flatnonzero(gone.any(0))
        strange = strange[~np.isin(strange, self.flagged)]
        if strange.size:
            at = int(np.argmax(gone[:, strange[0]]))
            item = int(np.searchsorted(sequences.starts, at, side="right")) - 1
            raise ItemError(
                *("sequences", item),
                "must hold a number, as all did in training, got NaN. Fill it in, or "
                "train on data that lack some there too.",
                step=at - int(sequences.starts[item]),
                channel=int(strange[0]),
            )
        scaled = (values - np.array(self.mean)) / np.array(self.deviation)
        scaled = _carried(scaled, gone, sequences)
        joined = np.concatenate([scaled, gone[:, list(self.flagged)]], axis=1)
        return Sequences(joined.astype(np.float32), sequences.starts)


def _carried(values: np.ndarray, gone: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Values ``(steps, channels)`` with the last known one where one is gone, or 0."""
    if not gone.any():
        return values
    step = np.arange(len(values))[:, None]
    known = np.maximum.accumulate(np.where(gone, -1, step), axis=0)
    begin = np.repeat(sequences.starts[:-1], sequences.lengths)[:, None]
    carried = np.take_along_axis(values, np.maximum(known, 0), axis=0)
    return np.where(known >= begin, carried, 0.0)
