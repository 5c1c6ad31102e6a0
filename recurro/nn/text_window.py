"""A layer that looks at a text while it runs: Graves' soft window."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.cells import Cell
from recurro.engine.run import Backend
from recurro.nn.in_step import StepHead, StepNetwork
from recurro.nn.recurrent import Recurrent
from recurro.types import Batch, Float, Int, State

__all__ = ["TextWindow", "WindowNetwork", "WindowState"]

_MOST = 8.0
"""The greatest logarithm of what is learnt as one, so that nothing overflows."""


class WindowState(NamedTuple):
    """What a soft window goes on from.

    Attributes:
        cell: The state of the cell; ``None`` for zeros.
        place: Where each Gaussian stands in the text, kappa ``(batch, gaussians)``.
        seen: What it sees, w ``(batch, symbols)``.
    """

    cell: State
    place: Tensor
    seen: Tensor


class TextWindow(nn.Module):
    """A recurrent layer, and a window over a text that it moves.

    With the symbols c_1 ... c_U of the text as vectors of one 1 each:

        h_t = cell((x_t, w_{t-1}), h_{t-1})
        (alpha, beta, k)_t = exp(W h_t + b)
        kappa_t = kappa_{t-1} + k_t
        phi(t, u) = sum_g alpha_g exp(-beta_g (kappa_g - u)^2)
        w_t = sum_u phi(t, u) c_u

    The cell reads what it saw a step before, so that it is run step by step, by the
    engine.

    Args:
        cell: The cell.
        input_size: Width of x_t.
        hidden_size: Units of the layer.
        symbols: How many symbols there are.
        gaussians: Gaussians of the window.
        backend: What runs the cell; see ``Recurrent``.

    Example:
        >>> from recurro.cells import LSTM
        >>> window = TextWindow(LSTM(), 4, 8, symbols=5, gaussians=2)
        >>> texts = torch.tensor([[0, 3, 1], [2, -1, -1]])
        >>> y, looked = window(torch.zeros(6, 2, 4), texts)
        >>> y.shape, looked.shape
        (torch.Size([6, 2, 13]), torch.Size([6, 2, 3]))

    References:
        Graves (2013), arXiv 1308.0850, equations 46 to 52.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        *,
        symbols: int,
        gaussians: int = 10,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.symbols, self.gaussians = symbols, gaussians
        self.recurrent = Recurrent(
            cell, input_size + symbols, hidden_size, backend=backend
        )
        self.linear = nn.Linear(self.recurrent.output_size, 3 * gaussians)
        self.output_size = self.recurrent.output_size + symbols
        self.start(0.1)

    @torch.no_grad()
    def start(self, rate: float) -> None:
        """Begin to move through a text at some rate.

        Args:
            rate: Symbols of a text to a step, above 0.
        """
        alpha, beta, k = self.linear.bias.chunk(3)
        alpha.fill_(-math.log(self.gaussians))
        beta.zero_()
        k.fill_(math.log(rate))

    def letters(
        self, texts: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length symbols"]:
        """The symbols of texts as vectors; nothing where the id is negative."""
        found = functional.one_hot(texts.clamp(min=0), self.symbols)
        return found.to(self.linear.weight.dtype) * (texts >= 0).unsqueeze(-1)

    def init(self, letters: Float[Tensor, "batch length symbols"]) -> WindowState:
        """The state before the first step."""
        place = letters.new_zeros(len(letters), self.gaussians)
        return WindowState(None, place, letters.new_zeros(len(letters), self.symbols))

    def step(
        self,
        state: WindowState,
        x: Float[Tensor, "batch input"],
        letters: Float[Tensor, "batch length symbols"],
    ) -> tuple[WindowState, Float[Tensor, "batch hidden"], Tensor]:
        """Take one step.

        Args:
            state: What to go on from.
            x: What is read beside the text.
            letters: The texts.

        Returns:
            The new state, h_t, and phi ``(batch, length)``.
        """
        read = torch.cat([x, state.seen], 1)[None]
        h, cell = self.recurrent(read, state.cell)
        moved = self.linear(h[0]).clamp(max=_MOST).exp()
        alpha, beta, k = moved.unsqueeze(-1).chunk(3, 1)
        place = state.place + k[..., 0]
        u = torch.arange(1, letters.shape[1] + 1, device=x.device, dtype=x.dtype)
        far = place.unsqueeze(-1) - u
        looked = (alpha * torch.exp(-beta * far * far)).sum(1)
        seen = torch.bmm(looked.unsqueeze(1), letters)[:, 0]
        return WindowState(cell, place, seen), h[0], looked

    def forward(
        self, x: Float[Tensor, "time batch input"], texts: Int[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "time batch output"], Float[Tensor, "time batch length"]]:
        """Run over time.

        Args:
            x: What is read beside the text.
            texts: The ids of the symbols of each text, filled up with -1.

        Returns:
            h_t and w_t side by side, and phi.
        """
        letters = self.letters(texts)
        state, told, looked = self.init(letters), [], []
        for x_t in x:
            state, h, phi = self.step(state, x_t, letters)
            told.append(torch.cat([h, state.seen], 1))
            looked.append(phi)
        return torch.stack(told), torch.stack(looked)


class WindowNetwork(StepNetwork):
    """A network that looks at a text in each step.

    p(target_t | x, text) = head(recurrent(x_t, h_t, w_t)), with h_t and w_t of a
    ``TextWindow`` over the text, which is the condition of a batch.

    Args:
        encoder: As in ``StepNetwork``.
        window: What looks at the text.
        recurrent: The recurrence above it.
        head: What makes a distribution of its output.
        dropout: As in ``StepNetwork``.
    """

    def __init__(
        self,
        encoder: nn.Module,
        window: TextWindow,
        recurrent: Recurrent,
        head: StepHead,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(encoder, recurrent, head, dropout=dropout)
        self.window = window

    def encode(self, batch: Batch) -> Float[Tensor, "time batch input"]:
        """The points, the lowest layer, and what it sees of the text."""
        assert batch.condition is not None
        x = self.encoder(batch.inputs)
        return torch.cat([x, self.window(x, batch.condition)[0]], -1)
