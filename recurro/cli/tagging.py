"""What the commands on tagged words do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurro.data import tagged_lines
from recurro.tasks import SequenceTagger

__all__ = ["sentences", "tagged", "to_score"]


def to_score(
    model: SequenceTagger, files: Sequence[Path]
) -> tuple[list[list[str]], list[list[str]]]:
    """The words and the tags of some files."""
    read = [model.read(file) for file in files]
    words = [sentence for found in read for sentence in found.words]
    return words, [sentence for found in read for sentence in found.tags]


def tagged(
    model: SequenceTagger, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The words of each sentence with the tags that are told."""
    words = model.read(file, tagged=False).words
    return [
        {"words": sentence, "tags": tags}
        for sentence, tags in zip(words, model.predict(words), strict=True)
    ]


def sentences(model: SequenceTagger, file: Path) -> list[str]:
    """The lines of a file with the tags that are told."""
    found = model.read(file, tagged=False)
    return tagged_lines(found, model.predict(found.words))
