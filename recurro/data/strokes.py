"""Drawings as what the pen does: offsets from point to point, and whether it is lifted.

A drawing is an array ``(points, 3)`` of dx, dy and the pen, float32. It begins with the
pen down at some place; each row moves the pen by (dx, dy) and says whether it is lifted
there (1) or stays down (0). A move is a line where the pen was down. x grows to the
right and y downward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from recurro.data.files import BROKEN_ARRAYS, Paths, atomic_write
from recurro.data.svg import read_svg
from recurro.errors import DataError

__all__ = ["Drawings", "as_drawing", "read_drawings", "strokes_of", "write_drawings"]


@dataclass(frozen=True, eq=False)
class Drawings(Sequence[np.ndarray]):
    """Drawings, and what each says if that is known.

    Attributes:
        points: The drawings, each ``(points, 3)``.
        texts: The text of each, or ``None``.
    """

    points: list[np.ndarray]
    texts: list[str] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.points)

    @overload
    def __getitem__(self, rows: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, rows: slice) -> Drawings: ...
    def __getitem__(self, rows: int | slice) -> np.ndarray | Drawings:
        """A drawing, or some of them with their texts."""
        if isinstance(rows, slice):
            return Drawings(self.points[rows], self.texts and self.texts[rows])
        return self.points[rows]


def as_drawing(points: Any, where: str = "drawing") -> np.ndarray:  # noqa: ANN401 (checked)
    """A drawing, checked.

    Args:
        points: Rows of dx, dy and the pen: 0 down, 1 lifted.
        where: What an error calls it.

    Returns:
        The drawing ``(points, 3)``, float32.

    Raises:
        DataError: If it has no point, is no such table, holds what is no finite number,
            or does not end with the pen lifted.

    Example:
        >>> as_drawing([[3, 0, 0], [0, 4, 1]]).shape
        (2, 3)
    """
    try:
        found = np.asarray(points, np.float32)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: must be rows of dx, dy and the pen, got what is no table of "
            "numbers. Give three numbers to each point."
        ) from None
    if found.size == 0:
        raise DataError(
            f"{where}: must have at least one point, got none. Leave it out."
        )
    if found.ndim != 2 or found.shape[1] != 3:
        raise DataError(
            f"{where}: must be (points, 3), dx, dy and the pen, got shape "
            f"{found.shape}. Give three numbers to each point."
        )
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise DataError(
            f"{where}: must hold finite numbers, got {found[row, column]} in row "
            f"{row}, column {('dx', 'dy', 'pen')[column]}. Mend it, or leave the "
            "drawing out."
        )
    if not np.isin(found[:, 2], (0, 1)).all():
        row = int(np.argmin(np.isin(found[:, 2], (0, 1))))
        raise DataError(
            f"{where}: the pen must be 0 (down) or 1 (lifted), got {found[row, 2]:g} "
            f"in row {row}. Mend it, or leave the drawing out."
        )
    if found[-1, 2] != 1:
        never = "" if found[:, 2].any() else ", as in no other row"
        raise DataError(
            f"{where}: the pen must be lifted at the end, got 0 in the last row, "
            f"{len(found) - 1}{never}. Set it to 1, or leave the drawing out."
        )
    return found


def strokes_of(drawing: np.ndarray) -> list[np.ndarray]:
    """The lines of a drawing, each from where the pen was put down to where lifted.

    Args:
        drawing: As ``as_drawing`` gives it.

    Returns:
        The places ``(places, 2)`` of each line, the first place of all at (0, 0).

    Example:
        >>> [line.tolist() for line in strokes_of(as_drawing(
        ...     [[3, 0, 0], [0, 4, 1], [1, 1, 0], [1, 0, 1]]))]
        [[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]], [[4.0, 5.0], [5.0, 5.0]]]
    """
    places = np.cumsum(drawing[:, :2], 0, dtype=np.float64)
    places = np.concatenate([np.zeros((1, 2)), places])
    cuts = np.flatnonzero(drawing[:, 2] > 0) + 2
    return [line for line in np.split(places, cuts) if len(line)]


def drawing_of(lines: Sequence[np.ndarray]) -> np.ndarray:
    """The drawing of some lines, at least one, each ``(places, 2)``.

    A line of a single place becomes a dot: the pen is put down and lifted there.

    Example:
        >>> drawing_of([np.array([[5.0, 5.0], [8.0, 5.0]])]).tolist()
        [[3.0, 0.0, 1.0]]
    """
    lines = [line if len(line) > 1 else np.repeat(line, 2, 0) for line in lines]
    places = np.concatenate(lines)
    pen = np.zeros(len(places))
    pen[np.cumsum([len(line) for line in lines]) - 1] = 1
    offsets = np.diff(places, axis=0)
    return np.column_stack([offsets, pen[1:]]).astype(np.float32)


def read_drawings(paths: Paths) -> dict[str, Drawings]:
    """Read drawings from NPZ and SVG files.

    An NPZ file holds, of each part (``train``, ``valid``, ``test``, or none), the
    drawings end to end ``train_points (points, 3)`` and how many points each has
    ``train_lengths (drawings,)``; ``train_texts`` may tell what each says. Without
    parts the names are ``points``, ``lengths``, ``texts``. An SVG file is a drawing.

    Args:
        paths: A file, a folder of SVG files, or a list of such.

    Returns:
        The drawings by the name of their part, which is empty if there are no parts.

    Raises:
        DataError: If a file cannot be read or has a drawing that cannot be used.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: dict[str, list[Drawings]] = {}
    for path in map(Path, given):
        if path.suffix.lower() == ".npz":
            for part, drawings in _read_npz(path).items():
                found.setdefault(part, []).append(drawings)
            continue
        for file in _svg_files(path):
            drawing = as_drawing(drawing_of(read_svg(file)), f"'{file}'")
            found.setdefault("", []).append(Drawings([drawing]))
    if "" in found and len(found) > 1:
        raise DataError(
            "read_drawings: all files must have parts or none, got some with "
            f"{', '.join(part for part in found if part)} and some without. Read them "
            "apart."
        )
    return {part: _joined(several, part) for part, several in found.items()}


def _svg_files(path: Path) -> list[Path]:
    if not path.is_dir():
        if path.exists() and path.suffix.lower() != ".svg":
            raise DataError(
                f"read_drawings: '{path}' must end in .npz or .svg. Name such a file, "
                "or a folder of SVG files."
            )
        return [path]
    found = [f for f in sorted(path.rglob("*")) if f.suffix.lower() == ".svg"]
    if not found:
        raise DataError(
            f"read_drawings: folder '{path}' holds no .svg file. Name another one."
        )
    return found


def _joined(several: list[Drawings], part: str) -> Drawings:
    points = [drawing for some in several for drawing in some.points]
    told = [some.texts for some in several if some.texts is not None]
    if 0 < len(told) < len(several):
        raise DataError(
            f"read_drawings: either all files must have texts{part and ' of ' + part} "
            f"or none, got {len(told)} of {len(several)}. Give the rest texts, or read "
            "them apart."
        )
    texts = [text for some in told for text in some]
    return Drawings(points, texts or None)


def _read_npz(path: Path) -> dict[str, Drawings]:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
    except FileNotFoundError:
        raise DataError(f"read: no file '{path}'. Check the path.") from None
    except BROKEN_ARRAYS as error:
        raise DataError(
            f"read_drawings: '{path}' must be an NPZ file of plain arrays, got what "
            f"cannot be read: {error}. Write it with write_drawings."
        ) from None
    names = [n.removesuffix("points") for n in arrays if n.endswith("points")]
    if not names:
        raise DataError(
            f"read_drawings: '{path}' must have arrays points and lengths, or "
            f"train_points and train_lengths, got {', '.join(arrays) or 'none'}. Write "
            "it with write_drawings."
        )
    return {
        name.removesuffix("_"): _part_of(arrays, name, f"read_drawings: '{path}'")
        for name in names
    }


def _part_of(arrays: Mapping[str, np.ndarray], name: str, where: str) -> Drawings:
    points, lengths = arrays[f"{name}points"], arrays.get(f"{name}lengths")
    if lengths is None or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise DataError(
            f"{where}: {name}points must come with {name}lengths, a whole number for "
            f"each drawing, got {'none' if lengths is None else lengths.dtype}. Write "
            "the file with write_drawings."
        )
    if (lengths < 0).any() or lengths.sum() != len(points) or not len(lengths):
        raise DataError(
            f"{where}: {name}lengths must add up to the {len(points)} rows of "
            f"{name}points, got {len(lengths)} lengths of {lengths.sum()} in all. "
            "Write the file with write_drawings."
        )
    rows = np.split(points, np.cumsum(lengths)[:-1])
    drawings = [
        as_drawing(row, f"{where}, {name}drawing {number}")
        for number, row in enumerate(rows)
    ]
    texts = arrays.get(f"{name}texts")
    if texts is None:
        return Drawings(drawings)
    if texts.dtype.kind != "U" or texts.shape != lengths.shape:
        raise DataError(
            f"{where}: {name}texts must be a text for each of {len(lengths)} drawings, "
            f"got {texts.dtype} of shape {texts.shape}. Write the file with "
            "write_drawings."
        )
    return Drawings(drawings, texts.tolist())


def write_drawings(path: Path | str, parts: Mapping[str, Drawings]) -> None:
    """Write drawings as NPZ, free of pickle; ``read_drawings`` reads them back.

    Args:
        path: The file.
        parts: The drawings of each part; the empty name for drawings without parts.

    Raises:
        DataError: If it cannot be written.
    """
    arrays: dict[str, Any] = {}
    for part, drawings in parts.items():
        name = f"{part}_" if part else ""
        arrays[f"{name}points"] = np.concatenate(drawings.points)
        arrays[f"{name}lengths"] = np.array([len(d) for d in drawings.points], np.int32)
        if drawings.texts is not None:
            arrays[f"{name}texts"] = np.array(drawings.texts, np.str_)
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
