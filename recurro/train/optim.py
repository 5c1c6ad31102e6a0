"""Optimisers of PyTorch, learning rates as functions of the step, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from recurro.train.settings import TrainSettings

__all__ = ["Average", "learning_rate", "make_optimizer", "worse_than_before"]


def make_optimizer(
    parameters: Sequence[nn.Parameter], settings: TrainSettings
) -> torch.optim.Optimizer:
    """The optimiser that the settings name, over all parameters alike.

    Averaged SGD is SGD here; its averages are kept by ``Average``.

    Args:
        parameters: What is to be trained.
        settings: Read for optimizer, momentum, nesterov, betas and weight_decay.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(
                parameters, rate, settings.betas, weight_decay=decay, fused=True
            )
        case "adamw":
            return torch.optim.AdamW(
                parameters, rate, settings.betas, weight_decay=decay, fused=True
            )
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters, rate, weight_decay=decay, momentum=settings.momentum
            )
        case "rprop":
            return torch.optim.Rprop(parameters, rate)
        case "sgd" | "asgd":
            return torch.optim.SGD(
                parameters,
                rate,
                settings.momentum,
                weight_decay=decay,
                nesterov=settings.nesterov,
                fused=True,
            )


def learning_rate(
    settings: TrainSettings, step: int, total: int, divisions: int = 0
) -> float:
    """The learning rate of update number ``step``.

    constant: r; cosine: r (f + (1 - f) (1 + cos(pi p)) / 2), with f the final rate and
    p the share of the updates after warm-up that are done; plateau: r / factor^d. The
    warm-up multiplies it by (step + 1) / warmup_steps while that is below 1.

    Args:
        settings: Read for the schedule and its numbers.
        step: Updates made before this one, from 0.
        total: Updates of the whole run.
        divisions: How often the rate was divided on a plateau.

    Example:
        >>> settings = TrainSettings(learning_rate=1.0, schedule="cosine")
        >>> [round(learning_rate(settings, step, 5), 2) for step in range(5)]
        [1.0, 0.85, 0.5, 0.15, 0.0]

    References:
        Loshchilov and Hutter (2017), arXiv:1608.03983, equation 5, without restarts.
    """
    rate, warmup = settings.learning_rate, settings.warmup_steps
    if settings.schedule == "plateau":
        rate *= settings.plateau_factor**-divisions  # may fade to 0, not overflow
    elif settings.schedule == "cosine":
        done = min(max(step - warmup, 0) / max(total - warmup - 1, 1), 1.0)
        final = settings.final_rate
        rate *= final + (1 - final) * (1 + math.cos(math.pi * done)) / 2
    return rate * min(1.0, (step + 1) / warmup) if warmup else rate


def worse_than_before(scores: Sequence[float], nonmonotone: int) -> bool:
    """Whether the last score is worse than the best of those long enough before it.

    v_t > min(v_0 ... v_{t-n-1}): the trigger of the non-monotonically triggered
    averaged SGD, with n = ``nonmonotone``.

    Example:
        >>> worse_than_before([3.0, 2.0, 2.5, 2.4], nonmonotone=1)
        True
        >>> worse_than_before([3.0, 2.0, 2.5, 2.4], nonmonotone=2)
        False

    References:
        Merity, Keskar and Socher (2018), arXiv:1708.02182, algorithm 1.
    """
    before = scores[: max(len(scores) - 1 - nonmonotone, 0)]
    return bool(before) and scores[-1] > min(before)


class Average:
    """The mean of the weights over the updates since it began, or over the latest.

    mean_n = mean_{n-1} + s_n (w_n - mean_{n-1})

    with s_n = 1 / n for the mean over all, and max(1 - d, 10 / (n + 9)) for a decay d:
    about the last 1 / (1 - d) count, or the last tenth while there were fewer than ten
    times so many.

    Args:
        parameters: The weights.
        decay: d in (0, 1), or 1 for the mean over all.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0]))
        >>> average = Average([weight])
        >>> average.start()
        >>> for value in (2.0, 4.0):
        ...     _ = weight.data.fill_(value)
        ...     average.add()
        >>> with average.swapped_in():
        ...     weight.item()
        3.0
        >>> weight.item()
        4.0
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float = 1.0) -> None:
        """Begin with nothing averaged."""
        self._parameters, self._decay = list(parameters), decay
        self._means: list[Tensor] = []
        self._count = 0

    @property
    def running(self) -> bool:
        """Whether averaging has begun."""
        return bool(self._means)

    @torch.no_grad()
    def start(self) -> None:
        """Begin to average; until the first ``add`` the mean is today's weights."""
        self._means = [p.detach().clone() for p in self._parameters]
        self._count = 0

    @torch.no_grad()
    def add(self) -> None:
        """Count today's weights in, if averaging has begun."""
        if self._means:
            self._count += 1
            n = self._count
            share = 1 / n if self._decay == 1 else max(1 - self._decay, 10 / (n + 9))
            for mean, parameter in zip(self._means, self._parameters, strict=True):
                mean.lerp_(parameter, share)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the means in place of the weights for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, mean in zip(self._parameters, self._means, strict=False):
            weight = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(weight)

    def state_dict(self) -> dict[str, Any]:
        """The means and how many weights they are of."""
        return {"means": self._means, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""
        pairs = zip(state["means"], self._parameters, strict=False)
        self._means = [mean.to(p.device) for mean, p in pairs]
        self._count = state["count"]
