"""Pictures, painted stroke by stroke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from recurro.baselines.pictures import IndependentPixels
from recurro.data.numbered_pictures import as_pictures
from recurro.errors import ArgumentError
from recurro.nn.draw import Autoencoder, Canvas, DrawNetwork, PaintNetwork
from recurro.nn.recurrent import Recurrent
from recurro.tasks.comparison import Comparison
from recurro.tasks.own_targets import OwnTargets
from recurro.tasks.picture_config import PaintSettings, PaintSteps
from recurro.tasks.picture_reader import PictureReader, pixels_of
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.vector_task import Answered, VectorTask, held_out_rows
from recurro.train import RunFolder, train

__all__ = ["Painted", "Painter"]

_ROWS = 256
"""Pictures side by side, when they are scored."""

_BASELINE_LATENT = 4
"""The plain autoencoder has so many times the numbers of one stroke."""


@dataclass(frozen=True, eq=False)
class Painted:
    """Pictures that were painted.

    Attributes:
        canvases: The chance of ink, or the grey, of each pixel after each stroke
            ``(items, steps, height, width)``.
        windows: Left, top, right and bottom of each stroke in pixels ``(items, steps,
            4)``.
    """

    canvases: np.ndarray
    windows: np.ndarray

    @property
    def pictures(self) -> np.ndarray:
        """The finished pictures ``(items, height, width)``."""
        return self.canvases[:, -1]


class Painter(
    OwnTargets,
    without=(
        "bidirectional",
        "embedding_size",
        "recurrent_dropout",
        "zoneout",
        "weight_drop",
    ),
):
    """A recurrent painter (DRAW): it looks at what is missing, and adds a stroke.

    A variational autoencoder whose encoder and decoder are recurrences. In each step
    the encoder looks at a part of the picture, and of what the canvas still lacks, and
    says in a few numbers what to do; the decoder paints with them onto a part of the
    canvas. Numbers drawn at random paint new pictures.

    The arguments are those of ``recurro.tasks.picture_config`` (``PaintData``,
    ``PaintSteps``, ``PaintTraining``). ``cell`` is an object, also one of your own;
    ``out`` names a run folder, without which all stays in memory; ``overwrite`` lets it
    replace a run that is there.

    Pictures are a list of arrays ``(height, width)`` of one size, of uint8 or from 0 to
    1, or of paths.

    Attributes:
        network_: The trained ``DrawNetwork``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the bound on -log P of a picture
            held out, in nats; the network last. Empty if nothing was held out.

    Example:
        >>> bars = np.zeros((6, 8, 8))
        >>> bars[np.arange(6), np.arange(6) + 1] = 1.0
        >>> model = Painter(hidden_size=16, steps=3, epochs=3, batch_size=8)
        >>> model = model.fit(np.tile(bars, (3, 1, 1)))
        >>> model.generate(2, seed=0).canvases.shape
        (2, 3, 8, 8)

    References:
        Gregor et al. (2015), arXiv 1502.04623.
    """

    task: ClassVar[str] = "paint"
    kind: ClassVar[type[TaskSettings]] = PaintSettings

    binary: bool
    seed: int

    # Pictures.

    def _items(self, X: Any) -> list[np.ndarray]:  # noqa: ANN401
        return as_pictures(X)

    def _targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        return pixels_of(as_pictures(y), binary=self.binary)

    def _learn_reader(
        self,
        items: Any,  # noqa: ANN401
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> PictureReader:
        height, width = items[0].shape
        return PictureReader((height, width))

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> PictureReader:
        return PictureReader.load(run)

    # Networks.

    def _assemble(self, settings: TaskSettings, reader: Any) -> DrawNetwork:  # noqa: ANN401
        model = settings.model
        assert isinstance(model, PaintSteps)
        decoder = self._recurrent(model.latent, settings)
        looks = DrawNetwork.looks(model.patch, decoder.output_size)
        encoder: Recurrent = self._recurrent(looks, settings)
        return DrawNetwork(
            *(reader.shape, encoder, decoder), steps=model.steps, size=model.patch
        )

    def _head(self, features: int, settings: object) -> Canvas:
        return Canvas(self.reader_.shape)

    # Figures.

    def _judge(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        return {"bound": float(self._bounds(network, data).mean())}

    @torch.no_grad()
    def _bounds(self, network: PaintNetwork, data: Answered) -> np.ndarray:
        """A bound on -log P of each picture, the same at each call ``(items,)``."""
        device = next(network.parameters()).device
        found = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            for first in range(0, len(data), _ROWS):
                rows = np.arange(len(data))[first : first + _ROWS]
                batch = data.sequences.batch(rows, data.targets).to(device)
                found.append(network.losses(batch).double().cpu().numpy())
        return np.concatenate(found)

    def _baselines(self, train: tuple[Any, Any], valid: tuple[Any, Any]) -> Comparison:
        """Pixels that know nothing of each other, and a plain autoencoder."""
        counted = IndependentPixels().fit(train[1]).costs(valid[1])
        reader = self.reader_
        known = Answered(reader(train[0]), train[1])
        asked = Answered(reader(valid[0]), valid[1])
        plain = self._autoencoder(known)
        return [
            {"name": "independent pixels", "bound": float(counted.mean())},
            {"name": "plain autoencoder", **self._judge(plain, asked)},
        ]

    def _autoencoder(self, known: Answered) -> Autoencoder:
        """A plain one of as many parameters, trained and chosen likewise."""
        settings: PaintSettings = self.settings
        shape, latent = self.reader_.shape, settings.model.latent * _BASELINE_LATENT
        size = sum(weight.numel() for weight in self.network_.parameters())
        units = Autoencoder.units(shape, latent, size)
        share, seed = settings.data.held_out, settings.train.seed
        held = held_out_rows(known.targets, share, seed, classes=False)
        rest = np.setdiff1d(np.arange(len(known)), held)
        learnt, chosen = (
            Answered(known.sequences[rows], known.targets[rows])
            for rows in (rest, held)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Autoencoder(shape, hidden_size=units, latent=latent)
        network.head.start(torch.from_numpy(learnt.flat))
        task = VectorTask(
            *(network, learnt, chosen if len(held) else None),
            *(settings.train, self._judge),
        )
        train(task, settings.train)
        return network

    # Verbs.

    def evaluate(self, X: Any, y: object = None) -> dict[str, float]:  # noqa: ANN401
        """A bound on -log P of a picture in nats, the mean over all: ``bound``.

        Args:
            X: The pictures.
            y: Nothing; scikit-learn passes it.

        Raises:
            DataError: If a picture cannot be used.
        """
        self._fitted()
        sized = as_pictures(X, self.reader_.shape)
        return super().evaluate(sized)

    def score(self, X: Any, y: object = None) -> float:  # noqa: ANN401
        """A bound on the mean log P of a picture, in nats: higher is better."""
        return -self.evaluate(X)["bound"]

    def log_prob(self, X: Any) -> np.ndarray:  # noqa: ANN401 (pictures)
        """A lower bound on log P of each picture, in nats ``(items,)``.

        Raises:
            DataError: If a picture cannot be used.
        """
        network = self._fitted()
        sized = as_pictures(X, self.reader_.shape)
        return -self._bounds(network, self._answered(sized, sized))

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401 (pictures)
        """Pictures painted again: the chance of ink of each pixel.

        Raises:
            DataError: If a picture cannot be used.
        """
        return self.paint(X).pictures

    @torch.no_grad()
    def paint(self, X: Any) -> Painted:  # noqa: ANN401 (pictures)
        """Paint pictures again, by the mean of what they say, and tell each stroke.

        Raises:
            DataError: If a picture cannot be used.
        """
        network: DrawNetwork = self._fitted()
        pixels = pixels_of(as_pictures(X, self.reader_.shape), binary=self.binary)
        given = torch.from_numpy(pixels).to(next(network.parameters()).device)
        noise = given.new_zeros(network.steps, len(given), network.latent)
        return _painted(network, given, noise)

    @torch.no_grad()
    def generate(
        self, number: int = 1, *, temperature: float = 1.0, seed: int | None = None
    ) -> Painted:
        """Paint new pictures.

        Args:
            number: How many, at least 1.
            temperature: Deviation of what says what to paint: below 1 usual pictures,
                above 1 odd ones.
            seed: The same seed, the same pictures; ``None`` for others each time.

        Raises:
            ArgumentError: If the number is out of its range.
        """
        if number < 1 or not 0 <= temperature < float("inf"):
            raise ArgumentError(
                "generate: there must be at least 1 picture and a temperature that is "
                f"a finite number of at least 0, got {number} and {temperature}."
            )
        network: DrawNetwork = self._fitted()
        draw = torch.Generator()
        if seed is None:
            draw.seed()
        else:
            draw.manual_seed(seed)
        z = torch.randn(network.steps, number, network.latent, generator=draw)
        z = (z * temperature).to(next(network.parameters()).device)
        return _painted(network, None, z)


def _painted(network: DrawNetwork, pictures: Tensor | None, z: Tensor) -> Painted:
    """What a network paints, as arrays with the items first."""
    strokes = network.paint(pictures, z)
    chances = strokes.canvases.sigmoid().transpose(0, 1).cpu().numpy()
    windows = [network.window.corners(aim)[:, 0] for aim in strokes.aims]
    return Painted(chances, torch.stack(windows, 1).cpu().numpy())
