"""Which part of files whose data come in parts is for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from recurro.errors import ArgumentError, DataError

__all__ = ["check_ending", "part_of"]

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


def check_ending(option: str, path: Path | None, ending: str) -> None:
    """Refuse a file, if one is named, whose name says that it is of another kind.

    Args:
        option: What names it, such as ``--png``.
        path: Its name.
        ending: What it must end in, such as ``.png``.

    Raises:
        ArgumentError: If it does not.
    """
    if path is not None and path.suffix.lower() != ending:
        raise ArgumentError(
            f"{option}: must name a file that ends in {ending}, got '{path}'. Name it "
            "so."
        )
