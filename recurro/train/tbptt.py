"""Truncated back-propagation through time: how far a gradient reaches, how often."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from recurro.errors import ArgumentError
from recurro.types import Batch, State, detach

__all__ = ["Carry", "Truncation", "tbptt"]


@dataclass(frozen=True)
class Truncation:
    """``tbptt(k1, k2)`` counted in chunks, the pieces in which a task gives its data.

    Attributes:
        chunk: Time steps of a chunk, min(k1, k2).
        window: Chunks that a gradient reaches back through.
        every: Chunks between two updates.
    """

    chunk: int
    window: int
    every: int


def tbptt(k1: int, k2: int) -> Truncation:
    """Update every ``k1`` time steps, with gradients through ``k2`` time steps.

    This is BPTT(h; h') with h = k2 and h' = k1: the losses of the last k1 steps flow
    back through k2 steps. Where k2 < k1, the losses of all k1 steps count, each within
    its own piece of k2 steps.

    Args:
        k1: Time steps between two updates, at least 1.
        k2: Time steps that a gradient reaches back, a multiple or divisor of ``k1``.

    Raises:
        ArgumentError: If one is below 1 or neither divides the other.

    Example:
        >>> tbptt(20, 60)
        Truncation(chunk=20, window=3, every=1)
        >>> tbptt(60, 20)
        Truncation(chunk=20, window=1, every=3)

    References:
        Williams and Peng (1990), doi:10.1162/neco.1990.2.4.490; Sutskever (2013),
        Training recurrent neural networks, section 2.8.6.
    """
    if min(k1, k2) < 1 or max(k1, k2) % min(k1, k2):
        raise ArgumentError(
            "tbptt: k1 and k2 must be at least 1 and one a multiple of the other, got "
            f"k1={k1} and k2={k2}. Make them equal for plain truncation."
        )
    chunk = min(k1, k2)
    return Truncation(chunk, window=k2 // chunk, every=k1 // chunk)


@dataclass
class Carry:
    """What goes from one chunk to the next: a state, and the chunks since that state.

    Attributes:
        window: Chunks that a gradient reaches back through.
        state: The detached state before the first of ``chunks``.
        chunks: The last ``window - 1`` chunks, which the next one reruns.
    """

    window: int
    state: State = None
    chunks: list[Batch] = field(default_factory=list)

    def forward(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """The loss of ``batch``, with a graph that reaches back ``window`` chunks.

        The network is rerun from the state before the window, so that the graph holds
        today's weights; only the loss of the last chunk is returned.

        Returns:
            The sum of the losses and the number of items.
        """
        if batch.fresh:
            self.reset()
        self.chunks.append(batch)
        loss, count, state = network(self.chunks[0], self.state)
        after_first = detach(state)
        for chunk in self.chunks[1:]:
            loss, count, state = network(chunk, state)
        if len(self.chunks) == self.window:
            self.state = after_first
            del self.chunks[0]
        return loss, count

    def state_dict(self) -> dict[str, Any]:
        """All that the next chunk depends on."""
        chunks = [
            {entry.name: getattr(chunk, entry.name) for entry in fields(chunk)}
            for chunk in self.chunks
        ]
        return {"state": self.state, "chunks": chunks}

    def load_state_dict(self, saved: dict[str, Any], device: torch.device) -> None:
        """Go on from what ``state_dict`` gave, on this device."""
        self.state = _moved(saved["state"], device)
        self.chunks = [Batch(**chunk).to(device) for chunk in saved["chunks"]]

    def reset(self) -> None:
        """Forget everything: the next chunk begins from the network's first state."""
        self.state = None
        self.chunks.clear()


def _moved(state: State, device: torch.device) -> State:
    """The state on another device, however deep its tuples are."""
    if isinstance(state, tuple):
        return tuple(_moved(part, device) for part in state)
    return state.to(device) if isinstance(state, Tensor) else state
