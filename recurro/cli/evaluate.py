"""``recurro evaluate``: how well a run tells what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from recurro.errors import ArgumentError

if TYPE_CHECKING:
    from recurro.cli.language import Model

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="What the run was trained on, or the like: see above.",
        show_default=False,
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        min=0,
        help="Of lm of lines: how many lines it writes to be judged. "
        "[dim]\\[default: 2000][/dim]",
        show_default=False,
    ),
]


def evaluate(
    run: RunFolder,
    files: Files = None,
    interval: Interval = None,
    beam: BeamSize = None,
    lm: LanguageRun = None,
    lm_weight: LanguageWeight = None,
    samples: Samples = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Score a run on new data, by the figures of its task.

    FILE is in the form that the run was trained on, with the answers.

    - lm, ngram: nats per token, bits per character and perplexity of texts; of lm of
      lines also how many of those that it writes are different and new (not in
      training) and, of molecules, valid.
    - lm by class: how well the classes of CLASS.txt files or lines are named.
    - classify, regress: how well labels or numbers are told.
    - tag, label: the share of words or frames that are right; of spans, F1.
    - detect: how well alerts meet known anomalies (a column, or a second FILE).
    - transcribe: errors per symbol and per word of recordings with their texts.
    - translate: BLEU and chrF (sacrebleu) and perplexity; FILE is a table, or two
      files, the sources first.
    - caption: BLEU and exact matches of a table of captions (a second FILE: images).
    - forecast: errors on what came after training, from rolling origins.
    - music: -log P of a frame.
    - strokes: -log p of a point.
    - read: the share of numbers, and of their digits, that are read right.
    - paint: a bound on -log P of a picture.
    - hmm: log-likelihood, and nats for each step.
    - esn: nrmse of the next steps of a table, or accuracy of classes.
    - execute: symbols and answers that are right, of programs that are run, or without
      FILE of new ones, for each length and nesting too.
    """
    use_threads(threads)
    from recurro.cli.language import open_run
    from recurro.cli.sequences import TASKS, check_interval, figures_of
    from recurro.cli.speech import search_of
    from recurro.data import read_classes
    from recurro.tasks import ClassLanguageModel
    from recurro.tasks.corpora import text_filter
    from recurro.tasks.hmm import HMMRun
    from recurro.tasks.runs import task_of

    task, files = task_of(run), files or []
    if not files and not (task in TASKS and TASKS[task].drawn):
        raise ArgumentError(
            f"evaluate: a run of {task} is scored on a file, got none. Name one."
        )
    check_interval("evaluate", interval, task)
    given = {"beam_size": beam, "language_model": lm, "language_weight": lm_weight}
    search = search_of(task, given)
    if task == "esn":
        from recurro.cli.echo_state import figures_of as of_echo_state

        _check_samples(samples)
        _show(of_echo_state(run, files), json=json)
        return
    if task == "hmm":
        _check_samples(samples)
        _show(HMMRun.load(run).evaluate(files), json=json)
        return
    if task in TASKS:
        _check_samples(samples)
        fitted, signed = TASKS[task].model.load(run), TASKS[task].signed
        fitted = fitted.set_params(**search)
        figures = figures_of(fitted, files, interval)
        _show(figures, signed(fitted) if signed else None, json=json)
        return
    if task == "by-class" and len(files) > 1:
        raise ArgumentError(
            f"evaluate: a run by class is scored on one folder or file, got "
            f"{len(files)}. Name one."
        )
    model = open_run(run)
    written = _written(model, samples)
    if not isinstance(model, ClassLanguageModel):
        figures = {**model.evaluate(files), **written}
    else:
        data = model.settings.data
        found = read_classes(
            files[0], encoding=data.encoding, text_filter=text_filter(data)
        )
        labels = [found.classes[label] for label in found.labels]
        figures = model.evaluate(found.items, labels)
    _show(figures, json=json)


def _written(model: Model, samples: int | None) -> dict[str, float]:
    """The figures of the lines that a model of lines writes."""
    from recurro.tasks import LanguageModel

    if isinstance(model, LanguageModel) and model.tokenizer_.lines:
        number = 2000 if samples is None else samples
        return model.evaluate_lines(number) if number else {}
    _check_samples(samples)
    return {}


def _check_samples(samples: int | None) -> None:
    """Refuse --samples for a run that is not of lines."""
    if samples is not None:
        raise ArgumentError(
            f"--samples: is for a run of lm of lines, got {samples} for another. Leave "
            "it out."
        )


def _show(
    figures: dict[str, float], signature: str | None = None, *, json: bool
) -> None:
    from recurro.cli.show import print_figures, print_json, say_dim

    if json:
        print_json({**figures, "signature": signature} if signature else figures)
        return
    print_figures(figures)
    if signature:
        say_dim(signature)
