"""n-gram language models: tables of probabilities with backoff weights."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

import numpy as np

from recurro.baselines.baseline import Baseline, Ids
from recurro.baselines.kneser_ney import kneser_ney
from recurro.errors import ArgumentError, DataError

__all__ = ["File", "NGramModel", "NGramTable"]

File: TypeAlias = Path | str | BinaryIO | BytesIO
"""A path, or a file open for bytes."""

_FORMAT = "recurro-ngram-1"
_BLOCK = 1 << 16
"""Tokens scored at a time: what they need fits into the cache."""


@dataclass(frozen=True, eq=False)
class NGramTable:
    """The n-grams of one order.

    Attributes:
        keys: ``(number of the context) * size + (last token)`` of each ``(ngrams,)``,
            int64, sorted; the context is an n-gram of the order below, numbered by its
            place there.
        log_probs: Natural log P(last token | context) of each, float32.
        backoffs: Natural log of the weight of each as a context, by which the
            probability under the shorter context counts where no longer n-gram is
            found, float32.
    """

    keys: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The number of the n-gram with each key; -1 where there is none."""
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = -1
        if len(self.keys):
            places[self.keys[places] != keys] = -1
        return places


class NGramModel(Baseline):
    r"""An n-gram model, by default interpolated modified Kneser–Ney of all orders.

    P(w | h) = p(h w) if the n-gram h w is in the table, else backoff(h) P(w | h')

    with h' the context h without its first token. `fit` sets p and backoff as the
    module ``kneser_ney`` says; ``read_arpa`` takes them from a file. Memory: 16 bytes
    for each different n-gram of each order.

    Args:
        size: How many symbols the vocabulary has, at least 1. All get a share of the
            probability, seen or not.
        order: The longest n, at least 1.
        boundary: The id that ends a sentence and starts the next (both ``<s>`` and
            ``</s>``): no context reaches over it. ``None`` for running text.

    Attributes:
        tables_: One `NGramTable` for n = 1, 2, ..., ``order``.
        discounts_: The discounts D(1), D(2), D(3+) of each order; empty for a model
            read from an ARPA file, which does not tell them.
        fallback_: The orders n whose discounts could not be told from the text (there
            was no n-gram that came once, twice or three times, as in a small one), so
            that (0.5, 1, 1.5) was taken.

    Raises:
        ArgumentError: If an argument is out of its range.

    Example:
        >>> text = np.frombuffer(b"to be or not to be", np.uint8)
        >>> model = NGramModel(256, order=3).fit(text)
        >>> model.log_probs(text[-3:]).round(2)  # of b and e
        array([-1.93, -0.27])
        >>> model.fallback_
        (1, 2, 3)
    """

    def __init__(
        self, size: int, order: int = 5, *, boundary: int | None = None
    ) -> None:
        super().__init__(size)
        if not isinstance(order, int) or order < 1:
            raise ArgumentError(
                f"NGramModel: order must be an int >= 1, got {order!r}. Use 1 for a "
                "model without context."
            )
        if boundary is not None and not 0 <= boundary < size:
            raise ArgumentError(
                f"NGramModel: boundary must be an id from 0 to {size - 1}, got "
                f"{boundary}. Pass None for running text."
            )
        self.order, self.boundary = order, boundary
        self.tables_: tuple[NGramTable, ...] = ()
        self.discounts_: tuple[tuple[float, float, float], ...] = ()
        self.fallback_: tuple[int, ...] = ()

    def fit(self, ids: Ids) -> Self:
        """Count and estimate; see `Baseline.fit`."""
        tokens = self._read(ids, least=2).astype(np.int64)
        keys, log_probs, backoffs, discounts, fallback = [], [], [], [], []
        orders = kneser_ney(tokens, self.size, self.order, self.boundary)
        for n, part in enumerate(orders, start=1):
            keys.append(part.keys)
            log_probs.append(_log(part.probs))
            backoffs.append(_log(part.gammas))
            discounts.append(part.discounts)
            fallback += [n] if part.fallback else []
        # The weights of the contexts come one order late; the longest are no contexts.
        backoffs = [*backoffs[1:], np.zeros(len(keys[-1]), np.float32)]
        self.tables_ = tuple(map(NGramTable, keys, log_probs, backoffs))
        self.discounts_, self.fallback_ = tuple(discounts), tuple(fallback)
        return self

    def log_probs(self, ids: Ids) -> np.ndarray:
        """Natural log P of all tokens but the first; see `Baseline.log_probs`."""
        self._fitted()
        ids, reach = self._read(ids), self.order - 1
        result = np.empty(max(len(ids) - 1, 0))
        for start in range(0, len(result), _BLOCK):
            before = min(start, reach)
            tokens = ids[start - before : start + _BLOCK + 1].astype(np.int64)
            result[start : start + _BLOCK] = self._score(tokens)[before:]
        return result

    def _score(self, tokens: np.ndarray) -> np.ndarray:
        """Natural log P of all tokens but the first, all orders for all tokens."""
        contexts, targets = tokens[:-1], tokens[1:]
        ended = contexts == self.boundary
        result = self.tables_[0].log_probs[targets].astype(np.float64)
        for shorter, table in pairwise(self.tables_):
            live = np.flatnonzero(contexts >= 0)
            if not len(live):
                break
            result[live] += shorter.backoffs[contexts[live]]
            found = table.find(contexts[live] * self.size + targets[live])
            live, found = live[found >= 0], found[found >= 0]
            result[live] = table.log_probs[found]
            # An n-gram that ends at a target is a context of the next.
            contexts = np.full(len(targets) + 1, -1)
            contexts[live + 1] = found
            contexts = contexts[:-1]
            contexts[ended] = -1
        return result

    def start(self, batch: int) -> np.ndarray:
        """The contexts ``(batch, order - 1)``: no n-gram has ended yet, -1."""
        return np.full((batch, self.order - 1), -1)

    def advance(self, contexts: np.ndarray, tokens: Ids) -> np.ndarray:
        """The number of the n-gram that ends in each text, for each n below order."""
        self._fitted()
        tokens = self._read(tokens).astype(np.int64)
        longer = self.start(len(tokens))
        longer[:, :1] = tokens[:, None]
        inside = tokens != self.boundary
        for n, table in enumerate(self.tables_[1:-1], start=1):
            live = np.flatnonzero((contexts[:, n - 1] >= 0) & inside)
            if not len(live):
                break
            longer[live, n] = table.find(
                contexts[live, n - 1] * self.size + tokens[live]
            )
        return longer

    def next_log_probs(self, contexts: np.ndarray) -> np.ndarray:
        """Natural log P(next) of all symbols; see `Baseline.next_log_probs`."""
        self._fitted()
        first = self.tables_[0].log_probs.astype(np.float64)
        result = np.tile(first, (len(contexts), 1))
        for n, (shorter, table) in enumerate(pairwise(self.tables_)):
            live = np.flatnonzero(contexts[:, n] >= 0)
            if not len(live):
                break
            known = contexts[live, n]
            result[live] += shorter.backoffs[known, None]
            # What may follow a context stands side by side in the table.
            starts = np.searchsorted(table.keys, known * self.size)
            counts = np.searchsorted(table.keys, (known + 1) * self.size) - starts
            skipped = starts - np.cumsum(counts) + counts
            found = np.arange(counts.sum()) + np.repeat(skipped, counts)
            words = table.keys[found] % self.size
            result[np.repeat(live, counts), words] = table.log_probs[found]
        return result

    def tokens_of(self, n: int, numbers: np.ndarray) -> np.ndarray:
        """The tokens ``(ngrams, n)`` of n-grams given by their numbers."""
        self._fitted()
        result = np.empty((len(numbers), n), np.int64)
        for place in reversed(range(n)):
            keys = self.tables_[place].keys[numbers]
            numbers, result[:, place] = keys // self.size, keys % self.size
        return result

    def save(self, file: File) -> None:
        """Write the model as ``.npz``; `load` reads it.

        Args:
            file: A path, or a file open for writing bytes.
        """
        self._fitted()
        if isinstance(file, Path | str):
            with Path(file).open("wb") as opened:
                self.save(opened)
            return
        tables = self.tables_
        np.savez_compressed(
            file,
            format=_FORMAT,
            size=self.size,
            boundary=-1 if self.boundary is None else self.boundary,
            lengths=[len(table.keys) for table in tables],
            keys=np.concatenate([table.keys for table in tables[1:]] or [_NO_KEYS]),
            log_probs=np.concatenate([table.log_probs for table in tables]),
            backoffs=np.concatenate([table.backoffs for table in tables]),
            discounts=np.reshape(self.discounts_, (-1, 3)),
            fallback=np.array(self.fallback_, np.int64),
        )

    @classmethod
    def load(cls, file: File) -> NGramModel:
        """Read a model that `save` wrote.

        Args:
            file: A path, or a file open for reading bytes.

        Raises:
            DataError: If it cannot be read or holds no such model.
        """
        name = file if isinstance(file, Path | str) else "the model"
        try:
            if isinstance(file, Path | str):
                with Path(file).open("rb") as opened:
                    return cls.load(opened)
            with np.load(file, allow_pickle=False) as parts:
                return _from_parts(dict(parts))
        except DataError:
            raise
        except (OSError, ValueError, KeyError, EOFError, *_BROKEN) as error:
            raise DataError(
                f"NGramModel.load: '{name}' must be a file that NGramModel.save wrote "
                f"({error}). Check the path, or train anew."
            ) from error

    def _fitted(self) -> None:
        if not self.tables_:
            raise ArgumentError(
                "NGramModel: the model must be fitted before it is used, got one "
                "without tables. Call fit, load it, or read an ARPA file."
            )


_NO_KEYS = np.zeros(0, np.int64)
_BROKEN = (zipfile.BadZipFile, zlib.error, IndexError, TypeError, MemoryError)


def _log(probs: np.ndarray) -> np.ndarray:
    """Natural logarithms; what rounding put over 1 is 1."""
    return np.minimum(np.log(probs), 0).astype(np.float32)


def _from_parts(parts: dict[str, np.ndarray]) -> NGramModel:
    """The model that `NGramModel.save` took apart; ValueError if it is none."""
    if str(parts["format"]) != _FORMAT:
        raise ValueError(f"its format is {parts['format']}, not {_FORMAT}")
    size, lengths = int(parts["size"]), parts["lengths"].tolist()
    keys, log_probs, backoffs = parts["keys"], parts["log_probs"], parts["backoffs"]
    sizes = {sum(lengths), size + len(keys), len(log_probs), len(backoffs)}
    if len(sizes) > 1 or lengths[0] != size or min(lengths) < 0:
        raise ValueError("its parts do not fit together")
    keys = np.concatenate([np.arange(size), keys])
    boundary = int(parts["boundary"])
    model = NGramModel(size, len(lengths), boundary=None if boundary < 0 else boundary)
    cuts = np.cumsum(lengths)[:-1]
    split = (np.split(part, cuts) for part in (keys, log_probs, backoffs))
    model.tables_ = tuple(map(NGramTable, *split))
    for shorter, table in pairwise(model.tables_):
        check_keys(table.keys, len(shorter.keys) * size)
    if not (np.isfinite(log_probs).all() and np.isfinite(backoffs).all()):
        raise ValueError("some of its numbers are not finite")
    model.discounts_ = tuple(map(tuple, parts["discounts"].tolist()))
    model.fallback_ = tuple(parts["fallback"].tolist())
    return model


def check_keys(keys: np.ndarray, end: int) -> None:
    """Refuse keys that do not rise or are not in ``0 .. end - 1``."""
    if keys.dtype != np.int64 or (np.diff(keys) <= 0).any():
        raise ValueError("its n-grams are not sorted")
    if len(keys) and not 0 <= keys[0] <= keys[-1] < end:
        raise ValueError("its n-grams have contexts that do not exist")
