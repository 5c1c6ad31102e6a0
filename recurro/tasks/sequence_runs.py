"""Run folders of tasks that tell something of sequences or of their steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from recurro.data import Sequences
from recurro.data.files import BROKEN_ARRAYS
from recurro.data.sequences import Targets
from recurro.errors import RunError
from recurro.tasks.readers import Items, Learnt
from recurro.tasks.runs import begin_folder, open_run, state_folder
from recurro.tasks.sequence_config import TaskSettings
from recurro.train import RunFolder

__all__ = ["Examples", "begin_sequence_run", "read_examples", "read_sequence_run"]

EXAMPLES = "examples.npz"

Pairs: TypeAlias = tuple[Items, Targets]
"""Items and their targets."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a model learns from, what it chooses on and what it is tested on.

    Attributes:
        items: Texts, lists of words or series: those learnt from, those held out, those
            tested on.
        targets: Class ids, int64, or numbers, float32, of each or of its steps.
        held_out: How many are held out.
        tested: How many are tested on.
    """

    items: Items
    targets: Targets
    held_out: int
    tested: int = 0

    def parts(self) -> tuple[Pairs, Pairs]:
        """Items and targets to train on, and those held out."""
        end = len(self.items) - self.tested
        at = end - self.held_out
        return (
            (self.items[:at], self.targets[:at]),
            (self.items[at:end], self.targets[at:end]),
        )

    def test_parts(self) -> tuple[Pairs, Pairs]:
        """Items and targets that are known before the test, and those to test on."""
        end = len(self.items) - self.tested
        return (
            (self.items[:end], self.targets[:end]),
            (self.items[end:], self.targets[end:]),
        )

    def write(self, folder: Path) -> None:
        """Write them to a folder, free of pickle."""
        values = Sequences.of([_as_array(item) for item in self.items])
        told, starts = self.targets, np.zeros(0, np.int64)
        if isinstance(told, Sequences):
            told, starts = told.values, told.starts
        with (folder / EXAMPLES).open("wb") as file:
            np.savez(
                file,
                kind=np.array(_kind(self.items[0])),
                values=values.values,
                starts=values.starts,
                targets=told,
                target_starts=starts,
                counts=np.array([self.held_out, self.tested]),
            )


def _kind(item: object) -> str:
    """The kind of an item: a text, words, or a series."""
    if isinstance(item, str):
        return "text"
    return "words" if isinstance(item, list) else "series"


def _as_array(item: str | list[str] | np.ndarray) -> np.ndarray:
    if isinstance(item, np.ndarray):
        return item
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return np.frombuffer(text.encode(), np.uint8)


def read_examples(run: RunFolder) -> Examples:
    """What a run learns from.

    Raises:
        RunError: If it is gone or damaged.
    """
    path = state_folder(run) / EXAMPLES
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            kind, counts = str(saved["kind"]), saved["counts"].tolist()
            joined = Sequences(saved["values"], saved["starts"])
            told, starts = saved["targets"], saved["target_starts"]
            targets = Sequences(told, starts) if len(starts) else told
    except BROKEN_ARRAYS:
        raise RunError(
            f"{path}: must hold what the run learns from to be resumed, got nothing "
            "that can be read. Train anew in another folder, or with --overwrite."
        ) from None
    rows = [joined[row] for row in range(len(joined))]
    if kind == "series":
        return Examples(rows, targets, *counts)
    texts = [row.tobytes().decode() for row in rows]
    items: Items = texts if kind == "text" else [json.loads(text) for text in texts]
    return Examples(items, targets, *counts)


def begin_sequence_run(
    out: Path,
    draft: Path,
    settings: TaskSettings,
    reader: Learnt,
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


SettingsKind = TypeVar("SettingsKind", bound=TaskSettings)


def read_sequence_run(
    path: Path | str, task: str, kind: type[SettingsKind]
) -> tuple[RunFolder, SettingsKind]:
    """Open a run folder and read its settings.

    Args:
        path: The folder.
        task: The task that it must be of.
        kind: The kind of its settings.

    Raises:
        RunError: If it is no run, incomplete, changed, from a newer version or of
            another task.
    """
    run, tree = open_run(path, task)
    return run, kind(**tree)
