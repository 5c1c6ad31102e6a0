"""``recurro generate``: text out of a run, music, drawings, or pictures."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurro.cli.options import RUN, RunFolder, Threads
from recurro.cli.running import use_threads
from recurro.errors import ArgumentError

if TYPE_CHECKING:
    from recurro.cli.language import Model

LENGTH = 500
"""Symbols that are written, if nothing else is said."""

MUSIC = "Music"
STROKES = "Strokes"

Prompt = Annotated[
    str,
    typer.Option(
        "--prompt",
        "-p",
        metavar="TEXT",
        help="What the text begins with; of music and strokes, a file whose first "
        "piece or drawing to go on from.",
    ),
]
Length = Annotated[
    int | None,
    typer.Option(
        "--length",
        "-n",
        metavar="N",
        help="Symbols to add, frames of music, or points of a drawing at most. [dim]"
        "\\[default: 500, of music 64][/dim]",
        show_default=False,
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        "-t",
        metavar="X",
        help="Below 1 careful, above 1 adventurous; 0 takes the likeliest symbol.",
    ),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", metavar="K", help="Draw among the K likeliest symbols."),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p", metavar="P", help="Draw among the symbols that hold P of the mass."
    ),
]
Beam = Annotated[
    int | None,
    typer.Option("--beam", metavar="K", help="Search for a likely text with K beams."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="The same seed, the same text."),
]
Number = Annotated[
    int,
    typer.Option(
        "--number", metavar="N", min=1, help="How many texts to write, or pictures."
    ),
]
Label = Annotated[
    str | None,
    typer.Option("--class", metavar="NAME", help="Of a run by class: which class."),
]
Midi = Annotated[
    Path | None,
    typer.Option(
        "--midi",
        metavar="FILE",
        help="Of a run of music: write the piece as MIDI.",
        show_default=False,
        rich_help_panel=MUSIC,
    ),
]
Wav = Annotated[
    Path | None,
    typer.Option(
        "--wav",
        metavar="FILE",
        help="Write how it sounds.",
        show_default=False,
        rich_help_panel=MUSIC,
    ),
]
Tempo = Annotated[
    float | None,
    typer.Option(
        "--tempo",
        metavar="X",
        help="Quarter notes a minute, of --midi and --wav. [dim]\\[default: 100][/dim]",
        show_default=False,
        rich_help_panel=MUSIC,
    ),
]
Svg = Annotated[
    Path | None,
    typer.Option(
        "--svg",
        metavar="FILE",
        help="Of a run of strokes: write the drawings as SVG.",
        show_default=False,
        rich_help_panel=STROKES,
    ),
]
Png = Annotated[
    Path | None,
    typer.Option(
        "--png",
        metavar="FILE",
        help="Write them as PNG; of a run of paint, a strip of strokes of each "
        "picture.",
        show_default=False,
        rich_help_panel=STROKES,
    ),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream", metavar=" ", help="Print each symbol as soon as it is drawn."
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar=" ", help="Print the texts as JSON.", rich_help_panel=RUN
    ),
]


def generate(
    run: RunFolder,
    prompt: Prompt = "",
    length: Length = None,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    beam: Beam = None,
    seed: Seed = None,
    number: Number = 1,
    label: Label = None,
    stream: Stream = False,
    midi: Midi = None,
    wav: Wav = None,
    tempo: Tempo = None,
    svg: Svg = None,
    png: Png = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Write text, compose music, or draw, as the training data might go on.

    - lm, ngram: text; of a run of lines one item (--number for several).
    - music: a piece, as MIDI, as sound, or as the pitches of each frame.
    - strokes: drawings (--number), as SVG, as PNG, or as the points of each.
    - paint: pictures (--number), stroke by stroke, as PNG.
    """
    given = dict(locals())
    _check_flags(given)
    use_threads(threads)
    from recurro.cli.language import open_run
    from recurro.cli.music import compose
    from recurro.cli.pictures import paint
    from recurro.cli.sequences import TASKS
    from recurro.cli.show import print_json
    from recurro.cli.strokes import draw
    from recurro.tasks.runs import task_of

    task = task_of(run)
    others = {"music": compose, "strokes": draw, "paint": paint}
    if task in others:
        others[task](run, given)
        return
    if task in TASKS:
        raise ArgumentError(
            f"generate: RUN must be of lm, ngram, music, strokes or paint, got one of "
            f"{task}: '{run}'. Ask it with 'recurro predict'."
        )
    _check_text(given)
    model = open_run(run)
    _check_class(model, label)
    texts = []
    for index in range(number):
        pieces = model.stream(
            prompt,
            length or LENGTH,
            label=label,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            beam_size=beam,
            seed=None if seed is None else seed + index,
        )
        if json:
            texts.append({"text": "".join(pieces)})
        else:
            _write(pieces, stream)
    if json:
        print_json(texts)


def _check_flags(given: Mapping[str, Any]) -> None:
    """Refuse flags that are out of range, or that another one leaves without effect."""
    temperature, top_p = given["temperature"], given["top_p"]
    sound = {
        "length": (given["length"] is None or given["length"] >= 1, "at least 1"),
        "temperature": (0 <= temperature < math.inf, "a finite number of at least 0"),
        "top_k": (given["top_k"] is None or given["top_k"] >= 1, "at least 1"),
        "top_p": (top_p is None or 0 < top_p <= 1, "above 0 and at most 1"),
        "beam": (given["beam"] is None or given["beam"] >= 1, "at least 1"),
    }
    for name, (holds, bound) in sound.items():
        if not holds:
            raise ArgumentError(
                f"--{name.replace('_', '-')}: must be {bound}, got {given[name]}. See "
                "'recurro generate --help'."
            )
    usual = {"temperature": 1, "top_k": None, "top_p": None, "number": 1}
    drawing = [name for name, value in usual.items() if given[name] != value]
    if given["beam"] is not None and (drawing or given["stream"]):
        other = [*drawing, "stream"][0].replace("_", "-")
        raise ArgumentError(
            f"--beam: searches for one whole text and draws nothing, got --{other} too."
            " Leave one of them out."
        )
    if given["stream"] and given["json"]:
        raise ArgumentError(
            "--stream: must be left out with --json, which prints whole texts, got "
            "both. Leave one of them out."
        )


def _check_text(given: Mapping[str, Any]) -> None:
    """Refuse what only music, strokes and paint have."""
    kinds = {"midi": "music", "wav": "music", "tempo": "music"}
    kinds |= {"svg": "strokes", "png": "strokes or paint"}
    for name, kind in kinds.items():
        if given[name] is not None:
            raise ArgumentError(
                f"--{name}: is for a run of {kind}, got '{given[name]}' for one of "
                "text. Leave it out."
            )


def _check_class(model: Model, label: str | None) -> None:
    """Refuse a run by class without --class, and any other run with it."""
    from recurro.tasks import ClassLanguageModel

    classes = model.classes_.tolist() if isinstance(model, ClassLanguageModel) else []
    if classes and label not in classes:
        raise ArgumentError(
            f"--class: must be one of {', '.join(classes)}, got "
            f"{'none' if label is None else repr(label)}. Name the class to write."
        )
    if label is not None and not classes:
        raise ArgumentError(
            f"--class: is for a run by class, got {label!r} for another run. Leave it "
            "out."
        )


def _write(pieces: Iterator[str], stream: bool) -> None:
    """Print a text and an end of line."""
    if not stream:
        pieces = iter(["".join(pieces)])
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
