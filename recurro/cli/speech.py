"""What the commands on tasks of sequences need of speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurro.cli.show import tell
from recurro.data import read_spoken
from recurro.errors import ArgumentError
from recurro.tasks import SpeechRecognizer

__all__ = ["search_of", "to_score", "transcripts"]

OPTIONS = {
    "beam_size": "--beam",
    "language_model": "--lm",
    "language_weight": "--lm-weight",
}
"""The option of each argument that says how texts are found."""

SEARCHING = ("transcribe", "translate")
"""The tasks that find texts by a search."""


def search_of(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """How texts are to be found: arguments of a task that finds them.

    Args:
        task: The task of the run.
        given: The options by the name of the argument; those not given are ``None``.

    Raises:
        ArgumentError: If the task finds no texts, or a weight comes without a model.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    for name, value in asked.items():
        if task not in SEARCHING:
            raise ArgumentError(
                f"{OPTIONS[name]}: must be left out for a run of {task}, which seeks "
                f"no text, got {value}."
            )
        if name != "beam_size" and task != "transcribe":
            raise ArgumentError(
                f"{OPTIONS[name]}: must be left out for a run of {task}, which hears "
                f"no speech, got {value}."
            )
    if "language_weight" in asked and "language_model" not in asked:
        raise ArgumentError(
            f"--lm-weight: must come with --lm, got {asked['language_weight']} alone. "
            "Name the run of a language model too."
        )
    return asked


def transcripts(
    model: SpeechRecognizer, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The text of each recording of a file or folder."""
    found = read_spoken(file, texts=False)
    tell(found.notes)
    files = found.files
    return [
        {"file": str(name), "text": text}
        for name, text in zip(files, model.predict(files), strict=True)
    ]


def to_score(
    model: SpeechRecognizer, files: Sequence[Path]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Recordings and their texts."""
    if len(files) > 1:
        raise ArgumentError(
            f"transcribe: recordings come in one table or folder, got {len(files)}. "
            "Name one."
        )
    found = read_spoken(files[0])
    tell(found.notes)
    return found.files, found.texts
