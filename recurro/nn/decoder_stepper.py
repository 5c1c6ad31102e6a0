"""A decoder seen from a search, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn

from recurro.engine import Stream
from recurro.errors import ArgumentError, ShapeError
from recurro.nn.attention import Sought
from recurro.nn.memory import Carried, Fed, Layers, Memory, rows_of
from recurro.nn.recurrent import Recurrent
from recurro.types import Float, Int, State

__all__ = ["DecoderStepper", "Run", "Ticking"]

Run: TypeAlias = Callable[[Tensor, Layers], tuple[Tensor, Layers]]
"""One step of the recurrence: input and state in, output and state out."""

_LEAST = 1e-6
"""The least that memory counts as looked at, so that its logarithm is finite."""


class Ticking(Protocol):
    """A decoder that goes on by one step."""

    embedding: nn.Embedding
    softmax: nn.Linear
    recurrent: Recurrent

    def feed(self, memory: Memory) -> Fed:
        """Make a memory ready for stepping."""
        ...

    def begin(self, memory: Memory, batch: int) -> Carried:
        """What the first step goes on from."""
        ...

    def tick(
        self, e: Tensor, carried: Carried, fed: Fed, run: Run
    ) -> tuple[Carried, Tensor, Tensor | None]:
        """One step: what goes on, what the softmax reads, and where it looked."""
        ...


@dataclass(frozen=True)
class DecoderStepper:
    """A decoder seen from a search; a ``Stepper``, begun by its stop as prompt.

    It is stepped with as many rows as memory has, or with k times as many: those of the
    first row of memory, then those of the second, and so on. Memory is not copied, nor
    gathered when rows are selected, so that a row may only be replaced by one of the
    same memory, as a beam search does. It keeps the weights that it first steps with:
    build another after further training. One thread may use it at a time.

    Attributes:
        decoder: The decoder, in evaluation mode.
        memory: What was read.
        coverage: Whether the state holds where attention has looked.
    """

    decoder: Ticking
    memory: Memory
    coverage: bool = False
    _streams: dict[int, Stream] = field(default_factory=dict, repr=False, compare=False)
    _feeds: dict[int, Fed] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @torch.no_grad()
    def init(self, batch_size: int) -> State:
        """The first state of each row of memory."""
        self._feeds.clear()
        decoder, rows = self.decoder, rows_of(self.memory)
        if rows not in (None, batch_size):
            raise ShapeError(
                f"Decoder: memory must have a row for each of {batch_size} prompts, "
                f"got {rows}."
            )
        self._feeds[batch_size] = fed = decoder.feed(self.memory)
        carried = decoder.begin(self.memory, batch_size)
        if not self.coverage:
            return carried.layers, carried.y
        assert fed.sought is not None
        return (
            carried.layers,
            carried.y,
            fed.sought.values.new_zeros(fed.sought.values.shape[:2]),
        )

    def step(self, state: State, tokens: Int[Tensor, " batch"]) -> tuple[State, Tensor]:
        """Read ids; give the log-probabilities of the next ``(batch, vocab)``."""
        state, seen = self.go(state, tokens)
        return state, self.tell(seen)

    @torch.no_grad()
    def go(self, state: State, tokens: Int[Tensor, " batch"]) -> tuple[State, Tensor]:
        """Read ids; give what the softmax reads of each row ``(batch, output)``."""
        decoder, stream = self.decoder, self._stream(len(tokens))

        def run(x: Tensor, layers: Layers) -> tuple[Tensor, Layers]:
            stream.restore(layers)
            y = stream.step(x).clone()
            return y, stream.state()

        e = decoder.embedding(tokens)
        carried = Carried(state[0], state[1])
        carried, d, weights = decoder.tick(e, carried, self._fed(len(tokens)), run)
        if self.coverage:
            return (*carried, state[2] + weights), d
        return tuple(carried), d

    @torch.no_grad()
    def tell(self, seen: Float[Tensor, "rows output"]) -> Float[Tensor, "rows vocab"]:
        """The log-probabilities of rows that ``go`` gave."""
        return torch.log_softmax(self.decoder.softmax(seen), -1)

    def select(self, state: State, rows: Int[Tensor, " batch"]) -> State:
        """The state of the named rows."""
        layers, *rest = state
        picked = tuple(tuple(variable[rows] for variable in layer) for layer in layers)
        return (picked, *(variable[rows] for variable in rest))

    def keep(self, rows: Int[Tensor, " kept"]) -> DecoderStepper:
        """The same for some of the rows of memory; states are selected apart."""
        kept = self.over(self.memory)
        sought, summary = self._feeds[next(iter(self._feeds))]
        if sought is not None:
            beyond = None if sought.beyond is None else sought.beyond[rows]
            sought = Sought(sought.keys[rows], sought.values[rows], beyond)
        kept._feeds[len(rows)] = Fed(sought, None if summary is None else summary[rows])
        return kept

    def over(self, memory: Memory) -> DecoderStepper:
        """The same over other memory."""
        return DecoderStepper(self.decoder, memory, self.coverage, self._streams)

    def covered(self, state: State) -> Float[Tensor, " batch"]:
        """How much of memory each row has not looked at, as a penalty.

        sum_s log(min(sum_t a_ts, 1)) over the steps of memory that count, at most 0.

        Raises:
            ArgumentError: If it was built without ``coverage``.

        References:
            Wu et al. (2016), arXiv 1609.08144, equation 14, without its beta.
        """
        if not self.coverage:
            raise ArgumentError(
                "DecoderStepper: covered needs coverage=True. Ask for it in stepper."
            )
        looked = state[2]
        sought = self._fed(len(looked)).sought
        assert sought is not None
        penalty = looked.clamp(_LEAST, 1).log()
        if sought.beyond is not None:
            copies = len(looked) // len(sought.beyond)
            beyond = sought.beyond[:, 0].repeat_interleave(copies, 0)
            penalty = penalty.masked_fill(beyond, 0)
        return penalty.sum(1)

    def _stream(self, rows: int) -> Stream:
        """One of so many rows; all have the weights of the widest."""
        if rows not in self._streams:
            widest = self._streams.get(max(self._streams, default=0))
            if widest is None or widest.batch_size < rows:
                widest = self.decoder.recurrent.stream(rows)
                self._streams.clear()
            self._streams[rows] = widest.first(rows)
            self._streams.setdefault(widest.batch_size, widest)
        return self._streams[rows]

    def _fed(self, rows: int) -> Fed:
        """The memory for so many rows."""
        if rows not in self._feeds:
            first = next(iter(self._feeds))
            sought, summary = self._feeds[first]
            if summary is not None:
                summary = summary.repeat_interleave(rows // first, 0)
            self._feeds[rows] = Fed(sought, summary)
        return self._feeds[rows]
