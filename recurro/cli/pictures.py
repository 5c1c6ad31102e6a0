"""What the commands on pictures do: read the numbers on them, and paint others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurro.cli.music import refuse
from recurro.cli.parts import check_ending
from recurro.cli.show import print_json, say
from recurro.data.house_numbers import Part
from recurro.data.numbered_pictures import read_numbered
from recurro.errors import ArgumentError, MissingExtraError
from recurro.report.strips import draw_glimpses, draw_strokes
from recurro.tasks import GlimpseReader, Painter
from recurro.tasks.glimpse_reader import number_of
from recurro.tasks.sequence_runs import read_examples

__all__ = [
    "bounds",
    "leave_glimpses",
    "leave_strokes",
    "numbers",
    "paint",
    "pictures_to_learn",
    "pictures_to_score",
    "to_learn",
    "to_score",
]

SHOWN = 6
"""Pictures of a strip."""

GLIMPSES, STROKES = "glimpses.png", "strokes.png"


def to_learn(model: GlimpseReader, files: Sequence[Path]) -> dict[str, Any]:
    """Pictures and numbers; drawn ones are tested on digits that are not in them."""
    X, y = _joined(files, "train")
    drawn = not any(file.exists() for file in files)
    return {"X": X, "y": y, "test": to_score(model, files) if drawn else None}


def to_score(
    model: GlimpseReader, files: Sequence[Path]
) -> tuple[list[Any], list[str]]:
    """Pictures and numbers; drawn ones of the digits to test on."""
    return _joined(files, "test")


def pictures_to_learn(model: Painter, files: Sequence[Path]) -> dict[str, Any]:
    """Pictures; drawn ones are tested on digits that are not in them."""
    drawn = not any(file.exists() for file in files)
    X = _joined(files, "train", numbers=False)[0]
    return {"X": X, "test": pictures_to_score(model, files)[0] if drawn else None}


def pictures_to_score(model: Painter, files: Sequence[Path]) -> tuple[list[Any]]:
    """Pictures; drawn ones of the digits to test on."""
    return (_joined(files, "test", numbers=False)[0],)


def _joined(
    files: Sequence[Path], part: Part, *, numbers: bool = True
) -> tuple[list[Any], list[str]]:
    found = [read_numbered(file, part, numbers=numbers) for file in files]
    pictures: list[Any] = [picture for one in found for picture in one.pictures]
    return pictures, [number for one in found for number in one.numbers]


def numbers(
    model: GlimpseReader, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The number on each picture of a file or folder."""
    found = read_numbered(file, "test", numbers=False)
    told = model.predict(found.pictures), model.confidence(found.pictures)
    return [
        {"number": number, "probability": float(chance), "image": name}
        for number, chance, name in zip(*told, found.names, strict=True)
    ]


def bounds(model: Painter, file: Path, interval: float | None) -> list[dict[str, Any]]:
    """A lower bound on log P of each picture of a file or folder."""
    found = read_numbered(file, "test", numbers=False)
    return [
        {"log_prob": float(value), "image": name}
        for value, name in zip(model.log_prob(found.pictures), found.names, strict=True)
    ]


def leave_glimpses(model: GlimpseReader, files: Sequence[Path] = ()) -> None:
    """Draw where a trained reader looks, into its run folder.

    Args:
        model: A trained reader with a run, which holds the pictures: those to test on,
            or held out, or learnt from.
        files: What they were read from, which may be gone.
    """
    assert model.run_ is not None
    material = read_examples(model.run_)
    parts = [material.test_parts()[1], *material.parts()[::-1]]
    items, targets = next(part for part in parts if len(part[0]))
    glances = model.look(items[:SHOWN])
    true = [number_of(ids) for ids in targets[:SHOWN]]
    _leave(model, GLIMPSES, lambda path: draw_glimpses(path, glances, true))


def leave_strokes(model: Painter, files: Sequence[Path] = ()) -> None:
    """Draw how a trained painter paints new pictures, into its run folder."""
    painted = model.generate(SHOWN, seed=model.seed)
    _leave(model, STROKES, lambda path: draw_strokes(path, painted))


def _leave(
    model: GlimpseReader | Painter, name: str, draw: Callable[[Path], None]
) -> None:
    """Draw a picture into the run folder, or say why not."""
    assert model.run_ is not None
    try:
        draw(model.run_.path / name)
    except MissingExtraError as error:
        warnings.warn(f"no {name} was drawn. {error}", stacklevel=2)


def paint(run: Path, given: Mapping[str, Any]) -> None:
    """Paint new pictures into a PNG file, stroke by stroke.

    Args:
        run: A run of paint.
        given: The options of ``recurro generate``.

    Raises:
        ArgumentError: If there is no file to paint to, or an option is for others.
        MissingExtraError: If pillow is not installed.
    """
    others = ("length", "midi", "wav", "tempo", "text", "svg")
    refuse(given, "paint", (*others, *(["prompt"] if given["prompt"] else [])))
    path: Path | None = given["png"]
    if path is None:
        raise ArgumentError(
            "--png: must name a file to paint to, for a run of paint, got none. Add "
            "--png FILE."
        )
    check_ending("--png", path, ".png")
    painted = Painter.load(run).generate(
        given["number"], temperature=given["temperature"], seed=given["seed"]
    )
    draw_strokes(path, painted)
    if given["json"]:
        print_json({"file": str(path), "pictures": painted.pictures.tolist()})
    else:
        say(str(path))
