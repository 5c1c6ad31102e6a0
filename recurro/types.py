"""Names for what passes between the rooms: states, batches, tasks and steppers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:  # shapes are documentation where nothing checks them

        class _Shaped:
            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Bool = Float = Int = _Shaped

__all__ = [
    "Batch",
    "Bool",
    "Float",
    "Int",
    "Shard",
    "State",
    "Stepper",
    "Task",
    "detach",
]

State: TypeAlias = Any
"""A tensor, or a tuple of states: one per variable, per layer, per direction."""


def detach(state: State) -> State:
    """Cut a state from the graph that made it, however deep its tuples are.

    Args:
        state: A tensor, ``None``, or a tuple of states.

    Example:
        >>> h = torch.ones(2, requires_grad=True) * 2
        >>> detach((h, (h,)))[1][0].requires_grad
        False
    """
    if isinstance(state, tuple):
        return tuple(detach(part) for part in state)
    return state.detach() if isinstance(state, Tensor) else state


@dataclass(frozen=True)
class Shard:
    """The part of the data that one process owns: number ``rank`` of ``world``."""

    rank: int = 0
    world: int = 1


@dataclass(frozen=True)
class Batch:
    """What one training step reads.

    Attributes:
        inputs: Token ids ``(time, batch)`` or features ``(time, batch, feature)``.
        targets: What is to be predicted; a negative id counts for nothing.
        lengths: Steps that count in each row, or ``None`` where all do.
        condition: A class id per row; ids of what stands beside each, filled up with -1
            ``(batch, length)``; or ``None``.
        fresh: Whether the state starts anew here; if not, it goes on from the last
            batch.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    condition: Tensor | None = None
    fresh: bool = True

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)


class Task(Protocol):
    """All that a training run may know of a task.

    Attributes:
        network: ``network(batch, state)`` returns ``(loss, count, state)``: the *sum*
            of the losses, the number of items it sums over (a plain int), and the state
            to go on from.
    """

    network: nn.Module

    def batches(self, epoch: int, shard: Shard) -> Iterable[Batch]:
        """The batches of one pass, always the same for the same epoch and shard."""
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Scores on the part held out; the first rules, and lower is better."""
        ...


class Stepper(Protocol):
    """A sequence model seen from a decoder: tokens in, next log-probabilities out."""

    def init(self, batch_size: int) -> State:
        """The state before the first token."""
        ...

    def step(self, state: State, tokens: Tensor) -> tuple[State, Tensor]:
        """Read tokens ``(batch,)``; give log-probabilities ``(batch, vocab)``."""
        ...

    def select(self, state: State, rows: Tensor) -> State:
        """The state of the named rows ``(batch,)``, as a beam search reorders them."""
        ...
