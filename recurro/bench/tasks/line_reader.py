"""A simple recogniser of written lines, which judges what a model writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch.distributions import Categorical

from recurro.cells import LSTM
from recurro.data import Drawings, Sequences, Tokenizer, encode_texts
from recurro.generate import ctc_greedy, token_error_rate
from recurro.nn import CTCHead, PenEncoder, Recurrent, StepNetwork
from recurro.tasks.pen import pen_rows
from recurro.tasks.sequence_config import SequenceTraining
from recurro.tasks.vector_task import Answered, VectorTask, answers
from recurro.train import train

__all__ = ["LineReader"]


class LineReader:
    """Reads lines from the strokes of the pen: a bidirectional LSTM with CTC.

    Args:
        hidden_size: Units of each direction.
        epochs: Passes over the lines.
        seed: Of what is random.

    Example:
        >>> from recurro.data import draw_lines
        >>> reader = LineReader(8, epochs=1).fit(draw_lines(20, seed=1))
        >>> len(reader.predict(draw_lines(3, seed=2)))
        3
    """

    def __init__(self, hidden_size: int = 96, epochs: int = 15, seed: int = 0) -> None:
        self.hidden_size, self.epochs, self.seed = hidden_size, epochs, seed

    def fit(self, lines: Drawings) -> Self:
        """Learn from lines and their texts."""
        assert lines.texts is not None
        self.tokenizer_ = Tokenizer.fit(
            lines.texts, "char", lines=True, unknown="replace"
        )
        data = Answered(_strokes(lines), encode_texts(lines.texts, self.tokenizer_))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            encoder = PenEncoder()
            self.network_ = self._network(encoder)
        offsets = data.sequences.values[:, :2]
        encoder.scale.fill_(float(np.sqrt((offsets**2).mean())))
        settings = SequenceTraining.model_validate(
            {
                "epochs": self.epochs,
                "learning_rate": 0.005,
                "schedule": "cosine",
                "keep": "last",
                "seed": self.seed,
            }
        )
        task = VectorTask(self.network_, data, None, settings, lambda *_: {})
        train(task, settings, None)
        self.network_.eval()
        return self

    def _network(self, encoder: PenEncoder) -> StepNetwork:
        blank = self.tokenizer_.eos_id
        assert blank is not None
        recurrent = Recurrent(
            LSTM(), encoder.width, self.hidden_size, bidirectional=True
        )
        head = CTCHead(recurrent.output_size, self.tokenizer_.size, blank=blank)
        return StepNetwork(encoder, recurrent, head, dropout=0.1)

    def predict(self, lines: Sequence[np.ndarray]) -> list[str]:
        """What lines say."""
        return [self.tokenizer_.decode(ids) for ids in self._ids(lines)]

    def error_rate(self, lines: Sequence[np.ndarray], texts: Sequence[str]) -> float:
        """Edits per symbol between what lines say and what they should.

        Args:
            lines: The drawings.
            texts: The text of each.
        """
        true = [tuple(ids[:-1]) for ids in encode_texts(texts, self.tokenizer_)]
        return token_error_rate(true, self._ids(lines))

    def _ids(self, lines: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
        read = _strokes(lines)
        found = answers(self.network_, read, _logits)
        rows = Sequences(found, read.starts)
        blank = self.tokenizer_.eos_id
        assert blank is not None
        return [
            ctc_greedy(torch.from_numpy(row)[:, None], blank=blank)[0].ids
            for row in rows
        ]


def _logits(told: Any) -> torch.Tensor:  # noqa: ANN401 (what a head gives)
    assert isinstance(told, Categorical)
    return told.logits


def _strokes(lines: Sequence[np.ndarray]) -> Sequences:
    return Sequences.of([pen_rows(line).astype(np.float32) for line in lines])
