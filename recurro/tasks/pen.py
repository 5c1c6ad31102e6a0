"""Drawings as a network reads them, and a network that draws."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurro.data import Sequences, Tokenizer, encode_texts
from recurro.errors import RunError
from recurro.nn import EachStep, PenEncoder, PenMixture, StepNetwork, WindowNetwork
from recurro.nn.mixture import DOWN, ENDED, LIFTED
from recurro.tasks.sequence_config import RecurrentNetwork
from recurro.train import RunFolder
from recurro.types import Float

__all__ = ["Hand", "Pen", "pen_rows"]

PEN = "pen.json"
STATES = {"down": DOWN, "lifted": LIFTED, "ended": ENDED}


@dataclass(frozen=True)
class Pen:
    """Drawings as the network reads them: at each point, the one just before.

    Attributes:
        tokenizer: The vocabulary of the texts that are written, or ``None``.
    """

    tokenizer: Tokenizer | None = None

    def __call__(self, items: Any) -> Sequences:  # noqa: ANN401 (drawings)
        """Nothing, then all points but the last, of each drawing."""
        return Sequences.of([_before(drawing) for drawing in items])

    def writing(self, drawings: Any, texts: Any) -> Sequences:  # noqa: ANN401
        """The same, their texts beside them."""
        beside = None if self.tokenizer is None else self.encode(texts)
        return replace(self(drawings), beside=beside)

    def unknown(self, texts: Any) -> list[str]:  # noqa: ANN401
        """The symbols of texts that were not in training; none if none is written."""
        known = self.tokenizer
        return sorted({s for t in texts for s in known.missing(t)}) if known else []

    def encode(self, texts: Sequence[str]) -> Sequences:
        """The symbols of texts, each ended."""
        assert self.tokenizer is not None
        return encode_texts(texts, self.tokenizer)

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """What scales the points, and a linear layer of the embedding's size if any."""
        encoder = PenEncoder(model.embedding_size)
        return encoder, encoder.width

    def file(self) -> tuple[str, str]:
        """What the states of the pen are, and the vocabulary."""
        known = None if self.tokenizer is None else self.tokenizer.to_json()
        return PEN, json.dumps({"states": STATES, "vocabulary": known})

    @staticmethod
    def load(run: RunFolder) -> Pen:
        """The pen of a run.

        Raises:
            RunError: If its states are others than those known here.
            DataError: If its vocabulary is damaged.
        """
        tree = run.read_json(PEN)
        if not isinstance(tree, dict) or tree.get("states") != STATES:
            raise RunError(
                f"{run.path / PEN}: must have the states {', '.join(STATES)} of a pen, "
                "got others. Put it back from a copy."
            )
        text = tree.get("vocabulary")
        name = str(run.path / PEN)
        return Pen(None if text is None else Tokenizer.from_json(text, name))


def pen_rows(drawing: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 4"]:
    """The points of a drawing as a network reads them: dx, dy, down, lifted."""
    lifted = drawing[:, 2:] > 0
    return np.concatenate([drawing[:, :2], ~lifted, lifted], 1)


def _before(drawing: np.ndarray) -> np.ndarray:
    """What is read at each point ``(points, 4)``: the one just before."""
    return np.pad(pen_rows(drawing[:-1]), ((1, 0), (0, 0))).astype(np.float32)


class Hand:
    """A network that is stepped, all drawings side by side.

    Args:
        network: The network, in evaluation mode.
        texts: The ids of what is written ``(number, length)``, or ``None``.
        number: How many drawings.
    """

    def __init__(self, network: StepNetwork, texts: Tensor | None, number: int) -> None:
        self.network, self.number = network, number
        self.stream = network.recurrent.stream(number)
        self.device = next(network.parameters()).device
        if isinstance(network, WindowNetwork):
            assert texts is not None
            self.letters = network.window.letters(texts.to(self.device))
            self.state = network.window.init(self.letters)

    def __call__(self, points: Tensor) -> PenMixture:
        """What comes next, by the points just before ``(number, 4)``."""
        network, head = self.network, self.network.head
        assert isinstance(head, EachStep)
        x = network.encoder(points[None])[0]
        if isinstance(network, WindowNetwork):
            self.state, h, _ = network.window.step(self.state, x, self.letters)
            x = torch.cat([x, h, self.state.seen], 1)
        told = head.head(self.stream.step(x))
        assert isinstance(told, PenMixture)
        return told

    def draw(
        self, before: np.ndarray, temperature: float, length: int, seed: int | None
    ) -> np.ndarray:
        """Go on from some points; all of them and those drawn ``(number, points, 3)``.

        Args:
            before: Points that all drawings begin with ``(points, 3)``.
            temperature: See ``PenMixture.draw``.
            length: The most points that are drawn.
            seed: Of what is random; ``None`` for chance.
        """
        generator = torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        number, device = self.number, self.device
        x = torch.zeros(number, 4, device=device)
        points: list[Tensor] = []
        ended = torch.zeros(number, dtype=torch.bool, device=device)
        while len(points) < len(before) + length and not ended.all():
            told = self(x)
            if len(points) < len(before):
                row = torch.from_numpy(before[len(points)]).to(device)
                points.append(row.expand(number, 3))
            else:
                points.append(told.draw(temperature, generator))
                ended |= points[-1][:, 2] == ENDED
            lifted = points[-1][:, 2:] > 0
            x = torch.cat([points[-1][:, :2], ~lifted, lifted], 1)
        return torch.stack(points, 1).cpu().numpy()
