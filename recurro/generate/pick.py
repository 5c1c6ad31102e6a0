"""The likeliest next ids of many rows, without all log-probabilities at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from recurro.types import Float, Int, State, Stepper

__all__ = ["Picked", "Tell", "Telling", "pick", "top"]

_ROWS = 128
"""Rows whose log-probabilities are there at once: few enough to stay in the cache."""

_WIDE, _BLOCK = 1000, 100
"""From so many ids on they are searched by blocks of so many."""

Tell: TypeAlias = Callable[[slice], Tensor]
"""Log P of the next id for some of the rows ``(rows, vocab)``."""


@runtime_checkable
class Telling(Stepper, Protocol):
    """A stepper that puts off its log-probabilities until some rows are asked for."""

    def go(self, state: State, tokens: Tensor) -> tuple[State, Tensor]:
        """Read ids ``(batch,)``; give what ``tell`` is to be asked with, by rows."""
        ...

    def tell(self, seen: Tensor) -> Tensor:
        """The log-probabilities of rows that ``go`` gave ``(rows, vocab)``."""
        ...


class Picked(NamedTuple):
    """What may come next of each row.

    Attributes:
        ids: The likeliest ids ``(rows, k)``, the best first, by rules.
        ruled: What these are sorted by ``(rows, k)``.
        log_probs: Their log P by the model itself ``(rows, k)``.
        likeliest: The greatest log P of any id ``(rows,)``.
        stop: Log P of the stop after rules, and by the model ``(rows, 2)``.
    """

    ids: Int[Tensor, "rows k"]
    ruled: Float[Tensor, "rows k"]
    log_probs: Float[Tensor, "rows k"]
    likeliest: Float[Tensor, " rows"]
    stop: Float[Tensor, "rows 2"]


def pick(
    tell: Tell,
    rows: int,
    count: int,
    *,
    rule: Callable[[Tensor, slice], Tensor] | None = None,
    stop: int | None = None,
    apart: bool = True,
) -> Picked:
    """Pick the likeliest ids of each row.

    Args:
        tell: The log-probabilities of some rows.
        rows: How many rows there are.
        count: How many ids of each, at most.
        rule: What changes the log-probabilities of some rows.
        stop: The id that ends a sequence.
        apart: Whether rows may be asked for a part at a time.
    """
    step = _ROWS if apart else rows
    parts = []
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        log_probs = tell(part)
        ruled = log_probs if rule is None else rule(log_probs, part)
        best, ids = top(ruled, min(count, ruled.shape[1]))
        end = 0 if stop is None else stop
        parts.append(
            Picked(
                ids,
                best,
                best if rule is None else log_probs.gather(1, ids),
                best[:, 0] if rule is None else log_probs.amax(-1),
                torch.stack([ruled[:, end], log_probs[:, end]], 1),
            )
        )
    return Picked(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def top(values: Float[Tensor, "rows n"], k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` greatest values of each row and their places, the greatest first.

    The greatest ``k`` of a row lie in the ``k`` of its blocks whose greatest values are
    the greatest, so that few are sorted.

    Example:
        >>> values = torch.arange(2500.0)[None]
        >>> top(values, 2)
        (tensor([[2499., 2498.]]), tensor([[2499, 2498]]))
    """
    rows, n = values.shape
    blocks = n // _BLOCK
    if n < _WIDE or blocks <= k:
        return values.topk(k)
    whole = values[:, : blocks * _BLOCK].unflatten(1, (blocks, _BLOCK))
    found = whole.amax(-1).topk(k, sorted=False).indices
    among = whole.gather(1, found.unsqueeze(-1).expand(-1, -1, _BLOCK)).flatten(1)
    places = found.unsqueeze(-1) * _BLOCK + torch.arange(_BLOCK, device=values.device)
    rest = torch.arange(blocks * _BLOCK, n, device=values.device).expand(rows, -1)
    among = torch.cat([among, values[:, blocks * _BLOCK :]], 1)
    best, order = among.topk(k)
    return best, torch.cat([places.flatten(1), rest], 1).gather(1, order)
