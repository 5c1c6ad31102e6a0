"""Files of time series with a class or a number each: the ``.ts`` format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro.data.text import read_text
from recurro.errors import DataError

__all__ = ["LabelledSeries", "read_ts"]

_MISSING = {"?", "", "nan"}


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """Series, each with what is said of it.

    Attributes:
        items: Each ``(time, channels)``, float32; NaN where a number is missing.
        labels: The class ``(items,)``, text, or the number ``(items,)``, float64, of
            each; ``None`` where the file says nothing of them.
    """

    items: list[np.ndarray]
    labels: np.ndarray | None


def read_ts(path: Path | str) -> LabelledSeries:
    r"""Read a ``.ts`` file: comments, ``@`` lines, then one series a line.

    The channels of a series are parted by ``:``, its numbers by commas, a missing one
    is ``?``; the class comes last (``@classLabel true ...``), or a number
    (``@targetLabel true``).

    Raises:
        DataError: If the file cannot be read, has no ``@data``, time stamps, a class
            that its header does not name, channels of unequal length, or a word where
            a number must be; line and channel are named.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "walks.ts")
        ...     head = "@dimensions 2\n@classLabel true run walk\n@data\n"
        ...     _ = file.write_text(head + "1,2,3:4,5,6:run\n7,?:8,9:walk\n")
        ...     walks = read_ts(file)
        >>> [item.shape for item in walks.items], walks.labels.tolist()
        ([(3, 2), (2, 2)], ['run', 'walk'])

    References:
        The format as documented by sktime: "TS file format".
    """
    path = Path(path)
    lines = enumerate("".join(read_text(path)).splitlines(), start=1)
    header = _header(lines, path)
    labelled, classes = _labels(header)
    items: list[np.ndarray] = []
    labels: list[str | float] = []
    for number, line in lines:
        if not line.strip() or line.startswith(("#", "%")):
            continue
        parts = line.strip().split(":")
        where = f"read_ts: '{path}', line {number}"
        if labelled:
            labels.append(_label(parts.pop(), header, classes, where))
        items.append(_series(parts, where))
        if items[-1].shape[1] != items[0].shape[1]:
            raise DataError(
                f"{where}: must have {items[0].shape[1]} channels as the first series "
                f"has, got {items[-1].shape[1]}. Mend the line."
            )
    if not items:
        raise DataError(
            f"read_ts: '{path}' must hold a series after @data, got none. Name another "
            "file."
        )
    return LabelledSeries(items, np.array(labels) if labelled else None)


def _header(lines: Iterable[tuple[int, str]], path: Path) -> dict[str, list[str]]:
    """The words of each ``@`` line by its name in lower case, up to ``@data``."""
    header: dict[str, list[str]] = {}
    for _, line in lines:
        words = line.split()
        if not words or not words[0].startswith("@"):
            continue
        name = words[0][1:].lower()
        if name == "data":
            break
        header[name] = words[1:]
    else:
        raise DataError(
            f"read_ts: '{path}' must have a line @data before its series, got none. Is "
            "it a .ts file?"
        )
    if header.get("timestamps", ["false"])[:1] == ["true"]:
        raise DataError(
            f"read_ts: '{path}' must hold series without time stamps, got @timeStamps "
            "true. Write the numbers alone, at even steps."
        )
    return header


def _labels(header: dict[str, list[str]]) -> tuple[bool, set[str]]:
    """Whether each series has a label, and the classes that the header names."""
    for name in ("classlabel", "targetlabel"):
        words = header.get(name, ["false"])
        if words[:1] == ["true"]:
            return True, set(words[1:]) if name == "classlabel" else set()
    return False, set()


def _label(
    word: str, header: dict[str, list[str]], classes: set[str], where: str
) -> str | float:
    word = word.strip()
    if header.get("targetlabel", ["false"])[:1] == ["true"]:
        return _number(word, f"{where}: the target")
    if classes and word not in classes:
        raise DataError(
            f"{where}: the class must be one that @classLabel names, got {word!r}. "
            "Mend the line or the header."
        )
    return word


def _series(parts: list[str], where: str) -> np.ndarray:
    channels = [
        list(_numbers(part, f"{where}, channel {number}"))
        for number, part in enumerate(parts)
    ]
    lengths = {len(channel) for channel in channels}
    if len(lengths) != 1:
        raise DataError(
            f"{where}: all channels must be of one length, got "
            f"{', '.join(str(len(channel)) for channel in channels) or 'none'}. Mend "
            "the line."
        )
    return np.array(channels, np.float32).T


def _numbers(part: str, where: str) -> Iterator[float]:
    for word in part.split(","):
        word = word.strip()
        yield float("nan") if word.lower() in _MISSING else _number(word, where)


def _number(word: str, where: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise DataError(
            f"{where} must be a number, got {word!r}. Mend the line."
        ) from None
