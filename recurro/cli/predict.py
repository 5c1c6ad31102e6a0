"""``recurro predict``: what a run tells of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import (
    BeamSize,
    Interval,
    Json,
    LanguageRun,
    LanguageWeight,
    RunFolder,
    Threads,
)
from recurro.cli.running import use_threads

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="What to tell of, as in training but without the answers: see above.",
        show_default=False,
    ),
]


def predict(
    run: RunFolder,
    file: File,
    interval: Interval = None,
    beam: BeamSize = None,
    lm: LanguageRun = None,
    lm_weight: LanguageWeight = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Tell of new data what a run was trained to tell.

    Prints a line for each thing told, in columns parted by tabs (--json: by name):

    - lm, ngram: log P of each line in nats, and the line.
    - lm by class: class and probability of each line, and the line.
    - classify: class and probability of each text or series.
    - regress: mean of the number; with --interval the ends of an interval.
    - tag: the file itself, with its tags.
    - label: sequence, frame, label and probability.
    - detect: stamp, numbers, score and alert of each step, below their names.
    - transcribe: WAV file and text.
    - translate: the text written of each line (--json: all that the search kept).
    - caption: name and caption of each image, or of each row of features.
    - forecast: stamp, mean, low, median and high (of a 90 % interval), below their
      names.
    - music: log P of each piece, its number and its frames.
    - strokes: log p of each drawing, its number and its points.
    - read: number, probability and name of each picture.
    - paint: a lower bound on log P of each picture, and its name.
    - hmm: sequence, step, state and probability.
    - esn: what comes after each row of a table, or the class of each series, below
      names.
    - execute: answer to each program, what it prints when it is run, and its line; with
      ``-`` as FILE of programs from standard input.
    """
    use_threads(threads)
    from recurro.cli.language import open_run
    from recurro.cli.sequences import TASKS, answers_of, check_interval
    from recurro.cli.speech import search_of
    from recurro.tasks import ClassLanguageModel
    from recurro.tasks.corpora import lines_of
    from recurro.tasks.hmm import HMMRun
    from recurro.tasks.runs import task_of

    task = task_of(run)
    check_interval("predict", interval, task)
    given = {"beam_size": beam, "language_model": lm, "language_weight": lm_weight}
    search = search_of(task, given)
    if task == "esn":
        from recurro.tasks.echo_state import EchoStateRun

        _show(EchoStateRun.load(run).predict(file), json=json, header=True)
        return
    if task == "hmm":
        _show(HMMRun.load(run).answers(file), json=json)
        return
    if task in TASKS:
        fitted, lines_told = TASKS[task].model.load(run), TASKS[task].lines
        fitted = fitted.set_params(**search)
        if lines_told is not None and not json:
            _show([{"line": line} for line in lines_told(fitted, file)], json=False)
        else:
            rows = answers_of(fitted, file, interval)
            _show(rows, json=json, header=TASKS[task].header)
        return
    model = open_run(run)
    lines = lines_of(file, model.settings.data)
    if not isinstance(model, ClassLanguageModel):
        rows = [
            {"log_prob": float(value), "text": line}
            for value, line in zip(model.log_prob(file), lines, strict=True)
        ]
    else:
        chances = model.predict_proba(lines)
        rows = [
            {
                "class": str(model.classes_[chance.argmax()]),
                "probability": float(chance.max()),
                "text": line,
            }
            for chance, line in zip(chances, lines, strict=True)
        ]
    _show(rows, json=json)


def _show(rows: list[dict[str, Any]], *, json: bool, header: bool = False) -> None:
    from recurro.cli.show import print_json, say

    if json:
        print_json(rows)
        return
    if header:
        say("\t".join(rows[0]))
    for row in rows:
        cells = (f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values())
        say("\t".join(cells))
