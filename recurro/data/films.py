"""Films with a label for each frame, as arrays in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.files import BROKEN_ARRAYS
from recurro.errors import DataError

__all__ = ["read_films", "write_films"]


def read_films(
    path: Path | str, *, labelled: bool = True
) -> tuple[list[np.ndarray], list[list[Any]] | None]:
    """Read films, or other sequences of arrays, from an ``.npz`` file.

    It holds ``frames`` ``(all frames, ...)``, one film after the other, ``lengths``
    ``(films,)`` and, where there are labels, ``labels`` ``(all frames,)``, words or
    whole numbers.

    Args:
        path: The file.
        labelled: Whether labels are asked for.

    Returns:
        The films, each ``(time, ...)``, float32, and the labels of the frames of each.

    Raises:
        DataError: If it cannot be read, lacks an array, or they do not fit each other.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "films.npz")
        ...     write_films(file, [np.zeros((2, 8, 8))], [["day", "night"]])
        ...     read_films(file)[1]
        [['day', 'night']]
    """
    wanted = ["frames", "lengths", *(["labels"] if labelled else [])]
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            lacking = [name for name in wanted if name not in saved]
            if lacking:
                raise DataError(
                    f"read_films: '{path}' must have the array {lacking[0]!r}, it has "
                    f"{', '.join(saved)}. Add it."
                )
            arrays = {name: saved[name] for name in wanted}
    except DataError:
        raise
    except BROKEN_ARRAYS as error:
        raise DataError(
            f"read_films: '{path}' must be a file of arrays (.npz) without pickles: "
            f"{str(error)[:100]}. Write it with numpy.savez."
        ) from error
    lengths = arrays["lengths"]
    for name in ("frames", "labels"):
        if name in arrays and (
            lengths.ndim != 1
            or lengths.dtype.kind not in "iu"
            or len(arrays[name]) != lengths.sum()
        ):
            raise DataError(
                f"read_films: the lengths of '{path}' must be whole numbers that add "
                f"up to the {len(arrays[name])} {name}, got {lengths.sum()} in all. "
                "Write both from the same films."
            )
    if arrays["frames"].dtype.kind not in "fiub":
        raise DataError(
            f"read_films: the frames of '{path}' must be numbers, got "
            f"{arrays['frames'].dtype}. Write them as float32."
        )
    ends = np.cumsum(lengths)[:-1]
    films = np.split(arrays["frames"].astype(np.float32), ends)
    if not labelled:
        return films, None
    return films, [part.tolist() for part in np.split(arrays["labels"], ends)]


def write_films(
    path: Path | str,
    films: list[np.ndarray],
    labels: list[list[Any]] | None = None,
) -> None:
    """Write films as ``read_films`` reads them.

    Args:
        path: The file, ending in ``.npz``.
        films: Each ``(time, ...)``, all of frames of one shape.
        labels: The label of each frame of each.
    """
    arrays: dict[str, Any] = {
        "frames": np.concatenate(films),
        "lengths": np.array([len(film) for film in films]),
    }
    if labels is not None:
        arrays["labels"] = np.array([label for row in labels for label in row])
    with Path(path).open("wb") as file:
        np.savez(file, **arrays)
