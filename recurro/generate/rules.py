"""Rules on what may be written: each looks at what stands before the next id.

A rule maps the log-probabilities of the next id to others, given the ids so far: 0 or
more of them barred (-inf), or the odds changed. ``sample``, ``sample_batch`` and
``beam_search`` take any number of rules and apply them in their order, before the
temperature and the cuts. A rule of your own is any callable of this form; it must not
raise a value above 0, for a beam search to stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recurro.errors import ArgumentError, ShapeError
from recurro.types import Float, Int

__all__ = [
    "Forbidden",
    "Forced",
    "MinLength",
    "RepetitionPenalty",
    "Rule",
    "Written",
    "apply_rules",
]


@dataclass(frozen=True, eq=False)
class Written:
    """What stands before the next id.

    Attributes:
        ids: The prompt and the ids since, ``(rows, time)``. Rows that go on from one
            prompt stand together, as many for each prompt.
        start: How many of them are the prompt.
        length: Most ids after the prompt.
        stop: The id that ends a sequence, or ``None``.
    """

    ids: Int[Tensor, "rows time"]
    start: int
    length: int
    stop: int | None = None

    @property
    def count(self) -> int:
        """How many ids have been written since the prompt."""
        return self.ids.shape[1] - self.start


class Rule(Protocol):
    """A change to the log-probabilities of the next id, given what stands before it."""

    def __call__(
        self, log_probs: Float[Tensor, "rows vocab"], written: Written
    ) -> Float[Tensor, "rows vocab"]:
        """The log-probabilities to go on with; those given stay as they are."""
        ...


@dataclass(frozen=True)
class MinLength:
    """No end before so many ids.

    P(stop) = 0 while fewer than ``count`` ids are written. Without a stop all sequences
    are as long as was asked for.

    Attributes:
        count: Ids at least, the stop not counted; at least 0.

    Example:
        >>> written = Written(torch.tensor([[0, 3]]), start=1, length=9, stop=0)
        >>> MinLength(2)(torch.tensor([[0.5, 0.5]]).log(), written).exp().tolist()
        [[0.0, 0.5]]
    """

    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or self.count < 0:
            raise ArgumentError(
                f"MinLength: count must be an int >= 0, got {self.count!r}. Use 0 for "
                "no bound."
            )

    def __call__(self, log_probs: Tensor, written: Written) -> Tensor:
        """Bar the stop while too little is written."""
        if self.count > written.length:
            raise ArgumentError(
                f"MinLength: count must be at most the length, {written.length}, got "
                f"{self.count}. Ask for a greater length."
            )
        if written.stop is None or written.count >= self.count:
            return log_probs
        _check_ids("MinLength", "the stop", [written.stop], log_probs)
        log_probs = log_probs.clone()
        log_probs[:, written.stop] = -math.inf
        return log_probs


@dataclass(frozen=True)
class Forbidden:
    """Ids, or sequences of ids, that must not be written.

    P(v) = 0 where v would be the last id of such a sequence. Its first ids may stand in
    the prompt; one that stands in the prompt whole is no matter.

    Attributes:
        sequences: Each of at least one id.

    Example:
        >>> written = Written(torch.tensor([[0, 3], [0, 1]]), start=1, length=9)
        >>> rule = Forbidden([[2], [3, 0]])
        >>> rule(torch.zeros(2, 4), written).exp().tolist()
        [[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]]
    """

    sequences: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        if not all(len(sequence) for sequence in self.sequences):
            raise ArgumentError(
                "Forbidden: each sequence must have at least one id, got an empty one. "
                "Leave it out."
            )

    def __call__(self, log_probs: Tensor, written: Written) -> Tensor:
        """Bar the last id of each sequence whose others stand at the end."""
        log_probs = log_probs.clone()
        for sequence in self.sequences:
            _check_ids("Forbidden", "an id", sequence, log_probs)
            *before, last = sequence
            if len(before) > written.ids.shape[1]:
                continue
            tail = written.ids[:, written.ids.shape[1] - len(before) :]
            begun = (tail == tail.new_tensor(before)).all(1)
            log_probs[begun, last] = -math.inf
        return log_probs


@dataclass(frozen=True)
class Forced:
    """Ids that a sequence must begin with, after the prompt.

    P(v) = 0 for all but the next of them. With a prefix for each prompt, texts that
    begin with different, unequally long ids are written in one batch.

    Attributes:
        prefixes: One for all prompts, or one for each.

    Example:
        >>> written = Written(torch.tensor([[0], [0]]), start=1, length=9)
        >>> Forced([[2, 1], []])(torch.zeros(2, 3), written).exp().tolist()
        [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """

    prefixes: Sequence[Sequence[int]]

    def __call__(self, log_probs: Tensor, written: Written) -> Tensor:
        """Bar all but the next id of each row's prefix."""
        rows, prompts = len(written.ids), len(self.prefixes)
        if prompts == 0 or rows % prompts:
            raise ShapeError(
                f"Forced: there must be one prefix, or one for each prompt, got "
                f"{prompts} for {rows} rows. Give as many as there are prompts."
            )
        longest = max(map(len, self.prefixes))
        if longest > written.length:
            raise ArgumentError(
                f"Forced: a prefix must be at most as long as the text, "
                f"{written.length}, got one of {longest} ids. Ask for a greater length."
            )
        if written.count >= longest:
            return log_probs
        place = written.count
        following = [
            prefix[place] if place < len(prefix) else -1 for prefix in self.prefixes
        ]
        _check_ids("Forced", "an id", [v for v in following if v != -1], log_probs)
        forced = written.ids.new_tensor(following).repeat_interleave(rows // prompts)
        vocab = torch.arange(log_probs.shape[1], device=log_probs.device)
        barred = (forced[:, None] != vocab) & (forced[:, None] != -1)
        return log_probs.masked_fill(barred, -math.inf)


@dataclass(frozen=True)
class RepetitionPenalty:
    """Make what is already written less likely.

    x(v) = penalty * log P(v) for each v written since the prompt, log P(v) for others

    This is Keskar's penalty on log-probabilities. His divides the logit of an id that
    was generated, which is right for positive logits alone and depends on a constant
    that a softmax leaves free; log P is the logit that is never positive, so the
    penalty multiplies. Like his, and unlike the one of Hugging Face's library, it
    counts the ids that were generated and not those of the prompt.

    Attributes:
        penalty: Above 0; above 1 repeats less (he uses 1.2), below 1 more.

    Example:
        >>> written = Written(torch.tensor([[0, 1]]), start=1, length=9)
        >>> halves = torch.tensor([[0.5, 0.5]]).log()
        >>> RepetitionPenalty(2.0)(halves, written).exp().tolist()
        [[0.5, 0.25]]

    References:
        Keskar et al. (2019), CTRL, arXiv:1909.05858, section 4.1.
    """

    penalty: float

    def __post_init__(self) -> None:
        if not (self.penalty > 0 and math.isfinite(self.penalty)):
            raise ArgumentError(
                f"RepetitionPenalty: penalty must be a finite number > 0, got "
                f"{self.penalty}. Use 1 for none, 1.2 to repeat less."
            )

    def __call__(self, log_probs: Tensor, written: Written) -> Tensor:
        """Multiply log P of each id that is written."""
        ids = written.ids[:, written.start :]
        return log_probs.scatter(1, ids, log_probs.gather(1, ids) * self.penalty)


def apply_rules(
    rules: Sequence[Rule], log_probs: Float[Tensor, "rows vocab"], written: Written
) -> Float[Tensor, "rows vocab"]:
    """The log-probabilities after all rules, in their order."""
    for rule in rules:
        log_probs = rule(log_probs, written)
    return log_probs


def _check_ids(where: str, what: str, ids: Sequence[int], log_probs: Tensor) -> None:
    """Refuse ids outside the vocabulary."""
    size = log_probs.shape[1]
    outside = [value for value in ids if not 0 <= value < size]
    if outside:
        raise ArgumentError(
            f"{where}: {what} must be in the vocabulary, 0 to {size - 1}, got "
            f"{outside[0]}. Encode with the vocabulary of the model."
        )
