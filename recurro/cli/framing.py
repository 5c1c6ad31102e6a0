"""What the commands on labelled frames do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurro.cli.show import tell
from recurro.data import read_frames
from recurro.data.films import read_films
from recurro.errors import ArgumentError
from recurro.tasks import FrameLabeler

__all__ = ["labels_of", "to_learn", "to_score"]


def to_learn(model: FrameLabeler, files: Sequence[Path]) -> dict[str, Any]:
    """What a labeler learns from, and what it is tested on, if anything."""
    items, labels = to_score(model, files)
    test = model.settings.data.test
    if test is None:
        return {"X": items, "y": labels}
    if test == "hash":
        raise ArgumentError(
            "label: --test must be a file, got 'hash', which is for single items. "
            "Name one."
        )
    return {"X": items, "y": labels, "test": to_score(model, [Path(test)])}


def to_score(
    model: FrameLabeler, files: Sequence[Path]
) -> tuple[list[Any], list[list[Any]]]:
    """The sequences of some files, and the labels of their frames."""
    items, labels = [], []
    for file in files:
        found, said, _ = _read(model, file, labelled=True)
        items += found
        labels += said or []
    return items, labels


def labels_of(
    model: FrameLabeler, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The label of each frame of a file, one row for each."""
    items, _, names = _read(model, file, labelled=False)
    return [
        {
            "sequence": name,
            "frame": frame,
            "label": str(model.classes_[chance.argmax()]),
            "probability": float(chance.max()),
        }
        for name, chances in zip(names, model.predict_proba(items), strict=True)
        for frame, chance in enumerate(chances)
    ]


def _read(
    model: FrameLabeler, file: Path, *, labelled: bool
) -> tuple[list[Any], list[Any] | None, list[str]]:
    """Sequences, the labels of their frames, and their names."""
    if file.suffix.lower() == ".npz":
        films, labels = read_films(file, labelled=labelled)
        return films, labels, [str(number) for number in range(len(films))]
    data = model.settings.data
    found = read_frames(file, data.roles, encoding=data.encoding, labelled=labelled)
    tell(found.notes)
    names = [key or str(number) for number, key in enumerate(found.keys)]
    return found.items, found.labels, names
