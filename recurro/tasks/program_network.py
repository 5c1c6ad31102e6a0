"""Programs and answers as a network reads and writes them, and how it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from recurro.baselines.answers import END
from recurro.data import Exercise, Sequences, pair_groups, present
from recurro.data.programs import ALPHABET
from recurro.nn import Decoder, WritingNetwork
from recurro.tasks.vector_task import Answered

__all__ = [
    "LOSS",
    "ROWS",
    "SYMBOLS",
    "WRITTEN",
    "ExecutingNetwork",
    "ProgramReader",
    "answer_figures",
    "judged",
]

SYMBOLS = "symbols.json"
WRITTEN = f"{END}-0123456789"
"""What answers are written in; the first ends them."""

ROWS = 256
"""Programs side by side, when they are read for their answers."""

_PROGRESS = 0.005
"""Learning makes no progress when a pass adds less to ``char_accuracy``."""


@dataclass(frozen=True)
class ProgramReader:
    """Programs and answers as the network reads and writes them.

    Attributes:
        reverse: Whether programs are read from their ends.
        double: Whether they are read twice.
    """

    reverse: bool
    double: bool

    def __call__(self, texts: Sequence[str]) -> Sequences:
        """The symbols of programs, as they are shown."""
        shown = partial(present, reverse=self.reverse, double=self.double)
        return _encoded([shown(text) for text in texts], ALPHABET)

    def answers(self, answers: Sequence[str]) -> Sequences:
        """The symbols of answers, with their ends."""
        return _encoded([answer + END for answer in answers], WRITTEN)

    def both(self, exercises: Sequence[Exercise]) -> Answered:
        """Programs with their answers."""
        texts = [one.text for one in exercises]
        return Answered(self(texts), self.answers([one.answer for one in exercises]))

    def file(self) -> tuple[str, str]:
        """The symbols that are read and written."""
        return SYMBOLS, json.dumps({"read": ALPHABET, "written": WRITTEN})


def _encoded(texts: Sequence[str], symbols: str) -> Sequences:
    table = np.zeros(128, np.int64)
    table[[ord(symbol) for symbol in symbols]] = np.arange(len(symbols))
    return Sequences.of(
        [table[np.frombuffer(text.encode(), np.uint8)] for text in texts]
    )


class ExecutingNetwork(WritingNetwork):
    """An encoder, a decoder, and how far a curriculum has come.

    Attributes:
        stage: The stage of the next pass, from 0.
        best: The best ``char_accuracy`` in this stage.
    """

    stage: torch.Tensor
    best: torch.Tensor

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        super().__init__(encoder, decoder)
        # Buffers, so that a checkpoint has them.
        self.register_buffer("stage", torch.zeros((), dtype=torch.long))
        self.register_buffer("best", torch.zeros((), dtype=torch.float64))

    def note(self, accuracy: float, stages: int) -> None:
        """Go on to the next stage if there is one, and learning makes no progress."""
        if accuracy >= float(self.best) + _PROGRESS or int(self.stage) + 1 == stages:
            self.best.fill_(max(accuracy, float(self.best)))
        else:
            self.best.zero_()
            self.stage += 1


LOSS = "nats_per_symbol"
"""The figure that the best pass is chosen by."""


@torch.no_grad()
def judged(network: ExecutingNetwork, data: Answered) -> dict[str, float]:
    """The loss, and the figures where the right symbols before are known."""
    assert isinstance(data.targets, Sequences)
    device, nats = next(network.parameters()).device, 0.0
    said, answers = list[str](), list[str]()
    lengths = data.sequences.lengths, data.targets.lengths
    for rows in pair_groups(*lengths, ROWS):
        batch = data.sequences.batch(rows, data.targets).to(device)
        logits = network.head.logits(network.encoder(batch), batch.targets)
        nats += float(functional.cross_entropy(logits, batch.targets, reduction="sum"))
        ends = np.cumsum(lengths[1][rows])[:-1]
        for ids, texts in ((logits.argmax(-1), said), (batch.targets, answers)):
            for part in np.split(ids.cpu().numpy(), ends):
                texts.append("".join(WRITTEN[number] for number in part))
    figures = answer_figures(said, [answer.removesuffix(END) for answer in answers])
    return {LOSS: nats / len(data.flat), **figures}


def answer_figures(said: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    """How many symbols, and how many answers, are right.

    Args:
        said: What was said at each place of each answer, and at its end.
        answers: The right ones.
    """
    right = symbols = exact = 0
    for one, answer in zip(said, answers, strict=True):
        true = answer + END
        right += sum(a == b for a, b in zip(one, true, strict=False))
        exact += one[: len(true)] == true
        symbols += len(true)
    return {"char_accuracy": right / symbols, "exact_match": exact / len(answers)}
