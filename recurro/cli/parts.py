"""Which part of files whose data come in parts is for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from recurro.errors import DataError

__all__ = ["part_of"]

Part = TypeVar("Part")


def part_of(
    parts: Mapping[str, Part], name: str, verb: str, files: Sequence[Path]
) -> Part:
    """The part of a name, or what has no part.

    Args:
        parts: What there is, by its name; without one for what has no part.
        name: Which is wanted.
        verb: What for.
        files: Where all of it is from.

    Raises:
        DataError: If there are parts, and none of this name.

    Example:
        >>> part_of({"train": [1], "test": [2]}, "test", "evaluate", [Path("a.npz")])
        [2]
    """
    found = parts.get(name) or parts.get("")
    if not found:
        raise DataError(
            f"{verb}: '{files[0]}' must have no parts, or one named {name}, got "
            f"{', '.join(parts)}. Name the part {name}."
        )
    return found
