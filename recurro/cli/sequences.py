"""What the commands on tasks of sequences share: one table of tasks for all verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from recurro.cli import (
    captions,
    forecasts,
    framing,
    music,
    pictures,
    programs,
    speech,
    streams,
    strokes,
    tagging,
    translation,
)
from recurro.cli.labelled import items_of, labelled_of, place_of, training_of
from recurro.cli.settings import in_flags
from recurro.cli.show import outcome, print_json, print_rows, say, say_dim, watch
from recurro.data import Labelled
from recurro.errors import ArgumentError, DataError, ItemError
from recurro.report import write_report
from recurro.tasks import (
    AnomalyDetector,
    Captioner,
    Forecaster,
    FrameLabeler,
    GlimpseReader,
    MusicModel,
    Painter,
    ProgramExecutor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    SpeechRecognizer,
    StrokeModel,
    Translator,
)
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.regressor import LEVEL
from recurro.tasks.sequence_config import HEADS, sections_of
from recurro.train import current_shard

__all__ = [
    "TASKS",
    "answers_of",
    "check_interval",
    "figures_of",
    "finish",
    "resume_run",
    "train_run",
]

Answers: TypeAlias = list[dict[str, Any]]
"""What a model tells, one row for each thing that it tells of."""


@dataclass(frozen=True)
class TaskVerbs:
    """What the commands need to know of a task.

    Attributes:
        model: Its class.
        read: The arguments of ``evaluate``, read from files, for a model.
        answers: What a model tells of a file, for ``predict``; with the probability of
            intervals, where one is asked for.
        training: The arguments of ``fit``, by name, where they are not those of
            ``evaluate``.
        next: What a person may do when training has ended.
        lines: What ``predict`` prints of a file, where that is not a line for each
            thing that is told.
        header: Whether it prints the names of columns first, as these differ.
        figures: The figures of a model on files, where ``evaluate`` tells not all.
        trained: What is done with a trained model and its files at the end.
        drawn: Whether data are drawn, so that ``evaluate`` needs no file.
        signed: How figures were reckoned, in words, where that must be said.
        resumed: What is done at the end with one whose run was gone on with.
        place: Where an item of a file stands that could not be used; ``None`` where
            that is not known.
    """

    model: type[NetworkEstimator]
    read: Callable[[Any, Sequence[Path]], tuple[Any, ...]]
    answers: Callable[[Any, Path, float | None], Answers]
    training: Callable[[Any, Sequence[Path]], dict[str, Any]] | None = None
    next: str = "evaluate {run} FILE"
    lines: Callable[[Any, Path], list[str]] | None = None
    header: bool = False
    figures: Callable[[Any, Sequence[Path]], dict[str, float]] | None = None
    trained: Callable[[Any, Sequence[Path]], object] | None = None
    drawn: bool = False
    signed: Callable[[Any], str] | None = None
    resumed: Callable[[Any], object] | None = None
    place: Callable[[Any, Path, ItemError], str | None] | None = None


def train_run(
    tree: Mapping[str, Any],
    files: Sequence[Path],
    run: Path,
    *,
    overwrite: bool,
    quiet: bool,
) -> NetworkEstimator:
    """Train a model in a run folder, shown to a person.

    Args:
        tree: The settings that were given, and the task.
        files: What to learn from.
        run: The folder.
        overwrite: Whether it may replace a run.
        quiet: Show nothing.
    """
    task = TASKS[tree["task"]]
    if tree["task"] in HEADS:
        model = {"head": HEADS[tree["task"]][0], **tree.get("model", {})}
        tree = {**tree, "model": model}
    origin = {**tree.get("data", {})}
    if files:
        origin["files"] = tuple(map(str, files))
    settings = task.model.kind(**{**tree, "data": origin})
    fresh: Any = task.model.of(settings, out=run, overwrite=overwrite)
    if task.training is None:
        given = dict(zip(("X", "y"), task.read(fresh, files), strict=False))
    else:
        given = task.training(fresh, files)
    hidden = quiet or current_shard().rank > 0
    limit = settings.train.max_seconds
    with watch(quiet=hidden, limit=limit) as watcher, _placed(fresh, files):
        model = fresh.fit(**given, progress=watcher)
    if task.trained is not None and current_shard().rank == 0:
        task.trained(model, files)
    return model


def resume_run(task: str, run: Path, *, quiet: bool) -> NetworkEstimator:
    """Go on with a run, shown to a person."""
    verbs = TASKS[task]
    with watch(quiet=quiet or current_shard().rank > 0) as watcher:
        model = verbs.model.resume(run, progress=watcher)
    if verbs.resumed is not None and current_shard().rank == 0:
        verbs.resumed(model)
    return model


@contextmanager
def _placed(model: Any, files: Sequence[Path]) -> Iterator[None]:  # noqa: ANN401
    """Let an error name the place in a file of the item that could not be used.

    In training that is known of the file to test on alone.
    """
    place, training = TASKS[model.task].place, not hasattr(model, "network_")
    try:
        yield
    except ItemError as error:
        test = getattr(model.settings.data, "test", None)
        file = files[0] if test in (None, "hash") or not training else Path(test)
        known = error.tested if training else len(files) == 1
        with suppress(DataError):  # what it was read from may have other roles
            at = place(model, file, error) if place and known else None
            if at is not None:
                error.stand(at)
        raise


def check_interval(verb: str, interval: float | None, task: str) -> None:
    """Refuse the level of an interval where none is told."""
    known = task == "regress" or (task, verb) == ("forecast", "predict")
    if interval is not None and not known:
        raise ArgumentError(
            f"{verb}: --interval must be left out for a run of {task}, where it tells "
            f"nothing, got {interval}."
        )


def figures_of(
    model: Any,  # noqa: ANN401 (each task has figures of its own)
    files: Sequence[Path],
    interval: float | None,
) -> dict[str, float]:
    """How well a model tells what files say of their sequences."""
    task = TASKS[model.task]
    with in_flags((), sections_of(model.kind)), _placed(model, files):
        if task.figures is not None:
            return task.figures(model, files)
        read = task.read(model, files)
        if isinstance(model, SequenceRegressor):
            items, numbers = read
            level = LEVEL if interval is None else interval
            return model.evaluate(items, numbers, level)
        return model.evaluate(*read)


def answers_of(model: NetworkEstimator, file: Path, interval: float | None) -> Answers:
    """What a model tells of each sequence of a file, one row for each."""
    with in_flags((), sections_of(model.kind)), _placed(model, [file]):
        return TASKS[model.task].answers(model, file, interval)


def _classes(model: SequenceClassifier, file: Path, interval: float | None) -> Answers:
    found = items_of(model, file)
    return [
        {
            "class": str(model.classes_[chance.argmax()]),
            "probability": float(chance.max()),
            **name,
        }
        for name, chance in zip(
            _names(found), model.predict_proba(found.items), strict=True
        )
    ]


def _numbers(model: SequenceRegressor, file: Path, interval: float | None) -> Answers:
    found = items_of(model, file)
    rows = [{"mean": float(mean)} for mean in model.predict(found.items)]
    if interval is not None:
        ends = model.predict_interval(found.items, interval)
        for row, (low, high) in zip(rows, ends, strict=True):
            row |= {"low": float(low), "high": float(high)}
    return [{**row, **name} for row, name in zip(rows, _names(found), strict=True)]


def _names(found: Labelled) -> list[dict[str, str]]:
    """What each sequence is called: a text itself, a series by its id if it has one."""
    return [
        {"text": item} if isinstance(item, str) else {"id": key} if key else {}
        for item, key in zip(found.items, found.keys, strict=True)
    ]


def _labelled(model: Any, files: Sequence[Path]) -> tuple[Any, ...]:  # noqa: ANN401
    return labelled_of(model, only(files))


def _training(model: Any, files: Sequence[Path]) -> dict[str, Any]:  # noqa: ANN401
    return training_of(model, only(files))


def only(files: Sequence[Path]) -> Path:
    """The one file that there is.

    Raises:
        ArgumentError: If there are several.
    """
    if len(files) > 1:
        raise ArgumentError(
            f"evaluate: a run of this task is scored on one folder or file, got "
            f"{len(files)}. Name one."
        )
    return files[0]


def finish(model: NetworkEstimator, run: Path, *, as_json: bool) -> None:
    """Write the report of a run and say how it went and what to do next."""
    if current_shard().rank > 0:
        return
    write_report(run)
    history, rows = model.history_, model.baselines_
    calibration = getattr(model, "calibration_", None)
    signed = TASKS[model.task].signed
    signature = signed(model) if signed and rows else None
    if as_json:
        told = outcome(run, rows, history)
        if calibration:
            told["calibration"] = calibration
        if signature:
            told["signature"] = signature
        if model.test_:
            told |= {"test": model.test_[-1], "test_baselines": model.test_}
        print_json(told)
        return
    _say_tables(model)
    if signature:
        say_dim(f"{signature}\n")
    if calibration:
        say(
            "calibration error {before:.3f}, with the temperature {temperature:.2f} "
            "{after:.3f} (held out)\n".format(**calibration)
        )
    if history.explosions:
        say(f"{history.explosions} steps exploded and were skipped.")
    say(f"run     {run}")
    say(f"report  {run / 'report.html'}")
    say_dim(f"Try next: recurro {TASKS[model.task].next.format(run=run)}")


def _say_tables(model: NetworkEstimator) -> None:
    """The figures of all models, on each part."""
    for part, models in (("held out", model.baselines_), ("test", model.test_)):
        if models:
            say(f"{part}:")
            print_rows(models)
            say()


TASKS: dict[str, TaskVerbs] = {
    "classify": TaskVerbs(
        *(SequenceClassifier, _labelled, _classes, _training), place=place_of
    ),
    "regress": TaskVerbs(
        *(SequenceRegressor, _labelled, _numbers, _training), place=place_of
    ),
    "tag": TaskVerbs(
        *(SequenceTagger, tagging.to_score, tagging.tagged, tagging.to_learn),
        lines=tagging.sentences,
    ),
    "detect": TaskVerbs(
        *(AnomalyDetector, streams.to_judge, streams.steps_of, streams.to_learn),
        next="predict {run} FILE",
        header=True,
        figures=streams.judged,
        trained=streams.leave_first,
    ),
    "label": TaskVerbs(
        *(FrameLabeler, framing.to_score, framing.labels_of, framing.to_learn),
        place=framing.place_of,
    ),
    "music": TaskVerbs(
        *(MusicModel, music.to_score, music.log_probs, music.to_learn),
        next="generate {run} --midi FILE --wav FILE",
    ),
    "strokes": TaskVerbs(
        *(StrokeModel, strokes.to_score, strokes.log_probs, strokes.to_learn),
        next="generate {run} --svg FILE --png FILE",
    ),
    "execute": TaskVerbs(
        *(ProgramExecutor, programs.to_score, programs.written, programs.nothing),
        next="evaluate {run}",
        figures=programs.figures,
        drawn=True,
    ),
    "transcribe": TaskVerbs(SpeechRecognizer, speech.to_score, speech.transcripts),
    "translate": TaskVerbs(
        *(Translator, translation.to_score, translation.translated),
        training=translation.to_learn,
        lines=translation.lines,
        next="predict {run} FILE",
        trained=translation.draw,
        resumed=translation.draw,
        signed=translation.signature,
    ),
    "caption": TaskVerbs(
        *(Captioner, captions.to_score, captions.captions_of, captions.to_learn),
        next="predict {run} IMAGES",
        trained=captions.leave_pictures,
        resumed=captions.leave_pictures,
        place=captions.place_of,
    ),
    "forecast": TaskVerbs(
        *(Forecaster, forecasts.read, forecasts.answers),
        next="predict {run} FILE",
        header=True,
        trained=forecasts.draw,
    ),
    "read": TaskVerbs(
        *(GlimpseReader, pictures.to_score, pictures.numbers, pictures.to_learn),
        next="predict {run} FILE",
        trained=pictures.leave_glimpses,
        resumed=pictures.leave_glimpses,
    ),
    "paint": TaskVerbs(
        *(Painter, pictures.pictures_to_score, pictures.bounds),
        training=pictures.pictures_to_learn,
        next="generate {run} --number 8 --png FILE",
        trained=pictures.leave_strokes,
        resumed=pictures.leave_strokes,
    ),
}
"""What there is to know of each task, by its word."""
