"""Pictures, or features of their places, as a network reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from recurro.data import Scaler, Sequences, fit_picture, read_picture
from recurro.errors import DataError, ItemError, RunError
from recurro.nn import GridEncoder
from recurro.nn.places import FeatureEncoder, PlaceEncoder, Scale
from recurro.tasks.readers import Items
from recurro.train import RunFolder

__all__ = ["FeatureReader", "PictureReader", "as_pictures", "learn_pictures"]

PLACES = "places.json"


@dataclass(frozen=True)
class PictureReader:
    """Pictures by one mean and one deviation of all their numbers.

    Attributes:
        shape: Height and width, and channels if there are any.
        mean: Of all numbers in training.
        deviation: Of them; 1 if they are all the same.
    """

    shape: tuple[int, ...]
    mean: float
    deviation: float

    @staticmethod
    def learn(items: Sequence[np.ndarray]) -> PictureReader:
        """Learn mean and deviation from the training part."""
        means = [item.mean(dtype=np.float64) for item in items]
        squares = [np.square(item, dtype=np.float64).mean() for item in items]
        mean = float(np.mean(means))
        spread = max(0.0, float(np.mean(squares)) - mean**2) ** 0.5
        return PictureReader(items[0].shape[1:], mean, spread or 1.0)

    def __call__(self, items: Items) -> Sequences:
        """The numbers of some pictures, each in a row, uint8."""
        for number, item in enumerate(items):
            shape = np.shape(item)[1:]
            if shape != self.shape or getattr(item, "dtype", None) != np.uint8:
                raise ItemError(
                    *("pictures", number),
                    f"must be a picture of shape {self.shape} as in training, got "
                    f"{shape}. Bring it to that shape.",
                )
        return Sequences.of([np.asarray(item).reshape(1, -1) for item in items])

    def encoder(self, model: Any) -> tuple[PlaceEncoder, int]:  # noqa: ANN401
        """What a decoder looks at, by convolutions, and its width."""
        scale, size = Scale(self.mean, self.deviation), model.place_size
        inputs = nn.Sequential(scale, GridEncoder(self.shape, size))
        return PlaceEncoder(inputs, size), size

    def file(self) -> tuple[str, str]:
        """The reader as JSON."""
        return PLACES, json.dumps(asdict(self), indent=1)


@dataclass(frozen=True)
class FeatureReader:
    """Features of places by a scaler.

    Attributes:
        scaler: Means and deviations of the features in the training part.
        grid: Rows and columns of the places, if they lie in a grid that is the same
            for all.
    """

    scaler: Scaler
    grid: tuple[int, ...] | None

    @staticmethod
    def learn(items: Sequence[np.ndarray]) -> FeatureReader:
        """Learn the scaler from the training part."""
        grids = {item.shape[:-1] for item in items}
        grid = grids.pop() if len(grids) == 1 and items[0].ndim == 3 else None
        return FeatureReader(Scaler.fit(_flat(items)), grid)

    def __call__(self, items: Items) -> Sequences:
        """The scaled features of the places of each item."""
        width = len(self.scaler.mean)
        for number, item in enumerate(items):
            shape = np.shape(item)
            fits = self.grid is None or shape[:-1] == self.grid
            if shape[-1:] != (width,) or not fits or np.asarray(item).dtype == np.uint8:
                places = "of places" if self.grid is None else f"of {self.grid} places"
                raise ItemError(
                    *("pictures", number),
                    f"must be {width} features {places} as in training, got an array "
                    f"{shape}. Make them by the same network.",
                )
        return self.scaler(_flat([np.asarray(item) for item in items]))

    def encoder(self, model: Any) -> tuple[PlaceEncoder, int]:  # noqa: ANN401
        """What a decoder looks at, by a layer on each place, and its width."""
        width, size = self.scaler.width, model.place_size
        return PlaceEncoder(FeatureEncoder(width, size, self.grid), size), size

    def file(self) -> tuple[str, str]:
        """The reader as JSON."""
        return PLACES, json.dumps(asdict(self), indent=1)


def _flat(items: Sequence[np.ndarray]) -> Sequences:
    """The places of each item, one after the other."""
    return Sequences.of(
        [item.reshape(prod(item.shape[:-1]), -1).astype(np.float32) for item in items]
    )


def as_pictures(data: Any, side: int | None = None) -> Items:  # noqa: ANN401
    """What a person gives, checked: pictures, or features of their places.

    Args:
        data: A list, or an array, of paths of pictures; of pictures, uint8 ``(height,
            width)`` or ``(height, width, channels)``; or of features, ``(features,)``,
            ``(places, features)`` or ``(rows, columns, features)``.
        side: Height and width that pictures are cut and scaled to, in pixels.

    Returns:
        Pictures ``(1, height, width, ...)``, uint8, or features ``(places, features)``
        or ``(rows, columns, features)``, float32.

    Raises:
        DataError: If there is none, they are not of one kind or shape, or something is
            no finite number; the item is named.
        MissingExtraError: If files are to be read, or pictures scaled, and pillow is
            not installed.

    Example:
        >>> [item.shape for item in as_pictures(np.zeros((2, 8, 8, 3), np.uint8))]
        [(1, 8, 8, 3), (1, 8, 8, 3)]
        >>> as_pictures([np.zeros(5)])[0].shape
        (1, 5)
    """
    if isinstance(data, str | Path) or not len(data):
        raise DataError(
            f"pictures: must be a list of at least one, got {data!r}. Put pictures, "
            "paths or features in a list."
        )
    items = [_item(given, number, side) for number, given in enumerate(data)]
    first = items[0]
    for number, item in enumerate(items):
        pictures = item.dtype == first.dtype == np.uint8
        same = item.shape == first.shape if pictures else item.dtype == first.dtype
        if not same or item.shape[-1] != first.shape[-1]:
            kind = "uint8" if item.dtype == np.uint8 else "numbers"
            raise ItemError(
                *("pictures", number),
                f"must be like the first, an array {_shape(first)}, got {kind} "
                f"{_shape(item)}. Bring all to one size (side), or leave it out.",
            )
    return items


def _shape(item: np.ndarray) -> tuple[int, ...]:
    """The shape as it was given."""
    return item.shape[1:] if item.dtype == np.uint8 else item.shape


def _item(given: Any, number: int, side: int | None) -> np.ndarray:  # noqa: ANN401
    if isinstance(given, str | Path):
        return read_picture(given, side=side)[None]
    array = np.asarray(given)
    if array.dtype == np.uint8:
        if array.ndim not in (2, 3) or not array.size:
            raise DataError(
                f"pictures: item {number} must be (height, width) or (height, width, "
                f"channels), got an array {array.shape}."
            )
        return (array if side is None else fit_picture(array, side))[None]
    fine = array.dtype.kind in "fiu" and array.ndim in (1, 2, 3) and array.size
    if not fine or not np.isfinite(array).all():
        raise DataError(
            f"pictures: item {number} must be a picture (uint8) or finite features "
            "(features,), (places, features) or (rows, columns, features), got an "
            f"array {array.shape} of {array.dtype}. Mend it, or leave it out."
        )
    return np.atleast_2d(array).astype(np.float32)


def learn_pictures(items: Sequence[np.ndarray]) -> PictureReader | FeatureReader:
    """The reader of some items, learnt from them."""
    kind = PictureReader if items[0].dtype == np.uint8 else FeatureReader
    return kind.learn(items)


def load_pictures(run: RunFolder) -> PictureReader | FeatureReader:
    """The reader of a run.

    Raises:
        RunError: If its file is missing or damaged.
    """
    tree: Any = run.read_json(PLACES)
    try:
        if "shape" in tree:
            return PictureReader(tuple(tree["shape"]), tree["mean"], tree["deviation"])
        scaler = Scaler(**{key: tuple(tree["scaler"][key]) for key in tree["scaler"]})
        return FeatureReader(scaler, None if tree["grid"] is None else (*tree["grid"],))
    except (KeyError, TypeError):
        raise RunError(
            f"{run.path / PLACES}: must tell how pictures are read, got something else."
            " Put it back from a copy."
        ) from None
