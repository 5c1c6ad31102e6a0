"""What the commands on labelled frames do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from recurro.cli.labelled import tell_still
from recurro.cli.show import tell
from recurro.data import Labelled, read_frames
from recurro.data.films import read_films
from recurro.errors import DataError, ItemError
from recurro.tasks import FrameLabeler

__all__ = ["labels_of", "place_of", "to_learn", "to_score"]


def to_learn(model: FrameLabeler, files: Sequence[Path]) -> dict[str, Any]:
    """What a labeler learns from, and what it is tested on, if anything."""
    found, test = _joined(model, files), model.settings.data.test
    tell_still(found)
    if test is None:
        return {"X": found.items, "y": found.labels}
    if test == "hash":
        found, tested = found.split()
    else:
        tested = _read(model, Path(test))
    known = {label for labels in found.labels for label in labels}
    return {"X": found.items, "y": found.labels, "test": _known(tested, known)}


def to_score(
    model: FrameLabeler, files: Sequence[Path]
) -> tuple[list[Any], list[list[Any]]]:
    """The sequences of some files, and the labels of their frames, all known."""
    return _known(_joined(model, files), model.classes_.tolist())


def _joined(model: FrameLabeler, files: Sequence[Path]) -> Labelled:
    """The sequences of all files, read from the columns of the first one."""
    first, *others = files
    found = _read(model, first)
    model.remember(features=found.features)
    for file in others:
        more = _read(model, file)
        found = Labelled(
            found.items + more.items,
            found.labels + more.labels,
            found.keys + more.keys,
            found.places + more.places,
            features=found.features,
            series=[*found.series, *more.series],
        )
    return found


def place_of(model: FrameLabeler, file: Path, error: ItemError) -> str:
    """Where a sequence of a file stands, or a number of it, for a person."""
    found = _read(model, file, labelled=False)
    if error.tested and model.settings.data.test == "hash":
        _, found = found.split()
    return found.where(error.item, error.step, error.channel)


def _known(
    found: Labelled, classes: Collection[Any]
) -> tuple[list[Any], list[list[Any]]]:
    """Sequences and the labels of their frames, all of them classes of training."""
    for place, labels in zip(found.places, found.labels, strict=True):
        for frame, label in enumerate(labels):
            if label not in classes:
                raise DataError(
                    f"label: frame {frame} of the sequence from {place} must have one "
                    f"of the {len(classes)} labels seen in training, got {label!r}. "
                    "Mend it, leave the sequence out, or train with it."
                )
    return found.items, found.labels


def labels_of(
    model: FrameLabeler, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The label of each frame of a file, one row for each."""
    found = _read(model, file, labelled=False)
    names = [key or str(number) for number, key in enumerate(found.keys)]
    return [
        {
            "sequence": name,
            "frame": frame,
            "label": str(model.classes_[chance.argmax()]),
            "probability": float(chance.max()),
        }
        for name, chances in zip(names, model.predict_proba(found.items), strict=True)
        for frame, chance in enumerate(chances)
    ]


def _read(model: FrameLabeler, file: Path, *, labelled: bool = True) -> Labelled:
    """Sequences and the labels of their frames."""
    if file.suffix.lower() == ".npz":
        films, labels = read_films(file, labelled=labelled)
        places = [f"film {number} of '{file}'" for number in range(len(films))]
        return Labelled(films, labels or [], [""] * len(films), places)
    data = model.settings.data
    found = read_frames(file, data.roles, encoding=data.encoding, labelled=labelled)
    tell(found.notes)
    return found
