"""What the commands on echo state networks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurro.cli.show import print_json, say
from recurro.errors import ArgumentError
from recurro.tasks.echo_state import EchoStateRun

__all__ = ["figures_of", "go_on"]

STEPS = 64
"""Rows that are generated, if nothing else is said."""


def figures_of(run: Path, files: Sequence[Path]) -> dict[str, float]:
    """The figures of a run on a file.

    Raises:
        ArgumentError: If there is not one file.
    """
    if len(files) != 1:
        raise ArgumentError(
            f"evaluate: a run of esn is scored on one file, got {len(files)}. Name one."
        )
    return EchoStateRun.load(run).evaluate(files[0])


def go_on(run: Path, given: Mapping[str, Any]) -> None:
    """Print how a table goes on.

    Raises:
        ArgumentError: If there is no table, or a flag for other runs.
    """
    usual = {"temperature": 1.0, "number": 1, "stream": False}
    own = {"run", "prompt", "length", "threads", "json"}
    strange = [
        key
        for key, value in given.items()
        if key not in own and value is not None and value != usual.get(key)
    ]
    if strange:
        name = strange[0].replace("_", "-")
        raise ArgumentError(f"--{name}: is not for a run of esn. Leave it out.")
    if not given["prompt"]:
        raise ArgumentError(
            "--prompt: must name the table to go on from, got none. Name one."
        )
    file = Path(given["prompt"])
    rows = EchoStateRun.load(run).generate(given["length"] or STEPS, file)
    if given["json"]:
        print_json(rows)
        return
    say("\t".join(rows[0]))
    for row in rows:
        say("\t".join(f"{value:.6g}" for value in row.values()))
