"""Bounds on the gradient, and what to do when training explodes.

**Automatic clipping.** ``clip="auto"`` bounds a gradient by ``scale`` times its usual
size, the running mean (decay 0.99) of the sizes of the steps that went well, each
counted with at most the bound itself. ``scale`` begins at 10, so that only outliers are
cut. Each explosion halves it, until the explosions stop; each good step multiplies it
by 2^(1/1000), up to 10 again, so that one bad batch does not slow the rest of the run.

**Explosions.** A step has exploded when its loss or its gradient is not finite, or when
its loss per item lies above m + 10 max(s, 0.1 |m|, 0.1), with m the running mean (decay
0.9) of the losses before it and s the running mean of their distance from m, once 20
losses have been seen. Such a step is skipped. Its loss, where finite, still enters m
and s: after a lasting change of level a step or two are lost, no more. Ten explosions
in a row end the run.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from recurro.errors import DivergenceError
from recurro.types import Float

__all__ = ["Clipper", "clip_", "gradient_size"]

_WIDEST = 10.0
_RECOVERY = 2.0 ** (1 / 1000)
_SEEN = 20
_LIMIT = 10


def gradient_size(
    gradients: list[Tensor], mode: Literal["norm", "element"]
) -> Float[Tensor, " one"]:
    """The norm of all gradients as one vector, or its largest absolute element.

    Example:
        >>> gradient_size([torch.tensor([3.0]), torch.tensor([-4.0])], "norm")
        tensor([5.])
    """
    return get_total_norm(gradients, math.inf if mode == "element" else 2.0).reshape(1)


def clip_(
    gradients: list[Tensor],
    mode: Literal["norm", "element"],
    bound: float,
    size: float,
    factor: float = 1.0,
) -> None:
    """Multiply the gradients by ``factor`` in place, then bound them.

    norm: g = g min(1, bound / |g|); element: each g_i is moved into [-bound, bound].

    Args:
        gradients: Those of all parameters.
        mode: What is bounded.
        bound: The largest size, above 0; may be infinite.
        size: What ``gradient_size`` gives for the gradients times ``factor``.
        factor: What turns a sum over items into a mean.

    Example:
        >>> gradient = torch.tensor([6.0, -8.0])
        >>> clip_([gradient], "norm", bound=1.0, size=5.0, factor=0.5)
        >>> gradient
        tensor([ 0.6000, -0.8000])

    References:
        Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063, algorithm 1.
    """
    if mode == "norm" and size > bound:
        factor *= bound / size
    torch._foreach_mul_(gradients, factor)  # pyright: ignore[reportPrivateImportUsage]
    if mode == "element" and size > bound:
        for gradient in gradients:
            gradient.clamp_(-bound, bound)


@dataclass
class _Usual:
    """Running means of the loss and of the gradient's size."""

    loss: float = 0.0
    distance: float = 0.0
    losses: int = 0
    size: float = 0.0

    def add_loss(self, loss: float) -> None:
        if self.losses == 0:
            self.loss = loss
        self.distance += 0.1 * (abs(loss - self.loss) - self.distance)
        self.loss += 0.1 * (loss - self.loss)
        self.losses += 1

    def jump(self, loss: float) -> bool:
        spread = max(self.distance, 0.1 * abs(self.loss), 0.1)
        return self.losses >= _SEEN and loss > self.loss + 10 * spread


@dataclass
class Clipper:
    """Decides, from a step's loss and gradient size, what becomes of the gradient.

    Attributes:
        clip: The bound, ``"auto"``, or ``None`` for no bound.
        explosions: Steps skipped so far.
        in_a_row: Steps skipped since the last good one.
        scale: The factor of automatic clipping.

    Example:
        >>> clipper = Clipper(clip=1.0)
        >>> clipper.bound(2.0, 4.0)  # loss, size of the gradient
        1.0
        >>> clipper.bound(float("nan"), 4.0) is None  # skip this step
        True
    """

    clip: float | str | None
    explosions: int = 0
    in_a_row: int = 0
    scale: float = _WIDEST
    usual: _Usual = field(default_factory=_Usual)

    def bound(self, loss: float, size: float) -> float | None:
        """The largest size that the gradient may have, or ``None`` to skip the step.

        Args:
            loss: The mean loss per item.
            size: The gradient's norm, or its largest absolute element.

        Raises:
            DivergenceError: If this is the tenth explosion in a row.
        """
        exploded = not math.isfinite(loss + size) or self.usual.jump(loss)
        if math.isfinite(loss):
            self.usual.add_loss(loss)
        if exploded:
            self._explode(loss, size)
            return None
        self.in_a_row = 0
        bound = self._threshold(size)
        self.scale = min(_WIDEST, self.scale * _RECOVERY)
        usual = self.usual
        usual.size += (min(size, bound) - usual.size) * (0.01 if usual.size else 1.0)
        return bound

    def _threshold(self, size: float) -> float:
        if self.clip is None:
            return math.inf
        if isinstance(self.clip, str):
            return self.scale * (self.usual.size or size)
        return self.clip

    def _explode(self, loss: float, size: float) -> None:
        self.explosions += 1
        self.in_a_row += 1
        self.scale /= 2
        if self.in_a_row >= _LIMIT:
            clip = "set clip=1.0" if self.clip is None else f"clip (now {self.clip})"
            raise DivergenceError(
                f"train: a step must have a finite, steady loss, got {_LIMIT} "
                f"explosions in a row (loss {loss:.3g}, gradient {size:.3g}). Lower "
                f"learning_rate or {clip}, or begin with smaller weights."
            )

    def state_dict(self) -> dict[str, Any]:
        """All that the decisions to come depend on."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave; the ``clip`` of today stays."""
        self.usual = _Usual(**state["usual"])
        self.explosions, self.in_a_row = state["explosions"], state["in_a_row"]
        self.scale = state["scale"]
