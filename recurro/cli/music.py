"""What the commands do with music: which part of a file is for what, and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurro.cli.parts import part_of
from recurro.cli.show import print_json, say
from recurro.data import read_pieces, score_of, synthesize, write_midi, write_wav
from recurro.data.music import LOWEST
from recurro.errors import ArgumentError, DataError
from recurro.tasks import MusicModel

__all__ = ["FRAMES", "compose", "log_probs", "refuse", "to_learn", "to_score"]

FRAMES = 64
"""Frames that are composed, if nothing else is said."""

TEMPO = 100.0
"""Quarter notes a minute, if nothing else is said."""


def to_learn(model: MusicModel, files: Sequence[Path]) -> dict[str, Any]:
    """The arguments of ``fit``: parts by their names, or all that there is.

    Raises:
        DataError: If there are parts, and none is named train.
    """
    parts = read_pieces(list(files), model.step)
    pieces = [*parts.get("", []), *parts.get("train", [])]
    if not pieces:
        raise DataError(
            f"train music: '{files[0]}' must be a list of pieces or have a part named "
            f"train, got {', '.join(parts)}. Name the part train."
        )
    return {"X": pieces, "valid": parts.get("valid"), "test": parts.get("test")}


def to_score(model: MusicModel, files: Sequence[Path]) -> tuple[list[np.ndarray]]:
    """The argument of ``evaluate``: the part named test, or all that has no part.

    Raises:
        DataError: If there are parts, and none is named test.
    """
    parts = read_pieces(list(files), model.step)
    return (part_of(parts, "test", "evaluate", files),)


def log_probs(
    model: MusicModel, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """Log P of each piece of a file."""
    (pieces,) = to_score(model, [file])
    return [
        {"log_prob": float(value), "piece": str(number), "frames": str(len(piece))}
        for number, (value, piece) in enumerate(
            zip(model.log_prob(pieces), pieces, strict=True)
        )
    ]


def refuse(given: Mapping[str, Any], task: str, others: Sequence[str]) -> None:
    """Refuse options of ``recurro generate`` that a task has no use for.

    Args:
        given: All options.
        task: The word of the task.
        others: Options of other tasks than text.

    Raises:
        ArgumentError: If one is given.
    """
    ours = ("top_k", "top_p", "beam", "label", "stream")
    rules = ("min_length", "repetition_penalty", "forbid")
    for name in (*ours, *rules, *others):
        if given[name] not in (None, False, []) and (name, given[name]) != (
            "number",
            1,
        ):
            option = {"label": "class"}.get(name, name.replace("_", "-"))
            raise ArgumentError(
                f"--{option}: must be left out for a run of {task}, where it has no "
                f"meaning, got {given[name]}."
            )


def compose(run: Path, given: Mapping[str, Any]) -> None:
    """Compose a piece; write it as MIDI and sound, or print the pitches of each frame.

    Args:
        run: A run of music.
        given: The options of ``recurro generate``.

    Raises:
        ArgumentError: If an option is for text alone.
    """
    refuse(given, "music", ("number", "text", "svg", "png"))
    tempo, written = given["tempo"], given["midi"] or given["wav"]
    if tempo is not None and not (0 < tempo < math.inf and written):
        raise ArgumentError(
            "--tempo: must be above 0 quarter notes a minute, of a piece for --midi or "
            f"--wav, got {tempo:g}{'' if written else ' without these'}."
        )
    model, prompt = MusicModel.load(run), given["prompt"]
    roll = model.generate(
        given["length"] or FRAMES,
        prompt=to_score(model, [Path(prompt)])[0][0] if prompt else None,
        temperature=given["temperature"],
        seed=given["seed"],
    )
    score = score_of(roll, model.step, TEMPO if tempo is None else tempo)
    if given["midi"] is not None:
        write_midi(given["midi"], score)
    if given["wav"] is not None:
        write_wav(given["wav"], synthesize(score))
    frames = [(np.flatnonzero(frame) + LOWEST).tolist() for frame in roll]
    if given["json"]:
        print_json({"frames": frames})
    elif given["midi"] is None and given["wav"] is None:
        for frame in frames:
            say(" ".join(map(str, frame)) or "-")
