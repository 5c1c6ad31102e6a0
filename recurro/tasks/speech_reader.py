"""From recordings to what a network hears, and the passes that vary them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from torch import nn

from recurro.data import (
    Scaler,
    Sequences,
    Tokenizer,
    draw_joins,
    join_series,
    mask_features,
)
from recurro.tasks.readers import SCALER, Items
from recurro.tasks.sequence_config import RecurrentNetwork
from recurro.tasks.speech_config import SpeechData
from recurro.tasks.vector_task import Answered

__all__ = ["SpeechPasses", "SpeechReader", "join_targets", "steps_of"]


def steps_of(samples: int, data: SpeechData) -> int:
    """How many steps a network takes for so many samples.

    Example:
        >>> steps_of(8000, SpeechData())  # 99 frames
        33
    """
    return -(-data.front.frames(samples) // data.stack)


@dataclass(frozen=True)
class SpeechReader:
    """Recordings as scaled energies of mel bands, some frames to a step.

    Attributes:
        data: How they are read.
        scaler: Means and deviations of the bands in the training part.
    """

    data: SpeechData
    scaler: Scaler

    @staticmethod
    def learn(items: Items, data: SpeechData) -> SpeechReader:
        """Learn the scaler from the training part."""
        heard = join_series([data.front(np.asarray(item)) for item in items])
        return SpeechReader(data, Scaler.fit(heard))

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """The scaled features of a recording ``(frames, bands)``."""
        return self.scaler(join_series([self.data.front(samples)])).values

    def stacked(self, frames: np.ndarray) -> np.ndarray:
        """Frames side by side ``(steps, stack * bands)``; the last fills up the end."""
        stack = self.data.stack
        missing = -len(frames) % stack
        filled = np.concatenate([frames, frames[-1:].repeat(missing, axis=0)])
        return filled.reshape(-1, stack * frames.shape[1])

    def __call__(self, items: Items) -> Sequences:
        """The steps of some recordings."""
        return Sequences.of(
            [self.stacked(self.frames(np.asarray(item))) for item in items]
        )

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """A linear layer of that size, or nothing."""
        width, size = self.data.stack * self.data.bands, model.embedding_size
        return (
            (nn.Identity(), width) if size is None else (nn.Linear(width, size), size)
        )

    def file(self) -> tuple[str, str]:
        """The scaler as JSON."""
        return SCALER, json.dumps(asdict(self.scaler), indent=1)


def join_targets(
    targets: Sequences, rows: Sequence[int] | np.ndarray, joint: np.ndarray, end: int
) -> np.ndarray:
    """The tokens of joined recordings, ended once.

    Args:
        targets: The tokens of each recording, each ended.
        rows: Which are joined.
        joint: The tokens that stand between ``(tokens,)``.
        end: The id that ends a text.

    Example:
        >>> texts = Sequences(np.array([5, 0, 7, 8, 0]), np.array([0, 2, 5]))
        >>> join_targets(texts, [1, 0], np.array([9]), 0).tolist()
        [7, 8, 9, 5, 0]
    """
    parts = [part for row in rows for part in (joint, targets[int(row)][:-1])]
    return np.append(np.concatenate(parts[1:]), end)


@dataclass(frozen=True, eq=False)
class SpeechPasses:
    """Recordings varied, joined and masked anew in each pass of training.

    Attributes:
        reader: What hears them.
        items: The samples of each.
        targets: The tokens of each, each ended.
        tokenizer: The vocabulary of the texts.
        seed: Of what is random; the same gives the same passes.
    """

    reader: SpeechReader
    items: Items
    targets: Sequences
    tokenizer: Tokenizer
    seed: int

    def __len__(self) -> int:
        """Examples of a pass."""
        return len(self.items)

    def __call__(self, epoch: int) -> Answered:
        """The examples of a pass."""
        data, reader = self.reader.data, self.reader
        draw, hide = np.random.default_rng((self.seed, epoch)), data.mask_time
        joint, end = joint_ids(self.tokenizer, data), self.tokenizer.eos_id
        assert end is not None
        sequences, targets = [], []
        for rows in draw_joins(len(self), data.join, draw):
            samples = data.variation([np.asarray(self.items[r]) for r in rows], draw)
            frames = mask_features(
                *(reader.frames(samples), data.mask_bands, round(hide / data.hop)),
                draw,
            )
            sequences.append(reader.stacked(frames))
            targets.append(join_targets(self.targets, rows, joint, end))
        return Answered(Sequences.of(sequences), Sequences.of(targets))


def joint_ids(tokenizer: Tokenizer, data: SpeechData) -> np.ndarray:
    """The tokens between joined texts: a space if the vocabulary has one, or as told.

    Example:
        >>> spaced = Tokenizer.fit(["a b"], "char", lines=True)
        >>> joint_ids(spaced, SpeechData()).tolist() == [spaced.ids[" "]]
        True
    """
    if tokenizer.kind == "word":
        return np.zeros(0, np.int64)
    usual = " " if " " in tokenizer.ids else ""
    return tokenizer.encode(usual if data.joint is None else data.joint)
