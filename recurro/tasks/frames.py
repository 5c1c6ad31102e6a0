"""Frames of numbers or pictures, as a network reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from recurro.data import Scaler, Sequences, join_series
from recurro.errors import DataError, ItemError, RunError
from recurro.nn import FrameEncoder
from recurro.tasks.readers import Items, SeriesReader, as_items, load_scaler
from recurro.tasks.sequence_config import RecurrentNetwork
from recurro.train import RunFolder

__all__ = ["FilmReader", "as_frames", "learn_frames", "load_frames"]

FILMS = "films.json"


@dataclass(frozen=True)
class FilmReader:
    """Pictures by one mean and one deviation of all their numbers.

    Attributes:
        shape: Of a frame: height and width, and channels if there are any.
        mean: Of all numbers in training.
        deviation: Of them; 1 if they are all the same.
    """

    shape: tuple[int, ...]
    mean: float
    deviation: float

    @staticmethod
    def learn(films: Sequence[np.ndarray]) -> FilmReader:
        """Learn mean and deviation from the training part."""
        numbers = np.concatenate([film.ravel() for film in films]).astype(np.float64)
        deviation = float(numbers.std()) or 1.0
        return FilmReader(films[0].shape[1:], float(numbers.mean()), deviation)

    def __call__(self, items: Items) -> Sequences:
        """The scaled numbers of some films, each frame in a row."""
        films: list[Any] = list(items)
        for number, film in enumerate(films):
            if film.shape[1:] != self.shape:
                raise ItemError(
                    *("frames", number),
                    f"must have frames of shape {self.shape} as in training, got "
                    f"{film.shape[1:]}. Bring it to that shape.",
                )
        joined = Sequences.of([film.reshape(len(film), -1) for film in films])
        values = (joined.values - self.mean) / self.deviation
        return Sequences(values.astype(np.float32), joined.starts)

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """Convolutions, as wide at their end as a layer if nothing else is said."""
        width = model.embedding_size or model.hidden_size
        return FrameEncoder(self.shape, width), width

    def file(self) -> tuple[str, str]:
        """The reader as JSON."""
        return FILMS, json.dumps(asdict(self), indent=1)


def as_frames(data: Sequence[Any] | np.ndarray) -> Items:
    """What a person gives, checked: sequences of numbers, or films.

    Args:
        data: Arrays ``(time, channels)`` or ``(time,)``; or films ``(time, height,
            width)`` or ``(time, height, width, channels)``, all of frames of one shape;
            of any lengths.

    Raises:
        DataError: If there is none, one is empty, or they are not of one kind.

    Example:
        >>> as_frames([np.zeros((5, 8, 8))])[0].shape
        (5, 8, 8)
    """
    rows = list(data)
    if not rows or np.ndim(rows[0]) < 3:
        items = as_items(rows)
        if isinstance(items[0], str):
            raise DataError(
                "frames: must be numbers, got a text. Use SequenceTagger for words."
            )
        return items
    films = [np.asarray(row, np.float32) for row in rows]
    for number, film in enumerate(films):
        if film.ndim not in (3, 4) or film.shape[1:] != films[0].shape[1:]:
            raise DataError(
                f"frames: item {number} must have frames of shape "
                f"{films[0].shape[1:]} as the first one, got {film.shape[1:]}. Bring "
                "them to one shape."
            )
        if film.size == 0:
            raise DataError(f"frames: item {number} must have a frame, got none.")
        if not np.isfinite(film).all():
            step = int(np.argwhere(~np.isfinite(film))[0][0])
            raise DataError(
                f"frames: item {number} must hold finite numbers, got others in frame "
                f"{step}. Mend it, or leave the item out."
            )
    return films


def learn_frames(items: Items, names: Sequence[str]) -> SeriesReader | FilmReader:
    """The reader of some items, learnt from them, whose channels may have names."""
    films = [item for item in items if isinstance(item, np.ndarray) and item.ndim > 2]
    if films:
        return FilmReader.learn(films)
    return SeriesReader(Scaler.fit(join_series(items), names))


def load_frames(run: RunFolder) -> SeriesReader | FilmReader:
    """The reader of a run.

    Raises:
        RunError: If its file is missing or damaged.
    """
    if not (run.path / FILMS).exists():
        return SeriesReader(load_scaler(run))
    tree: Any = run.read_json(FILMS)
    try:
        return FilmReader(tuple(tree["shape"]), tree["mean"], tree["deviation"])
    except (KeyError, TypeError):
        raise RunError(
            f"{run.path / FILMS}: must tell the shape of frames and how they are "
            "scaled, got something else. Put it back from a copy."
        ) from None
