"""The network of a language model: embedding, recurrence, softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from recurro.engine import Stream
from recurro.errors import ArgumentError
from recurro.nn.dropout import check_probability, variational_dropout
from recurro.nn.loss import AdaptiveSoftmax, linear_cross_entropy
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, Int, State


class LanguageNetwork(nn.Module):
    """P(next token | tokens before), with a class condition on request.

    e_t = E[token_t] + C[class]
    y_t = recurrent(e_t)
    d_t = tanh(D y_t + d), with a deep output; else y_t
    P(token_{t+1}) = softmax(V d_t + v)

    Args:
        vocab_size: Number of tokens.
        recurrent: The recurrence; its input size is the embedding size.
        conditions: Number of classes, 0 for none.
        tied: Whether V is E, as Press and Wolf (2017, arXiv 1608.05859) advise; the
            last width must be the embedding size.
        deep_output: Units of a tanh layer before the softmax (Pascanu et al. 2014,
            arXiv 1312.6026, equation 11); 0 for none.
        dropout: Probability of dropping units of e and y, one mask for all steps.
        adaptive_cutoffs: Sizes at which an adaptive softmax cuts the vocabulary, which
            must be sorted by falling frequency; empty for the full softmax.

    Raises:
        ArgumentError: If the sizes do not fit each other.

    Example:
        >>> from recurro.cells import GRU
        >>> network = LanguageNetwork(10, Recurrent(GRU(), 4, 8))
        >>> tokens = torch.zeros(5, 2, dtype=torch.long)
        >>> loss, count, state = network(Batch(tokens, tokens))
        >>> count
        10
    """

    def __init__(
        self,
        vocab_size: int,
        recurrent: Recurrent,
        *,
        conditions: int = 0,
        tied: bool = False,
        deep_output: int = 0,
        dropout: float = 0.0,
        adaptive_cutoffs: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if not isinstance(recurrent.input_size, int):
            raise ArgumentError("LanguageNetwork: the recurrence must have one input.")
        if recurrent.bidirectional:
            raise ArgumentError(
                "LanguageNetwork: the recurrence must read forward only, got a "
                "bidirectional one, which would see the token it predicts."
            )
        embedding_size = recurrent.input_size
        width = deep_output or recurrent.output_size
        if tied and (width != embedding_size or adaptive_cutoffs):
            raise ArgumentError(
                f"LanguageNetwork: tied embeddings need a last layer of embedding_size="
                f"{embedding_size} and the full softmax, got {width} units and cutoffs "
                f"{tuple(adaptive_cutoffs)}. Use deep_output={embedding_size}."
            )
        self.vocab_size, self.conditions = vocab_size, conditions
        self.dropout = check_probability(dropout, "dropout", "LanguageNetwork")
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.condition = (
            nn.Embedding(conditions, embedding_size) if conditions else None
        )
        self.recurrent = recurrent
        self.deep = (
            nn.Linear(recurrent.output_size, deep_output) if deep_output else None
        )
        self.decoder: nn.Linear | AdaptiveSoftmax
        if adaptive_cutoffs:
            self.decoder = AdaptiveSoftmax(width, vocab_size, list(adaptive_cutoffs))
        else:
            self.decoder = nn.Linear(width, vocab_size)
            nn.init.zeros_(self.decoder.bias)
            nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        if tied and isinstance(self.decoder, nn.Linear):
            self.decoder.weight = self.embedding.weight
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def hidden(
        self,
        tokens: Int[Tensor, "time batch"],
        state: State = None,
        lengths: Int[Tensor, " batch"] | None = None,
        condition: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "time batch width"], State]:
        """What the softmax reads at each step, and the state after the last one."""
        e = self._embedded(tokens, condition)
        e = variational_dropout(e, self.dropout, self.training)
        y, state = self.recurrent(e, state, lengths)
        y = variational_dropout(y, self.dropout, self.training)
        return self._deepened(y), state

    def _embedded(self, tokens: Tensor, condition: Tensor | None) -> Tensor:
        """What the recurrence reads."""
        if (condition is None) != (self.condition is None):
            raise ArgumentError(
                f"LanguageNetwork: a model with conditions={self.conditions} must "
                f"{'' if self.conditions else 'not '}be given a condition."
            )
        e = self.embedding(tokens)
        return e if self.condition is None else e + self.condition(condition)

    def _deepened(self, y: Tensor) -> Tensor:
        return y if self.deep is None else torch.tanh(self.deep(y))

    def _scored(self, d: Tensor) -> Tensor:
        """Logarithm of P of every next token, from what the softmax reads."""
        if isinstance(self.decoder, AdaptiveSoftmax):
            return self.decoder.log_probs(d)
        return torch.log_softmax(self.decoder(d), -1)

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, State]:
        """The sum of the losses in nats, the number of targets, and the new state."""
        d, state = self.hidden(batch.inputs, state, batch.lengths, batch.condition)
        count = int((batch.targets >= 0).sum())
        if isinstance(self.decoder, AdaptiveSoftmax):
            return self.decoder(d, batch.targets), count, state
        weight, bias = self.decoder.weight, self.decoder.bias
        return linear_cross_entropy(d, weight, bias, batch.targets), count, state

    def losses(
        self, batch: Batch, state: State = None
    ) -> tuple[Float[Tensor, "time batch"], State]:
        """-log P of each target, 0 where there is none, and the new state."""
        d, state = self.hidden(batch.inputs, state, batch.lengths, batch.condition)
        if isinstance(self.decoder, AdaptiveSoftmax):
            return self.decoder.losses(d, batch.targets), state
        layer = self.decoder
        losses = linear_cross_entropy(
            d, layer.weight, layer.bias, batch.targets, reduction="none"
        )
        return losses, state

    def log_probs(
        self,
        tokens: Int[Tensor, "time batch"],
        state: State = None,
        condition: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "time batch vocab"], State]:
        """Logarithm of P of every next token after each step, and the new state."""
        d, state = self.hidden(tokens, state, None, condition)
        return self._scored(d), state

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        self.recurrent.constrain()


@dataclass(frozen=True)
class NetworkStepper:
    """A language network seen from a decoder; a ``Stepper``.

    Its recurrence is stepped as a stream. ``init`` reads the weights anew: begin with
    it after further training. One thread may use it at a time.

    Attributes:
        network: The network, in evaluation mode.
        condition: A class for every row, or ``None``.
    """

    network: LanguageNetwork
    condition: int | None = None
    _streams: dict[int, Stream] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def init(self, batch_size: int) -> State:
        """Zero states."""
        self._streams.clear()
        return self._stream(batch_size).state()

    @torch.no_grad()
    def step(self, state: State, tokens: Int[Tensor, " batch"]) -> tuple[State, Tensor]:
        """Read tokens; give the log-probabilities of the next ``(batch, vocab)``."""
        network, condition = self.network, None
        if self.condition is not None:
            condition = torch.full_like(tokens, self.condition)
        stream = self._stream(len(tokens))
        stream.restore(state)
        y = stream.step(network._embedded(tokens, condition))
        return stream.state(), network._scored(network._deepened(y))

    def _stream(self, batch_size: int) -> Stream:
        if batch_size not in self._streams:
            self._streams[batch_size] = self.network.recurrent.stream(batch_size)
        return self._streams[batch_size]

    def select(self, state: State, rows: Int[Tensor, " batch"]) -> State:
        """The state of the named rows."""
        return tuple(tuple(variable[rows] for variable in layer) for layer in state)
