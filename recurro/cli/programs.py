"""What the commands do with programs: reading files of them, figures, answers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurro.data import read_text, run_program, split_programs
from recurro.errors import ArgumentError
from recurro.tasks import ProgramExecutor

__all__ = ["figures", "nothing", "to_score", "written"]

STDIN = Path("-")


def nothing(model: ProgramExecutor, files: Sequence[Path]) -> dict[str, Any]:
    """The arguments of ``fit``: none, as programs are drawn."""
    return {}


def to_score(model: ProgramExecutor, files: Sequence[Path]) -> tuple[list[str]]:
    """The programs of files."""
    return ([text for text, _, _ in _programs(files)],)


def figures(model: ProgramExecutor, files: Sequence[Path]) -> dict[str, float]:
    """The figures on the programs of files; without files on new ones.

    Then also those for each length and nesting, under keys that end by the two.
    """
    if files:
        return model.evaluate(*to_score(model, files))
    found = model.evaluate()
    for row in model.evaluate_each():
        for key in ("char_accuracy", "exact_match"):
            found[f"{key}_{row['length']}_{row['nesting']}"] = row[key]
    return found


def written(
    model: ProgramExecutor, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """What the network writes for each program of a file, and what it prints."""
    found = _programs([file])
    answers = model.predict([text for text, _, _ in found])
    return [
        {"answer": answer, "prints": prints, "line": str(line)}
        for answer, (_, prints, line) in zip(answers, found, strict=True)
    ]


def _programs(files: Sequence[Path]) -> list[tuple[str, str, int]]:
    """Each program, what it prints, and the number of its first line."""
    found = []
    for file in files:
        if file == STDIN:
            lines, place = sys.stdin.read().splitlines(), "standard input"
        elif file.is_dir():
            raise ArgumentError(
                f"'{file}': must be a file of programs, got a folder. Name its files."
            )
        else:
            lines, place = "".join(read_text(file)).splitlines(), str(file)
        for text, line in split_programs(lines, place):
            found.append((text, str(run_program(text, place, line)), line))
    return found
