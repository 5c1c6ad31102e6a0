"""``recurro demo``: a language model in two minutes, from text that is at hand."""

from __future__ import annotations

import sysconfig
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from warnings import catch_warnings, simplefilter

import typer

from recurro.cli.options import Json, Out, Overwrite, Quiet, Threads
from recurro.cli.running import free_folder, interruptible, name_of, use_threads
from recurro.errors import DataError

if TYPE_CHECKING:
    from recurro.report import Sample
    from recurro.tasks import LanguageModel

SIZE = 2_000_000
"""Bytes of the standard library that the demo reads."""

TRIAL = 150_000
"""Characters on which the speed of the machine is measured."""

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="A text of your own. [dim]\\[default: Python's standard library][/dim]",
        show_default=False,
    ),
]
Seconds = Annotated[
    float,
    typer.Option("--seconds", metavar="S", min=1, help="How long training may take."),
]

LENGTH = 400
"""How many symbols each sample has."""


def demo(
    file: File = None,
    seconds: Seconds = 100.0,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a character model in two minutes, see its score and what it writes.

    Without FILE it reads the source text of the Python that runs it. Nothing is
    downloaded.
    """
    use_threads(threads)
    from recurro.cli.language import samples_of
    from recurro.cli.show import outcome, print_json, say_dim, watch
    from recurro.report import write_report

    files = [file] if file else source_files()
    what = f"'{file}'" if file else f"{len(files)} files of Python's standard library"
    if not json:
        say_dim(f"A model of {what}, character by character, in about two minutes.\n")
    prompt = "" if file else "def "
    run = out or free_folder(name_of(files) if file else "demo")
    with interruptible(run):
        with watch(quiet=quiet, limit=seconds) as watcher:
            model = demo_model(files, seconds)
            model.set_params(out=run, overwrite=overwrite)
            model.fit(files, progress=watcher, reading=watcher.reading)
        samples = samples_of(model, length=LENGTH, prompt=prompt)
        write_report(run, samples=samples)
    if json:
        told = outcome(run, model.baselines_, model.history_)
        print_json({**told, "samples": list(map(vars, samples))})
    else:
        _tell(model, run, samples, f" --prompt '{prompt}'" if prompt else "")


def _tell(model: LanguageModel, run: Path, samples: list[Sample], prompt: str) -> None:
    """Say how it went, what the model writes and what to do next."""
    from recurro.cli.show import print_rows, say, say_dim

    print_rows(model.baselines_)
    for sample in samples:
        say_dim(f"\n--- {sample.title} ---")
        say(sample.text)
    say(f"\nrun     {run}\nreport  {run / 'report.html'}\n")
    say_dim("Try next:")
    say(f"  recurro generate {run}{prompt} --temperature 0.7")
    say(f"  recurro evaluate {run} FILE")
    say("  recurro train lm FILE --preset char")


def source_files(size: int = SIZE) -> list[Path]:
    """The first modules of the standard library, by name, up to a size in bytes.

    Raises:
        DataError: If this Python comes without its source text.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    files, total = [], 0
    for file in sorted(folder.glob("*.py")):
        total += file.stat().st_size
        if total > size:
            break
        files.append(file)
    if not files:
        raise DataError(
            f"demo: '{folder}' must hold Python's source text, got none. Give a text "
            "of your own: recurro demo FILE."
        )
    return files


def demo_model(files: list[Path], seconds: float) -> LanguageModel:
    """A model that learns as much as can be learnt in some seconds on this machine.

    A few updates are timed first, so that the rate can fall to nothing just when the
    time is over.
    """
    from sklearn.base import clone

    from recurro.cells import GRU
    from recurro.data import read_text
    from recurro.tasks import LanguageModel

    model = LanguageModel(
        cell=GRU(),
        hidden_size=256,
        batch_size=32,
        bptt=64,
        epochs=1000,
        learning_rate=0.004,
        schedule="cosine",
        max_seconds=1.5 * seconds,
        validate_every=400,
    )
    trial: LanguageModel = clone(model)  # pyright: ignore[reportAssignmentType]
    trial.set_params(max_steps=30)
    with catch_warnings():
        simplefilter("ignore")  # a short text shrinks the batch, and says so again
        trial.fit("".join(islice(read_text(files), 1))[:TRIAL])
    updates = seconds * trial.history_.steps / trial.history_.seconds
    model.set_params(max_steps=max(1, int(updates)))
    return model
