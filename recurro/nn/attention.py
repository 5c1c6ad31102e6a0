"""Attention: where in what was read to look, step by step of what is written."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor, nn

from recurro.errors import ArgumentError, ShapeError
from recurro.types import Bool, Float, Int

__all__ = ["Attention", "Score", "Sought"]

Score: TypeAlias = Literal["bahdanau", "dot", "general"]


class Sought(NamedTuple):
    """What is looked into, made ready once.

    Attributes:
        keys: What a query is compared with ``(batch, source, size)``.
        values: What is looked at ``(batch, source, width)``.
        beyond: Where a row has ended ``(batch, 1, source)``, or ``None`` for nowhere.
    """

    keys: Float[Tensor, "batch source size"]
    values: Float[Tensor, "batch source width"]
    beyond: Bool[Tensor, "batch 1 source"] | None


class Attention(nn.Module):
    """A mean of memory, weighted by how well each step of it answers a query.

    c_t = sum_s a_ts m_s, with a_t = softmax_s(score(q_t, m_s)) and

    - ``bahdanau``: score(q, m) = v . tanh(W q + U m + b)
    - ``dot``: score(q, m) = q . m
    - ``general``: score(q, m) = q . W m

    At no time there are more scores than one batch of (target x source), times the
    width of tanh for one step of the target alone.

    Args:
        score: How queries and memory are compared.
        query_size: Width of q_t.
        memory_size: Width of m_s; that of q_t for ``dot``.
        size: Units of tanh, for ``bahdanau``; ``None`` for as many as q_t has.

    Raises:
        ArgumentError: If the score is unknown, or sizes do not fit it.

    Example:
        >>> attention = Attention("dot", 2, 2)
        >>> memory = torch.tensor([[[9.0, 0.0]], [[0.0, 9.0]]])
        >>> context, weights = attention(torch.tensor([[[0.0, 5.0]]]), memory)
        >>> context.round(), weights.round()
        (tensor([[[0., 9.]]]), tensor([[[0., 1.]]]))

    References:
        Bahdanau, Cho and Bengio (2015), arXiv 1409.0473, equations 5 and 6 and appendix
        A.1.2; Luong, Pham and Manning (2015), arXiv 1508.04025, equations 7 and 8.
    """

    def __init__(
        self,
        score: Score,
        query_size: int,
        memory_size: int,
        size: int | None = None,
    ) -> None:
        super().__init__()
        if score not in get_args(Score):
            raise ArgumentError(
                f"Attention: score must be {', '.join(get_args(Score))}, got {score!r}."
            )
        if score == "dot" and query_size != memory_size:
            raise ArgumentError(
                "Attention: for dot, queries and memory must have one width, got "
                f"{query_size} and {memory_size}. Use general."
            )
        if size is not None and score != "bahdanau":
            raise ArgumentError(
                f"Attention: size must be left out for {score}, got {size}."
            )
        self.score: Score = score
        self.query_size, self.memory_size = query_size, memory_size
        if score == "bahdanau":
            size = size or query_size
            self.query = nn.Linear(query_size, size)
            self.key = nn.Linear(memory_size, size, bias=False)
            self.weigh = nn.Linear(size, 1, bias=False)
        elif score == "general":
            self.key = nn.Linear(memory_size, query_size, bias=False)

    def forward(
        self,
        queries: Float[Tensor, "target batch query"],
        memory: Float[Tensor, "source batch width"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[
        Float[Tensor, "target batch width"], Float[Tensor, "target batch source"]
    ]:
        """Look with each query.

        Args:
            queries: q_t of each row.
            memory: m_s of each row.
            lengths: The steps of memory that count in each row, at least 1; ``None``
                for all.

        Returns:
            The contexts c_t and the weights a_ts, 0 where memory does not count.

        Raises:
            ShapeError: If the tensors do not fit.
        """
        if queries.shape[1] != memory.shape[1]:
            raise ShapeError(
                f"Attention: queries and memory must have as many rows, got "
                f"{queries.shape[1]} and {memory.shape[1]}."
            )
        context, weights = self.look(
            queries.transpose(0, 1), self.prepare(memory, lengths)
        )
        return context.transpose(0, 1), weights.transpose(0, 1)

    def prepare(
        self,
        memory: Float[Tensor, "source batch width"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Sought:
        """What all queries into one memory share.

        Raises:
            ShapeError: If memory has another width.
        """
        if memory.shape[-1] != self.memory_size:
            raise ShapeError(
                f"Attention: memory must be (source, batch, {self.memory_size}), got "
                f"{tuple(memory.shape)}."
            )
        values = memory.transpose(0, 1)
        keys = values if self.score == "dot" else self.key(values)
        beyond = None
        if lengths is not None:
            steps = torch.arange(len(memory), device=memory.device)
            beyond = (steps >= lengths[:, None])[:, None]
        return Sought(keys, values, beyond)

    def look(
        self, queries: Float[Tensor, "batch target query"], sought: Sought
    ) -> tuple[
        Float[Tensor, "batch target width"], Float[Tensor, "batch target source"]
    ]:
        """Look with each query into what was made ready, rows first.

        Returns:
            The contexts and the weights.
        """
        scores = self._scores(queries, sought.keys)
        if sought.beyond is not None:
            scores = scores.masked_fill(sought.beyond, -torch.inf)
        weights = scores.softmax(-1)
        return torch.bmm(weights, sought.values), weights

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The score of each step of memory for each query."""
        if self.score != "bahdanau":
            return torch.bmm(queries, keys.transpose(1, 2))
        return torch.stack(
            [
                self.weigh(torch.tanh(query[:, None] + keys)).squeeze(-1)
                for query in self.query(queries).unbind(1)
            ],
            1,
        )

    def extra_repr(self) -> str:
        """The score and the widths."""
        return f"{self.score!r}, {self.query_size}, {self.memory_size}"
