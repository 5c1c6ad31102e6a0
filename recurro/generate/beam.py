"""Beam search: the likeliest sequences of a model, many prompts at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from recurro.errors import ArgumentError, ShapeError
from recurro.generate.pick import Tell, Telling, pick
from recurro.generate.rules import (
    Forbidden,
    MinLength,
    RepetitionPenalty,
    Rule,
    Written,
    apply_rules,
)
from recurro.generate.sample import check_possible, check_request, read
from recurro.types import Int, State, Stepper

__all__ = ["Found", "beam_search"]


@runtime_checkable
class Narrowing(Stepper, Protocol):
    """A stepper that can go on with some of its prompts alone."""

    def keep(self, rows: Tensor) -> Stepper:
        """The same for the prompts in those places; states are selected apart."""
        ...


@dataclass(frozen=True)
class Found:
    """A sequence that a beam search found.

    Attributes:
        ids: The ids after the prompt, without the stop.
        log_prob: Natural log P(ids | prompt), that of the stop included.
        score: What the search sorts by; see ``beam_search``.
        stopped: Whether the sequence ended with the stop; if not, at the length.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float
    stopped: bool


def beam_search(
    stepper: Stepper,
    prompts: Int[Tensor, "time batch"],
    length: int,
    *,
    beam_size: int = 5,
    stop: int | None = None,
    length_power: float = 0.0,
    length_offset: float = 0.0,
    coverage: float = 0.0,
    rules: Sequence[Rule] = (),
    early: bool = False,
) -> list[list[Found]]:
    """Search for the likeliest continuations of each prompt.

    score(ids) = sum_t x_t(id_t) / lp + coverage * cp
    lp = ((n + length_offset) / (1 + length_offset))^length_power,  n = number of ids
    cp = sum_s log(min(sum_t a_ts, 1)),  a_ts = where attention looked as it wrote id_t
    x_t = rules(log P(. | prompt, id_1, ..., id_{t-1}))

    Without rules the sum is log P(ids | prompt), and so it is with rules that bar ids
    and leave the others as they are: the search is then for the likeliest sequences
    that they allow.

    The ``beam_size`` likeliest unfinished sequences are kept from step to step, and
    beside them the ``beam_size`` finished ones of the best score, a stop counting as
    an id in n. Where ``beam_size`` is at least the number of unfinished sequences of
    ``length - 1`` ids, the search is exhaustive and its first result the best there is.

    Args:
        stepper: The model.
        prompts: The ids to start from, one column per prompt, at least one row; on
            the model's device.
        length: Most ids in a sequence, at least 1, a stop included.
        beam_size: Sequences kept, at least 1; at 1 each step goes on with one id.
        stop: The id that ends a sequence, or ``None``: then all have ``length`` ids.
        length_power: At least 0; 0 compares probabilities, which favours short
            sequences, and 1 compares the mean log-probability per id.
        length_offset: At least 0; above, lengths count the less, the shorter they are.
            Wu et al. use 5.
        coverage: At least 0; above, sequences lose that leave a part of what was read
            without a look. The stepper must have ``covered(state)``, which gives cp of
            each row, as ``DecoderStepper`` has.
        rules: What may be written; see ``recurro.generate.rules``.
        early: Whether to stop as soon as no unfinished sequence has a score, at its
            present length, that would be kept. It is much faster where long sequences
            are allowed and ``length_power`` is above 0, but the search is not
            exhaustive then, however wide the beam.

    Returns:
        For each prompt the best ``beam_size`` sequences, or as many as there are, the
        best score first.

    Raises:
        ArgumentError: If an argument is out of its range, or no sequence that was kept
            holds to the rules.
        ShapeError: If the prompts are not ``(time, batch)``.
        DivergenceError: If the model gives NaN.

    Example:
        >>> class Count:
        ...     def init(self, batch_size): return ()
        ...     def step(self, state, tokens):
        ...         return state, torch.eye(5)[(tokens + 1) % 5].log()
        ...     def select(self, state, rows): return state
        >>> beam_search(Count(), torch.tensor([[0, 2]]), 3)[1][0]
        Found(ids=(3, 4, 0), log_prob=0.0, score=0.0, stopped=False)

    References:
        Graves (2012), arXiv:1211.3711, section 3 (the length in the score);
        Wu et al. (2016), arXiv:1609.08144, equation 14 (power, offset, coverage).
    """
    _check(prompts, length, beam_size, length_power, length_offset, coverage)
    cover = _cover(stepper, coverage)
    with torch.no_grad():
        norm = _Norm(length_power, length_offset)
        beams = _Beams(prompts, length, beam_size, stop, norm, rules, early)
        state, log_probs = read(stepper, prompts)
        batch = prompts.shape[1]
        rows = torch.arange(batch, device=log_probs.device).repeat_interleave(beam_size)
        state, tell = stepper.select(state, rows), _told(log_probs[rows])
        while True:
            rows, ids = beams.grow(tell, cover(state))
            if beams.done():
                return beams.results()
            kept = beams.narrow() if isinstance(stepper, Narrowing) else None
            if kept is not None and isinstance(stepper, Narrowing):
                rows = rows.view(-1, beam_size)[kept].flatten()
                ids = ids.view(-1, beam_size)[kept].flatten()
                stepper = stepper.keep(kept)
                cover = _cover(stepper, coverage)
            state, tell = _step(stepper, stepper.select(state, rows), ids)


def _step(stepper: Stepper, state: State, ids: Tensor) -> tuple[State, Tell]:
    """Read ids; log-probabilities are told of rows as they are asked for."""
    if not isinstance(stepper, Telling):
        state, log_probs = stepper.step(state, ids)
        return state, _told(log_probs)
    state, seen = stepper.go(state, ids)
    return state, lambda rows: stepper.tell(seen[rows])


def _told(log_probs: Tensor) -> Tell:
    return lambda rows: log_probs[rows]


_ALIKE = (Forbidden, MinLength, RepetitionPenalty)
"""Rules that treat all prompts alike, so that some may be left out."""

_FEW = 8
"""Prompts that are done with are put aside once they are one in so many."""


class _Norm(NamedTuple):
    """What a sum of log-probabilities is divided by."""

    power: float
    offset: float

    def __call__(self, count: int) -> float:
        """The divisor for so many ids."""
        return ((count + self.offset) / (1 + self.offset)) ** self.power


def _cover(stepper: Any, coverage: float) -> Callable[[State], Tensor | None]:  # noqa: ANN401
    """What is added to the scores of sequences that end at a state."""
    if coverage == 0:
        return lambda state: None
    if not hasattr(stepper, "covered"):
        raise ArgumentError(
            "beam_search: coverage must be 0 for a model that does not say where it "
            f"looked, got {coverage}. Build the stepper with coverage=True."
        )
    return lambda state: coverage * stepper.covered(state).double()


class _Beams:
    """The sequences kept for each prompt, in tensors ``(batch, beam, ...)``."""

    def __init__(
        self,
        prompts: Tensor,
        length: int,
        size: int,
        stop: int | None,
        norm: _Norm,
        rules: Sequence[Rule],
        early: bool,
    ) -> None:
        shape, device = (prompts.shape[1], size), prompts.device
        self.length, self.size, self.stop, self.norm = length, size, stop, norm
        self.rules, self.early = rules, early
        self.apart = all(isinstance(rule, _ALIKE) for rule in rules)
        self.prompts = prompts.t().repeat_interleave(size, 0)
        nothing = torch.full(shape, -math.inf, dtype=torch.float64, device=device)
        self.ids = torch.empty(*shape, 0, dtype=torch.long, device=device)
        self.sums = nothing.clone()
        self.sums[:, 0] = 0
        self.log_probs = self.sums.clone()
        self.extra = torch.zeros_like(nothing)
        self.found_ids = torch.full((*shape, length), -1, device=device)
        self.found_log_probs, self.scores = nothing.clone(), nothing
        self.closed = torch.zeros(shape[0], dtype=torch.bool, device=device)
        self.numbers = list(range(shape[0]))
        self.over: dict[int, list[Found]] = {}

    def grow(self, tell: Tell, extra: Tensor | None) -> tuple[Tensor, Tensor]:
        """Go one id on.

        Args:
            tell: Log P of the next id, for some of the ``batch * beam`` rows.
            extra: What is added to the scores of sequences that end now ``(batch *
                beam,)``, or ``None`` for nothing.

        Returns:
            For each new sequence the row that it goes on from, and its new id.
        """
        shape = self.sums.shape
        if extra is not None:
            self.extra = extra.view(shape)
        # The best of a prompt are among the best of each of its rows, the stop apart.
        picked = pick(
            *(tell, self.sums.numel(), self.size + 1),
            rule=self._ruled if self.rules else None,
            stop=self.stop,
            apart=self.apart,
        )
        check_possible(picked.likeliest[self.sums.flatten() > -math.inf])
        ids, best = picked.ids, picked.ruled
        if self.stop is not None:
            ended = nn.functional.pad(self.ids, (0, 1), value=self.stop)
            sums, ends = picked.stop.double().view(*shape, 2).unbind(-1)
            self._keep(ended, self.sums + sums, self.log_probs + ends)
            best = best.masked_fill(ids == self.stop, -math.inf)
        sums = self.sums.unsqueeze(-1) + best.double().view(*shape, -1)
        log_probs = picked.log_probs.double().view(*shape, -1)
        log_probs = (self.log_probs.unsqueeze(-1) + log_probs).flatten(1)
        self.sums, places = sums.flatten(1).topk(self.size)
        self.log_probs = log_probs.gather(1, places)
        parents = places // best.shape[1]
        ids = ids.view(len(sums), -1).gather(1, places)
        before = self.ids.gather(1, parents.unsqueeze(-1).expand_as(self.ids))
        self.ids = torch.cat((before, ids.unsqueeze(-1)), -1)
        self.extra = self.extra.gather(1, parents)
        first = torch.arange(len(ids), device=ids.device).unsqueeze(1) * self.size
        return (first + parents).flatten(), ids.flatten()

    def _ruled(self, log_probs: Tensor, rows: slice) -> Tensor:
        """The log-probabilities that some rows are sorted by, after all rules."""
        ids = torch.cat((self.prompts[rows], self.ids.flatten(0, 1)[rows]), 1)
        written = Written(ids, self.prompts.shape[1], self.length, self.stop)
        return apply_rules(self.rules, log_probs, written)

    def done(self) -> bool:
        """Whether no unfinished sequence can still come among those kept."""
        count = self.ids.shape[-1]
        if count == self.length:
            self._keep(self.ids, self.sums, self.log_probs)
            return True
        if self.early:
            best_to_come = (self.sums / self.norm(count) + self.extra).amax(1)
        else:
            best_to_come = self.sums.amax(1) / self.norm(self.length)
        self.closed |= self.scores.amin(1) >= best_to_come
        return bool(self.closed.all())

    def narrow(self) -> Tensor | None:
        """Put prompts aside that are done with, once they are an eighth of all.

        Returns:
            The places of the others, or ``None`` if nothing was put aside.
        """
        if not self.apart or _FEW * int(self.closed.sum()) < len(self.closed):
            return None
        kept = (~self.closed).nonzero()[:, 0]
        self._put_aside()
        rows = kept[:, None] * self.size + torch.arange(self.size, device=kept.device)
        self.prompts = self.prompts[rows.flatten()]
        self.numbers = [self.numbers[place] for place in kept.tolist()]
        for name in ("ids", "sums", "log_probs", "extra", "closed"):
            setattr(self, name, getattr(self, name)[kept])
        for name in ("found_ids", "found_log_probs", "scores"):
            setattr(self, name, getattr(self, name)[kept])
        return kept

    def _put_aside(self) -> None:
        """Note what was found for all prompts that are still here."""
        self.over |= dict(zip(self.numbers, self._results(), strict=True))

    def _keep(self, ids: Tensor, sums: Tensor, log_probs: Tensor) -> None:
        """Put finished sequences beside the ones found, and keep the best of all."""
        count = ids.shape[-1]
        ids = nn.functional.pad(ids, (0, self.length - count), value=-1)
        scores = sums / self.norm(count) + self.extra
        scores = scores.masked_fill(self.closed[:, None], -math.inf)
        self.scores, places = torch.cat((self.scores, scores), 1).topk(self.size)
        log_probs = torch.cat((self.found_log_probs, log_probs), 1)
        self.found_log_probs = log_probs.gather(1, places)
        places = places.unsqueeze(-1).expand_as(self.found_ids)
        self.found_ids = torch.cat((self.found_ids, ids), 1).gather(1, places)

    def results(self) -> list[list[Found]]:
        """What was found for each prompt, the best first."""
        self._put_aside()
        return [self.over[number] for number in sorted(self.over)]

    def _results(self) -> list[list[Found]]:
        if bool((self.scores[:, 0] == -math.inf).any()):
            raise ArgumentError(
                f"beam_search: the rules must allow a sequence of at most {self.length}"
                " ids, got none among those kept. Forbid less, or widen the beam."
            )
        longest = int((self.found_ids >= 0).sum(-1).max())
        found = zip(
            self.found_ids[..., :longest].tolist(),
            self.found_log_probs.tolist(),
            self.scores.tolist(),
            strict=True,
        )
        return [
            [
                self._result(ids, log_prob, score)
                for ids, log_prob, score in zip(*columns, strict=True)
                if score > -math.inf
            ]
            for columns in found
        ]

    def _result(self, ids: list[int], log_prob: float, score: float) -> Found:
        ids = [value for value in ids if value >= 0]
        stopped = self.stop is not None and ids[-1] == self.stop
        return Found(tuple(ids[:-1] if stopped else ids), log_prob, score, stopped)


def _check(
    prompts: Tensor,
    length: int,
    beam_size: int,
    length_power: float,
    length_offset: float,
    coverage: float,
) -> None:
    if prompts.ndim != 2:
        raise ShapeError(
            f"beam_search: prompts must be (time, batch), got {tuple(prompts.shape)}. "
            "Lay one prompt in each column."
        )
    check_request("beam_search", prompts, length)
    if not isinstance(beam_size, int) or beam_size < 1:
        raise ArgumentError(
            f"beam_search: beam_size must be an int >= 1, got {beam_size!r}. Use 5, or "
            "more for a wider search."
        )
    if not (length_power >= 0 and math.isfinite(length_power)):
        raise ArgumentError(
            f"beam_search: length_power must be a finite number >= 0, got "
            f"{length_power}. Use 0 for probabilities, 1 for their mean per id."
        )
    for name, value in {"length_offset": length_offset, "coverage": coverage}.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ArgumentError(
                f"beam_search: {name} must be a finite number >= 0, got {value}. Use "
                "0 for none."
            )
