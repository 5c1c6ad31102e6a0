"""Pictures, or features of pictures, and what is said of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data.files import BROKEN_ARRAYS
from recurro.data.pictures import PICTURES, need_pillow, read_picture
from recurro.data.tables import TABLES, Table, read_table
from recurro.errors import DataError

__all__ = ["Captioned", "read_captioned", "read_pictures", "write_captioned"]

CAPTIONS = "captions.jsonl"


@dataclass(frozen=True, eq=False)
class Captioned:
    """Pictures and their captions.

    Attributes:
        items: Pictures, uint8 ``(height, width)`` or ``(height, width, 3)``; or
            features, float32 ``(features,)``, ``(cells, features)`` or ``(rows,
            columns, features)``.
        captions: All that may be said of each; empty where captions were not read.
        names: What each is called.
        notes: What a person should know of the files.
    """

    items: list[np.ndarray]
    captions: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many there are."""
        return len(self.items)


def read_captioned(
    path: Path | str, images: Path | str | None = None, *, side: int | None = None
) -> Captioned:
    r"""Read pictures, or features of pictures, with their captions.

    Args:
        path: A table (``.jsonl``, ``.csv``, ``.tsv``, ``.parquet``) with the columns
            ``image``, a name, and ``captions``, a list of texts, or ``caption``, a
            text; rows of the same image are joined. Or a folder that holds one such
            table beside its pictures.
        images: Where the images are that the table names: a folder, an ``.npz`` file
            with an array of features for each name, or an ``.npy`` file with one for
            each row of the table. ``None`` for the folder of the table.
        side: Height and width that pictures are cut and scaled to, in pixels; ``None``
            to take them as they are, which must be of one size then.

    Raises:
        DataError: If something cannot be read, a folder has no table, a row no
            caption or no image; it is named.
        MissingExtraError: If there are pictures and pillow is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Path(folder, "a.csv")
        ...     _ = table.write_text("image,caption\none,a dog\none,a small dog")
        ...     np.savez(Path(folder, "a.npz"), one=np.zeros(4))
        ...     read_captioned(table, Path(folder, "a.npz")).captions
        (('a dog', 'a small dog'),)
    """
    table = _table(Path(path))
    names = [str(name) for name in table.words("image", "name an image")]
    if images is not None and Path(images).suffix.lower() == ".npy":
        return _of_rows(table, names, read_array(Path(images)), Path(images))
    captions: dict[str, tuple[str, ...]] = {}
    places: dict[str, int] = {}
    for row, (name, said) in enumerate(zip(names, _said(table), strict=True)):
        captions[name] = captions.get(name, ()) + said
        places.setdefault(name, row)
    where = table.path.parent if images is None else Path(images)
    if where.suffix.lower() == ".npz":
        arrays = read_arrays(where)
        _check_named(table, places, where, arrays)
        items = [arrays[name] for name in captions]
        rest = len(arrays) - len(captions)
    else:
        _check_named(table, places, where)
        items = [_load(where / name, side) for name in captions]
        rest = len({file.name for file in _pictures(where)} - set(captions))
    if side is None:
        _check_sizes(items, [f"'{where / name}'" for name in captions])
    notes = (f"{rest} images of '{where}' have no caption and were left out",)
    return Captioned(
        *(items, tuple(captions.values()), tuple(captions)), notes if rest else ()
    )


def read_pictures(path: Path | str, *, side: int | None = None) -> Captioned:
    """Read pictures, or features of pictures, that have no captions.

    Args:
        path: A picture, a folder of pictures, an ``.npz`` file with an array of
            features for each name, or an ``.npy`` file with one in each row.
        side: As ``read_captioned`` takes it.

    Raises:
        DataError: If something cannot be read, or there is none.
        MissingExtraError: If there are pictures and pillow is not installed.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".npy":
        array = read_array(path)
        return Captioned(list(array), (), tuple(map(str, range(len(array)))))
    if kind == ".npz":
        arrays = read_arrays(path)
        return Captioned(list(arrays.values()), (), tuple(arrays))
    if not path.exists():
        raise DataError(f"captions: no file or folder '{path}'. Check the path.")
    files = [path] if path.is_file() else _pictures(path)
    if not files:
        raise DataError(
            f"captions: '{path}' must hold a picture ({', '.join(PICTURES)}), got none."
            " Name another folder."
        )
    items = [_load(file, side) for file in files]
    if side is None:
        _check_sizes(items, [f"'{file}'" for file in files])
    return Captioned(items, (), tuple(file.name for file in files))


def _table(path: Path) -> Table:
    """The table that says what is said of which image."""
    if not path.exists():
        raise DataError(f"captions: no file or folder '{path}'. Check the path.")
    if path.is_dir():
        found = [file for file in sorted(path.iterdir()) if file.suffix in TABLES]
        if len(found) != 1:
            count = "none" if not found else ", ".join(file.name for file in found)
            raise DataError(
                f"captions: '{path}' must hold one table that says what is said of "
                f"each image, such as {CAPTIONS}, got {count}. "
                + ("Name it." if found else "Write one, or name it.")
            )
        path = found[0]
    if path.suffix.lower() not in TABLES:
        raise DataError(
            f"captions: '{path}' must be a folder or a table ({', '.join(TABLES)}), "
            "got another kind of file. Name the table, and the images apart."
        )
    return read_table(path)


def _said(table: Table) -> Iterator[tuple[str, ...]]:
    """The captions of each row; none may be missing."""
    several = "captions" in table.columns
    column = "captions" if several else "caption"
    cells = table.cells(column)
    for row, cell in enumerate(cells):
        texts = cell if isinstance(cell, list) else [cell]
        if not texts or not all(isinstance(t, str) and t.strip() for t in texts):
            raise table.fault(
                *(row, column),
                f"must hold {'captions' if several else 'a caption'}, got {cell!r}",
                "Write it, or leave the row out.",
            )
        yield tuple(" ".join(text.split()) for text in texts)


def _of_rows(
    table: Table, names: list[str], array: np.ndarray, path: Path
) -> Captioned:
    """Features by the rows of a table."""
    if len(array) != len(table):
        raise DataError(
            f"captions: '{path}' must have a row for each of the {len(table)} rows of "
            f"'{table.path}', got {len(array)}. Write both in the same order."
        )
    return Captioned(list(array), tuple(_said(table)), tuple(names))


def _check_named(
    table: Table,
    places: dict[str, int],
    where: Path,
    known: dict[str, np.ndarray] | None = None,
) -> None:
    """Refuse names of images that are not there."""
    lacking = [
        name
        for name in places
        if (name not in known if known is not None else not (where / name).is_file())
    ]
    if lacking:
        more = f" ({len(lacking)} such images)" if len(lacking) > 1 else ""
        raise table.fault(
            *(places[lacking[0]], "image"),
            f"must name an image that is in '{where}', got {lacking[0]!r}{more}",
            "Add it, leave the row out, or say where the images are.",
        )


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    return [f for f in sorted(folder.iterdir()) if f.suffix.lower() in PICTURES]


def _load(path: Path, side: int | None) -> np.ndarray:
    """A picture, or features in an ``.npy`` file."""
    if path.suffix.lower() == ".npy":
        return read_array(path)
    return read_picture(path, side=side)


def _check_sizes(items: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Refuse pictures that are of several sizes."""
    for item, name in zip(items, names, strict=True):
        if item.dtype == np.uint8 and item.shape != items[0].shape:
            raise DataError(
                f"captions: {name} must be of the size of {names[0]}, (height, width, "
                f"colours) {items[0].shape}, got {item.shape}. Set side to bring all "
                "to one size."
            )


def read_array(path: Path) -> np.ndarray:
    """The features in an ``.npy`` file, float32."""
    try:
        return _finite(np.load(path, allow_pickle=False), path, "")
    except DataError:
        raise
    except BROKEN_ARRAYS as error:
        raise _no_arrays(path, error) from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The features in an ``.npz`` file, float32, by name."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return {name: _finite(saved[name], path, f" of {name!r}") for name in saved}
    except DataError:
        raise
    except BROKEN_ARRAYS as error:
        raise _no_arrays(path, error) from error


def _no_arrays(path: Path, error: Exception) -> DataError:
    return DataError(
        f"captions: '{path}' must hold arrays of numbers without pickles: "
        f"{(str(error).splitlines() or ['it is damaged'])[0][:150]}. Write it with "
        "numpy.save or numpy.savez."
    )


def _finite(array: Any, path: Path, of: str) -> np.ndarray:  # noqa: ANN401
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise DataError(f"captions: the features{of} in '{path}' must be numbers.")
    array = array.astype(np.float32)
    if array.ndim == 0 or not array.size or not np.isfinite(array).all():
        raise DataError(
            f"captions: the features{of} in '{path}' must be finite numbers, at least "
            f"one, got {'others' if array.size else 'none'} in an array {array.shape}. "
            "Mend them, or leave the image out."
        )
    return array


def write_captioned(folder: Path | str, data: Captioned) -> None:
    """Write pictures and their captions as ``read_captioned`` reads them.

    Args:
        folder: Is made if it is not there; PNG files and ``captions.jsonl`` go there.
        data: Pictures with captions.

    Raises:
        MissingExtraError: If pillow is not installed.
    """
    need_pillow()
    from PIL import Image

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for item, captions, name in zip(data.items, data.captions, data.names, strict=True):
        Image.fromarray(item).save(folder / name)
        lines.append(json.dumps({"image": name, "captions": captions}) + "\n")
    (folder / CAPTIONS).write_text("".join(lines), encoding="utf-8")
