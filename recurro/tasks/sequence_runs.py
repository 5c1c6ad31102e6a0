"""Run folders of tasks that tell one thing of each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro.data import Sequences
from recurro.errors import RunError
from recurro.tasks.readers import Items, Reader
from recurro.tasks.runs import begin_folder, open_run, state_folder
from recurro.tasks.sequence_config import SequenceSettings
from recurro.train import RunFolder

__all__ = ["Examples", "begin_sequence_run", "read_examples", "read_sequence_run"]

EXAMPLES = "examples.npz"


@dataclass(frozen=True, eq=False)
class Examples:
    """What a model learns from and what it chooses on.

    Attributes:
        items: Texts or series, those held out last.
        targets: Class ids, int64, or numbers, float32 ``(items,)``.
        held_out: How many are held out.
    """

    items: Items
    targets: np.ndarray
    held_out: int

    def parts(self) -> tuple[tuple[Items, np.ndarray], tuple[Items, np.ndarray]]:
        """Items and targets to train on, and those held out."""
        at = len(self.items) - self.held_out
        return (
            (self.items[:at], self.targets[:at]),
            (self.items[at:], self.targets[at:]),
        )

    def write(self, folder: Path) -> None:
        """Write them to a folder, free of pickle."""
        texts = [item for item in self.items if isinstance(item, str)]
        arrays = [np.frombuffer(text.encode(), np.uint8) for text in texts] or [
            np.asarray(item) for item in self.items
        ]
        with (folder / EXAMPLES).open("wb") as file:
            np.savez(
                file,
                values=np.concatenate(arrays),
                lengths=np.array([len(array) for array in arrays]),
                targets=self.targets,
                held_out=np.array(self.held_out),
            )


def read_examples(run: RunFolder) -> Examples:
    """What a run learns from.

    Raises:
        RunError: If it is gone or damaged.
    """
    path = state_folder(run) / EXAMPLES
    try:
        with np.load(path, allow_pickle=False) as saved:
            starts = np.concatenate([[0], np.cumsum(saved["lengths"])])
            joined = Sequences(saved["values"], starts)
            targets, held_out = saved["targets"], int(saved["held_out"])
    except (OSError, ValueError, KeyError, EOFError):
        raise RunError(
            f"{path}: must hold what the run learns from to be resumed, got nothing "
            "that can be read. Train anew in another folder, or with --overwrite."
        ) from None
    rows = [joined[row] for row in range(len(joined))]
    if joined.values.dtype == np.uint8:
        return Examples([row.tobytes().decode() for row in rows], targets, held_out)
    return Examples(rows, targets, held_out)


def begin_sequence_run(
    out: Path,
    draft: Path,
    settings: SequenceSettings,
    reader: Reader,
    sealed: Mapping[str, str],
    *,
    overwrite: bool = False,
) -> RunFolder:
    """Make a run folder with its settings, its reader and the drafted files.

    Args:
        out: The folder.
        draft: Where ``draft_folder`` let the examples be written; they move on.
        settings: Written to ``config.yaml``, last.
        reader: Written to a file of its own.
        sealed: Further files by name.
        overwrite: Whether a run that is there may be deleted.

    Raises:
        RunError: If the folder holds another run, or cannot be written.
    """
    name, text = reader.file()
    files = {name: text, **sealed}
    return begin_folder(out, draft, settings.tree(), files, overwrite=overwrite)


def read_sequence_run(
    path: Path | str, task: str
) -> tuple[RunFolder, SequenceSettings]:
    """Open a run folder and read its settings.

    Args:
        path: The folder.
        task: The task that it must be of.

    Raises:
        RunError: If it is no run, incomplete, changed, from a newer version or of
            another task.
    """
    run, tree = open_run(path, task)
    return run, SequenceSettings(**tree)
