"""Less memory for more work: of a long run only some states are kept."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recurro.engine.reference import Request, draw_masks

Run = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The states at every step, and the final ones."""


def run_in_spans(runner: Callable[[Request], Run], request: Request) -> Run:
    """Run in spans of about sqrt(T) steps, and keep the states before each span alone.

    On the way back each span is run again, so a run costs a third more and holds what
    is needed for sqrt(T) steps.

    Args:
        runner: What runs a span, such as ``run_reference``.
        request: What to run.

    References:
        Chen et al. (2016), arXiv 1604.06174, section 4.1.
    """
    time = len(request.inputs[0])
    size = max(1, isqrt(time))
    if time <= 1 or not torch.is_grad_enabled():
        return runner(request)
    masks = draw_masks(request) if request.training else None  # the same ones again
    starts = list(range(0, time, size))
    state, count = request.state, len(request.state)
    trails: list[tuple[Tensor, ...]] = []
    for start in reversed(starts) if request.reverse else starts:
        part = _span(request, start, min(time, start + size), masks)

        def again(*given: Tensor, part: Request = part) -> tuple[Tensor, ...]:
            states, final = runner(
                part._replace(inputs=given[count:], state=given[:count])
            )
            return (*states, *final)

        found = checkpoint(
            again, *state, *part.inputs, use_reentrant=False, preserve_rng_state=False
        )
        trails.append(found[:count])
        state = found[count:]
    if request.reverse:
        trails.reverse()
    return tuple(torch.cat(variable) for variable in zip(*trails, strict=True)), state


def _span(
    request: Request, start: int, stop: int, masks: dict[str, Tensor] | None
) -> Request:
    """The steps from start to stop."""
    lengths = request.lengths
    return request._replace(
        inputs=tuple(x[start:stop] for x in request.inputs),
        lengths=None if lengths is None else (lengths - start).clamp(0, stop - start),
        masks=masks
        and {n: m[start:stop] if m.ndim == 3 else m for n, m in masks.items()},
    )
