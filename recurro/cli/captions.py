"""What the commands on pictures and captions do."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurro.data import Captioned, draw_scenes, read_captioned, read_pictures
from recurro.errors import ArgumentError, ItemError, MissingExtraError
from recurro.report import Sample, write_report
from recurro.report.looks import draw_looks
from recurro.tasks import Captioner
from recurro.tasks.grades import GRADES

__all__ = ["captions_of", "leave_pictures", "place_of", "to_learn", "to_score"]

SCENES = re.compile(r"scenes(?::(\d+))?")
"""The word for pictures that are drawn, and how many."""

LEARNT, SCORED = 16_000, 500
"""How many scenes are drawn to learn from, and to score."""

SHOWN = 8
"""Captions of each grade that a report shows, and pictures with where was looked."""

LOOKS = "attention.png"


def to_learn(model: Captioner, files: Sequence[Path]) -> dict[str, Any]:
    """Pictures and captions; of scenes, unseen combinations are tested on."""
    data = model.settings.data
    found = _read(_only(files), data.images, data.side, learnt=True)
    test, where = data.test, data.test_images or data.images
    if test is None and _drawn(files[0]) is not None:
        test = "scenes"
    scored = None
    if test is not None:
        told = _read(Path(test), where, data.side)
        scored = (told.items, told.captions)
    return {"X": found.items, "y": found.captions, "test": scored}


def to_score(
    model: Captioner, files: Sequence[Path]
) -> tuple[list[Any], tuple[tuple[str, ...], ...]]:
    """Pictures and captions; of scenes, of unseen combinations."""
    data = model.settings.data
    path, images = _only(files[:1]), data.images
    if len(files) == 2:
        images = str(files[1])
    elif len(files) > 2:
        _only(files)
    found = _read(path, images, data.side)
    return found.items, found.captions


def captions_of(
    model: Captioner, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The caption of each picture of a file or folder, or of each row of features."""
    if _drawn(file) is None:
        found = read_pictures(file, side=model.settings.data.side)
    else:
        found = _read(file, None, None)
    return [
        {"image": name, "caption": text}
        for name, text in zip(found.names, model.predict(found.items), strict=True)
    ]


def place_of(model: Captioner, file: Path, error: ItemError) -> str:
    """Which picture of a file or folder it is, for a person."""
    if _drawn(file) is not None:
        return f"scene {error.item}"
    found = read_pictures(file, side=model.settings.data.side)
    return f"'{found.names[error.item]}' of '{file}'"


def leave_pictures(model: Captioner, files: Sequence[Path] = ()) -> None:
    """Sort captions into grades for the report; draw where was looked.

    Args:
        model: A model that was trained; of what it was scored on at the end, nothing is
            told where there was nothing.
        files: What it has learnt from, which may be gone.
    """
    assert model.run_ is not None
    if model.shown_ is None:
        return
    items, references = model.shown_
    pictures = [item if item.dtype == np.uint8 else None for item in items[:SHOWN]]
    written, grades = model.grade(items, references)
    write_report(
        model.run_.path, samples=_graded(written, grades, references, bool(model.test_))
    )
    if model.settings.model.attention == "none":
        return
    try:
        draw_looks(model.run_.path / LOOKS, pictures, model.look(items[:SHOWN]))
    except MissingExtraError as error:
        warnings.warn(f"no {LOOKS} was drawn. {error}", stacklevel=2)


def _graded(
    written: Sequence[str],
    grades: Sequence[str],
    references: Sequence[Sequence[str]],
    tested: bool,
) -> list[Sample]:
    """Captions of each grade, with how many there are."""
    counts, samples = Counter(grades), []
    part = "the part to test on" if tested else "the part held out"
    for grade in GRADES:
        rows = [row for row, given in enumerate(grades) if given == grade]
        lines = [f"{written[r]}\n    ({' | '.join(references[r])})" for r in rows]
        title = f"{grade}: {counts[grade]} of {len(grades)} captions of {part}"
        samples.append(Sample(title, "\n".join(lines[:SHOWN]) or "none"))
    return samples


def _drawn(path: Path) -> int | None:
    """How many scenes are meant, or ``None`` for a file; 0 where that is not said."""
    found = None if path.exists() else SCENES.fullmatch(str(path))
    return None if found is None else int(found[1] or 0)


def _read(
    path: Path, images: str | None, side: int | None, *, learnt: bool = False
) -> Captioned:
    count = _drawn(path)
    if count is not None:
        usual = LEARNT if learnt else SCORED
        return draw_scenes(count or usual, unseen=not learnt, seed=0 if learnt else 1)
    found = read_captioned(path, images, side=side)
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    return found


def _only(files: Sequence[Path]) -> Path:
    if len(files) > 1:
        raise ArgumentError(
            "caption: captions come in one table or folder, and images in another if "
            f"they are apart, got {len(files)} paths. Name those."
        )
    return files[0]
