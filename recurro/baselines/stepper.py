"""A baseline as a decoder sees it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recurro.baselines.baseline import Baseline
from recurro.types import Float, Int

__all__ = ["BaselineStepper"]


@dataclass(frozen=True)
class BaselineStepper:
    """Lets sampling and beam search read a baseline; a ``Stepper`` of ``types``.

    Attributes:
        model: The fitted baseline.

    Example:
        >>> from recurro.baselines import NGramModel
        >>> stepper = BaselineStepper(NGramModel(2, order=2).fit([0, 1] * 50))
        >>> state, log_probs = stepper.step(stepper.init(1), torch.tensor([0]))
        >>> int(log_probs.argmax())
        1
    """

    model: Baseline

    def init(self, batch_size: int) -> Int[Tensor, "batch orders"]:
        """The contexts of texts without a token."""
        return torch.from_numpy(self.model.start(batch_size))

    def step(
        self, state: Int[Tensor, "batch orders"], tokens: Int[Tensor, " batch"]
    ) -> tuple[Int[Tensor, "batch orders"], Float[Tensor, "batch vocab"]]:
        """Append tokens; give the log-probabilities of what may come, float32."""
        contexts = self.model.advance(state.cpu().numpy(), tokens.cpu().numpy())
        log_probs = self.model.next_log_probs(contexts)
        following = torch.from_numpy(log_probs).to(tokens.device, torch.float32)
        return torch.from_numpy(contexts), following

    def select(
        self, state: Int[Tensor, "batch orders"], rows: Int[Tensor, " rows"]
    ) -> Int[Tensor, "rows orders"]:
        """The contexts of the named rows."""
        return state[rows.to(state.device)]
