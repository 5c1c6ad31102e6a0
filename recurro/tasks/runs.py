"""Run folders of language models: begun in one stroke, read back safely."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recurro.data import Tokenizer
from recurro.errors import RunError
from recurro.tasks.config import LanguageSettings
from recurro.train import RunFolder

__all__ = ["begin_run", "draft_folder", "read_run"]

VOCABULARY = "vocabulary.json"


@contextmanager
def draft_folder(out: Path | None) -> Iterator[Path | None]:
    """A place beside a run folder for what is made before the folder is touched.

    So an error in the data leaves no half-made run, and ``overwrite`` deletes nothing
    before its successor is sure.

    Args:
        out: The run folder to be, or ``None``, which needs no place.
    """
    if out is None:
        yield None
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise RunError(
            f"{out}: must be writable, got '{(error.strerror or '').lower()}'. Name "
            "another folder."
        ) from None
    with place as name:
        yield Path(name)


def begin_run(
    out: Path,
    draft: Path,
    settings: LanguageSettings,
    tokenizer: Tokenizer,
    *,
    overwrite: bool = False,
) -> RunFolder:
    """Make a run folder with its settings, its vocabulary and the drafted files.

    Args:
        out: The folder.
        draft: Where ``draft_folder`` let the corpora be written; they move on.
        settings: Written to ``config.yaml``, last.
        tokenizer: Written to ``vocabulary.json``.
        overwrite: Whether a run that is there may be deleted.

    Raises:
        RunError: If the folder holds another run, or cannot be written.
    """
    run = RunFolder.create(out, overwrite=overwrite)
    if run.writes:
        state_folder(run).mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(state_folder(run) / file.name)
    run.write_text(VOCABULARY, tokenizer.to_json(), sealed=True)
    run.write_config(settings.tree())
    return run


def read_run(path: Path | str) -> tuple[RunFolder, LanguageSettings, Tokenizer]:
    """Open a run folder; its settings and vocabulary are checked.

    Raises:
        RunError: If it is no run, incomplete, changed, or from a newer version.
    """
    run = RunFolder.open(path)
    tree = run.read_config()
    if not isinstance(tree, dict) or tree.get("task") not in ("lm", "by-class"):
        task = tree.get("task") if isinstance(tree, dict) else None
        raise RunError(
            f"{run.path}: must be the run of a language model, got one of task "
            f"{task!r}. Name another run."
        )
    tokenizer = Tokenizer.load(run.path / VOCABULARY)
    return run, LanguageSettings(**tree), tokenizer


def state_folder(run: RunFolder) -> Path:
    """Where the corpora of a run are."""
    return run.path / "state"
