"""``recurro generate``: text out of a run, music, drawings, or pictures."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurro.cli.options import RUN, RunFolder, Threads
from recurro.cli.running import use_threads
from recurro.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from recurro.cli.language import Model
    from recurro.tasks.speak import Said

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
    typer.Option(
        "--beam",
        metavar="K",
        help="Search for a likely text with K beams; --number gives the best of them.",
    ),
]
MinLength = Annotated[
    int | None,
    typer.Option(
        "--min-length",
        metavar="N",
        help="Of a run of lines: symbols at least before the end.",
        show_default=False,
    ),
]
RepetitionPenalty = Annotated[
    float | None,
    typer.Option(
        "--repetition-penalty",
        metavar="X",
        help="Above 1, what was written comes less often: log P times X.",
        show_default=False,
    ),
]
Forbid = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid",
        metavar="TEXT",
        help="Never write this; may be repeated.",
        show_default=False,
    ),
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
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="TEXT",
        help="Of a run of strokes with a window: what to write.",
        show_default=False,
        rich_help_panel=STROKES,
    ),
]
Svg = Annotated[
    Path | None,
    typer.Option(
        "--svg",
        metavar="FILE",
        help="Write the drawings as SVG.",
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
    min_length: MinLength = None,
    repetition_penalty: RepetitionPenalty = None,
    forbid: Forbid = None,
    seed: Seed = None,
    number: Number = 1,
    label: Label = None,
    stream: Stream = False,
    midi: Midi = None,
    wav: Wav = None,
    tempo: Tempo = None,
    text: Text = None,
    svg: Svg = None,
    png: Png = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Write text, compose music, or draw, as the training data might go on.

    - lm, ngram: text; of a run of lines one item (--number for several).
    - hmm: a text, or a line of numbers for each step (--length, --number, --seed).
    - music: a piece, as MIDI, as sound, or as the pitches of each frame.
    - paint: pictures (--number), stroke by stroke, as PNG.
    - esn: how a table goes on (--prompt is the file), --length rows.
    - strokes: drawings (--number), as SVG, as PNG, or as the points of
      each; with a window, of a --text.
    """
    given = dict(locals())
    _check_flags(given)
    use_threads(threads)
    from recurro.cli.echo_state import go_on
    from recurro.cli.hmm import speak
    from recurro.cli.language import open_run
    from recurro.cli.music import compose
    from recurro.cli.pictures import paint
    from recurro.cli.sequences import TASKS
    from recurro.cli.show import print_json, say
    from recurro.cli.strokes import draw
    from recurro.tasks.runs import task_of

    task = task_of(run)
    others = {"music": compose, "strokes": draw, "paint": paint}
    others |= {"hmm": speak, "esn": go_on}
    if task in others:
        others[task](run, given)
        return
    if task in TASKS:
        raise ArgumentError(
            "generate: RUN must be of lm, ngram, hmm, esn, music, strokes or paint, "
            f"got one of {task}: '{run}'. Ask it with 'recurro predict'."
        )
    _check_text(given)
    model = open_run(run)
    _check_class(model, label)
    if stream:
        for index in range(number):
            shifted = None if seed is None else seed + index
            _stream(model.stream(prompt, length or LENGTH, **_manner(given, shifted)))
        return
    [said] = model.generate_batch(
        [prompt], length or LENGTH, number=number, **_manner(given, seed)
    )
    if json:
        print_json([_row(one) for one in said])
    else:
        for one in said:
            say(one.text)
    _tell_cut(model, said, length or LENGTH)
    _tell_figures(model, said)


def _manner(given: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    """How symbols are chosen, by the names of ``Speaker``."""
    return {
        "label": given["label"],
        "temperature": given["temperature"],
        "top_k": given["top_k"],
        "top_p": given["top_p"],
        "beam_size": given["beam"],
        "min_length": given["min_length"] or 0,
        "repetition_penalty": given["repetition_penalty"] or 1.0,
        "forbid": tuple(given["forbid"] or ()),
        "seed": seed,
    }


def _row(said: Said) -> dict[str, Any]:
    """A text for programs; of a beam search with its probability."""
    row: dict[str, Any] = {"text": said.text}
    return row if said.log_prob is None else {**row, "log_prob": said.log_prob}


def _tell_cut(model: Model, said: Sequence[Said], length: int) -> None:
    """Say on the error stream which items did not come to their end."""
    cut = sum(not one.ended for one in said)
    if model.tokenizer_.lines and cut:
        which = "the text" if len(said) == 1 else f"{cut:,} of {len(said):,} texts"
        _say_aside(f"{which} did not end within --length {length}, and was cut there")


def _tell_figures(model: Model, said: Sequence[Said]) -> None:
    """Say on the error stream how many of several items are valid, different, new."""
    from recurro.tasks import LanguageModel

    if len(said) < 2 or not isinstance(model, LanguageModel):
        return
    if not model.tokenizer_.lines:
        return
    try:
        found = model.judge_lines([one.text for one in said])
    except RunError as error:
        _say_aside(str(error))
        return
    told = ", ".join(f"{key.replace('_', ' ')} {x:.3f}" for key, x in found.items())
    _say_aside(f"{len(said):,} texts: {told}")


def _say_aside(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 (a remark, beside the output)


def _check_flags(given: Mapping[str, Any]) -> None:
    """Refuse flags that are out of range, or that another one leaves without effect."""
    temperature, top_p = given["temperature"], given["top_p"]
    penalty, beam = given["repetition_penalty"], given["beam"]
    sound = {
        "length": (given["length"] is None or given["length"] >= 1, "at least 1"),
        "temperature": (0 <= temperature < math.inf, "a finite number of at least 0"),
        "top_k": (given["top_k"] is None or given["top_k"] >= 1, "at least 1"),
        "top_p": (top_p is None or 0 < top_p <= 1, "above 0 and at most 1"),
        "beam": (given["beam"] is None or given["beam"] >= 1, "at least 1"),
        "min_length": ((given["min_length"] or 0) >= 0, "at least 0"),
        "repetition_penalty": (penalty is None or 0 < penalty < math.inf, "above 0"),
    }
    for name, (holds, bound) in sound.items():
        if not holds:
            raise ArgumentError(
                f"--{name.replace('_', '-')}: must be {bound}, got {given[name]}. See "
                "'recurro generate --help'."
            )
    if (given["min_length"] or 0) > (most := given["length"] or LENGTH):
        raise ArgumentError(
            f"--min-length: must be at most --length {most}, got {given['min_length']}."
            " Ask for a greater --length."
        )
    usual = {"temperature": 1, "top_k": None, "top_p": None}
    drawing = [name for name, value in usual.items() if given[name] != value]
    if beam is not None and (drawing or given["stream"]):
        other = [*drawing, "stream"][0].replace("_", "-")
        raise ArgumentError(
            f"--beam: searches for one whole text and draws nothing, got --{other} too."
            " Leave one of them out."
        )
    if beam is not None and given["number"] > beam:
        raise ArgumentError(
            f"--number: must be at most --beam {beam}, which finds no more texts, got "
            f"{given['number']}. Widen the beam."
        )
    if given["stream"] and given["json"]:
        raise ArgumentError(
            "--stream: must be left out with --json, which prints whole texts, got "
            "both. Leave one of them out."
        )


def _check_text(given: Mapping[str, Any]) -> None:
    """Refuse what only music, strokes and paint have."""
    kinds = {"midi": "music", "wav": "music", "tempo": "music"}
    kinds |= {"text": "strokes", "svg": "strokes", "png": "strokes or paint"}
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


def _stream(pieces: Iterator[str]) -> None:
    """Print a text as it comes, and an end of line."""
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
