"""A recurrence that writes a sequence, fed by what was read before."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.errors import ArgumentError, ShapeError
from recurro.nn.attention import Attention
from recurro.nn.decoder_stepper import DecoderStepper, Run
from recurro.nn.dropout import check_probability, variational_dropout
from recurro.nn.loss import linear_cross_entropy
from recurro.nn.memory import Carried, Fed, Layers, Memory, rows_of
from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import Teller
from recurro.types import Float, Int

__all__ = ["Decoder", "First"]

First: TypeAlias = Literal["zeros", "summary", "copy"]
"""Where a decoder's first state comes from."""

_RANGE = 0.1
"""Embeddings and softmax weights begin within this, either side of 0."""


class Decoder(Teller):
    """P(written | memory), id by id, each sequence ended by the stop.

    With e_t = E[id_{t-1}], where id_0 is the stop, and s_0 the first state:

    - y_t = recurrent(e_t [, summary] [, c_t], s_{t-1}); c_t only where attention is
      Bahdanau's, which looks with y_{t-1}; Luong's looks with y_t.
    - d_t = tanh(D [y_t, c_t] + d), or y_t where there is neither attention nor
      ``output_size``
    - P(id_t) = softmax(V d_t + v)

    Where no input depends on the step before (all but Bahdanau's attention and
    scheduled sampling), a target known beforehand is read as a whole.

    Args:
        vocab_size: How many ids there are.
        recurrent: The recurrence; its input must have the width ``input_size`` gives.
        stop: The id that ends a sequence, and that the first step reads.
        embedding: E; give the encoder's to share it.
        first: s_0: ``zeros``; ``summary``, tanh(S summary + s) in all layers (Cho);
            ``copy``, the final state of the encoder's layers (Sutskever).
        summary_size: Width of the summary; 0 where it is not read.
        each_step: Whether the summary is read at each step.
        attention: What looks into the steps of memory, its query as wide as the output
            of the recurrence.
        output_size: Width of d_t; ``None`` for that of E where there is attention or
            E is tied.
        tied: Whether V is E.
        dropout: Probability of dropping a unit of e_t and y_t, one mask for all steps,
            and of d_t.
        smoothing: Share of the probability that the loss wants spread over all ids, in
            [0, 1).

    Attributes:
        own_share: Share of the ids read in training that are drawn from the decoder's
            own answers: scheduled sampling. 0 to begin with; set it as training goes.

    Raises:
        ArgumentError: If the parts do not fit each other.

    Example:
        >>> from recurro.cells import GRU
        >>> attention = Attention("general", 8, memory_size=6)
        >>> decoder = Decoder(
        ...     10, Recurrent(GRU(), 4, 8), stop=0, embedding=nn.Embedding(10, 4),
        ...     first="zeros", attention=attention, tied=True,
        ... )
        >>> memory = Memory(steps=torch.zeros(5, 2, 6), lengths=torch.tensor([5, 3]))
        >>> decoder.losses(memory, torch.tensor([3, 7, 0, 4, 0])).shape
        torch.Size([2])

    References:
        Cho et al. (2014), arXiv 1406.1078; Sutskever, Vinyals and Le (2014), arXiv
        1409.3215; Bahdanau, Cho and Bengio (2015), arXiv 1409.0473; Luong, Pham and
        Manning (2015), arXiv 1508.04025, equation 5; Bengio et al. (2015), arXiv
        1506.03099 (scheduled sampling); Szegedy et al. (2016), arXiv 1512.00567,
        section 7 (smoothing).
    """

    longest: Tensor

    def __init__(
        self,
        vocab_size: int,
        recurrent: Recurrent,
        *,
        stop: int,
        embedding: nn.Embedding,
        first: First = "summary",
        summary_size: int = 0,
        each_step: bool = False,
        attention: Attention | None = None,
        output_size: int | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.stop, self.first, self.each_step = stop, first, each_step
        self.dropout = check_probability(dropout, "dropout", "Decoder")
        self.smoothing = check_probability(smoothing, "smoothing", "Decoder")
        self.own_share = 0.0
        self.embedding, self.recurrent = embedding, recurrent
        self.attention = attention
        self.feeds = attention is not None and attention.score == "bahdanau"
        width = recurrent.output_size + (attention.memory_size if attention else 0)
        if output_size is None and (attention or tied):
            output_size = embedding.embedding_dim
        self.deep = None if output_size is None else nn.Linear(width, output_size)
        self._check(vocab_size, summary_size, tied)
        self.opening = None
        if first == "summary":
            units = sum(sum(layer) for layer in recurrent.state_sizes)
            self.opening = nn.Linear(summary_size, units)
        self.softmax = nn.Linear(output_size or width, vocab_size)
        if tied:
            self.softmax.weight = embedding.weight
        for weight in (self.softmax.weight, embedding.weight):
            nn.init.uniform_(weight, -_RANGE, _RANGE)
        nn.init.zeros_(self.softmax.bias)
        self.register_buffer("longest", torch.zeros((), dtype=torch.long))

    @staticmethod
    def input_size(
        embedding_size: int,
        *,
        summary_size: int = 0,
        each_step: bool = False,
        attention: Attention | None = None,
    ) -> int:
        """Width of what the recurrence must read.

        Example:
            >>> attention = Attention("bahdanau", 8, memory_size=6)
            >>> Decoder.input_size(4, attention=attention)
            10
        """
        feeds = attention is not None and attention.score == "bahdanau"
        context = attention.memory_size if attention is not None and feeds else 0
        return embedding_size + summary_size * each_step + context

    def _check(self, vocab_size: int, summary_size: int, tied: bool) -> None:
        recurrent, embedding = self.recurrent, self.embedding
        size = self.input_size(
            embedding.embedding_dim,
            summary_size=summary_size,
            each_step=self.each_step,
            attention=self.attention,
        )
        faults = [
            (
                self.first not in get_args(First),
                f"first must be {', '.join(get_args(First))}, got {self.first!r}",
            ),
            (
                (self.each_step or self.first == "summary") and summary_size < 1,
                f"summary_size must be at least 1 for first='summary' or each_step, "
                f"got {summary_size}",
            ),
            (
                not 0 <= self.stop < vocab_size == embedding.num_embeddings,
                "vocab_size must be the rows of the embedding and above stop="
                f"{self.stop}, got {vocab_size} and {embedding.num_embeddings} rows",
            ),
            (
                recurrent.bidirectional or recurrent.input_size != size,
                f"the recurrence must read forward only, an input of {size} units, got "
                f"{recurrent.input_size}"
                + (" in both directions" if recurrent.bidirectional else ""),
            ),
            (
                self.attention is not None
                and self.attention.query_size != recurrent.output_size,
                f"attention must look with {recurrent.output_size} units, the output "
                "of the recurrence",
            ),
            (
                tied
                and self.deep is not None
                and self.deep.out_features != embedding.embedding_dim,
                f"output_size must be {embedding.embedding_dim} for a tied embedding",
            ),
        ]
        for broken, fault in faults:
            if broken:
                raise ArgumentError(f"Decoder: {fault}.")

    @torch.no_grad()
    def start(self, targets: Int[Tensor, " ids"]) -> None:
        """Begin at how often each id is written, and note the longest sequence.

        Args:
            targets: Sequences one after the other, each ended by the stop.
        """
        counts = torch.bincount(targets.cpu(), minlength=len(self.softmax.bias)) + 1.0
        self.softmax.bias.copy_((counts / counts.sum()).log())
        self.longest.fill_(int(self._lengths(targets, None).max()))

    # Sequences that are known.

    def losses(
        self, memory: Memory, targets: Int[Tensor, " ids"]
    ) -> Float[Tensor, " batch"]:
        """-log P(sequence | memory) of each row, in nats.

        Args:
            memory: What was read.
            targets: The sequences, one row after the other, each ended by the stop.

        Raises:
            ShapeError: If there are not as many sequences as rows of memory.
        """
        d, rows, batch = self._features(memory, targets)
        layer = self.softmax
        each = linear_cross_entropy(
            d, layer.weight, layer.bias, targets, reduction="none"
        )
        return each.new_zeros(batch).index_add(0, rows, each)

    def loss(self, memory: Memory, targets: Int[Tensor, " ids"]) -> Float[Tensor, ""]:
        """The sum of ``losses``; in training each smoothed.

        -(1 - k) log p(id) - (k / ids) sum_v log p(v) = -log p(id) + k (z_id - mean z),
        with z the logits and k the smoothing.
        """
        d, _, _ = self._features(memory, targets)
        weight, bias = self.softmax.weight, self.softmax.bias
        loss = linear_cross_entropy(d, weight, bias, targets)
        if not (self.training and self.smoothing):
            return loss
        picked = functional.embedding(targets, weight) - weight.mean(0)
        excess = (d * picked).sum() + (bias[targets] - bias.mean()).sum()
        return loss + self.smoothing * excess

    def logits(
        self, memory: Memory, targets: Int[Tensor, " ids"]
    ) -> Float[Tensor, "ids vocab"]:
        """Log P of what may stand at each place of known sequences, up to a term.

        It is log P(id_t | memory, id_1 ... id_{t-1}), whatever the decoder would have
        written itself.

        Raises:
            ShapeError: As ``losses``.
        """
        return self.softmax(self._features(memory, targets)[0])

    def weights(
        self, memory: Memory, targets: Int[Tensor, " ids"]
    ) -> list[Float[Tensor, "target source"]]:
        """Where attention looks as it writes each id of known sequences.

        Returns:
            For each row what ``Attention`` weighs, for each id, the stop with them.

        Raises:
            ArgumentError: If there is no attention.
            ShapeError: As ``losses``.
        """
        if self.attention is None:
            raise ArgumentError(
                "Decoder: weights are of attention, and there is none. Build it with."
            )
        assert memory.steps is not None
        counts = self._lengths(targets, len(memory.steps[0]))
        inputs, places = self._inputs(targets, counts)
        found = self._written(memory, inputs)[1]
        assert found is not None
        each = found[places].split(counts.tolist())
        ends = memory.lengths
        if ends is None:
            return list(each)
        return [w[:, :end] for w, end in zip(each, ends.tolist(), strict=True)]

    def _features(self, memory: Memory, targets: Tensor) -> tuple[Tensor, Tensor, int]:
        """What the softmax reads for each id, the row of each, and how many rows."""
        size = rows_of(memory)
        counts = self._lengths(targets, size)
        inputs, places = self._inputs(targets, counts)
        d, _ = self._written(memory, inputs, places)
        return d, places[1], len(counts)

    def _lengths(self, targets: Tensor, batch: int | None) -> Tensor:
        """The ids of each sequence, its stop with them."""
        ends = (targets == self.stop).nonzero()[:, 0]
        if batch not in (None, len(ends)) or targets[-1:].ne(self.stop).any():
            raise ShapeError(
                f"Decoder: targets must end each of {batch} rows by the stop "
                f"{self.stop}, got {len(ends)}. Put one behind each row and none "
                "within."
            )
        return torch.diff(ends, prepend=ends.new_full((1,), -1))

    def _inputs(
        self, targets: Tensor, counts: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What is read ``(time, batch)``, and where each target's step is in it.

        The id before the first of a row is the stop of the row before: as it should be.
        """
        before = functional.pad(targets[:-1], (1, 0), value=self.stop)
        starts = counts.cumsum(0) - counts
        rows = torch.arange(len(counts), device=targets.device)
        rows = rows.repeat_interleave(counts)
        time = torch.arange(len(targets), device=targets.device) - starts[rows]
        inputs = targets.new_full((int(counts.max()), len(counts)), self.stop)
        inputs[time, rows] = before
        return inputs, (time, rows)

    def _written(
        self,
        memory: Memory,
        inputs: Int[Tensor, "time batch"],
        places: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """What the softmax reads at some places, and where attention looked at all."""
        if self.feeds or (self.training and self.own_share):
            d, weights = self._stepwise(memory, inputs)
            d = d if places is None else d[places]
        else:
            d, weights = self._at_once(memory, inputs, places)
        return functional.dropout(d, self.dropout, self.training), weights

    def _at_once(
        self,
        memory: Memory,
        inputs: Tensor,
        places: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Run over all steps, then look, then see to the steps that count."""
        fed = self.feed(memory)
        e = variational_dropout(self.embedding(inputs), self.dropout, self.training)
        if fed.summary is not None:
            e = torch.cat([e, fed.summary.expand(len(e), -1, -1)], 2)
        y, _ = self.recurrent(e, self._opening(memory))
        y = variational_dropout(y, self.dropout, self.training)
        context = weights = None
        if fed.sought is not None and self.attention is not None:
            context, weights = self.attention.look(y.transpose(0, 1), fed.sought)
            context, weights = context.transpose(0, 1), weights.transpose(0, 1)
        if places is not None:
            y = y[places]
            context = None if context is None else context[places]
        return self._deepened(y, context), weights

    def _stepwise(self, memory: Memory, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Go step by step, reading own answers for some of the ids."""
        fed, carried = self.feed(memory), self.begin(memory, inputs.shape[1])
        hide = self.embedding.weight.new_ones(
            1, len(carried.y), self.embedding.embedding_dim
        )
        hide = variational_dropout(hide, self.dropout, self.training)[0]
        mask = torch.ones_like(carried.y)[None]
        mask = variational_dropout(mask, self.dropout, self.training)[0]
        own = torch.rand(inputs.shape, device=inputs.device) < self.own_share
        answer, found, looks = None, [], []
        for step, ids in enumerate(inputs):
            if answer is not None and self.training and self.own_share:
                chances = self.softmax(answer.detach()).softmax(-1)
                drawn = torch.multinomial(chances, 1)[:, 0]
                ids = torch.where(own[step], drawn, ids)
            e = self.embedding(ids) * hide
            carried, answer, weights = self.tick(e, carried, fed, self._run, mask)
            found.append(answer)
            looks.append(weights)
        weights = None if looks[0] is None else torch.stack(looks)
        return torch.stack(found), weights

    def _run(self, x: Tensor, layers: Layers) -> tuple[Tensor, Layers]:
        y, layers = self.recurrent(x[None], layers)
        return y[0], layers

    # One step.

    def tick(
        self,
        e: Float[Tensor, "rows embedding"],
        carried: Carried,
        fed: Fed,
        run: Run,
        mask: Tensor | None = None,
    ) -> tuple[Carried, Float[Tensor, "rows output"], Tensor | None]:
        """One step of as many rows as memory has, or of so many for each of its rows.

        Returns:
            What goes on, what the softmax reads, and where attention looked.
        """
        context = weights = None
        if self.feeds:
            context, weights = self._look(carried.y, fed)
        parts = [e, fed.summary, context if self.feeds else None]
        x = torch.cat([part for part in parts if part is not None], 1)
        y, layers = run(x, carried.layers)
        read = y if mask is None else y * mask
        if self.attention is not None and not self.feeds:
            context, weights = self._look(read, fed)
        return Carried(layers, y), self._deepened(read, context), weights

    def _look(self, y: Tensor, fed: Fed) -> tuple[Tensor, Tensor]:
        """Look into memory with rows that may be several for each of its own."""
        assert fed.sought is not None
        assert self.attention is not None
        batch = len(fed.sought.values)
        context, weights = self.attention.look(
            y.view(batch, -1, y.shape[1]), fed.sought
        )
        return context.flatten(0, 1), weights.flatten(0, 1)

    def _deepened(self, y: Tensor, context: Tensor | None) -> Tensor:
        if self.deep is None:
            return y
        both = y if context is None else torch.cat([y, context], -1)
        return torch.tanh(self.deep(both))

    # What memory gives.

    def feed(self, memory: Memory) -> Fed:
        """Make a memory ready for stepping.

        Raises:
            ShapeError: If it lacks what is read of it.
        """
        sought = None
        if self.attention is not None:
            if memory.steps is None:
                raise _lacking("steps", "its attention looks into them")
            sought = self.attention.prepare(memory.steps, memory.lengths)
        if not self.each_step:
            return Fed(sought, None)
        if memory.summary is None:
            raise _lacking("summary", "it is read at each step")
        return Fed(sought, memory.summary)

    def _opening(self, memory: Memory) -> Layers | None:
        """The first state; ``None`` for zeros."""
        if self.first == "zeros":
            return None
        if self.first == "copy":
            if memory.state is None:
                raise _lacking("state", "the first state is its copy")
            return memory.state
        if memory.summary is None:
            raise _lacking("summary", "the first state is made of it")
        assert self.opening is not None
        sizes = self.recurrent.state_sizes
        parts = iter(
            torch.tanh(self.opening(memory.summary)).split(
                [width for layer in sizes for width in layer], 1
            )
        )
        return tuple(tuple(next(parts) for _ in layer) for layer in sizes)

    def begin(self, memory: Memory, batch: int) -> Carried:
        """What the first step goes on from; its look starts from the first variable."""
        layers, like = self._opening(memory), self.softmax.weight
        if layers is None:
            layers = tuple(
                tuple(like.new_zeros(batch, width) for width in layer)
                for layer in self.recurrent.state_sizes
            )
        y = layers[-1][0]
        if y.shape[1] != self.recurrent.output_size:
            y = like.new_zeros(batch, self.recurrent.output_size)
        return Carried(layers, y)

    # Sequences that are sought.

    def stepper(self, memory: Memory, *, coverage: bool = False) -> DecoderStepper:
        """The decoder as a search sees it; see ``DecoderStepper``.

        Args:
            memory: What was read, for one row or for many.
            coverage: Whether to add up where attention has looked.

        Raises:
            ArgumentError: If coverage is asked for where there is no attention.
        """
        if coverage and self.attention is None:
            raise ArgumentError(
                "Decoder: coverage is of attention, and there is none. Leave it out."
            )
        return DecoderStepper(self, memory, coverage)


def _lacking(what: str, why: str) -> ShapeError:
    return ShapeError(f"Decoder: memory must have {what}, as {why}, got none.")
