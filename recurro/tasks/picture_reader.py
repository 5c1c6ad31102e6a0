"""Pictures as networks read them, and as they are varied in training."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from recurro.data import Sequences
from recurro.data.numbered_pictures import as_pictures
from recurro.errors import RunError
from recurro.tasks.picture_config import ReadData
from recurro.tasks.vector_task import Answered
from recurro.train import RunFolder

__all__ = ["PictureReader", "VariedPictures", "pixels_of", "vary_pictures"]

PICTURES = "pictures.json"


@dataclass(frozen=True)
class PictureReader:
    """Pictures by the grey of their paper and one deviation.

    Attributes:
        shape: Height and width.
        paper: The most usual grey in training, which becomes 0.
        deviation: Of all greys from it in training; 1 if they are all the same.
    """

    shape: tuple[int, int]
    paper: float = 0.0
    deviation: float = 1.0

    @staticmethod
    def learn(pictures: list[np.ndarray]) -> PictureReader:
        """Learn paper and deviation from the training part."""
        greys = np.stack(pictures).astype(np.float64)
        paper = float(np.median(greys))
        deviation = float(np.sqrt(((greys - paper) ** 2).mean())) or 1.0
        height, width = greys.shape[1:]
        return PictureReader((height, width), paper, deviation)

    def __call__(self, items: Any) -> Sequences:  # noqa: ANN401 (pictures)
        """Each picture as a sequence of one step ``(1, height, width)``."""
        greys = np.stack(as_pictures(items, self.shape))
        values = ((greys - self.paper) / self.deviation).astype(np.float32)
        return Sequences(values, np.arange(len(values) + 1))

    def file(self) -> tuple[str, str]:
        """The reader as JSON."""
        return PICTURES, json.dumps(asdict(self), indent=1)

    @staticmethod
    def load(run: RunFolder) -> PictureReader:
        """The reader of a run.

        Raises:
            RunError: If its file is missing or damaged.
        """
        tree: Any = run.read_json(PICTURES)
        try:
            height, width = tree.pop("shape")
            return PictureReader((int(height), int(width)), **tree)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise RunError(
                f"{run.path / PICTURES}: must tell the size of pictures and how they "
                "are scaled, got something else. Put it back from a copy."
            ) from None


@dataclass(frozen=True, eq=False)
class VariedPictures:
    """Pictures that are turned, stretched and moved a little, anew in each pass.

    Attributes:
        told: The pictures and their targets.
        data: By how much.
        seed: Of what is random; the same gives the same passes.
    """

    told: Answered
    data: ReadData
    seed: int

    def __len__(self) -> int:
        """Pictures of a pass."""
        return len(self.told)

    def __call__(self, epoch: int) -> Answered:
        """The pictures of a pass."""
        sequences, targets = self.told.sequences, self.told.targets
        draw = np.random.default_rng((self.seed, epoch))
        values = vary_pictures(sequences.values, self.data, draw)
        return Answered(Sequences(values, sequences.starts), targets)


def vary_pictures(
    pictures: np.ndarray, data: ReadData, draw: np.random.Generator
) -> np.ndarray:
    """Turn, stretch and move each picture around its middle.

    Args:
        pictures: ``(items, height, width)``; beyond their edges all is 0.
        data: By how much at most; each is drawn evenly.
        draw: What is random.

    Example:
        >>> still = ReadData(rotate=0, stretch=0, shift=0)
        >>> picture = np.eye(4, dtype=np.float32)[None]
        >>> same = vary_pictures(picture, still, np.random.default_rng(0))
        >>> bool(np.allclose(same, picture, atol=1e-6))
        True
    """
    if not (data.rotate or data.stretch or data.shift):
        return pictures
    count, height, width = pictures.shape
    turn = np.radians(draw.uniform(-data.rotate, data.rotate, count))
    wider, higher = 1 + draw.uniform(-data.stretch, data.stretch, (2, count))
    right, down = draw.uniform(-data.shift, data.shift, (2, count))
    # From a place in the new picture to one in the old; both from -1 to 1.
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 1, 1] = np.cos(turn) * wider, np.cos(turn) * higher
    maps[:, 0, 1] = -np.sin(turn) * wider * height / width
    maps[:, 1, 0] = np.sin(turn) * higher * width / height
    maps[:, 0, 2], maps[:, 1, 2] = 2 * right / width, 2 * down / height
    grid = functional.affine_grid(
        torch.from_numpy(maps), [count, 1, height, width], align_corners=False
    )
    given = torch.from_numpy(np.ascontiguousarray(pictures, np.float32))
    return functional.grid_sample(given[:, None], grid, align_corners=False)[
        :, 0
    ].numpy()


def pixels_of(pictures: list[np.ndarray], *, binary: bool) -> np.ndarray:
    """Pixels as they are to be painted ``(items, height, width)``, float32."""
    greys = np.stack(pictures)
    return (greys >= 0.5).astype(np.float32) if binary else greys
