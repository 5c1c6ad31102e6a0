"""What the commands on language models share: train, tell the outcome, open a run."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from recurro.cli.show import outcome, print_json, print_rows, say, say_dim, watch
from recurro.data import read_classes
from recurro.errors import RunError
from recurro.report import Sample, write_report
from recurro.tasks import ClassLanguageModel, LanguageModel, NGramLanguageModel
from recurro.tasks.config import LanguageSettings
from recurro.tasks.corpora import text_filter
from recurro.tasks.runs import task_of
from recurro.train import current_shard

__all__ = [
    "Model",
    "Trained",
    "finish",
    "open_run",
    "resume_run",
    "samples_of",
    "train_run",
]

Trained: TypeAlias = LanguageModel | ClassLanguageModel
"""What is trained step by step, and so can be resumed."""

Model: TypeAlias = Trained | NGramLanguageModel
"""What a run folder may hold."""

_KINDS: dict[str, type[Trained]] = {"lm": LanguageModel, "by-class": ClassLanguageModel}

TEMPERATURES = (0.5, 0.8, 1.0)
"""From careful to free: at these a report shows what a model writes."""

LENGTH = 300
"""How many symbols of running text it shows."""


def train_run(
    settings: LanguageSettings, run: Path, *, overwrite: bool, quiet: bool
) -> Trained:
    """Train a model in a run folder, shown to a person."""
    model = LanguageModel(**settings.arguments(), out=run, overwrite=overwrite)
    data, training = settings.data, settings.train
    with watch(quiet=_quiet(quiet), limit=training.max_seconds) as watcher:
        if data.by_class is None:
            valid = [Path(name) for name in data.valid] or None
            return model.fit(
                [Path(name) for name in data.files],
                valid,
                progress=watcher,
                reading=watcher.reading,
            )
        items = read_classes(
            data.by_class, encoding=data.encoding, text_filter=text_filter(data)
        )
        labels = [items.classes[label] for label in items.labels]
        classifier = ClassLanguageModel(
            model, separate=settings.separate, ngrams=settings.ngrams
        )
        return classifier.fit(
            items.items, labels, progress=watcher, source=data.by_class
        )


def resume_run(run: Path, *, quiet: bool) -> Trained:
    """Go on with a run, shown to a person.

    Raises:
        RunError: If it is no run that can be resumed.
    """
    kind = _KINDS.get(task_of(run))
    if kind is None:
        raise RunError(
            f"{run}: resume is for a run of a network that learns step by step, got "
            f"one of {task_of(run)}, which is trained in one go."
        )
    with watch(quiet=_quiet(quiet)) as watcher:
        return kind.resume(run, progress=watcher)


def open_run(run: Path) -> Model:
    """The model of a run, whichever kind it is."""
    kind = _KINDS.get(task_of(run))
    return NGramLanguageModel.load(run) if kind is None else kind.load(run)


def finish(model: Trained, run: Path, *, as_json: bool) -> None:
    """Write the report of a run and say how it went and what to do next."""
    if current_shard().rank > 0:
        return
    write_report(run, samples=samples_of(model))
    if as_json:
        print_json(outcome(run, model.baselines_, model.history_))
        return
    print_rows(model.baselines_)
    if model.history_.explosions:
        say(f"{model.history_.explosions} steps exploded and were skipped.")
    say(f"\nrun     {run}")
    say(f"report  {run / 'report.html'}")
    say_dim(f"Try next: {_next(model, run)}")


def samples_of(
    model: Trained, length: int | None = None, prompt: str = ""
) -> list[Sample]:
    """What the model writes at a few temperatures, or for a few classes."""
    length = length or LENGTH
    if isinstance(model, ClassLanguageModel):
        return [
            Sample(name, "\n".join(_items(model, name, 5)))
            for name in model.classes_[:10].tolist()
        ]
    count = 10 if model.tokenizer_.lines else 1
    return [
        Sample(
            f"temperature {temperature}",
            "\n".join(
                model.generate(prompt, length, temperature=temperature, seed=seed)
                for seed in range(count)
            ).strip("\n"),
        )
        for temperature in TEMPERATURES
    ]


def _items(model: ClassLanguageModel, name: str, count: int) -> list[str]:
    return [
        model.generate(length=100, label=name, temperature=0.8, seed=seed)
        for seed in range(count)
    ]


def _next(model: Trained, run: Path) -> str:
    if isinstance(model, ClassLanguageModel):
        return f"recurro predict {run} FILE"
    return f"recurro generate {run} --temperature 0.8"


def _quiet(quiet: bool) -> bool:
    """Of several processes only the first shows anything."""
    return quiet or current_shard().rank > 0
