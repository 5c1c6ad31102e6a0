"""Run folders of tasks: begun in one stroke, read back safely."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from recurro.data import Tokenizer
from recurro.errors import RunError
from recurro.tasks.config import RunSettings
from recurro.train import RunFolder

__all__ = [
    "TASKS",
    "begin_folder",
    "begin_run",
    "checked_state",
    "draft_folder",
    "open_run",
    "read_classes_of",
    "read_run",
    "state_folder",
    "task_of",
]

TASKS = (
    *("lm", "by-class", "ngram", "classify", "regress", "tag", "label", "music"),
    *("detect", "transcribe", "forecast", "strokes", "read", "paint", "execute"),
    *("translate", "caption", "hmm", "esn"),
)
VOCABULARY = "vocabulary.json"
CLASSES = "classes.json"


@contextmanager
def draft_folder(out: Path | None, *, overwrite: bool = False) -> Iterator[Path | None]:
    """A place beside a run folder for what is made before the folder is touched.

    So an error in the data leaves no half-made run, and ``overwrite`` deletes nothing
    before its successor is sure.

    Args:
        out: The run folder to be, or ``None``, which needs no place.
        overwrite: Whether a run that is there may be deleted, in the end.

    Raises:
        RunError: If the folder holds another run, or cannot be written.
    """
    if out is None:
        yield None
        return
    RunFolder.check_free(out, overwrite=overwrite)
    made = not out.parent.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise RunError(
            f"{out}: must be writable, got '{(error.strerror or '').lower()}'. Name "
            "another folder."
        ) from None
    try:
        with place as name:
            yield Path(name)
    except BaseException:
        if made:
            with suppress(OSError):  # it holds something else by now
                out.parent.rmdir()
        raise


def begin_run(
    out: Path,
    draft: Path,
    settings: RunSettings,
    tokenizer: Tokenizer,
    *,
    overwrite: bool = False,
    classes: dict[str, int] | None = None,
) -> RunFolder:
    """Make a run folder with its settings, its vocabulary and the drafted files.

    Args:
        out: The folder.
        draft: Where ``draft_folder`` let the corpora be written; they move on.
        settings: Written to ``config.yaml``, last.
        tokenizer: Written to ``vocabulary.json``.
        overwrite: Whether a run that is there may be deleted.
        classes: How many training items each class has, where there are classes.

    Raises:
        RunError: If the folder holds another run, or cannot be written.
    """
    files = {VOCABULARY: tokenizer.to_json()}
    if classes is not None:
        files[CLASSES] = json.dumps(dict(classes), indent=1, ensure_ascii=False)
    return begin_folder(out, draft, settings.tree(), files, overwrite=overwrite)


def begin_folder(
    out: Path,
    draft: Path,
    config: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    overwrite: bool = False,
) -> RunFolder:
    """Make a run folder of any task.

    Args:
        out: The folder.
        draft: Where ``draft_folder`` let files be written; they move to ``state/``.
        config: Written to ``config.yaml``, last.
        files: The contents of the files that are sealed, by name.
        overwrite: Whether a run that is there may be deleted.

    Raises:
        RunError: If the folder holds another run, or cannot be written.
    """
    run = RunFolder.create(out, overwrite=overwrite)
    if run.writes:
        state_folder(run).mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(state_folder(run) / file.name)
    for name, text in files.items():
        run.write_text(name, text, sealed=True)
    run.write_config(config)
    return run


def task_of(path: Path | str) -> str:
    """The task of a run, one of ``TASKS``.

    Raises:
        RunError: If it is no run, incomplete, changed, from a newer version or of a
            task that is none of these.
    """
    run, _, task = _open(path)
    if task not in TASKS:
        raise RunError(
            f"{run.path}: must be the run of a task known here, got one of task "
            f"{task!r}. Open it with the class of its task, upgrade recurro, or name "
            "another run."
        )
    return task


def read_run(
    path: Path | str, task: str
) -> tuple[RunFolder, dict[str, Any], Tokenizer]:
    """Open a run folder: it, the tree of its settings, and its vocabulary.

    Args:
        path: The folder.
        task: The task it must be of.

    Raises:
        RunError: If it is no run, incomplete, changed, from a newer version or of
            another task.
    """
    run, tree = open_run(path, task)
    return run, tree, Tokenizer.load(run.path / VOCABULARY)


def open_run(path: Path | str, task: str) -> tuple[RunFolder, dict[str, Any]]:
    """Open a run folder: it, and the tree of its settings.

    Args:
        path: The folder.
        task: The task it must be of.

    Raises:
        RunError: If it is no run, incomplete, changed, from a newer version or of
            another task.
    """
    run, tree, found = _open(path)
    if found != task:
        raise RunError(
            f"{run.path}: must be a run of task {task!r}, got one of {found!r}. "
            "Open it with the class of its task."
        )
    return run, tree


def _open(path: Path | str) -> tuple[RunFolder, dict[str, Any], str]:
    run = RunFolder.open(path)
    tree = run.read_config()
    task = tree.get("task") if isinstance(tree, dict) else None
    return run, tree, str(task)


def read_classes_of(run: RunFolder) -> dict[str, int]:
    """How many training items each class of a run has.

    Raises:
        RunError: If the file is missing or damaged.
    """
    counts = run.read_json(CLASSES)
    if not (
        isinstance(counts, dict)
        and len(counts) > 1
        and all(isinstance(n, int) and n > 0 for n in counts.values())
    ):
        raise RunError(
            f"{run.path / CLASSES}: must give the items of each class, got something "
            "else. Put it back from a copy."
        )
    return counts


def checked_state(run: RunFolder) -> Path:
    """Where the corpora of a run are that can be resumed.

    Raises:
        RunError: If they are gone.
    """
    if not any(state_folder(run).glob("*.ids")):
        raise RunError(
            f"{state_folder(run)}: must hold what the run learns from to be resumed, "
            "got nothing. Train anew in another folder, or with --overwrite."
        )
    return state_folder(run)


def state_folder(run: RunFolder) -> Path:
    """Where the corpora of a run are."""
    return run.path / "state"
