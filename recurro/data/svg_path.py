"""Paths of SVG: their commands, and their curves as straight pieces.

References:
    W3C, Scalable Vector Graphics (SVG) 2, sections 9.3 (commands), B.2.4 (arcs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

__all__ = ["NUMBER", "arc", "path_lines", "thin"]

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
"""A number as SVG writes it."""

_PIECES = 32
"""Straight pieces of a curve, before they are thinned."""

_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7}
"""Numbers that each command takes; the small letter counts from where the pen is."""

_TOKEN = re.compile(rf"\s*,?\s*(?:([MLHVCSQTAZmlhvcsqtaz])|({NUMBER}))")
_FLAG = re.compile(r"\s*,?\s*([01])")


def path_lines(d: str) -> list[np.ndarray]:
    """The lines of a path.

    Args:
        d: Its commands.

    Returns:
        Places ``(places, 2)`` of each line.

    Raises:
        ValueError: If it has a command that there is none of, or wrong numbers.

    Example:
        >>> [line.tolist() for line in path_lines("M1,1 h2 v2 z")]
        [[[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 1.0]]]
    """
    pen = _Pen()
    for command, numbers in _commands(d):
        pen.obey(command, numbers)
    return [np.array(line) for line in pen.lines if len(line) > 1]


def _commands(d: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers, those that are left unsaid said."""
    place, command, end = 0, "", len(d.rstrip())
    while place < end:
        found = _TOKEN.match(d, place)
        named = found is not None and found[1]
        if found is None or not (named or command not in ("", "z", "Z")):
            raise ValueError(
                f"d must have a command, such as L, at {d[place:].strip()[:20]!r}. "
                "Mend it."
            )
        if named:
            if not command and found[1] not in "Mm":
                raise ValueError(f"d must begin with M, got {found[1]}. Mend it.")
            command, place = found[1], found.end()
        numbers, place = _numbers(d, place, command)
        yield command, numbers
        command = {"M": "L", "m": "l"}.get(command, command)


def _numbers(d: str, place: int, command: str) -> tuple[list[float], int]:
    """The numbers of a command, and where they end."""
    numbers: list[float] = []
    for count in range(_COUNTS.get(command.upper(), 0)):
        flag = command in "aA" and count in (3, 4)  # may stand side by side: 01
        found = (_FLAG if flag else _TOKEN).match(d, place)
        if found is None or not found[found.re.groups]:
            raise ValueError(
                f"d must have {_COUNTS[command.upper()]} numbers after {command}, got "
                f"{count}. Mend it."
            )
        numbers.append(float(found[found.re.groups]))
        place = found.end()
    return numbers, place


class _Pen:
    """What draws as it is told."""

    def __init__(self) -> None:
        self.lines: list[list[np.ndarray]] = []
        self.at = self.begin = np.zeros(2)
        self.control = self.at
        self.last = ""

    def obey(self, command: str, n: list[float]) -> None:
        """Follow a command."""
        name, here = command.upper(), self.at
        origin = here if command.islower() else np.zeros(2)
        if name == "H":
            n = [n[0], 0.0 if command.islower() else here[1]]
        elif name == "V":
            n = [0.0 if command.islower() else here[0], n[0]]
        pairs = np.array(n[-2:] if name == "A" else n).reshape(-1, 2) + origin
        if name != "M" and not (self.lines and self.last != "Z"):
            self.lines.append([here])  # after z the pen is at the beginning
        if name == "M":
            self.lines.append([pairs[0]])
            self.begin = pairs[0]
        elif name == "Z":
            self.lines[-1].append(self.begin)
        elif name in "LHV":
            self.lines[-1].append(pairs[0])
        elif name == "A":
            self.lines[-1].extend(_arc_to(here, pairs[0], n[:5]))
        else:
            self._bend(name, pairs)
        self.at, self.last = self.lines[-1][-1], name

    def _bend(self, name: str, pairs: np.ndarray) -> None:
        """Draw a curve by its control points."""
        kin = {"S": "CS", "T": "QT"}.get(name)
        if kin:
            control = self.at if self.last not in kin else self.control
            mirrored = 2 * self.at - control
            pairs = np.concatenate([[mirrored], pairs])
        self.control = pairs[-2]
        self.lines[-1].extend(_bezier(np.concatenate([[self.at], pairs])))


def _bezier(points: np.ndarray) -> np.ndarray:
    """A curve by its control points ``(3 or 4, 2)``, without its first place."""
    t = np.linspace(0, 1, _PIECES + 1)[1:, None, None]
    line = np.broadcast_to(points, (_PIECES, *points.shape))
    while line.shape[1] > 1:  # de Casteljau
        line = line[:, :-1] * (1 - t) + line[:, 1:] * t
    return line[:, 0]


def _arc_to(begin: np.ndarray, end: np.ndarray, n: list[float]) -> np.ndarray:
    """The arc of an ellipse from place to place, without its first place."""
    radii, turn, large, sweep = np.abs(n[:2]), np.radians(n[2]), n[3] > 0, n[4] > 0
    if not radii.all() or (begin == end).all():
        return end[None]
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    half = spin @ (begin - end) / 2
    radii = radii * max(1.0, float(np.sqrt(((half / radii) ** 2).sum())))
    x, y = half / radii
    off = np.sqrt(max(0.0, 1 / (x * x + y * y) - 1)) * (1 if large != sweep else -1)
    middle = off * np.array([y, -x])
    first, last = (np.array([x, y]) - middle), (-np.array([x, y]) - middle)
    start = np.arctan2(first[1], first[0])
    angle = (np.arctan2(last[1], last[0]) - start) % (2 * np.pi)
    angle = angle if sweep else angle - 2 * np.pi
    centre = spin.T @ (middle * radii) + (begin + end) / 2
    places = arc(centre, radii, turn, start, angle)[1:]
    places[-1] = end
    return places


def arc(
    centre: np.ndarray, radii: np.ndarray, turn: float, start: float, angle: float
) -> np.ndarray:
    """Places on an ellipse ``(places, 2)``.

    Args:
        centre: Its centre.
        radii: Its radii along its axes.
        turn: How far its axes are turned, in radians.
        start: Where it begins, in radians.
        angle: How far it goes.

    Example:
        >>> arc(np.zeros(2), np.ones(2), 0.0, 0.0, 2 * np.pi).shape
        (33, 2)
    """
    t = start + angle * np.linspace(0, 1, _PIECES + 1)
    flat = np.column_stack([np.cos(t), np.sin(t)]) * radii
    cos, sin = np.cos(turn), np.sin(turn)
    return centre + flat @ np.array([[cos, sin], [-sin, cos]])


def thin(line: np.ndarray, tolerance: float) -> np.ndarray:
    """Leave out places of a line that lie near to straight pieces between others.

    Args:
        line: Places ``(places, 2)``.
        tolerance: How far off a place may lie that is left out.

    Example:
        >>> thin(np.array([[0.0, 0.0], [1.0, 0.1], [2.0, 0.0]]), 0.2).tolist()
        [[0.0, 0.0], [2.0, 0.0]]

    References:
        Douglas and Peucker (1973), doi:10.3138/FM57-6770-U75U-7727.
    """
    kept = np.zeros(len(line), bool)
    kept[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        inner = line[first + 1 : last] - line[first]
        chord = line[last] - line[first]
        length = float(chord @ chord)
        along = (
            np.clip(inner @ chord / length, 0, 1) if length else np.zeros(len(inner))
        )
        far = np.hypot(*(inner - along[:, None] * chord).T)
        if far.max() > tolerance:
            middle = first + 1 + int(far.argmax())
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    return line[kept]
