"""What the commands read for tasks that say one thing of each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from recurro.cli.show import tell
from recurro.data import Labelled, read_items, read_labelled, read_step_numbers
from recurro.errors import DataError, ItemError
from recurro.tasks import SequenceClassifier, SequenceRegressor
from recurro.tasks.regressor import unfit_numbers

__all__ = ["items_of", "labelled_of", "place_of", "tell_still", "training_of"]

Model = SequenceClassifier | SequenceRegressor


def training_of(model: Model, file: Path) -> dict[str, Any]:
    """The arguments of ``fit``: what a file says, and the part to test on, if any."""
    found, test = _read(model, file), None
    model.remember(features=found.features)
    tell_still(found)
    asked = model.settings.data.test
    if asked == "hash":
        found, test = found.split()
    elif asked is not None:
        test = _read(model, Path(asked))
    if isinstance(model, SequenceRegressor):
        found = _numbered(model, found)
        test = test and _numbered(model, test)
    else:
        found = _classes(found)
        test = test and _known(test, found.labels)
    tested = None if test is None else (test.items, test.labels)
    return {"X": found.items, "y": found.labels, "test": tested}


def tell_still(found: Labelled) -> None:
    """Say which columns never change."""
    columns = np.concatenate(found.items).T if found.features else []
    pairs = zip(found.features, columns, strict=True)
    if still := [name for name, column in pairs if np.ptp(column) == 0]:
        names = ", ".join(map(repr, still))[:300]
        tell([f"nothing can be learnt of columns that never change: {names}."])


def labelled_of(model: Model, file: Path) -> tuple[list[Any], list[Any]]:
    """Sequences and what is said of them, as the model would say it."""
    found = _read(model, file)
    if isinstance(model, SequenceRegressor):
        found = _numbered(model, found)
    else:
        found = _known(found, model.classes_.tolist())
    return found.items, found.labels


def items_of(model: Model, file: Path) -> Labelled:
    """Sequences, whatever is said of them."""
    data = model.settings.data
    roles = None if file.suffix == ".ts" else data.roles
    found = read_items(file, roles, encoding=data.encoding)
    tell(found.notes)
    return found


def place_of(model: Any, file: Path, error: ItemError) -> str | None:  # noqa: ANN401
    """Where an item of a file stands, for a person; ``None`` if it is a window of one.

    Args:
        model: A model of sequences, whose settings say how files are read.
        file: What it was to read, and could not.
        error: What is wrong with it.
    """
    data = model.settings.data
    if getattr(data, "window", None) is not None:
        return None
    roles = None if file.suffix == ".ts" else data.roles
    found = read_items(file, roles, encoding=data.encoding)
    if error.tested and data.test == "hash":
        _, found = found.split()
    return found.where(error.item, error.step, error.channel)


def _read(model: Model, file: Path) -> Labelled:
    data = model.settings.data
    stepwise = file.is_dir() or (data.roles.stepwise and file.suffix != ".ts")
    each = isinstance(model, SequenceRegressor) and data.window and stepwise
    read = read_step_numbers if each else read_labelled
    found = read(file, data.roles, encoding=data.encoding)
    tell(found.notes)
    return found


def _numbered(model: SequenceRegressor, found: Labelled) -> Labelled:
    """The same with numbers as labels, or for each step what is one already."""
    if isinstance(found.labels[0], np.ndarray):
        return found
    numbers = [_number(label) for label in found.labels]
    wrong = [row for row, n in enumerate(numbers) if n is None or not isfinite(n)]
    if wrong:
        at = wrong[0]
        raise DataError(
            f"regress: {found.places[at]} must say a number of its sequence, got "
            f"{found.labels[at]!r}. Mend it, or use classify for classes."
        )
    unfit, what = unfit_numbers(model.settings.model.head, np.array(numbers))
    if len(unfit):
        raise DataError(
            f"regress: the number of {found.places[unfit[0]]} {what}, got "
            f"{found.labels[unfit[0]]!r}. Use the normal head, or leave the row out."
        )
    return replace(found, labels=numbers)


def _classes(found: Labelled) -> Labelled:
    """The same with numbers as classes, where all are numbers."""
    numbers = [_number(label) for label in found.labels]
    return found if None in numbers else replace(found, labels=numbers)


def _known(found: Labelled, classes: Sequence[Any]) -> Labelled:
    """The same with classes such as those of training, all of them known."""
    known = set(classes)
    turn = str if isinstance(next(iter(known)), str) else _number
    labels = [turn(label) for label in found.labels]
    strange = [row for row, label in enumerate(labels) if label not in known]
    if strange:
        row, more = strange[0], f" ({len(strange)} such items)" if strange[1:] else ""
        raise DataError(
            f"classify: {found.places[row]} must name one of the {len(known)} classes "
            f"seen in training, got {found.labels[row]!r}{more}. Mend it, leave it "
            "out, or train with it."
        )
    return replace(found, labels=labels)


def _number(label: object) -> float | None:
    """A label as a number, whole if it is, or ``None`` if it is none."""
    try:
        number = float(str(label))
    except ValueError:
        return None
    return int(number) if number.is_integer() else number
