"""Sampling from a sequence model, id by id."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.generate.rules import Rule, Written, apply_rules
from recurro.types import Float, Int, State, Stepper

Source: TypeAlias = torch.Generator | Sequence[torch.Generator] | None
"""Where random numbers come from: one for all rows, or one for each."""

__all__ = ["probabilities", "sample", "sample_batch"]

ROUNDING = 1e-6
"""How far under ``top_p`` a share may be, relatively, and still reach it: float32's
rounding, so that 0.5 of (0.5, 0.3, 0.2) is the first id alone."""


def sample(
    stepper: Stepper,
    prompt: Sequence[int] | Int[Tensor, " time"],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    stop: int | None = None,
    rules: Sequence[Rule] = (),
) -> Iterator[int]:
    """Continue a prompt with random ids, each given as soon as it is drawn.

    id_t ~ probabilities(rules(log P(. | prompt, id_1, ..., id_{t-1})))

    Args:
        stepper: The model.
        prompt: The ids to start from, at least one (where the items of a model start
            from the end-of-line id, that one); a tensor must be on the model's device.
        length: Most ids to draw, at least 1.
        temperature: As in ``probabilities``; 0 takes the likeliest id each time.
        top_k: As in ``probabilities``.
        top_p: As in ``probabilities``.
        generator: Source of the random numbers, on any device: one seed gives one
            text. ``None`` draws from PyTorch's global source.
        stop: The id that ends the sequence, itself not given; ``None`` for none.
        rules: What may be written; see ``recurro.generate.rules``.

    Returns:
        An iterator over at most ``length`` ids, without the prompt.

    Raises:
        ArgumentError: If an argument is out of its range; at the call. If the rules
            leave no id, or a rule does not fit the request; while iterating.
        ShapeError: If the prompt is not a row of ids; at the call.
        DivergenceError: If the model gives NaN; while iterating.

    Example:
        >>> class Coin:
        ...     def init(self, batch_size): return ()
        ...     def step(self, state, tokens):
        ...         return state, torch.full((len(tokens), 2), 0.5).log()
        ...     def select(self, state, rows): return state
        >>> generator = torch.Generator()
        >>> throws = list(sample(Coin(), [0], 9, generator=generator.manual_seed(1)))
        >>> throws == list(sample(Coin(), [0], 9, generator=generator.manual_seed(1)))
        True
    """
    ids = torch.as_tensor(prompt, dtype=torch.long)
    if ids.ndim != 1:
        raise ShapeError(
            f"sample: prompt must be (time,), got {tuple(ids.shape)}. Use sample_batch "
            "for several prompts."
        )
    check_request("sample", ids, length)
    choice = _Choice("sample", temperature, top_k, top_p)
    draws = _draws(stepper, ids[:, None], length, choice, generator, stop, rules)
    return _until(stop, (int(row) for row in draws))


def sample_batch(
    stepper: Stepper,
    prompts: Int[Tensor, "time batch"],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    stop: int | None = None,
    rules: Sequence[Rule] = (),
) -> list[list[int]]:
    """Continue several prompts of one length at once; ``sample`` for a batch.

    Args:
        stepper: The model.
        prompts: The ids to start from, one column per prompt, at least one row; on
            the model's device.
        length: Most ids to draw, at least 1.
        temperature: As in ``probabilities``; 0 takes the likeliest id each time.
        top_k: As in ``probabilities``.
        top_p: As in ``probabilities``.
        generator: Source of the random numbers, on any device; with one for each
            prompt, what is drawn for it does not depend on the others.
        stop: The id that ends a sequence, itself left out; ``None`` for none.
        rules: What may be written; see ``recurro.generate.rules``.

    Returns:
        The ids drawn for each prompt, without the prompt.

    Raises:
        ArgumentError: If an argument is out of its range, or the rules leave no id.
        ShapeError: If the prompts are not ``(time, batch)``.
        DivergenceError: If the model gives NaN.

    Example:
        >>> class Count:
        ...     def init(self, batch_size): return ()
        ...     def step(self, state, tokens):
        ...         return state, torch.eye(5)[(tokens + 1) % 5].log()
        ...     def select(self, state, rows): return state
        >>> sample_batch(Count(), torch.tensor([[0, 2]]), 4, stop=4)
        [[1, 2, 3], [3]]
    """
    if prompts.ndim != 2:
        raise ShapeError(
            f"sample_batch: prompts must be (time, batch), got {tuple(prompts.shape)}. "
            "Lay one prompt in each column."
        )
    check_request("sample_batch", prompts, length)
    if isinstance(generator, Sequence) and len(generator) != prompts.shape[1]:
        raise ArgumentError(
            f"sample_batch: generator must be one, or one for each of "
            f"{prompts.shape[1]} prompts, got {len(generator)}."
        )
    choice = _Choice("sample_batch", temperature, top_k, top_p)
    draws = _draws(stepper, prompts, length, choice, generator, stop, rules)
    rows, going = [], torch.ones_like(prompts[0], dtype=torch.bool)
    for row in draws:
        rows.append(row)
        if stop is not None:
            going &= row != stop
            if not going.any():
                break
    columns = torch.stack(rows, dim=1).tolist()
    return [list(_until(stop, iter(column))) for column in columns]


def probabilities(
    log_probs: Float[Tensor, "*batch vocab"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "*batch vocab"]:
    """The distribution that sampling draws from, in float64.

    q(v) ~ P(v)^(1 / temperature), then cut to the ``top_k`` likeliest ids, then to
    the fewest likeliest ids whose share is at least ``top_p``, then scaled to sum 1.
    Of equally likely ids at the border the lower ones stay.

    Args:
        log_probs: Log-probabilities of the next id.
        temperature: At least 0; under 1 sharpens, over 1 flattens, and 0 leaves the
            likeliest id alone.
        top_k: Ids that stay, at least 1; ``None`` for all.
        top_p: Share that stays, in (0, 1]; ``None`` for all.

    Raises:
        ArgumentError: If an argument is out of its range.
        DivergenceError: If a row has NaN or no possible id.

    Example:
        >>> log_probs = torch.tensor([0.4, 0.4, 0.2]).log()
        >>> probabilities(log_probs, top_k=2).tolist()
        [0.5, 0.5, 0.0]

    References:
        Holtzman et al. (2020), arXiv:1904.09751, equations 2 and 3 (top-p).
    """
    weights = _Choice("probabilities", temperature, top_k, top_p).weights(log_probs)
    return weights / weights.sum(-1, keepdim=True)


def _draws(
    stepper: Stepper,
    prompts: Tensor,
    length: int,
    choice: _Choice,
    source: Source,
    stop: int | None,
    rules: Sequence[Rule],
) -> Iterator[Tensor]:
    """The next ids of all rows, ``length`` times."""
    # Per step, as a consumer between two yields keeps its own gradient mode.
    step = torch.no_grad()(stepper.step)
    state, log_probs = read(stepper, prompts)
    start, rows = prompts.shape
    written = prompts.new_empty(rows, start + length if rules else start)
    written[:, :start] = prompts.t()
    for place in range(start, start + length):
        if rules:
            check_possible(log_probs.amax(-1))
            so_far = Written(written[:, :place], start, length, stop)
            log_probs = apply_rules(rules, log_probs, so_far)
            _check_left(log_probs, so_far)
        ids = _draw(choice.weights(log_probs), source)
        yield ids
        if rules:
            written[:, place] = ids
        if place < start + length - 1:
            state, log_probs = step(state, ids)


@torch.no_grad()
def read(stepper: Stepper, prompts: Tensor) -> tuple[State, Tensor]:
    """Lead a model through prompts ``(time, batch)``: its state and next log P."""
    state, log_probs = stepper.init(prompts.shape[1]), prompts
    for ids in prompts:
        state, log_probs = stepper.step(state, ids)
    return state, log_probs


@dataclass(frozen=True)
class _Choice:
    """How an id is chosen, checked; ``where`` names who was asked."""

    where: str
    temperature: float
    top_k: int | None
    top_p: float | None

    def __post_init__(self) -> None:
        where, temperature = self.where, self.temperature
        if not (temperature >= 0 and math.isfinite(temperature)):
            raise ArgumentError(
                f"{where}: temperature must be a finite number >= 0, got {temperature}."
                " Use 1 for the model's own probabilities, 0 for the likeliest id."
            )
        if self.top_k is not None and not (
            isinstance(self.top_k, int) and self.top_k >= 1
        ):
            raise ArgumentError(
                f"{where}: top_k must be an int >= 1, got {self.top_k!r}. Leave it out "
                "to keep all ids."
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ArgumentError(
                f"{where}: top_p must be in (0, 1], got {self.top_p}. Leave it out to "
                "keep all ids."
            )

    def weights(self, log_probs: Tensor) -> Tensor:
        """Numbers in the proportion of the chances to draw by; the largest is 1."""
        log_probs = log_probs.double()
        best = log_probs.amax(-1, keepdim=True)
        check_possible(best)
        if self.temperature == 0:
            return torch.zeros_like(log_probs).scatter(
                -1, log_probs.argmax(-1, keepdim=True), 1
            )
        weights = ((log_probs - best) / self.temperature).exp()
        top_k, top_p = self.top_k, self.top_p
        if top_k is None and top_p in (None, 1):
            return weights
        ordered, ids = weights.sort(dim=-1, descending=True, stable=True)
        if top_k is not None:
            ordered[..., top_k:] = 0
        if top_p is not None and top_p < 1:
            ahead = ordered.cumsum(-1) - ordered
            enough = top_p * (1 - ROUNDING) * ordered.sum(-1, keepdim=True)
            ordered[ahead >= enough] = 0
        return torch.zeros_like(weights).scatter(-1, ids, ordered)


def _draw(weights: Tensor, source: Source) -> Tensor:
    """Draw one id per row: the first at which the running sum passes a random share.

    The random numbers are drawn where the generator is, so that a seed gives the same
    text on every device.
    """
    share = _shares(len(weights), source)
    sums = weights.cumsum(-1)
    passed = sums > share.to(weights.device) * sums[:, -1:]
    return passed.to(torch.uint8).argmax(-1)


def _shares(rows: int, source: Source) -> Tensor:
    """A random number in [0, 1) for each row, ``(rows, 1)``, float64."""
    if isinstance(source, Sequence):
        return torch.cat([_shares(1, generator) for generator in source])
    device = "cpu" if source is None else source.device
    return torch.rand((rows, 1), generator=source, dtype=torch.float64, device=device)


def _until(stop: int | None, ids: Iterator[int]) -> Iterator[int]:
    """The ids before the first ``stop``."""
    for value in ids:
        if value == stop:
            return
        yield value


def check_possible(best: Tensor) -> None:
    """Refuse log-probabilities whose largest one, per row, is no number."""
    if not bool(torch.isfinite(best).all()):
        raise DivergenceError(
            "generate: each row of log-probabilities must have a finite one, got NaN "
            "or none. The model has diverged: use an earlier checkpoint."
        )


def _check_left(log_probs: Tensor, written: Written) -> None:
    """Refuse rules that leave a row nothing to write."""
    if bool((log_probs.amax(-1) == -math.inf).any()):
        raise ArgumentError(
            f"generate: the rules must leave an id to write, got none after "
            f"{written.count} ids. Forbid less, or lower the minimum length."
        )


def check_request(where: str, prompts: Tensor, length: int) -> None:
    """Refuse prompts without ids and lengths that are none."""
    if prompts.numel() == 0:
        raise ArgumentError(
            f"{where}: the prompt must have at least one id, got none. Start from the "
            "end-of-line id, or from any symbol."
        )
    if int(prompts.min()) < 0:
        raise ArgumentError(
            f"{where}: prompt ids must be >= 0, got {int(prompts.min())}. Encode the "
            "prompt with the vocabulary of the model."
        )
    if not isinstance(length, int) or length < 1:
        raise ArgumentError(
            f"{where}: length must be an int >= 1, got {length!r}. Ask for at least "
            "one id."
        )
