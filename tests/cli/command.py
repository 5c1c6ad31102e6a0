"""Run the command line as a person does, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from typer.testing import CliRunner

from recurro.cli.main import build


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def recurro(*words: object, code: int = 0) -> Outcome:
    """Run a command in this process; it must end with the given exit code."""
    result = CliRunner().invoke(build(), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    outcome = Outcome(result.exit_code, result.stdout, result.stderr)
    assert outcome.code == code, outcome
    return outcome


def complaint(*words: object) -> str:
    """Run a command that must fail with one line of ours; give that line."""
    outcome = recurro(*words, code=2)
    assert outcome.out == ""
    *notes, line = outcome.err.splitlines()
    assert all(note.startswith("recurro: note: ") for note in notes), outcome.err
    assert line.startswith("recurro: ")
    return line.removeprefix("recurro: ")


def process(*words: object, **settings: object) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "recurro", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **settings,  # type: ignore[arg-type]
    )
