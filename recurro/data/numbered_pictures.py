"""Pictures of numbers, from arrays, files, folders and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.files import BROKEN_ARRAYS
from recurro.data.house_numbers import Part, draw_house_numbers
from recurro.data.pictures import PICTURES, read_picture
from recurro.data.tables import TABLES, read_table
from recurro.errors import DataError

__all__ = ["NumberedPictures", "as_numbers", "as_pictures", "read_numbered"]

DRAWN = re.compile(r"digits(?::(\d+)(?:-(\d+))?)?")
"""The word for numbers that are drawn: of two digits, of so many, of so many to so
many."""

COUNTS: dict[Part, int] = {"train": 10_000, "test": 1_000}
"""How many are drawn."""


@dataclass(frozen=True, eq=False)
class NumberedPictures:
    """Pictures, and the numbers on them.

    Attributes:
        pictures: Arrays ``(height, width)``, or files that have not been read.
        numbers: The digits of each; empty where they were not asked for.
        names: What each is called.
    """

    pictures: list[np.ndarray] | list[Path]
    numbers: list[str]
    names: list[str]


def read_numbered(
    path: Path | str, part: Part = "train", *, numbers: bool = True
) -> NumberedPictures:
    """Find pictures, and the numbers on them.

    Args:
        path: A folder of pictures, whose names begin with the number up to the first
            underscore (``47.png``, ``47_0001.png``); a table (``.csv``, ``.tsv``,
            ``.jsonl``, ``.parquet``) with the columns ``image``, a name beside the
            table, and ``number``; an ``.npz`` file with the arrays ``images`` ``(items,
            height, width)`` and ``numbers``, texts; a single picture; or, where no such
            file is there, ``digits`` for drawn ones of two digits, ``digits:3`` of
            three, ``digits:1-3`` of one to three.
        part: What drawn ones are of; see ``draw_house_numbers``.
        numbers: Whether they are wanted. If not, none need be there.

    Raises:
        DataError: If there is no picture, or a number is missing or holds anything but
            digits; it is named.

    Example:
        >>> read_numbered("digits:1-3").numbers[:3]
        ['446', '62', '056']
    """
    path = Path(path)
    if not path.exists():
        return _drawn(path, part)
    if path.suffix.lower() == ".npz":
        return _from_arrays(path, numbers)
    if path.is_file() and path.suffix.lower() in TABLES:
        return _from_table(path, numbers)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in files if file.suffix.lower() in PICTURES]
    if not files:
        raise DataError(
            f"pictures: '{path}' must be or hold a picture ({', '.join(PICTURES)}), got"
            " none. Name another folder, a table or an .npz file."
        )
    told = []
    for file in files if numbers else ():
        number = file.stem.split("_")[0]
        if not _is_number(number):
            raise DataError(
                f"pictures: the name of '{file}' must begin with the number on it, such"
                f" as 47_0001{file.suffix}, got {file.name!r}. Rename it, or name a "
                "table of image and number."
            )
        told.append(number)
    return NumberedPictures(files, told, [file.name for file in files])


def _drawn(path: Path, part: Part) -> NumberedPictures:
    found = DRAWN.fullmatch(str(path))
    if found is None:
        raise DataError(
            f"pictures: no file or folder '{path}'. Check the path, or write 'digits' "
            "for drawn ones."
        )
    least = int(found[1] or 2)
    length, seed = (least, int(found[2] or least)), int(part == "test")
    drawn = draw_house_numbers(COUNTS[part], part, length=length, seed=seed)
    names = [str(number) for number in range(len(drawn.images))]
    return NumberedPictures(list(drawn.images), drawn.numbers, names)


def _from_arrays(path: Path, wanted: bool) -> NumberedPictures:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved}
    except BROKEN_ARRAYS as error:
        raise DataError(
            f"pictures: '{path}' must hold arrays without pickles, got what cannot be "
            f"read ({str(error)[:100]}). Write it with numpy.savez."
        ) from error
    for name in ("images", "numbers")[: 1 + wanted]:
        if name not in arrays:
            raise DataError(
                f"pictures: '{path}' must have an array '{name}', got "
                f"{', '.join(arrays) or 'none'}. Write it with numpy.savez."
            )
    images = arrays["images"]
    if images.ndim != 3 or not len(images):
        raise DataError(
            f"pictures: 'images' in '{path}' must be (items, height, width), got "
            f"{images.shape}. Turn colours into grey."
        )
    told = as_numbers(arrays["numbers"], f"'{path}'") if wanted else []
    if wanted and len(told) != len(images):
        raise DataError(
            f"pictures: '{path}' must have a number for each of its {len(images)} "
            f"images, got {len(told)}. Write both in the same order."
        )
    pictures = [
        _greys(image, f"image {number} of '{path}'")
        for number, image in enumerate(images)
    ]
    return NumberedPictures(pictures, told, [str(n) for n in range(len(images))])


def _from_table(path: Path, wanted: bool) -> NumberedPictures:
    table = read_table(path)
    names = [str(name) for name in table.words("image", "name a picture")]
    files = [path.parent / name for name in names]
    told = table.words("number", "be the number on the picture") if wanted else []
    for row, file in enumerate(files):
        if not file.is_file():
            raise table.fault(
                *(row, "image", f"must name a picture that is there, got '{file}'"),
                "Mend it, or leave the row out.",
            )
        if wanted and not _is_number(told[row]):
            raise table.fault(
                *(row, "number", f"must be digits 0 to 9 alone, got {told[row]!r}"),
                "Mend it, or leave the row out.",
            )
    return NumberedPictures(files, [str(number) for number in told], names)


def _is_number(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9]+", text) is not None


def as_numbers(data: Any, where: str) -> list[str]:  # noqa: ANN401 (to be checked)
    """Numbers as a person gives them, checked: texts of digits.

    Args:
        data: The texts.
        where: Who asks, for messages.

    Raises:
        DataError: If one is no text, or holds anything but digits; it is named.

    Example:
        >>> as_numbers(["07", "4a"], "fit")
        Traceback (most recent call last):
        recurro.errors.DataError: fit: number 1 must be a text of digits 0 to 9 such \
as '07', got '4a'. Mend it, or leave its picture out.
    """
    if data is None or isinstance(data, str):
        raise DataError(
            f"{where}: there must be the number on each picture, a list of texts such "
            f"as '07', got {data!r}."
        )
    numbers = data.tolist() if isinstance(data, np.ndarray) else list(data)
    for place, number in enumerate(numbers):
        if not _is_number(number):
            raise DataError(
                f"{where}: number {place} must be a text of digits 0 to 9 such as '07',"
                f" got {number!r}. Mend it, or leave its picture out."
            )
    return [str(number) for number in numbers]


def as_pictures(
    data: Sequence[Any] | np.ndarray, shape: tuple[int, ...] | None = None
) -> list[np.ndarray]:
    """Pictures as a person gives them, checked, in grey: float32 from 0 to 1.

    Args:
        data: Each the path of a picture, or an array ``(height, width)`` of uint8 from
            0 to 255, of booleans, or of numbers from 0 to 1.
        shape: Height and width that all must have; ``None`` for those of the first.

    Raises:
        DataError: If there is none, one cannot be opened, holds other numbers or is of
            another size than the others; it is named.
        MissingExtraError: If there are paths and pillow is not installed.

    Example:
        >>> as_pictures([np.full((2, 3), 255, np.uint8)])[0].tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if isinstance(data, str | Path) or not len(data):
        raise DataError(
            f"pictures: must be a list of at least one, got {data!r}. Put pictures or "
            "their paths in a list."
        )
    pictures: list[np.ndarray] = []
    for place, item in enumerate(data):
        name, picture = _picture(item, place)
        shape = picture.shape if shape is None else tuple(shape)
        if picture.shape != shape:
            raise DataError(
                f"pictures: {name} must be of height and width {shape} as the others "
                f"are, got {picture.shape}. Bring it to that size, or leave it out."
            )
        pictures.append(picture)
    return pictures


def _picture(item: Any, place: int) -> tuple[str, np.ndarray]:  # noqa: ANN401
    """What a picture is called, and its greys."""
    if isinstance(item, str | Path):
        grey = read_picture(item).astype(np.float32) @ _LUMA
        return f"'{item}'", (grey / 255).astype(np.float32)
    return f"item {place}", _greys(item, f"item {place}")


def _greys(item: Any, name: str) -> np.ndarray:  # noqa: ANN401 (to be checked)
    """The greys of a picture that is an array, float32 from 0 to 1."""
    array = np.asarray(item)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiub":
        raise DataError(
            f"pictures: {name} must be numbers (height, width), got an array "
            f"{array.shape} of {array.dtype}. Turn colours into grey."
        )
    grey = array.astype(np.float32) / (255 if array.dtype == np.uint8 else 1)
    if not np.isfinite(grey).all():
        row, column = np.argwhere(~np.isfinite(grey))[0]
        raise DataError(
            f"pictures: {name} must hold finite numbers, got {grey[row, column]} in row"
            f" {row}, column {column}. Mend it, or leave it out."
        )
    if not 0 <= grey.min() <= grey.max() <= 1:
        raise DataError(
            f"pictures: {name} must hold numbers from 0 to 1, or uint8 from 0 to 255, "
            f"got {grey.min():g} to {grey.max():g}. Divide by the greatest grey."
        )
    return grey


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""What red, green and blue count (ITU-R BT.601)."""
