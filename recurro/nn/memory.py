"""What a decoder is fed by, and what goes on from step to step of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from torch import Tensor

from recurro.nn.attention import Sought

__all__ = ["Carried", "Fed", "Layers", "Memory", "rows_of"]

Layers: TypeAlias = tuple[tuple[Tensor, ...], ...]
"""The state variables of each layer."""


@dataclass(frozen=True)
class Memory:
    """What an encoder leaves for a decoder; what is not needed may be ``None``.

    Attributes:
        steps: What attention looks into: states, or the places of a picture
            ``(source, batch, width)``.
        lengths: The steps of each row that count ``(batch,)``; ``None`` for all.
        summary: One vector for each row ``(batch, features)``.
        state: The final state variables of each layer, each ``(batch, units)``.
    """

    steps: Tensor | None = None
    lengths: Tensor | None = None
    summary: Tensor | None = None
    state: Layers | None = None


class Carried(NamedTuple):
    """What goes on from step to step of a decoder.

    Attributes:
        layers: The state of the recurrence.
        y: Its last output ``(rows, output)``, which the next look starts from.
    """

    layers: Layers
    y: Tensor


class Fed(NamedTuple):
    """A memory made ready for stepping.

    Attributes:
        sought: What attention looks into.
        summary: What enters at each step ``(rows, features)``.
    """

    sought: Sought | None
    summary: Tensor | None


def rows_of(memory: Memory) -> int | None:
    """How many rows a memory is of."""
    if memory.summary is not None:
        return len(memory.summary)
    if memory.steps is not None:
        return memory.steps.shape[1]
    return None if memory.state is None else len(memory.state[0][0])
