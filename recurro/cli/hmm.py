"""What the commands on hidden Markov models share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recurro.baselines import HiddenMarkovModel
from recurro.cli.show import print_json, say, watch
from recurro.data.files import BROKEN_ARRAYS
from recurro.errors import ArgumentError
from recurro.tasks.hmm import HMMRun

__all__ = ["fresh_model", "speak", "watched"]

EMISSIONS: dict[str, tuple[Literal["categorical", "gaussian", "poisson"], bool]] = {
    "categorical": ("categorical", False),
    "gaussian": ("gaussian", False),
    "full": ("gaussian", True),
    "poisson": ("poisson", False),
}
"""Words on the command line: the emission, and whether covariances are full."""

LENGTH = 500
"""Steps that are drawn, if nothing else is said."""


def fresh_model(
    emission: str | None,
    kind: str,
    files: Sequence[Path],
    **settings: Any,  # noqa: ANN401 (arguments of the model)
) -> HiddenMarkovModel:
    """A model that is not fitted, of the emission that was named or fits the files."""
    if emission is None:
        symbols = kind == "symbols" or (kind == "arrays" and _whole(Path(files[0])))
        emission = "categorical" if symbols else "gaussian"
    if emission not in EMISSIONS or (kind == "symbols" and emission != "categorical"):
        known = ["categorical"] if kind == "symbols" else list(EMISSIONS)
        raise ArgumentError(
            f"--emission: must be {', '.join(known)} for these files, got {emission!r}."
        )
    name, full = EMISSIONS[emission]
    covariance = "full" if full else "diag"
    return HiddenMarkovModel(emission=name, covariance_type=covariance, **settings)


def _whole(file: Path) -> bool:
    """Whether a file holds whole numbers in one column; a broken one is told later."""
    try:
        held = np.load(file, allow_pickle=False)
        X = held if file.suffix.lower() == ".npy" else held["X"]
    except BROKEN_ARRAYS:
        return False
    return X.dtype.kind in "iu" and (X.ndim == 1 or X.shape[1] == 1)


@contextmanager
def watched(
    starts: int, iterations: int, *, quiet: bool
) -> Iterator[Callable[[int, int, float], None]]:
    """Show iterations of Baum-Welch to a person."""
    with watch(quiet=quiet) as watcher:

        def tell(start: int, iteration: int, log_prob: float) -> None:
            step = start * iterations + iteration
            watcher.update(step, starts * iterations, {"loss": -log_prob})

        yield tell


def speak(run: Path, given: Mapping[str, Any]) -> None:
    """``recurro generate`` for a run of a hidden Markov model."""
    plain = {"temperature": 1.0, "prompt": "", "number": 1}
    for name, value in given.items():
        known = ("run", "length", "number", "seed", "json", "threads")
        if name not in known and value not in (None, False, [], plain.get(name)):
            raise ArgumentError(
                f"--{name.replace('_', '-')}: must be left out for a run of hmm, which "
                f"draws as it learnt, got {value!r}."
            )
    if given["length"] is not None and given["length"] < 1:
        raise ArgumentError(f"--length: must be at least 1, got {given['length']}.")
    trained, seed = HMMRun.load(run), given["seed"]
    texts = [
        trained.generate(
            given["length"] or LENGTH, None if seed is None else seed + number
        )
        for number in range(given["number"])
    ]
    if given["json"]:
        print_json([{"text": text} for text in texts])
        return
    for text in texts:
        say(text)
