"""Networks that read something and then write a sequence: the third scheme."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from recurro.nn.decoder import Decoder
from recurro.nn.dropout import VariationalDropout
from recurro.nn.memory import Memory
from recurro.nn.pooling import Pooling
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import TaughtNetwork
from recurro.types import Batch, State

__all__ = ["Encoder", "SequenceEncoder", "WritingNetwork"]


class Encoder(Protocol):
    """What reads a batch and leaves a memory of it: any module of this form."""

    def __call__(self, batch: Batch) -> Memory:
        """Read the inputs of a batch."""
        ...


class SequenceEncoder(nn.Module):
    """Reads sequences by recurrences, one upon the other.

    Its memory: the output at each step; as summary the last step's, of the half that
    reads backward the first step's; the final state of all layers.

    Args:
        inputs: From inputs ``(time, batch, ...)`` to ``(time, batch, input)``: an
            embedding, a linear layer, or ``nn.Identity()``.
        recurrents: One or more, each reading the output of the one before; so a layer
            in both directions may carry others that read forward alone.
        dropout: Probability of dropping a unit that a recurrence reads, one mask for
            all steps.

    Example:
        >>> from recurro.cells import GRU
        >>> both = Recurrent(GRU(), 4, 3, bidirectional=True)
        >>> upper = Recurrent(GRU(), 6, 6)
        >>> encoder = SequenceEncoder(nn.Embedding(10, 4), [both, upper])
        >>> tokens = torch.ones(5, 2, dtype=torch.long)
        >>> memory = encoder(Batch(tokens, tokens[0], torch.tensor([5, 3])))
        >>> memory.steps.shape, memory.summary.shape, len(memory.state)
        (torch.Size([5, 2, 6]), torch.Size([2, 6]), 3)
    """

    def __init__(
        self, inputs: nn.Module, recurrents: list[Recurrent], *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inputs, self.recurrents = inputs, nn.ModuleList(recurrents)
        self.dropout = VariationalDropout(dropout)
        top = recurrents[-1]
        self.output_size = top.output_size
        self.last = Pooling("last", top.output_size, directions=1 + top.bidirectional)

    def forward(self, batch: Batch) -> Memory:
        """Read the inputs."""
        x, lengths, state = self.inputs(batch.inputs), batch.lengths, []
        if lengths is None:
            lengths = torch.full(x.shape[1:2], len(x), device=x.device)
        for recurrent in self.recurrents:
            x, final = recurrent(self.dropout(x), lengths=lengths)
            state += final
        return Memory(x, lengths, self.last(x, lengths), tuple(state))

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        for recurrent in self.recurrents:
            assert isinstance(recurrent, Recurrent)
            recurrent.constrain()


class WritingNetwork(TaughtNetwork):
    """P(written | read) by an encoder and a decoder.

    Args:
        encoder: A module that is an ``Encoder``.
        decoder: What writes; kept as ``head``.

    Example:
        >>> from recurro.cells import GRU
        >>> words = nn.Embedding(10, 4)
        >>> encoder = SequenceEncoder(words, [Recurrent(GRU(), 4, 8)])
        >>> decoder = Decoder(
        ...     10, Recurrent(GRU(), 4, 8), stop=0, embedding=words, first="copy"
        ... )
        >>> network = WritingNetwork(encoder, decoder)
        >>> source, lengths = torch.ones(5, 2, dtype=torch.long), torch.tensor([5, 3])
        >>> batch = Batch(source, torch.tensor([4, 0, 5, 6, 0]), lengths)
        >>> network(batch)[1]
        5
    """

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.head = encoder, decoder

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, None]:
        """The summed loss in nats, the number of targets, and no state."""
        if not len(batch.targets):  # see ``Sequences.batch``
            return torch.zeros((), device=batch.inputs.device), 0, None
        loss = self.head.loss(self.encoder(batch), batch.targets)
        return loss, len(batch.targets), None

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.head.recurrent.constrain()
        if isinstance(self.encoder, SequenceEncoder):
            self.encoder.constrain()
