"""What the commands do with drawings: which part is for what, and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurro.cli.music import refuse
from recurro.cli.parts import check_ending, part_of
from recurro.cli.show import print_json, say
from recurro.data import Drawings, read_drawings, write_png, write_svg
from recurro.tasks import StrokeModel

__all__ = ["draw", "log_probs", "to_learn", "to_score"]


def to_learn(model: StrokeModel, files: Sequence[Path]) -> dict[str, Any]:
    """The arguments of ``fit``: parts by their names, or all that there is.

    Raises:
        DataError: If there are parts, and none is named train.
    """
    parts = read_drawings(list(files))
    given = part_of(parts, "train", "train strokes", files)
    return {"X": given, "valid": parts.get("valid"), "test": parts.get("test")}


def to_score(model: StrokeModel, files: Sequence[Path]) -> tuple[Drawings]:
    """The argument of ``evaluate``: the part named test, or all that has no part.

    Raises:
        DataError: If there are parts, and none is named test.
    """
    return (part_of(read_drawings(list(files)), "test", "evaluate", files),)


def log_probs(
    model: StrokeModel, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """Log p of each drawing of a file."""
    (drawings,) = to_score(model, [file])
    return [
        {"log_prob": float(value), "drawing": str(number), "points": str(len(drawing))}
        for number, (value, drawing) in enumerate(
            zip(model.log_prob(drawings), drawings.points, strict=True)
        )
    ]


def draw(run: Path, given: Mapping[str, Any]) -> None:
    """Draw; write SVG and PNG, or print dx, dy and the pen of each point.

    Args:
        run: A run of strokes.
        given: The options of ``recurro generate``.

    Raises:
        ArgumentError: If an option is for text alone, or a file ends otherwise.
    """
    refuse(given, "strokes", ("midi", "wav", "tempo"))
    for kind in ("svg", "png"):
        check_ending(f"--{kind}", given[kind], f".{kind}")
    model, prompt = StrokeModel.load(run), given["prompt"]
    drawings = model.generate(
        given["number"],
        text=given["text"],
        prompt=to_score(model, [Path(prompt)])[0].points[0] if prompt else None,
        temperature=given["temperature"],
        seed=given["seed"],
        **({} if given["length"] is None else {"length": given["length"]}),
    )
    if given["svg"] is not None:
        write_svg(given["svg"], drawings)
    if given["png"] is not None:
        write_png(given["png"], drawings)
    if given["json"]:
        print_json([{"points": drawing.tolist()} for drawing in drawings])
    elif given["svg"] is None and given["png"] is None:
        for number, drawing in enumerate(drawings):
            for dx, dy, pen in drawing.tolist():
                say(f"{number}\t{dx:g}\t{dy:g}\t{pen:g}")
