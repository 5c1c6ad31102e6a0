"""Classes as a person names them: checked, weighed, kept in a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recurro.errors import DataError, RunError, SettingError
from recurro.train import RunFolder

__all__ = ["as_labels", "check_known", "class_weights", "classes_text", "read_classes"]

CLASSES = "classes.json"

Place = Callable[[int], str]
"""Where a label stands, in words."""


def as_labels(labels: Sequence[Any], owner: str, place: Place) -> np.ndarray:
    """Labels as an array ``(labels,)`` of one kind.

    Args:
        labels: Words or numbers.
        owner: Who asks, for errors.
        place: Where each stands, for errors.

    Raises:
        DataError: If one is missing, or they are not of one kind.

    Example:
        >>> as_labels(["a", None], "SequenceTagger", "item {}".format)
        Traceback (most recent call last):
        recurro.errors.DataError: SequenceTagger: the class of item 1 must be a word \
or a number, got None. Mend it, or leave the item out.
    """
    for number, label in enumerate(labels):
        strange = not isinstance(label, str | int | np.integer | np.bool_ | float)
        if strange or label != label:
            raise DataError(
                f"{owner}: the class of {place(number)} must be a word or a number, "
                f"got {label!r}. Mend it, or leave the item out."
            )
    if len({isinstance(label, str) for label in labels}) > 1:
        raise DataError(
            f"{owner}: classes must be all words or all numbers, got both. Turn the "
            "numbers into words."
        )
    return np.array(labels)


def check_known(
    labels: np.ndarray, classes: np.ndarray, owner: str, place: Place
) -> np.ndarray:
    """The ids of labels that must be among the classes, int64.

    Raises:
        DataError: If one is not.
    """
    try:
        unknown = ~np.isin(labels, classes)
    except TypeError:  # words against numbers
        unknown = np.ones(len(labels), bool)
    if unknown.any():
        number = int(np.argmax(unknown))
        raise DataError(
            f"{owner}: the class of {place(number)} must be one of the {len(classes)} "
            f"seen in training, got {labels[number].item()!r}. Train with it, or leave "
            "the item out."
        )
    return np.searchsorted(classes, labels).astype(np.int64)


def class_weights(
    given: str | Mapping[str, float] | None,
    classes: np.ndarray,
    counts: np.ndarray,
    owner: str,
) -> list[float] | None:
    """What the loss of each class is multiplied by, in the order of the classes.

    Args:
        given: ``None``, ``balanced``, or a number by class.
        classes: The classes.
        counts: How often each came.
        owner: The settings that it was given in, for errors.

    Raises:
        SettingError: If the numbers do not fit the classes.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return (counts.sum() / (len(counts) * counts)).tolist()
    names = [str(name) for name in classes.tolist()]
    if set(given) != set(names) or min(given.values()) <= 0:
        raise SettingError(
            owner,
            "class_weight",
            f"must give a number above 0 for each of the classes "
            f"{', '.join(names[:20])}, got {given}. Name them all.",
        )
    return [given[name] for name in names]


def classes_text(classes: np.ndarray, counts: np.ndarray, **more: Any) -> str:  # noqa: ANN401
    """The contents of ``classes.json``."""
    tree = {"classes": classes.tolist(), "items": counts.tolist(), **more}
    return json.dumps(tree, ensure_ascii=False, indent=1)


def read_classes(run: RunFolder) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Classes, how often each came, and what else there is in ``classes.json``.

    Raises:
        RunError: If the file is missing or damaged.
    """
    tree = run.read_json(CLASSES)
    try:
        assert isinstance(tree, dict)
        classes, counts = np.array(tree["classes"]), np.array(tree["items"], np.int64)
        assert len(classes) == len(counts) > 1
    except (AssertionError, KeyError, TypeError, ValueError):
        raise RunError(
            f"{run.path / CLASSES}: must give the classes and the items of each, got "
            "something else. Put it back from a copy."
        ) from None
    return classes, counts, tree
