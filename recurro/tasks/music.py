"""Music: pieces in, a model of P(next frame | frames before) out."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from recurro.baselines.music import IndependentKeys, MarkovKeys
from recurro.data import Score, Sequences, as_roll, roll_of, score_of
from recurro.data.music import KEYS, LOWEST
from recurro.errors import ArgumentError, DataError, RunError
from recurro.nn import BernoulliHead, EachStep, StepNetwork
from recurro.tasks.comparison import Comparison
from recurro.tasks.next_step import NextStepModel
from recurro.tasks.sequence import Data
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)
from recurro.train import RunFolder

__all__ = ["MusicModel", "MusicSettings"]

KEYBOARD = "keyboard.json"


class MusicData(ItemData):
    """What is read.

    Attributes:
        step: Quarter notes of a frame: how finely scores are cut, and how long the
            frames of a sample last.
    """

    step: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class MusicNetwork(RecurrentNetwork):
    """What the network is made of; it reads forward only."""

    hidden_size: int = Field(default=256, ge=1)
    bidirectional: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class MusicTraining(SequenceTraining):
    """How the network is trained.

    Attributes:
        batch_size: Pieces of an update.
    """

    batch_size: int = Field(default=16, ge=1)
    epochs: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=0.005, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class MusicSettings(TaskSettings):
    """All settings of a run that learns music.

    Example:
        >>> MusicSettings(task="music", data={"step": 0.5}).train.batch_size
        16
    """

    task: Literal["music"]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    data: MusicData = MusicData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: MusicNetwork = MusicNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: MusicTraining = MusicTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)


class _Keyboard:
    """Pieces as the network reads them: at each frame, what sounded just before."""

    def __call__(self, items: Any) -> Sequences:  # noqa: ANN401 (rolls)
        """Silence, then all frames but the last, of each roll ``(time, 88)``."""
        before = [np.concatenate([np.zeros_like(r[:1]), r[:-1]]) for r in items]
        return Sequences.of(before)

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """A linear layer of the embedding's size, or nothing."""
        size = model.embedding_size
        return (nn.Identity(), KEYS) if size is None else (nn.Linear(KEYS, size), size)

    def file(self) -> tuple[str, str]:
        """Which pitches the keys are."""
        return KEYBOARD, json.dumps({"lowest": LOWEST, "keys": KEYS})

    @staticmethod
    def load(run: RunFolder) -> _Keyboard:
        """The keyboard of a run.

        Raises:
            RunError: If it is another than the one known here.
        """
        if run.read_json(KEYBOARD) != {"lowest": LOWEST, "keys": KEYS}:
            raise RunError(
                f"{run.path / KEYBOARD}: must be the {KEYS} keys from pitch {LOWEST} "
                "up, got others. Put it back from a copy."
            )
        return _Keyboard()


class MusicModel(NextStepModel, without=("bidirectional",)):
    """A recurrent model of polyphonic music, frame by frame.

    P(piece) = prod_t prod_k P(key k sounds in frame t | frames before), with the
    chances sigmoid(W h_t + b) of the 88 keys of a piano, given what was heard.

    The arguments are those of ``recurro.tasks.music`` (``MusicData``, ``MusicNetwork``,
    ``MusicTraining``). ``cell`` is an object, also one of your own; ``out`` names a run
    folder, without which all stays in memory; ``overwrite`` lets it replace a run that
    is there.

    Pieces are a list: of piano rolls ``(time, 88)`` of 0 and 1, of lists of frames
    (each the list of its MIDI pitches, 21 to 108), or of scores as ``read_midi`` gives
    them.

    Attributes:
        network_: The trained ``StepNetwork``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> broken = [[60], [64], [67], [64]] * 4
        >>> model = MusicModel(hidden_size=32, epochs=15, batch_size=2)
        >>> model = model.fit([broken[n:] for n in range(10)])
        >>> roll = model.generate(3, prompt=broken[:5], temperature=0)
        >>> (roll.nonzero()[1] + 21).tolist()
        [60, 64, 67, 64, 60, 64, 67, 64]

    References:
        Boulanger-Lewandowski, Bengio and Vincent (2012), arXiv 1206.6392; Bai, Kolter
        and Koltun (2018), arXiv 1803.01271, table 1 (figures).
    """

    task: ClassVar[str] = "music"
    kind: ClassVar[type[TaskSettings]] = MusicSettings

    step: float

    # What is read and told.

    def _items(self, X: Any) -> list[np.ndarray]:  # noqa: ANN401
        pieces = list(X)
        if not pieces:
            raise DataError(
                "MusicModel: must be given at least one piece, got none. Give some."
            )
        return [
            roll_of(piece, self.step)
            if isinstance(piece, Score)
            else as_roll(piece, f"MusicModel: piece {number}")
            for number, piece in enumerate(pieces)
        ]

    def _learn_reader(
        self,
        items: Any,  # noqa: ANN401
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> _Keyboard:
        return _Keyboard()

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> _Keyboard:
        return _Keyboard.load(run)

    def _head(self, features: int, settings: RecurrentNetwork) -> EachStep:
        return EachStep(BernoulliHead(features, KEYS))

    # Figures.

    def _figures(self, losses: np.ndarray, starts: np.ndarray) -> dict[str, float]:
        """The mean of -log P over all frames but the first of each piece."""
        later = np.ones(len(losses), bool)
        later[starts[:-1]] = False
        if not later.any():
            raise DataError(
                "MusicModel: what is scored must have a piece of two frames, got "
                f"{len(starts) - 1} of one. Give longer pieces."
            )
        return {"nll_per_frame": float(losses[later].mean())}

    def _baselines(self, train: tuple[Any, Any], valid: tuple[Any, Any]) -> Comparison:
        rows: Comparison = []
        for name, model in (
            ("independent keys", IndependentKeys()),
            ("Markov chain of each key", MarkovKeys()),
        ):
            model.fit(train[0])
            losses = -np.concatenate([model.log_probs(roll) for roll in valid[0]])
            rows.append({"name": name, **self._figures(losses, valid[1].starts)})
        return rows

    def evaluate(self, X: Data, y: object = None) -> dict[str, float]:
        """-log P of a frame given those before it, in nats, summed over the keys.

        It is the mean over all frames but the first of each piece, as published figures
        are.

        Args:
            X: The pieces.
            y: Nothing; scikit-learn passes it.

        Raises:
            DataError: If a piece cannot be used, or none has a second frame.
        """
        return super().evaluate(X, X)

    # Samples.

    def generate(
        self,
        frames: int = 64,
        *,
        prompt: Any = None,  # noqa: ANN401 (a piece)
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> np.ndarray:
        """Compose: draw one frame after the other, the keys of each apart.

        Args:
            frames: How many are drawn, at least 1.
            prompt: A piece to go on from; it stands before them in the result.
            temperature: What the log odds of the keys are divided by; with 0 a key
                sounds where that is likelier than not.
            seed: The same seed, the same music; ``None`` for other music each time.

        Returns:
            The piano roll ``(time, 88)``.

        Raises:
            ArgumentError: If a number is out of its range.
            DataError: If the prompt cannot be used.
        """
        if frames < 1 or not 0 <= temperature < float("inf"):
            raise ArgumentError(
                "generate: frames must be at least 1 and temperature a finite number of"
                f" at least 0, got {frames} and {temperature}."
            )
        network = self._fitted()
        assert isinstance(network, StepNetwork)
        before = [] if prompt is None else [*self._items([prompt])[0]]
        with torch.no_grad():
            return _compose(network, before, frames, temperature, seed)

    def compose(
        self,
        frames: int = 64,
        *,
        prompt: Any = None,  # noqa: ANN401 (a piece)
        temperature: float = 1.0,
        tempo: float = 100.0,
        seed: int | None = None,
    ) -> Score:
        """The same as a score, for ``write_midi`` and ``synthesize``.

        Args:
            frames: How many are drawn.
            prompt: A piece to go on from.
            temperature: Below 1 careful, above 1 adventurous.
            tempo: Quarter notes a minute.
            seed: The same seed, the same music.
        """
        roll = self.generate(frames, prompt=prompt, temperature=temperature, seed=seed)
        return score_of(roll, self.step, tempo)


def _log_odds(found: Any) -> Tensor:  # noqa: ANN401 (what a head gives)
    assert isinstance(found, Independent)
    assert isinstance(found.base_dist, Bernoulli)
    return found.base_dist.logits


def _compose(
    network: StepNetwork,
    before: list[np.ndarray],
    frames: int,
    temperature: float,
    seed: int | None,
) -> np.ndarray:
    """Go on from some frames; all of them and those drawn ``(time, keys)``."""
    head, stream = network.head, network.recurrent.stream(1)
    device = next(network.parameters()).device
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    heard = [torch.zeros(KEYS), *(torch.from_numpy(frame) for frame in before)]
    assert isinstance(head, EachStep)
    for place in range(len(before) + frames):
        y = stream.step(network.encoder(heard[place].to(device)[None]))
        if place < len(before):
            continue
        z = _log_odds(head.head(y))[0].cpu()
        if temperature == 0:
            heard.append((z > 0).float())
        else:
            chance = torch.sigmoid(z / temperature)
            heard.append(torch.bernoulli(chance, generator=generator))
    return torch.stack(heard[1:]).numpy()
