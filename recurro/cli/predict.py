"""``recurro predict``: how likely each line is, or which class it is of."""

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
        help="Text, one item a line; of speech, WAV files.",
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
    """Give log P of each line, or the class of each for a run by class.

    A classifier gives class and probability of each sequence of a text or .ts file, a
    regressor the mean of its number, and the ends of an interval if asked; a recogniser
    of speech the text of each WAV file of a folder or table; a tagger the file with the
    tags it tells.

    Prints one line for each line that is not blank: log P in nats, a tab, the line; or
    class, probability and line.
    """
    use_threads(threads)
    from recurro.cli.language import open_run
    from recurro.cli.sequences import TASKS, answers_of, check_interval
    from recurro.cli.speech import search_of
    from recurro.tasks import ClassLanguageModel
    from recurro.tasks.corpora import lines_of
    from recurro.tasks.runs import task_of

    task = task_of(run)
    check_interval("predict", interval, task)
    given = {"beam_size": beam, "language_model": lm, "language_weight": lm_weight}
    search = search_of(task, given)
    if task in TASKS:
        fitted, lines_told = TASKS[task].model.load(run), TASKS[task].lines
        fitted = fitted.set_params(**search)
        if lines_told is not None and not json:
            _show([{"line": line} for line in lines_told(fitted, file)], json=False)
        else:
            _show(answers_of(fitted, file, interval), json=json)
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


def _show(rows: list[dict[str, Any]], *, json: bool) -> None:
    from recurro.cli.show import print_json, say

    if json:
        print_json(rows)
        return
    for row in rows:
        cells = (f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values())
        say("\t".join(cells))
