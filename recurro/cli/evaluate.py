"""``recurro evaluate``: how well a run predicts a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Interval, Json, RunFolder, Threads
from recurro.cli.running import use_threads
from recurro.errors import ArgumentError

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Text files, folders or patterns; for a run by class, a folder of "
        "CLASS.txt files or a TSV file of label and text.",
        show_default=False,
    ),
]


def evaluate(
    run: RunFolder,
    files: Files,
    interval: Interval = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Score a text: nats per token, bits per character, perplexity.

    A run by class is scored by how well it names the classes; one of n-grams by its
    perplexity with and without the unknown words; a classifier or a regressor on a file
    such as it was trained on.
    """
    use_threads(threads)
    from recurro.cli.language import open_run
    from recurro.cli.sequences import KINDS, check_interval, figures_of
    from recurro.cli.show import print_figures, print_json
    from recurro.data import read_classes
    from recurro.tasks import (
        ClassLanguageModel,
        SequenceClassifier,
        SequenceRegressor,
    )
    from recurro.tasks.corpora import text_filter
    from recurro.tasks.runs import task_of

    task = task_of(run)
    if task in ("by-class", *KINDS) and len(files) > 1:
        raise ArgumentError(
            f"evaluate: a run by class, a classifier and a regressor are scored on one "
            f"folder or file, got {len(files)}. Name one."
        )
    check_interval("evaluate", interval, task)
    model = KINDS[task].load(run) if task in KINDS else open_run(run)
    if isinstance(model, SequenceClassifier | SequenceRegressor):
        figures = figures_of(model, files[0], interval)
    elif not isinstance(model, ClassLanguageModel):
        figures = model.evaluate(files)
    else:
        data = model.settings.data
        found = read_classes(
            files[0], encoding=data.encoding, text_filter=text_filter(data)
        )
        labels = [found.classes[label] for label in found.labels]
        figures = model.evaluate(found.items, labels)
    if json:
        print_json(figures)
    else:
        print_figures(figures)
