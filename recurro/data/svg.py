"""The lines of an SVG drawing: shapes and paths, moved as their groups say."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from recurro.data.svg_path import NUMBER, arc, path_lines, thin
from recurro.errors import DataError

__all__ = ["read_svg"]

_FINE = 1 / 400
"""How far a thinned curve may lie off, as a share of the size of the drawing."""

_UNDRAWN = {
    *("defs", "title", "desc", "metadata", "style", "script", "clipPath", "mask"),
    *("symbol", "marker", "pattern", "linearGradient", "radialGradient", "filter"),
}
"""What draws nothing where it stands."""

_GROUPS = {"svg", "g", "a"}

Lines = list[np.ndarray]


def read_svg(path: Path | str) -> Lines:
    """The lines that an SVG file draws, in the order of the file.

    Read are ``path`` (all commands), ``polyline``, ``line``, ``polygon``, ``rect``,
    ``circle`` and ``ellipse``, within groups and under ``transform``. Curves become
    straight pieces that lie off by at most 1/400 of the drawing's size. Colour, width
    and filling have no meaning. What else draws something (``text``, ``image``,
    ``use``) is left out, and named and counted in one warning.

    Args:
        path: The file.

    Returns:
        Places ``(places, 2)`` of each line, x to the right and y downward.

    Raises:
        DataError: If the file cannot be read, or draws no line.
    """
    path = Path(path)
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"read_svg: '{path}' must be a readable file: {error.strerror}. Check the "
            "path."
        ) from error
    except ElementTree.ParseError as error:
        raise DataError(
            f"read_svg: '{path}' must be SVG, got what is no XML: {error}. Mend it, or "
            "leave the file out."
        ) from None
    if _name(root) != "svg":
        raise DataError(
            f"read_svg: '{path}' must be SVG, got XML of <{_name(root)}>. Name another "
            "file."
        )
    left_out: Counter[str] = Counter()
    try:
        lines = list(_lines(root, np.eye(3), left_out))
    except ValueError as error:
        raise DataError(f"read_svg: '{path}', {error}") from None
    if left_out:
        named = ", ".join(f"{count} <{name}>" for name, count in left_out.items())
        warnings.warn(f"'{path}': left out, as no lines: {named}.", stacklevel=2)
    if not lines:
        raise DataError(
            f"read_svg: '{path}' must draw at least one line, got none. Leave it out, "
            "or turn its texts and images into paths."
        )
    every = np.concatenate(lines)
    size = float((every.max(0) - every.min(0)).max())
    return [thin(line, size * _FINE) for line in lines]


def _name(element: ElementTree.Element) -> str:
    """The tag without its name space."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _lines(
    element: ElementTree.Element, matrix: np.ndarray, left_out: Counter[str]
) -> Iterator[np.ndarray]:
    """The lines of an element and all within it."""
    name = _name(element)
    if not name or name in _UNDRAWN:  # no name: a comment
        return
    matrix = matrix @ _transform(element.get("transform", ""))
    if name in _GROUPS:
        for child in element:
            yield from _lines(child, matrix, left_out)
    elif name in _SHAPES:
        try:
            drawn = _SHAPES[name](element)
        except ValueError as error:
            raise ValueError(f"<{name}>: {error}") from None
        for line in drawn:
            yield line @ matrix[:2, :2].T + matrix[:2, 2]
    else:
        left_out[name] += 1


def _length(element: ElementTree.Element, key: str, usual: float = 0.0) -> float:
    """A length in user units; ``px`` may stand behind it."""
    text = element.get(key)
    if text is None:
        return usual
    try:
        return float(text.strip().removesuffix("px"))
    except ValueError:
        raise ValueError(
            f"{key} must be a number without unit, got {text!r}. Write it in "
            "user units."
        ) from None


def _places(element: ElementTree.Element) -> np.ndarray:
    text = element.get("points", "")
    if re.sub(NUMBER, "", text).strip(" ,\t\r\n"):
        raise ValueError(f"points must be numbers, got {text[:40]!r}. Mend them.")
    numbers = [float(number) for number in re.findall(NUMBER, text)]
    if len(numbers) % 2:
        raise ValueError(
            f"points must be pairs, got {len(numbers)} numbers. Give each x a y."
        )
    return np.array(numbers).reshape(-1, 2)


def _polyline(element: ElementTree.Element) -> Lines:
    places = _places(element)
    return [places] if len(places) else []


def _polygon(element: ElementTree.Element) -> Lines:
    return [np.concatenate([line, line[:1]]) for line in _polyline(element)]


def _line(element: ElementTree.Element) -> Lines:
    x1, y1, x2, y2 = (_length(element, key) for key in ("x1", "y1", "x2", "y2"))
    return [np.array([[x1, y1], [x2, y2]])]


def _rect(element: ElementTree.Element) -> Lines:
    x, y, w, h = (_length(element, key) for key in ("x", "y", "width", "height"))
    if w <= 0 or h <= 0:
        return []
    rx = _length(element, "rx", _length(element, "ry"))
    ry = _length(element, "ry", rx)
    rx, ry = min(rx, w / 2), min(ry, h / 2)
    if rx <= 0 or ry <= 0:
        return [np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]])]
    turn = f"a{rx},{ry},0,0,1,"
    return path_lines(
        f"M{x + rx},{y}h{w - 2 * rx}{turn}{rx},{ry}v{h - 2 * ry}{turn}{-rx},{ry}"
        f"h{2 * rx - w}{turn}{-rx},{-ry}v{2 * ry - h}{turn}{rx},{-ry}z"
    )


def _ellipse(element: ElementTree.Element) -> Lines:
    radius = _length(element, "r")
    rx, ry = _length(element, "rx", radius), _length(element, "ry", radius)
    if rx <= 0 or ry <= 0:
        return []
    centre = np.array([_length(element, "cx"), _length(element, "cy")])
    return [arc(centre, np.array([rx, ry]), 0.0, 0.0, 2 * np.pi)]


_SHAPES: dict[str, Callable[[ElementTree.Element], Lines]] = {
    "path": lambda element: path_lines(element.get("d", "")),
    "polyline": _polyline,
    "polygon": _polygon,
    "line": _line,
    "rect": _rect,
    "circle": _ellipse,
    "ellipse": _ellipse,
}
"""What draws lines, and how."""

_CALL = re.compile(r"\s*,?\s*([a-zA-Z]+)\s*\(([^)]*)\)\s*")


def _transform(text: str) -> np.ndarray:
    """The matrix of a ``transform`` attribute ``(3, 3)``."""
    matrix, place = np.eye(3), 0
    while place < len(text.rstrip()):
        found = _CALL.match(text, place)
        step = found and _step(
            found[1], [float(n) for n in re.findall(NUMBER, found[2])]
        )
        if found is None or step is None:
            raise ValueError(
                f"transform must be translate, scale, rotate, skewX, skewY or matrix "
                f"with numbers, got {text[:60]!r}. Mend it."
            )
        matrix, place = matrix @ step, found.end()
    return matrix


def _step(name: str, n: list[float]) -> np.ndarray | None:
    """The matrix of one transformation, if it is one."""
    known = (name, len(n))
    if known == ("matrix", 6):
        a, b, c, d, e, f = n
    elif known in (("translate", 1), ("translate", 2)):
        a, b, c, d, e, f = 1, 0, 0, 1, n[0], [*n, 0][1]
    elif known in (("scale", 1), ("scale", 2)):
        a, b, c, d, e, f = n[0], 0, 0, n[-1], 0, 0
    elif known in (("rotate", 1), ("rotate", 3)):
        cos, sin = np.cos(np.radians(n[0])), np.sin(np.radians(n[0]))
        x, y = n[1:] or (0, 0)
        a, b, c, d = cos, sin, -sin, cos
        e, f = x - cos * x + sin * y, y - sin * x - cos * y
    elif known in (("skewX", 1), ("skewY", 1)):
        tan = np.tan(np.radians(n[0]))
        a, b, c, d, e, f = 1, 0, tan, 1, 0, 0
        if name == "skewY":
            b, c = tan, 0
    else:
        return None
    return np.array([[a, c, e], [b, d, f], [0, 0, 1]], float)
